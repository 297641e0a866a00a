"""A page of a long list that nobody counts: counting would take as long as the list is."""

from dataclasses import dataclass

from django.db.models import QuerySet

LAST = 1_000
"""Whoever wants to see more than so many pages says better what they look for."""


@dataclass(frozen=True)
class Part:
    """The rows of one page, and whether another follows."""

    rows: tuple
    number: int
    has_next: bool

    @property
    def previous(self) -> int:
        return self.number - 1

    @property
    def next(self) -> int:
        return self.number + 1


def part_of(rows: QuerySet, asked: str | None, size: int) -> Part:
    """The page that an address asks for; the first where it asks for none, or for one that is not there."""
    number = int(asked) if asked and asked.isascii() and asked.isdecimal() and len(asked) < 5 else 1
    number = min(max(number, 1), LAST)
    found = list(rows[(number - 1) * size : number * size + 1])
    if not found and number > 1:
        return part_of(rows, None, size)
    return Part(tuple(found[:size]), number, len(found) > size and number < LAST)
