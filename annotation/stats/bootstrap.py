"""Percentile bootstrap over exchangeable units (items, prompts), by weights instead of copies.

A resample of N units is fully described by how often each unit was drawn. Units that contribute the same
numbers to a statistic are interchangeable, so callers group them: ``sizes[k]`` units share row k, and a
statistic takes weights of shape (replicates, rows). Source: Efron and Tibshirani, An Introduction to the
Bootstrap, 1993, ch. 13.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]
"""Weights (replicates, rows) to values (replicates, …), with NaN where a replicate has no value."""

CELLS_AT_ONCE = 2_000_000
"""Numbers per block of replicates: 16 MB a block, so that memory does not grow with the replicates."""

UNDEFINED_SHARE_ALLOWED = 0.05
"""With more undefined replicates than this, the percentiles would describe a different population."""

BIAS_ALLOWED = 0.25
"""Bias below a quarter of the standard error does no harm (Efron and Tibshirani, section 10.3)."""


@dataclass(frozen=True)
class Resampling:
    """How an interval is drawn: replicates (0: no interval), seed, and confidence level in (0, 1).

    ``corrected`` moves the percentiles by how far the resamples' median lies off the value, for statistics
    that are biased in small samples (B. Efron, Canadian Journal of Statistics 9 (1981) 139-172).
    """

    bootstrap: int = 1000
    seed: int = 0
    level: float = 0.95
    corrected: bool = False

    def __post_init__(self) -> None:
        if self.bootstrap < 0:
            raise BadInput(f"The number of bootstrap replicates must be 0 or more, not {self.bootstrap}.")
        check_level(self.level)


def bootstrap_estimate(
    statistic: Statistic, sizes: Ints, plan: Resampling, *, n: int, unit: str, width: int = 1
) -> Estimate:
    """The statistic of all units, with a percentile interval from resampling them.

    ``unit`` is the singular noun used in reasons ("item"); ``width`` is the widest array per replicate that
    ``statistic`` needs beyond the rows. The statistic must be defined on the units themselves.
    """

    def column(weights: Floats) -> Floats:
        return statistic(weights)[:, np.newaxis]

    return joint_estimates(column, sizes, plan, n=n, unit=unit, width=width)[0]


def joint_estimates(
    statistics: Statistic,
    sizes: Ints,
    plan: Resampling,
    *,
    n: int,
    unit: str,
    width: int = 1,
    if_biased: str = "",
) -> list[Estimate]:
    """Several statistics of the same resamples: ``statistics`` gives (replicates, statistics).

    One that is NaN on the units themselves is undefined, without a reason: the caller knows it. ``if_biased``
    is the reason why one has no interval whose resamples lie more than BIAS_ALLOWED of their spread off its
    value; without it nothing is looked at.
    """
    values = statistics(sizes[np.newaxis, :].astype(np.float64))[0]
    if plan.bootstrap == 0 or sizes.sum() < 2:
        why = "no bootstrap was asked for" if plan.bootstrap == 0 else f"there is only one {unit} to resample"
        return [_without_interval(value, n, f"No interval: {why}.") for value in values]
    blocks = resamples(sizes, plan.bootstrap, plan.seed, width)
    draws = np.concatenate([statistics(weights) for weights in blocks])
    return [
        undefined(n, "") if np.isnan(value) else with_percentiles(float(value), column, n, plan, if_biased)
        for value, column in zip(values, draws.T, strict=True)
    ]


def _without_interval(value: float, n: int, reason: str) -> Estimate:
    return undefined(n, "") if np.isnan(value) else Estimate(float(value), None, None, n, reason)


def with_percentiles(value: float, draws: Floats, n: int, plan: Resampling, if_biased: str = "") -> Estimate:
    """Put the percentile interval of the defined draws around the value, or say why there is none."""
    defined = draws[~np.isnan(draws)]
    lost = len(draws) - len(defined)
    if lost > UNDEFINED_SHARE_ALLOWED * len(draws):
        return Estimate(
            value, None, None, n, f"No interval: {lost} of {len(draws)} resamples show no variation."
        )
    if np.ptp(defined) <= 1e-12 * max(1.0, abs(value)):
        reason = "No interval: every resample gives the same value, so resampling cannot show how sure it is."
        return Estimate(value, None, None, n, reason)
    if if_biased and abs(defined.mean() - value) > BIAS_ALLOWED * defined.std():
        return Estimate(value, None, None, n, if_biased)
    low, high = (float(q) for q in np.quantile(defined, _tails(value, defined, plan)))
    return Estimate(value, low, high, n)


def _tails(value: float, draws: Floats, plan: Resampling) -> tuple[float, float]:
    """The shares of the draws that lie below the bounds."""
    low, high = (1 - plan.level) / 2, (1 + plan.level) / 2
    if not plan.corrected:
        return low, high
    normal = NormalDist()
    below = (draws < value).mean() + (draws == value).mean() / 2
    # Kept off 0 and 1, which half a draw more or less would not tell from this.
    shift = 2 * normal.inv_cdf(float(np.clip(below, 0.5 / len(draws), 1 - 0.5 / len(draws))))
    return normal.cdf(shift + normal.inv_cdf(low)), normal.cdf(shift + normal.inv_cdf(high))


def resamples(sizes: Ints, count: int, seed: int, width: int = 1) -> Iterator[Floats]:
    """Yield ``count`` resamples in blocks of weights (replicates, rows); one seed, one sequence."""
    rng = np.random.default_rng(seed)
    at_once = max(1, CELLS_AT_ONCE // max(len(sizes), width))
    for start in range(0, count, at_once):
        yield _draw(sizes, min(at_once, count - start), rng).astype(np.float64)


def _draw(sizes: Ints, count: int, rng: np.random.Generator) -> Ints:
    total = int(sizes.sum())
    if 4 * len(sizes) <= total:
        return rng.multinomial(total, sizes / total, size=count)
    # With nearly as many rows as units, drawing units and counting them is several times faster.
    row_of_unit = np.repeat(np.arange(len(sizes)), sizes)
    drawn = np.empty((count, len(sizes)), dtype=np.int64)
    for replicate in drawn:
        replicate[:] = np.bincount(row_of_unit[rng.integers(total, size=total)], minlength=len(sizes))
    return drawn


def ratio_estimate(
    sums: Floats, counts: Floats, sizes: Ints, plan: Resampling, *, n: int, unit: str
) -> Estimate:
    """Sum of ``sums`` over sum of ``counts`` (both per row, counts above 0) with its bootstrap interval."""

    def ratio(weights: Floats) -> Floats:
        return (weights @ sums) / (weights @ counts)

    return bootstrap_estimate(ratio, sizes, plan, n=n, unit=unit)


def check_level(level: float) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0 < level < 1:
        raise BadInput(f"A confidence level lies between 0 and 1 (0.95 for 95 %), not {level}.")
