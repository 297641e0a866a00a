"""The formats that are known, and which of them a file is in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from annotation.actions.imports import annotators, preferences
from annotation.actions.imports.files import read_records, unit_of
from annotation.actions.imports.foreign import Format
from annotation.actions.imports.judgments import FIELDS as JUDGMENT_FIELDS
from annotation.actions.imports.mapping import Mapping
from annotation.actions.imports.records import MOST_COLUMNS, Record, beginning
from annotation.actions.imports.responses import FIELDS as RESPONSE_FIELDS
from annotation.actions.imports.responses import PROMPT_FIELDS, guess_prompt
from annotation.errors import ImportRefused

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        annotators.LABEL_STUDIO,
        annotators.ARGILLA,
        preferences.PKU,
        preferences.ANTHROPIC_HH,
        preferences.TRL_PREFERENCE,
        preferences.TRL_UNPAIRED,
    )
}
"""In the order in which a file is asked whether it is one: the more particular first."""

OWN = {
    "judgments": ("Judgments of responses and pairs that the study has", JUDGMENT_FIELDS),
    "responses": ("Prompts and responses of named arms", RESPONSE_FIELDS),
    "prompts": ("Prompts alone", PROMPT_FIELDS),
}
TITLES = {name: one.title for name, one in FORMATS.items()} | {name: own[0] for name, own in OWN.items()}
LOOKED_AT = 200
"""Rows that decide which format a file is in: the first that can be read."""


@dataclass(frozen=True)
class Recognised:
    """`name` is one of TITLES. `columns` says which column gives a field where the file's names are its own;
    `found` are all its columns, `is_named` says whether somebody named the format."""

    name: str
    columns: dict[str, str] = field(default_factory=dict)
    found: tuple[str, ...] = ()
    is_named: bool = False

    @property
    def title(self) -> str:
        return TITLES[self.name]

    @property
    def fields(self) -> Sequence[str]:
        """The fields that a file of this format may fill."""
        return FORMATS[self.name].fields if self.name in FORMATS else OWN[self.name][1]

    def mapping(self, given: Mapping) -> Mapping:
        """What was guessed, with what somebody said in its place."""
        guessed = {name: column for name, column in self.columns.items() if name not in given.constants}
        return Mapping(guessed | given.columns, given.values, given.constants)

    @property
    def hint(self) -> str:
        """What was recognised, in a sentence."""
        how = "Read as" if self.is_named else "Recognised as"
        told = ", ".join(f"{name} from “{column}”" for name, column in sorted(self.columns.items()))
        return f"{how} {self.title}{f'; {told}' if told else ''}."


def recognise(path: Path, name: str = "", mapping: Mapping | None = None, called: str = "") -> Recognised:
    """The format of a file, from its first rows or from its `name`. Raises ImportRefused when it is none.

    `mapping`: a file whose columns are renamed to a format's fields is of that format. `called`: the name of
    the file where it came from.
    """
    if name and name not in TITLES:
        raise ImportRefused([], f"“{name}” is no format. The formats are: {', '.join(TITLES)}.")
    records = list(beginning(read_records(path, called), LOOKED_AT))
    rows = [record.values for record in records if not record.problem]
    if name:
        return _guessed(rows, name, is_named=True)
    if not rows:
        raise _unreadable(called or path.name, records)
    if found := _format_of(_renamed(rows[0], mapping or Mapping())):
        return _guessed(rows, found, is_named=False)
    columns = ", ".join(f"“{column}”" for column in rows[0]) or "none"
    raise ImportRefused(
        [],
        f"“{called or path.name}” is in no format that is known by its columns ({columns}). "
        f"Name the format ({', '.join(TITLES)}) and say which column is what.",
    )


def _unreadable(name: str, records: Sequence[Record]) -> ImportRefused:
    if not records:
        return ImportRefused([], f"“{name}” has no rows.")
    first, unit = records[0], unit_of(name).capitalize()
    return ImportRefused(
        [], f"No row of the beginning of “{name}” can be read. {unit} {first.line:,}: {first.problem}"
    )


def _renamed(row: dict, mapping: Mapping) -> dict:
    extra = {name: row[column] for name, column in mapping.columns.items() if column in row}
    return row | extra | mapping.constants


def _format_of(row: dict) -> str:
    for one in FORMATS.values():
        if one.name != "trl_unpaired" and one.fits(one.plain(row)):
            return one.name
    if "prompt_key" in row and ("arm" in row or {"arm_a", "arm_b"} <= set(row)):
        return "responses" if "response" in row else "judgments"
    return "trl_unpaired" if FORMATS["trl_unpaired"].fits(row) else ""


def _guessed(rows: list[dict], name: str, is_named: bool) -> Recognised:
    """The guess of the first row in which most is guessed; all columns of the rows looked at."""
    one = FORMATS.get(name)
    plain = [one.plain(row) if one else row for row in rows]
    guess = one.guess if one else guess_prompt if name == "prompts" else None
    guesses = [guess(row) for row in plain] if guess else []
    found = tuple(dict.fromkeys(column for row in plain for column in row))[:MOST_COLUMNS]
    return Recognised(name, max(guesses, key=len, default={}), found, is_named)
