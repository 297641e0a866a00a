"""What an item contributes to agreement: how many of its raters chose each value.

Who chose it does not enter the coefficients built on this, so items with the same counts are
interchangeable and are kept once, with their number. A study has few distinct profiles (three raters on
four levels: 20), and a bootstrap over a million judgments then costs no more than one over a hundred.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from annotation.stats.bootstrap import Floats, Ints
from annotation.stats.ratings import Ratings


@dataclass(frozen=True, eq=False)
class Profiles:
    """The distinct rating counts among items with enough ratings (two, unless `profiles` was told otherwise).

    ``counts`` is a sparse (profiles, categories) matrix, ``judgments`` its row sums, ``sizes`` the number
    of items with each profile. Memory is linear in the judgments.
    """

    counts: Any
    judgments: Floats
    sizes: Ints
    categories: NDArray[Any]

    @property
    def items(self) -> int:
        """The number of items."""
        return int(self.sizes.sum())

    def where(self, kept: NDArray[np.bool_]) -> "Profiles":
        """Some of the profiles."""
        return replace(self, counts=self.counts[kept], judgments=self.judgments[kept], sizes=self.sizes[kept])

    def margins(self, weights: Floats) -> Floats:
        """How often each category was chosen under item weights: (replicates, categories)."""
        return np.asarray(weights @ self.counts)

    def squared_counts(self) -> Floats:
        """For each profile, the sum over categories of its squared counts."""
        return np.asarray(self.counts.multiply(self.counts).sum(axis=1), dtype=np.float64).ravel()


def profiles(ratings: Ratings, least: int = 2) -> Profiles:
    """Group the items that have the same counts; items with fewer than `least` ratings are left out."""
    return profiles_of(ratings.item_codes, ratings.value_codes, ratings.categories, least)


def profiles_of(items: Ints, values: Ints, categories: NDArray[Any], least: int = 1) -> Profiles:
    """The same of any coded values, of which an item (its code starts at 0) may have several."""
    rows, cols, sizes = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    known = 0
    for distinct, numbers in _blocks(items, values, len(categories), least):
        rows.append(known + np.repeat(np.arange(len(distinct)), distinct.shape[1]))
        cols.append(distinct.ravel())
        sizes.append(numbers)
        known += len(distinct)
    row, col = np.concatenate(rows), np.concatenate(cols)
    counts = sparse.csr_array((np.ones(len(row)), (row, col)), shape=(known, len(categories)))
    judgments = np.bincount(row, minlength=known).astype(np.float64)
    return Profiles(counts, judgments, np.concatenate(sizes), categories)


def _blocks(items: Ints, values: Ints, categories: int, least: int) -> Iterator[tuple[Ints, Ints]]:
    """For each number of values ≥ `least`: the distinct sorted rows of values, with their items counted."""
    # One number per judgment sorts several times faster than two columns; it fits, being below judgments².
    values = np.sort(items * max(1, categories) + values) % max(1, categories)
    per_item = np.bincount(items)
    starts = np.cumsum(per_item) - per_item
    for size in np.unique(per_item[per_item >= least]):
        yield _distinct(values[starts[per_item == size][:, np.newaxis] + np.arange(size)], categories)


def _distinct(rows: Ints, categories: int) -> tuple[Ints, Ints]:
    """The distinct rows and how often each occurs; each row is one number where it fits in 62 bits."""
    width = rows.shape[1]
    if width * np.log2(max(2, categories)) > 62:
        distinct, numbers = np.unique(rows, axis=0, return_counts=True)
        return distinct, numbers.astype(np.int64)
    powers = categories ** np.arange(width - 1, -1, -1, dtype=np.int64)
    keys = rows @ powers
    if categories**width <= 4 * len(rows) + 1000:  # counting them all takes less than sorting
        numbers = np.bincount(keys)
        distinct = np.flatnonzero(numbers)
        return distinct[:, np.newaxis] // powers % categories, numbers[distinct]
    _, first, numbers = np.unique(keys, return_index=True, return_counts=True)
    return rows[first], numbers.astype(np.int64)
