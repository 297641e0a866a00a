"""How the columns and words of a foreign file become ours."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from annotation.errors import DomainError
from annotation.strict_json import why_unstorable

LONGEST_PATTERN = 1_000  # characters


@dataclass(frozen=True)
class Mapping:
    """`columns`: field to the file's column. `constants`: field to a value for every row.

    `values`: field to (pattern, ours), tried in order; a value that none matches stays as it is.
    """

    columns: dict[str, str] = field(default_factory=dict)
    values: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(
        cls,
        fields: Sequence[str],
        columns: Iterable[str] = (),
        values: Iterable[str] = (),
        constants: Iterable[str] = (),
    ) -> "Mapping":
        """From FIELD=COLUMN, FIELD:FROM=TO and FIELD=VALUE. Raises DomainError on anything else.

        In FROM, a `*` stands for any text.
        """
        renamed = _each_once(_split(option, "=", "FIELD=COLUMN") for option in columns)
        fixed = _each_once(_split(option, "=", "FIELD=VALUE") for option in constants)
        translated: dict[str, list[tuple[str, str]]] = {}
        for option in values:
            name, rule = _split(option, ":", "FIELD:FROM=TO")
            pattern, equals, ours = rule.rpartition("=")
            if not equals:
                raise DomainError(f"“{option}” is not of the form FIELD:FROM=TO.")
            translated.setdefault(name, []).append((_pattern(pattern), ours))
        _refuse_unknown(fields, [*renamed, *translated, *fixed])
        if both := sorted(set(renamed) & set(fixed)):
            raise DomainError(f"“{both[0]}” cannot come from a column and be the same in every row.")
        return cls(renamed, translated, fixed)

    def column_of(self, name: str) -> str:
        """The file's column that gives this field."""
        return self.columns.get(name, name)

    def gives(self, name: str, found: set[str]) -> bool:
        """Whether a file with the columns `found` has this field."""
        return name in self.constants or self.column_of(name) in found

    def apply(self, values: dict, fields: Sequence[str]) -> dict:
        """The row by our fields; a field that the file lacks is not there."""
        row = {name: values[self.column_of(name)] for name in fields if self.column_of(name) in values}
        for name, rules in self.values.items():
            if name in row:
                row[name] = _translate(row[name], rules)
        return row | self.constants


def _each_once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise DomainError(f"“{name}” is given twice: “{given[name]}” and “{value}”.")
        given[name] = value
    return given


def _split(option: str, separator: str, form: str) -> tuple[str, str]:
    if problem := why_unstorable(option):
        raise DomainError(f"In “{option}”: {problem}")
    name, found, rest = option.partition(separator)
    if not found or not name:
        raise DomainError(f"“{option}” is not of the form {form}.")
    return name.strip(), rest


def _refuse_unknown(fields: Sequence[str], named: Iterable[str]) -> None:
    for name in named:
        if name not in fields:
            raise DomainError(f"“{name}” is not a field of this file. The fields are: {', '.join(fields)}.")


def _pattern(text: str) -> str:
    if len(text) > LONGEST_PATTERN:
        raise DomainError(f"FROM has {len(text):,} characters; {LONGEST_PATTERN:,} is the most.")
    return text


def _translate(value: object, rules: list[tuple[str, str]]) -> object:
    text = value.strip() if isinstance(value, str) else json.dumps(value)
    return next((ours for pattern, ours in rules if matches(pattern, text)), value)


def matches(pattern: str, text: str) -> bool:
    """Whether all of `text` fits `pattern`, where each * stands for any text.

    Every part is taken at the first place it fits, which leaves the most for the rest: so no place is tried
    twice, as a regular expression would for many *.
    """
    first, *middle = pattern.split("*")
    if not middle:
        return text == first
    last = middle.pop()
    end = len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last) or end < len(first):
        return False
    at = len(first)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
