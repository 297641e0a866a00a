"""What a report says, as tables: a page, a figure, a file and the API are all made from the same cells.

A figure that stands in no table cannot be checked, and a number written twice can differ. So every number of
a study's results is a cell of a `Table`, and nothing reads the study again to draw or to send it.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Literal

from annotation.stats.estimate import Estimate

FEW = 30
"""Cells with less than this behind them are greyed."""

Kind = Literal["text", "count", "share", "number", "p"]
"""How a column is written: a share in per cent, a number with two decimals, p as a p-value."""

Value = str | int | float | bool | None
"""None where there is no value; never NaN, which no JSON has."""


@dataclass(frozen=True)
class Column:
    """`name` for programs, the same in every file and reply; `label` for people.

    `n` names the column that counts what stands behind this one, "" where that is the table's.
    """

    name: str
    label: str
    kind: Kind = "text"
    n: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of one Value for each column.

    `caption` says how to read it, with every choice that was made: how ties count, what is left out, what an
    interval resamples. `n` names the column that counts what stands behind a row.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    n: str = ""

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"Two columns of “{self.name}” have the same name: {self.names}.")
        if odd := [row for row in self.rows if len(row) != len(self.columns)]:
            raise ValueError(f"A row of “{self.name}” does not fit its columns {self.names}: {odd[0]}.")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def dicts(self) -> Iterable[dict[str, Value]]:
        """Each row by column names."""
        return (dict(zip(self.names, row, strict=True)) for row in self.rows)

    def as_json(self) -> dict:
        """What `from_json` reads. The rows are the table's own, not copies: it may have a million."""
        columns = [asdict(column) for column in self.columns]
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"columns": columns}

    @classmethod
    def from_json(cls, told: dict) -> "Table":
        columns = tuple(Column(**column) for column in told["columns"])
        return cls(**told | {"columns": columns, "rows": tuple(map(tuple, told["rows"]))})


def estimate_columns(name: str, label: str, kind: Kind, n: str = "") -> tuple[Column, ...]:
    """The four columns of an estimate: `name`, `name_low`, `name_high`, `name_reason`; `n` as a Column's."""
    return (
        Column(name, label, kind, n),
        Column(f"{name}_low", f"{label}, from", kind),
        Column(f"{name}_high", f"{label}, to", kind),
        Column(f"{name}_reason", f"{label}: why not"),
    )


def estimate_cells(estimate: Estimate) -> tuple[Value, ...]:
    """The cells of `estimate_columns`. `estimate.n` has a column of its own where it differs by column."""
    return _number(estimate.value), _number(estimate.low), _number(estimate.high), estimate.reason


def _number(value: float | None) -> float | None:
    """NumPy's numbers as Python's."""
    return None if value is None else float(value)
