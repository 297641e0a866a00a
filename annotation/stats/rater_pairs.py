"""Cohen's kappa, plain and weighted: for every two raters, and averaged over the pairs of a panel.

Sources: J. Cohen, Educational and Psychological Measurement 20 (1960) 37-46, and Psychological Bulletin 70
(1968) 213-220; the mean over pairs: R. J. Light, Psychological Bulletin 76 (1971) 365-377. Work and memory
follow the comparisons (an item with m ratings holds m(m-1)/2), never raters × items.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from annotation.stats.bootstrap import Floats, Ints, Resampling, joint_estimates
from annotation.stats.columns import Column
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.profiles import Profiles, profiles_of
from annotation.stats.ratings import Ratings
from annotation.stats.scales import Level, Weighting, check_level, distances, why_too_many

MOST_COMPARISONS = 10_000_000
MOST_CELLS = 4_000_000
MOST_RESAMPLED = 4_000_000_000
"""Kinds of comparisons times replicates: some ten seconds of work."""

NO_ORDER = "Weights need an ordered scale, and nominal labels have none."
FEW_COMMON_ITEMS = (
    "No interval: two raters share so few items that the mean of their kappas is biased by more than "
    "resampling can ignore. Fleiss' kappa and alpha pool all raters and are not."
)
TOO_MANY_TO_RESAMPLE = (
    "No interval: so many comparisons of two raters take too long to resample. "
    "Fleiss' kappa and alpha have one."
)
NO_KAPPA = "Wherever two raters judged the same items, their answers do not vary: kappa does not exist."


@dataclass(frozen=True)
class PairKappa:
    """Two raters; ``kappa.n`` counts the items both of them judged."""

    rater_a: str
    rater_b: str
    kappa: Estimate


def cohen_kappa(
    ratings: Ratings,
    weighting: Weighting = "none",
    level: Level = "nominal",
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """Cohen's kappa of two raters; of more, the mean over the pairs of raters for which it exists.

    1 - observed / expected disagreement within each pair, weighed by `scales.distances`. n counts the items
    with two ratings, which the interval resamples. A pair has no kappa where both gave all their common items
    the same one label; there is no mean where no pair has one. The mean of many kappas on few items each is
    biased towards 0, and where resampling shows it there is no interval.
    """
    return cohen_kappas(ratings, (weighting,), level, Resampling(bootstrap, seed, confidence))[0]


def cohen_kappas(
    ratings: Ratings, weightings: Sequence[Weighting], level: Level, plan: Resampling
) -> list[Estimate]:
    """`cohen_kappa` for several weightings from the same resamples, which cost most of the time."""
    check_level(level, ratings.categories)
    items = _items_rated_twice(ratings)
    reason = why_no_kappas(ratings, items)
    if reason:
        return [undefined(items, reason) for _ in weightings]
    weighed = [w for w in weightings if w == "none" or level != "nominal"]
    if not weighed:
        return [undefined(items, NO_ORDER) for _ in weightings]
    pairs = _Pairs.of(ratings)
    measures = [distances(ratings.categories, weighting, level) for weighting in weighed]

    def means(weights: Floats) -> Floats:
        return np.column_stack([_mean_of_defined(kappas) for kappas in pairs.kappas(weights, measures)])

    heavy = pairs.cells.judgments.sum() * plan.bootstrap > MOST_RESAMPLED
    plan = replace(plan, bootstrap=0 if heavy else plan.bootstrap, corrected=True)
    found = joint_estimates(
        means,
        pairs.cells.sizes,
        plan,
        n=items,
        unit="item",
        width=pairs.width,
        if_biased=FEW_COMMON_ITEMS if len(pairs.keys) > 1 else "",
    )
    if heavy:
        found = [replace(estimate, reason=TOO_MANY_TO_RESAMPLE) for estimate in found]
    by_weighting = dict(zip(weighed, found, strict=True))
    estimates = [by_weighting.get(weighting, undefined(items, NO_ORDER)) for weighting in weightings]
    return [e if e.value is not None or e.reason else undefined(items, NO_KAPPA) for e in estimates]


def cohen_by_pair(
    ratings: Ratings,
    weighting: Weighting = "none",
    level: Level = "nominal",
    *,
    bootstrap: int = 0,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[PairKappa, ...]:
    """Cohen's kappa of every two raters who share an item, in the order of their names."""
    check_level(level, ratings.categories)
    if weighting != "none" and level == "nominal":
        level = "ordinal"
        check_level(level, ratings.categories)
    if why_no_kappas(ratings, _items_rated_twice(ratings)):
        return ()
    pairs = _Pairs.of(ratings)
    measure = distances(ratings.categories, weighting, level)
    plan = Resampling(bootstrap, seed, confidence, corrected=True)
    found = joint_estimates(
        lambda weights: pairs.kappas(weights, [measure])[0],
        pairs.cells.sizes,
        plan,
        n=0,
        unit="item",
        width=pairs.width,
    )
    return tuple(_named(ratings, *row) for row in zip(pairs.keys, found, pairs.shared(), strict=True))


def _named(ratings: Ratings, key: int, found: Estimate, shared: float) -> PairKappa:
    a, b = divmod(int(key), len(ratings.raters))
    reason = found.reason or ("" if found.value is not None else NO_KAPPA)
    kappa = Estimate(found.value, found.low, found.high, int(shared), reason)
    return PairKappa(str(ratings.raters[a]), str(ratings.raters[b]), kappa)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """The contingency tables of all pairs of raters, as one sparse table of their cells in use.

    A cell is (pair, first rater's category, second rater's); ``cells`` counts, for each distinct kind of
    item, the cells it falls into. ``keys`` are a·raters + b of the pairs, in order.
    """

    cells: Profiles
    keys: NDArray[Any]
    pair: Ints
    first: Ints
    second: Ints
    categories: int
    to_pair: Any
    to_first: Any
    to_second: Any

    @classmethod
    def of(cls, ratings: Ratings) -> "_Pairs":
        q = len(ratings.categories)
        items, keys, first, second = (
            np.concatenate(part) for part in zip(*_comparisons(ratings), strict=True)
        )
        pairs = Column.of(keys)
        cells = Column.of((pairs.codes * q + first) * q + second)
        rest, b = np.divmod(cells.labels, q)
        pair, a = np.divmod(rest, q)
        table = profiles_of(Column.of(items).codes, cells.codes, cells.labels)
        n = len(pairs.labels)
        adding = (_adding(pair, n), _adding(pair * q + a, n * q), _adding(pair * q + b, n * q))
        return cls(table, pairs.labels, pair, a, b, q, *adding)

    @property
    def width(self) -> int:
        return max(len(self.pair), len(self.keys) * self.categories)

    def shared(self) -> Floats:
        """How many judgments of the same item each pair has."""
        counts = self.cells.margins(self.cells.sizes[np.newaxis, :].astype(np.float64))
        return np.asarray(counts @ self.to_pair)[0]

    def kappas(self, weights: Floats, measures: list[Floats]) -> list[Floats]:
        """For each measure of distance, kappa (replicates, pairs); NaN where it does not exist."""
        counts = self.cells.margins(weights)
        shape = (len(weights), len(self.keys), self.categories)
        first = np.asarray(counts @ self.to_first).reshape(shape)
        second = np.asarray(counts @ self.to_second).reshape(shape)
        n = first.sum(axis=2)
        found = []
        for apart in measures:
            observed = np.asarray((counts * apart[self.first, self.second]) @ self.to_pair) * n
            expected = ((first @ apart) * second).sum(axis=2)
            found.append(1 - _ratio(observed, expected))
        return found


def _adding(places: Ints, size: int) -> Any:
    """What sums the cells' counts (replicates, cells) into their places (replicates, size)."""
    entries = (np.ones(len(places)), (np.arange(len(places)), places))
    return sparse.csr_array(entries, shape=(len(places), size))


def _comparisons(ratings: Ratings) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
    """Item, pair key, first and second value of every two ratings of an item by different raters."""
    per_item = np.bincount(ratings.item_codes, minlength=len(ratings.items))
    starts = np.cumsum(per_item) - per_item
    for size in np.unique(per_item[per_item >= 2]):
        items = np.flatnonzero(per_item == size)
        left, right = np.triu_indices(size, 1)
        # Ratings are ordered by rater within an item, so the left one is never the later name.
        a, b = (starts[items][:, np.newaxis] + side for side in (left, right))
        keys = ratings.rater_codes[a] * len(ratings.raters) + ratings.rater_codes[b]
        apart = (ratings.rater_codes[a] != ratings.rater_codes[b]).ravel()
        columns = (np.repeat(items, len(left)), keys, ratings.value_codes[a], ratings.value_codes[b])
        yield cast(tuple[Ints, Ints, Ints, Ints], tuple(column.ravel()[apart] for column in columns))


def why_no_kappas(ratings: Ratings, items: int) -> str:
    """Why there is no Cohen's kappa of these ratings, or ""."""
    if not len(ratings):
        return "There are no judgments."
    if len(ratings.raters) < 2:
        return "There is only one rater, and agreement needs two."
    if not items:
        return "No item has ratings of two raters, so there is nothing to compare."
    per_item = np.bincount(ratings.item_codes)
    comparisons = int((per_item * (per_item - 1) // 2).sum())
    if comparisons > MOST_COMPARISONS:
        return (
            f"The items hold {comparisons} comparisons of two raters, more than {MOST_COMPARISONS}; "
            "Fleiss' kappa and alpha measure such a panel without comparing everybody with everybody."
        )
    possible = min(comparisons, len(ratings.raters) * (len(ratings.raters) - 1) // 2)
    if possible * len(ratings.categories) > MOST_CELLS:
        return (
            f"Up to {possible} pairs of raters over {len(ratings.categories)} labels are too many to table."
        )
    return why_too_many(ratings.categories)


def _items_rated_twice(ratings: Ratings) -> int:
    """Items with ratings of two different raters."""
    if not len(ratings):
        return 0
    same_item = np.diff(ratings.item_codes) == 0
    twice = ratings.item_codes[1:][same_item & (np.diff(ratings.rater_codes) != 0)]
    return int(np.count_nonzero(np.diff(twice, prepend=-1)))  # they are in order


def _ratio(observed: Floats, expected: Floats) -> Floats:
    return np.divide(observed, expected, out=np.full_like(observed, np.nan), where=expected > 0)


def _mean_of_defined(kappas: Floats) -> Floats:
    """The mean over the pairs that have a kappa, NaN where none has."""
    defined = ~np.isnan(kappas)
    numbers = defined.sum(axis=1)
    sums = np.where(defined, kappas, 0).sum(axis=1)
    return np.divide(sums, numbers, out=np.full(len(kappas), np.nan), where=numbers > 0)
