"""Small tables with the columns of the real ones, from answers drawn at random."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from annotation.reports.results import MAKERS
from annotation.reports.tables import Table, Value
from tests.reports.made import drawn

HOSTILE = (
    "<script>alert(1)</script>",
    "\u202eright to left\u2066 and \u0000 back",
    "עברית وعربية 中文 " * 3,
    "long " * 40,
    "]]>&amp;\"'</svg>",
)


@cache
def tables() -> dict[str, Table]:
    """Every table of a study of the arms “one” and “two”, by name."""
    return {table.name: table for make in MAKERS for table in make(drawn(prompts=12))}


def changed(found: dict[str, Table], change: Callable[[str, Value], Value]) -> dict[str, Table]:
    """The tables with each cell, told with its column's name, as `change` gives it."""
    return {name: replace(table, rows=_rows(table, change)) for name, table in found.items()}


def _rows(table: Table, change: Callable[[str, Value], Value]) -> tuple[tuple[Value, ...], ...]:
    return tuple(tuple(map(change, table.names, row)) for row in table.rows)
