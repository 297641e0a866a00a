"""Which of a study's answers a report is about, in an address and in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from urllib.parse import parse_qs, urlencode

from annotation.errors import BadFilter
from annotation.models.report import LONGEST_FILTER
from annotation.vocabulary import Intent

NONE = "none"
"""Stands for "" in an address and as a slice's name: no category, no language, no link."""

MOST_VALUES = 100
LONGEST_VALUE = 200


@dataclass(frozen=True)
class Filters:
    """An empty tuple lets everything through; several values let any of them through. Days are in UTC.

    `arms`: responses of these; and pairs of two of these, or with one arm named every pair it is part of.
    `since` and `until` are days of the first answer, both included; an answer of an unknown day is left out.
    """

    intents: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    cohorts: tuple[str, ...] = ()
    guidelines: tuple[int, ...] = ()
    since: date | None = None
    until: date | None = None

    @classmethod
    def from_query(cls, query: Mapping) -> "Filters":
        """From an address's query (a QueryDict, or a dict of texts or lists of texts).

        Other names in it are left alone, and so is a name without a value. Raises BadFilter.
        """
        found: dict = {field: _values(query, name) for field, name in NAMES.items()}
        if odd := [intent for intent in found["intents"] if intent not in Intent.values]:
            known = ", ".join(Intent.values)
            raise BadFilter(f"“{shown(odd[0])}” is no intent. The intents are: {known}.")
        found["guidelines"] = tuple(sorted({_version(value) for value in found["guidelines"]}))
        found |= {name: _day(query, name) for name in ("since", "until")}
        if found["since"] and found["until"] and found["since"] > found["until"]:
            raise BadFilter(f"No day is both since {found['since']} and until {found['until']}.")
        filters = cls(**found)
        if len(filters.as_query()) > LONGEST_FILTER:
            raise BadFilter(f"The filters together are longer than {LONGEST_FILTER:,} characters.")
        return filters

    @classmethod
    def from_text(cls, query: str) -> "Filters":
        """From the text that `as_query` gave. Raises BadFilter."""
        return cls.from_query(parse_qs(query))

    def as_query(self) -> str:
        """The canonical query string, which `from_query` reads; "" where nothing is filtered."""
        pairs = [(NAMES[field], shown(value)) for field in NAMES for value in getattr(self, field)]
        days = [(name, getattr(self, name)) for name in ("since", "until")]
        return urlencode([*pairs, *((name, day.isoformat()) for name, day in days if day)])

    def in_words(self) -> str:
        """For people: “intent: benign or malicious; arm: blue; since 2026-01-31”; "" for nothing filtered."""
        words = [f"{name}: {_or(getattr(self, field))}" for field, name in NAMES.items()]
        words = [text for text, field in zip(words, NAMES, strict=True) if getattr(self, field)]
        words += [
            f"{name} {getattr(self, name).isoformat()}" for name in ("since", "until") if getattr(self, name)
        ]
        return "; ".join(words)

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return any(getattr(self, field.name) for field in fields(self))


NAMES = {
    "intents": "intent",
    "categories": "category",
    "subsets": "subset",
    "languages": "language",
    "arms": "arm",
    "cohorts": "cohort",
    "guidelines": "guideline",
}
"""Field to its name in an address."""


def shown(value: str | int) -> str:
    """A label as people and addresses name it; in quotes where it is called NONE itself."""
    if not value:
        return NONE
    return f"'{value}'" if str(value).strip("'") == NONE else str(value)


def _named(text: str) -> str:
    """The label of which `shown` says `text`."""
    if text == NONE:
        return ""
    return text[1:-1] if text.strip("'") == NONE and text[0] == text[-1] == "'" else text


def _values(query: Mapping, name: str) -> tuple[str, ...]:
    """The distinct values of one name, in order; NONE as ""."""
    found = _all(query, name)
    if len(found) > MOST_VALUES:
        raise BadFilter(f"“{name}” has {len(found)} values; {MOST_VALUES} is the most.")
    if odd := [value for value in found if len(value) > LONGEST_VALUE or not value.isprintable()]:
        raise BadFilter(f"A value of “{name}” cannot be one: {odd[0][:40]!r}.")
    return tuple(sorted(map(_named, set(found))))


def _all(query: Mapping, name: str) -> list[str]:
    given = query.getlist(name) if hasattr(query, "getlist") else query.get(name, [])
    values = [given] if isinstance(given, str) else list(given)
    return [value for value in values if value]


def _version(value: str) -> int:
    if value and not (value.isascii() and value.isdigit() and len(value) <= 5):
        raise BadFilter(f"“{value}” is no version of a guideline. Give its number, or “{NONE}”.")
    return int(value or 0)


def _day(query: Mapping, name: str) -> date | None:
    found = _all(query, name)
    if len(found) > 1:
        raise BadFilter(f"“{name}” is given twice.")
    try:
        return date.fromisoformat(found[0]) if found else None
    except ValueError as error:
        raise BadFilter(f"“{found[0][:40]}” is no day. Write “{name}” as 2026-01-31.") from error


def _or(values: Iterable[str | int]) -> str:
    return " or ".join(map(shown, values))
