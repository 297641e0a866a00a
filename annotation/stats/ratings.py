"""Judgments in long format: one row for each (item, rater, value)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotation.stats.errors import BadInput

Codes = NDArray[np.int64]


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
    def from_rows(cls, items: ArrayLike, raters: ArrayLike, values: ArrayLike) -> Ratings:
        """Three columns of equal length, in any row order.

        Raises DuplicateRating for a repeated (item, rater), MissingValue for an absent item, rater or value
        (None, NaN, infinity), BadInput for columns of unequal length.
        """
        _check_columns(items, raters, values)
        item_labels, item_codes = np.unique(np.asarray(items), return_inverse=True)
        rater_labels, rater_codes = np.unique(np.asarray(raters), return_inverse=True)
        categories, value_codes = np.unique(np.asarray(values), return_inverse=True)
        keys = item_codes.astype(np.int64) * max(1, len(rater_labels)) + rater_codes
        order = np.argsort(keys, kind="stable")
        _refuse_duplicates(keys[order], item_labels, rater_labels)
        return cls(
            item_codes[order].astype(np.int64),
            rater_codes[order].astype(np.int64),
            value_codes[order].astype(np.int64),
            item_labels,
            rater_labels,
            categories,
        )

    def __len__(self) -> int:
        """The number of judgments."""
        return len(self.item_codes)

    @property
    def values(self) -> NDArray[Any]:
        """The value of each judgment."""
        return self.categories[self.value_codes]


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
    if array.dtype.kind in "biu":
        return np.zeros(len(array), dtype=np.bool_)
    if array.dtype.kind == "f":
        return ~np.isfinite(array)
    # NumPy turns None and NaN beside text into the words "None" and "nan", so look at the objects as given.
    objects = np.asarray(column, dtype=object)
    return np.fromiter((entry is None or entry != entry for entry in objects), np.bool_, len(objects))


def _refuse_duplicates(sorted_keys: Codes, items: NDArray[Any], raters: NDArray[Any]) -> None:
    repeats = np.flatnonzero(sorted_keys[1:] == sorted_keys[:-1])
    if not len(repeats):
        return
    item, rater = divmod(int(sorted_keys[repeats[0]]), len(raters))
    raise DuplicateRating(
        f"Rater {raters[rater]} judged item {items[item]} more than once "
        f"({len(repeats)} repeated rows in all). "
        "Keep one judgment for each item and rater, for example the first or the latest."
    )
