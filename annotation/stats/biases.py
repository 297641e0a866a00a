"""What judgments follow besides quality: the side, the length, the time, and the rater.

Outcomes are 1 (the first arm won), 0.5 (tie) and 0, as in `preference`; intervals resample whole prompts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from annotation.stats.bootstrap import Floats, Resampling, bootstrap_estimate
from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import checked_values, cluster_codes, mean, proportion
from annotation.stats.preference import WinRate, win_rate
from annotation.stats.ratings import Ratings


@dataclass(frozen=True)
class OfRater:
    """One rater's figure."""

    rater: str
    estimate: Estimate


def chosen_left(
    outcomes: ArrayLike,
    first_was_left: ArrayLike,
    prompts: ArrayLike,
    *,
    level: float = 0.95,
    bootstrap: int = 1000,
    seed: int = 0,
) -> WinRate:
    """How often the response on the left won; ``decisive`` is P(left) among decisions.

    Without position bias it is 1/2, whichever arm is better, as long as sides are drawn at random.
    """
    return _sided(outcomes, first_was_left, prompts, level, bootstrap, seed)


def chosen_longer(
    outcomes: ArrayLike,
    length_difference: ArrayLike,
    prompts: ArrayLike,
    *,
    level: float = 0.95,
    bootstrap: int = 1000,
    seed: int = 0,
) -> WinRate:
    """How often the longer response won (first arm's length less the second's; equal lengths are left out).

    An arm that is better and longer shows here too: `strengths` with the length as a covariate tells the two
    apart where arms' lengths vary.
    """
    longer = checked_values(length_difference)
    values, groups = checked_values(outcomes), np.asarray(prompts)
    if values.shape != longer.shape or groups.shape != longer.shape:
        raise BadInput("There must be one length difference and one prompt for each outcome.")
    kept = longer != 0
    return _sided(values[kept], longer[kept] > 0, groups[kept], level, bootstrap, seed)


def drift(
    values: ArrayLike,
    times: ArrayLike,
    prompts: ArrayLike,
    *,
    level: float = 0.95,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Estimate:
    """How much the values change from the first to the last, by a straight line over their order in time.

    Values given at the same time share a place. The least-squares slope with time running from 0 to 1, so in
    the values' own unit; n counts values. Undefined where all were given at one time.
    """
    numbers, when = checked_values(values), checked_values(times)
    groups = cluster_codes(prompts, len(numbers))
    if when.shape != numbers.shape:
        raise BadInput("There must be one time for each value.")
    moments, places = np.unique(when, return_inverse=True)
    if len(moments) < 2:
        return undefined(
            len(numbers), "All values were given at one time." if len(numbers) else "There are no values."
        )
    t = places / (len(moments) - 1)
    parts = (np.ones(len(t)), t, numbers, t * t, t * numbers)
    rows = np.column_stack([np.bincount(groups, weights=part) for part in parts])
    sizes = np.ones(len(rows), dtype=np.int64)
    plan = Resampling(bootstrap, seed, level)
    return bootstrap_estimate(
        lambda weights: _slope(weights @ rows), sizes, plan, n=len(numbers), unit="prompt"
    )


def rater_severity(
    ratings: Ratings, *, level: float = 0.95, bootstrap: int = 1000, seed: int = 0
) -> tuple[OfRater, ...]:
    """For each rater, the mean of their value less the others' mean on the same items.

    Above 0 the rater gives higher values than those who saw the same. n counts the rater's items with other
    raters, which the interval resamples. Needs numbers.
    """
    if len(ratings) and ratings.categories.dtype.kind not in "biuf":
        raise BadInput("Severity needs numbers: give the codes of the scale.")
    values = ratings.values.astype(np.float64)
    sums, counts = _per_pair(ratings, values)
    item, pair = ratings.item_codes, _pair_codes(ratings)
    others = np.bincount(item, minlength=len(ratings.items))[item] - counts[pair]
    total = np.bincount(item, weights=values, minlength=len(ratings.items))[item] - sums[pair]
    shared = others > 0
    apart = values[shared] - total[shared] / others[shared]
    by_rater = ratings.rater_codes[shared]
    found = []
    for code, name in enumerate(ratings.raters):
        own = by_rater == code
        estimate = mean(apart[own], item[shared][own], level=level, bootstrap=bootstrap, seed=seed)
        none = undefined(0, "Nobody else judged this rater's items.")
        found.append(OfRater(str(name), estimate if own.any() else none))
    return tuple(found)


def self_consistency(
    ratings: Ratings, *, level: float = 0.95, bootstrap: int = 1000, seed: int = 0
) -> Estimate:
    """How often a rater gives the same item the same value again (ratings with ``repeats="all"``).

    The mean over repeated (item, rater) of the share of equal pairs among the occasions; n counts those. The
    interval resamples items.
    """
    shares, items, _ = _repeated(ratings)
    if not len(shares):
        return undefined(0, "No rater judged an item twice.")
    return _mean_or_share(shares, items, level, bootstrap, seed)


def self_consistency_by_rater(
    ratings: Ratings, *, level: float = 0.95, bootstrap: int = 1000, seed: int = 0
) -> tuple[OfRater, ...]:
    """`self_consistency` of each rater who judged something twice."""
    shares, items, raters = _repeated(ratings)
    return tuple(
        OfRater(
            str(ratings.raters[code]),
            _mean_or_share(shares[raters == code], items[raters == code], level, bootstrap, seed),
        )
        for code in np.unique(raters)
    )


def _sided(
    outcomes: ArrayLike, first_is: ArrayLike, prompts: ArrayLike, level: float, bootstrap: int, seed: int
) -> WinRate:
    values, side = checked_values(outcomes), np.asarray(first_is, dtype=np.bool_)
    if side.shape != values.shape:
        raise BadInput("There must be one side for each outcome.")
    turned = np.where(side, values, 1 - values)
    return win_rate(turned, prompts, level=level, bootstrap=bootstrap, seed=seed)


def _slope(sums: Floats) -> Floats:
    n, t, y, tt, ty = sums.T
    spread = n * tt - t**2
    missing = np.full(len(sums), np.nan)
    return np.divide(n * ty - t * y, spread, out=missing, where=spread > 1e-12 * n * n)


def _pair_codes(ratings: Ratings) -> np.ndarray:
    """A code for the (item, rater) of each judgment; judgments are in that order."""
    new = (np.diff(ratings.item_codes) != 0) | (np.diff(ratings.rater_codes) != 0)
    return np.append(0, np.cumsum(new))[: len(ratings)]


def _per_pair(ratings: Ratings, values: Floats) -> tuple[Floats, Floats]:
    pair = _pair_codes(ratings)
    return np.bincount(pair, weights=values).astype(np.float64), np.bincount(pair).astype(np.float64)


def _repeated(ratings: Ratings) -> tuple[Floats, np.ndarray, np.ndarray]:
    """For each (item, rater) judged twice or more: the share of equal pairs of occasions, item and rater."""
    pair = _pair_codes(ratings)
    occasions = np.bincount(pair, minlength=0)
    first = np.append(0, np.cumsum(occasions))[:-1]
    keys = pair * max(1, len(ratings.categories)) + ratings.value_codes
    said, times = np.unique(keys, return_counts=True)
    equal = np.bincount(said // max(1, len(ratings.categories)), weights=times * (times - 1))
    again = occasions > 1
    shares = equal[again] / (occasions[again] * (occasions[again] - 1))
    return shares, ratings.item_codes[first[again]], ratings.rater_codes[first[again]]


def _mean_or_share(values: Floats, items: np.ndarray, level: float, bootstrap: int, seed: int) -> Estimate:
    measure = proportion if np.isin(values, (0, 1)).all() else mean
    return measure(values, items, level=level, bootstrap=bootstrap, seed=seed)
