"""What an item contributes to agreement: how many of its raters chose each value.

Who chose it does not enter the coefficients built on this, so items with the same counts are
interchangeable and are kept once, with their number. A study has few distinct profiles (three raters on
four levels: 20), and a bootstrap over a million judgments then costs no more than one over a hundred.
"""

from collections.abc import Iterator
from dataclasses import dataclass
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

    def margins(self, weights: Floats) -> Floats:
        """How often each category was chosen under item weights: (replicates, categories)."""
        return np.asarray(weights @ self.counts)

    def squared_counts(self) -> Floats:
        """For each profile, the sum over categories of its squared counts."""
        return np.asarray(self.counts.multiply(self.counts).sum(axis=1), dtype=np.float64).ravel()


def profiles(ratings: Ratings, least: int = 2) -> Profiles:
    """Group the items that have the same counts; items with fewer than `least` ratings are left out."""
    rows, cols, sizes = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    known = 0
    for distinct, items in _blocks(ratings, least):
        rows.append(known + np.repeat(np.arange(len(distinct)), distinct.shape[1]))
        cols.append(distinct.ravel())
        sizes.append(items)
        known += len(distinct)
    row, col = np.concatenate(rows), np.concatenate(cols)
    counts = sparse.csr_array((np.ones(len(row)), (row, col)), shape=(known, len(ratings.categories)))
    judgments = np.bincount(row, minlength=known).astype(np.float64)
    return Profiles(counts, judgments, np.concatenate(sizes), ratings.categories)


def _blocks(ratings: Ratings, least: int) -> Iterator[tuple[Ints, Ints]]:
    """For each number of ratings ≥ `least`: the distinct sorted rows of values, with their items counted."""
    order = np.lexsort((ratings.value_codes, ratings.item_codes))
    values = ratings.value_codes[order]
    per_item = np.bincount(ratings.item_codes, minlength=len(ratings.items))
    starts = np.cumsum(per_item) - per_item
    for size in np.unique(per_item[per_item >= least]):
        rows = values[starts[per_item == size][:, np.newaxis] + np.arange(size)]
        distinct, items = np.unique(rows, axis=0, return_counts=True)
        yield distinct, items.astype(np.int64)
