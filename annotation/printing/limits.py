"""What a report cannot say: rows with little behind them, and why values do not exist."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from annotation.reports.tables import FEW, Table


@dataclass(frozen=True)
class Limit:
    """`where` names the table; `number` of its cells or rows share `what`."""

    where: str
    what: str
    number: int


def few(tables: Iterable[Table]) -> tuple[Limit, ...]:
    """Tables with rows that have fewer than FEW behind them."""
    what = f"of {{}} rows have fewer than {FEW} behind them"
    counted = ((table, sum(_is_few(table, row) for row in table.dicts())) for table in tables if table.n)
    return tuple(
        Limit(table.title, what.format(len(table.rows)), number) for table, number in counted if number
    )


def _is_few(table: Table, row: dict) -> bool:
    n = row[table.n]
    return isinstance(n, int) and n < FEW


def undefined(tables: Iterable[Table]) -> tuple[Limit, ...]:
    """The reasons of each table for values that are not there, the most frequent first."""
    return tuple(
        Limit(table.title, reason, number)
        for table in tables
        for reason, number in Counter(_reasons(table)).most_common()
    )


def _reasons(table: Table) -> Iterable[str]:
    names = [name for name in table.names if name == "reason" or name.endswith("_reason")]
    return (str(row[name]) for row in table.dicts() for name in names if row[name])
