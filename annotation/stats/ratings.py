"""Judgments in long format: one row for each (item, rater, value)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotation.stats.columns import Codes, Column
from annotation.stats.errors import BadInput

Repeats = Literal["refuse", "first", "all"]


class DuplicateRating(BadInput):
    """The same rater judged the same item more than once."""


class MissingValue(BadInput):
    """A row lacks its item, its rater or its value, or the value is not a finite number."""


@dataclass(frozen=True, eq=False)
class Ratings:
    """Judgments as codes into sorted labels, ordered by item, then rater.

    ``item_codes``, ``rater_codes`` and ``value_codes`` have one entry per judgment and index ``items``,
    ``raters`` and ``categories``. An item a rater did not judge is simply not there, so memory is linear in
    the judgments. Build with :meth:`from_rows`, which checks what the rest relies on.
    """

    item_codes: Codes
    rater_codes: Codes
    value_codes: Codes
    items: NDArray[Any]
    raters: NDArray[Any]
    categories: NDArray[Any]

    @classmethod
    def from_rows(
        cls, items: ArrayLike, raters: ArrayLike, values: ArrayLike, *, repeats: Repeats = "refuse"
    ) -> Ratings:
        """Three columns of equal length, in any row order.

        ``repeats`` says what a repeated (item, rater) means: "refuse" it, keep the "first" row, or keep
        "all", each as a rating of its own. Raises DuplicateRating for a refused one, MissingValue for an
        absent item, rater or value (None, NaN, infinity), BadInput for columns of unequal length.
        """
        _check_columns(items, raters, values)
        return cls.from_columns(Column.of(items), Column.of(raters), Column.of(values), repeats=repeats)

    @classmethod
    def from_columns(
        cls, items: Column, raters: Column, values: Column, *, repeats: Repeats = "refuse"
    ) -> Ratings:
        """Three columns that are encoded already and lack nothing; see :meth:`from_rows`."""
        if repeats not in get_args(Repeats):
            raise BadInput(f"Repeated ratings are to be refused, or the first or all kept, not {repeats!r}.")
        keys = items.codes * max(1, len(raters.labels)) + raters.codes
        keys, order = _sorted_with_places(keys)
        again = np.flatnonzero(keys[1:] == keys[:-1]) + 1
        if len(again) and repeats == "refuse":
            _refuse_duplicates(len(again), int(keys[again[0]]), items.labels, raters.labels)
        if len(again) and repeats == "first":
            order = np.delete(order, again)
        item_codes, rater_codes, value_codes = (column.codes[order] for column in (items, raters, values))
        ratings = cls(item_codes, rater_codes, value_codes, items.labels, raters.labels, values.labels)
        return ratings._without_unused_values() if len(again) and repeats == "first" else ratings

    def _without_unused_values(self) -> Ratings:
        """A dropped repeat may have been the only one to use its value."""
        used = Column.of(self.value_codes)
        return replace(self, value_codes=used.codes, categories=self.categories[used.labels])

    def __len__(self) -> int:
        """The number of judgments."""
        return len(self.item_codes)

    @property
    def values(self) -> NDArray[Any]:
        """The value of each judgment."""
        return self.categories[self.value_codes]


def _sorted_with_places(keys: Codes) -> tuple[Codes, Codes]:
    """The keys (0 or more) in order, and the place each had; equal keys keep their order."""
    bits = int(len(keys)).bit_length()
    if not len(keys) or int(keys.max()).bit_length() + bits > 62:
        order = np.argsort(keys, kind="stable")
        return keys[order], order
    # Sorting numbers that carry their own place is several times faster than sorting places.
    packed = np.sort((keys << bits) | np.arange(len(keys)))
    return packed >> bits, packed & ((1 << bits) - 1)


def _check_columns(items: ArrayLike, raters: ArrayLike, values: ArrayLike) -> None:
    columns = {"items": np.asarray(items), "raters": np.asarray(raters), "values": np.asarray(values)}
    lengths = {name: column.shape for name, column in columns.items()}
    if len(set(lengths.values())) > 1 or columns["items"].ndim != 1:
        raise BadInput(f"Items, raters and values must be three columns of equal length, not {lengths}.")
    _refuse_missing(columns, "item", items)
    _refuse_missing(columns, "rater", raters)
    _refuse_missing(columns, "value", values)


def _refuse_missing(columns: dict[str, NDArray[Any]], what: str, column: ArrayLike) -> None:
    rows = np.flatnonzero(_missing(column))
    if not len(rows):
        return
    item, rater = columns["items"][rows[0]], columns["raters"][rows[0]]
    raise MissingValue(
        f"{len(rows)} of {len(columns['items'])} rows have no usable {what}: the first is row {rows[0] + 1}, "
        f"item {item}, rater {rater}. Leave a judgment out when it was not made."
    )


def _missing(column: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(column)
    if array.dtype.kind in "biu" or (isinstance(column, np.ndarray) and array.dtype.kind == "U"):
        return np.zeros(len(array), dtype=np.bool_)
    if array.dtype.kind == "f":
        return ~np.isfinite(array)
    # NumPy turns None and NaN beside text into the words "None" and "nan", so look at the objects as given.
    objects = np.asarray(column, dtype=object)
    return np.fromiter((entry is None or entry != entry for entry in objects), np.bool_, len(objects))


def _refuse_duplicates(repeats: int, key: int, items: NDArray[Any], raters: NDArray[Any]) -> None:
    item, rater = divmod(key, len(raters))
    raise DuplicateRating(
        f"Rater {raters[rater]} judged item {items[item]} more than once ({repeats} repeated rows in all). "
        "Keep one judgment for each item and rater, for example the first or the latest."
    )
