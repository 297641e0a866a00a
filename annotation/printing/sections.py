"""A study's results in the order in which they are read: sections of figures, each with its table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from annotation.printing.figures import Figure, figures_beside
from annotation.printing.numbers import cell, interval
from annotation.printing.said import said
from annotation.reports.tables import FEW, Column, Table, Value

LONG = 12
"""Rows. A longer table is folded on the page."""

OWN_NAMES = {
    "arm",
    "arm_a",
    "arm_b",
    "ahead",
    "rater",
    "rater_a",
    "rater_b",
    "cohort",
    "subset",
    "item",
    "reason",
}
"""Columns whose words are the study's own and stay as they are."""


@dataclass(frozen=True)
class Cell:
    """`text` with its `interval` in brackets; `reason` says why there is no number.

    `few` where less stands behind it than behind its row, and too little.
    """

    text: str
    is_number: bool
    interval: str = ""
    reason: str = ""
    few: bool = False


@dataclass(frozen=True)
class Line:
    few: bool
    head: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Head:
    label: str
    is_number: bool


@dataclass(frozen=True)
class TableView:
    """A Table as it is shown: an estimate with its interval and reason is one column."""

    table: Table

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.table.columns if not _belongs(column.name, self.table.names))

    @property
    def heads(self) -> tuple[Head, ...]:
        return tuple(Head(column.label, column.kind != "text") for column in self.columns)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        return tuple(self._line(row) for row in self.table.dicts())

    @property
    def is_long(self) -> bool:
        return len(self.table.rows) > LONG

    def _line(self, row: Mapping[str, Value]) -> Line:
        first, *others = self.columns
        few = _is_few(row, self.table.n)
        return Line(few, _worded(first, row[first.name]), tuple(_cell(column, row) for column in others))


def _is_few(row: Mapping[str, Value], n: str) -> bool:
    count = row.get(n)
    return isinstance(count, int) and count < FEW


def _belongs(name: str, names: Sequence[str]) -> bool:
    """Whether the column is a bound or a reason of another."""
    return any(name.endswith(end) and name.removesuffix(end) in names for end in ("_low", "_high", "_reason"))


def _cell(column: Column, row: Mapping) -> Cell:
    value = row[column.name]
    low, high = row.get(f"{column.name}_low"), row.get(f"{column.name}_high")
    reason = row.get(f"{column.name}_reason") or ""
    around = interval(low, high, column.kind == "share")
    return Cell(_worded(column, value), column.kind != "text", around, reason, _is_few(row, column.n))


def _worded(column: Column, value: Value) -> str:
    if column.kind == "text" and isinstance(value, str) and column.name not in OWN_NAMES:
        return said(value) if value else ""
    return cell(column, value)


@dataclass(frozen=True)
class Piece:
    """Figures and the table they are made from."""

    table: Table
    figures: tuple[Figure, ...]

    @property
    def view(self) -> TableView:
        return TableView(self.table)


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    pieces: tuple[Piece, ...]


ORDER: dict[str, tuple[str, str]] = {
    "wins": (
        "Who wins",
        "headline sequence win_rates_by_slice strengths strength_effects paired_tests",
    ),
    "outcomes": (
        "Safety and helpfulness",
        "outcomes outcomes_by_category outcomes_by_subset reward reward_means",
    ),
    "severity": ("Severity and modes", "severity safety_levels modes"),
    "agreement": ("How far raters agree", "agreement agreement_notes agreement_by_slice rater_pairs"),
    "labels": ("One label from several raters", "labels label_methods"),
    "biases": ("Biases", "biases drift"),
    "people": (
        "People and grader",
        "raters grader_confusion grader_agreement grader_calibration grader_confusion_by_rater",
    ),
    "planning": ("How large a study must be", "planning"),
}
"""By the section's name: its title and its tables."""

FILES_ONLY = {"label_posteriors"}
"""Tables with a row for each item, which are for programs."""


def sections_of(tables: Iterable[Table]) -> tuple[Section, ...]:
    """Every table with a row in it, with its figures. Tables that no section names stand at the end."""
    by_name = {table.name: table for table in tables}
    order = {name: (title, names.split()) for name, (title, names) in ORDER.items()}
    placed = {name for _, names in order.values() for name in names} | FILES_ONLY
    order["more"] = ("More", [name for name in by_name if name not in placed])
    found = (Section(name, title, tuple(_pieces(names, by_name))) for name, (title, names) in order.items())
    return tuple(section for section in found if section.pieces)


def _pieces(names: Iterable[str], tables: Mapping[str, Table]) -> Iterator[Piece]:
    for name in names:
        if name in tables and tables[name].rows:
            yield Piece(tables[name], figures_beside(name, tables))
