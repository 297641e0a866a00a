"""Proportions and means with intervals that respect clusters.

Several judgments of one prompt are not independent: the cluster is the prompt, and resampling draws whole
prompts. In every estimate here, n counts values, not clusters.
"""

import math
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotation.stats.bootstrap import Floats, Resampling, check_level, ratio_estimate
from annotation.stats.columns import Column
from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined


def wilson(successes: int, n: int, level: float = 0.95) -> Estimate:
    """Wilson's score interval for ``successes`` out of ``n`` independent trials.

    Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927) 209-212; no continuity
    correction. Undefined for n = 0.
    """
    check_level(level)
    if not 0 <= successes <= n:
        raise BadInput(f"Successes must lie between 0 and the number of trials, not {successes} of {n}.")
    if n == 0:
        return undefined(0, "There are no values.")
    p = successes / n
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At 0 and n the bound is exactly p; rounding must not put it on the wrong side.
    return Estimate(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)), n)


def clustered_bootstrap(
    values: ArrayLike,
    clusters: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Estimate:
    """The mean of all values, with a percentile interval from resampling whole clusters.

    A ratio estimator: the sum over the drawn clusters divided by their number of values, so every value
    counts the same and clusters may differ in size. ``clusters`` names the cluster of each value. No
    interval with fewer than two clusters, or where all clusters have the same mean. ``weights`` (0 or more,
    not all 0) make a value count more or less.
    """
    plan = Resampling(bootstrap, seed, level)
    numbers, codes = checked_values(values), cluster_codes(clusters, len(np.asarray(values)))
    if not len(numbers):
        return undefined(0, "There are no values.")
    counts = checked_weights(weights, len(numbers))
    totals = np.column_stack(
        [np.bincount(codes, weights=counts * numbers), np.bincount(codes, weights=counts)]
    )
    totals = totals[totals[:, 1] > 0]
    # As one complex number each, which sorts the same and many times faster than rows.
    rows, sizes = np.unique(totals.astype(np.float64).view(np.complex128).ravel(), return_counts=True)
    sizes = sizes.astype(np.int64)
    return ratio_estimate(rows.real, rows.imag, sizes, plan, n=len(numbers), unit="cluster")


def proportion(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Estimate:
    """The share of ones among values that are 0 or 1 (or false or true).

    Wilson's interval where each cluster has one value (or no clusters are given), else the clustered
    bootstrap. Where all values are equal, resampling shows nothing: the interval is then Wilson's with the
    cluster as the unit, the cautious reading that values of one cluster tell nothing beyond the first.
    """
    numbers = checked_values(values)
    if not np.isin(numbers, (0, 1)).all():
        raise BadInput("A proportion needs values that are 0 or 1 (or false or true).")
    groups = len(numbers) if clusters is None else number_of(cluster_codes(clusters, len(numbers)))
    if clusters is None or groups == len(numbers):
        return wilson(int(numbers.sum()), len(numbers), level)
    if np.ptp(numbers) == 0 and groups >= 2:
        return replace(wilson(int(numbers[0]) * groups, groups, level), n=len(numbers))
    return clustered_bootstrap(numbers, clusters, level=level, bootstrap=bootstrap, seed=seed)


def mean(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Estimate:
    """The mean of the values with a bootstrap interval; without ``clusters``, each value is its own."""
    own = np.arange(len(np.atleast_1d(np.asarray(values)))) if clusters is None else clusters
    return clustered_bootstrap(values, own, level=level, bootstrap=bootstrap, seed=seed)


def checked_values(values: ArrayLike) -> Floats:
    """The values as a vector of finite floats; anything else is refused."""
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadInput("The values must be numbers.") from None
    if numbers.ndim != 1:
        raise BadInput(f"The values must be one column, not of shape {numbers.shape}.")
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise BadInput(
            f"{len(bad)} of {len(numbers)} values are missing or not finite: the first is row {bad[0] + 1}."
        )
    return numbers


def checked_weights(weights: ArrayLike | None, n: int) -> Floats:
    """One weight for each of n values, all 1 where none are given; refuses negative ones and only zeros."""
    if weights is None:
        return np.ones(n)
    numbers = checked_values(weights)
    if len(numbers) != n or (numbers < 0).any() or not numbers.any():
        raise BadInput(
            f"There must be one weight of 0 or more for each of the {n} values, and not only zeros."
        )
    return numbers


def number_of(codes: NDArray[Any]) -> int:
    """How many codes 0..k-1 there are, all of them in use."""
    return int(codes.max(initial=-1)) + 1


def cluster_codes(clusters: ArrayLike, n: int) -> NDArray[Any]:
    """Codes 0..k-1 of the clusters; there must be one cluster for each of the n values."""
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise BadInput(
            f"There must be one cluster for each value: {n} values, clusters of shape {labels.shape}."
        )
    return Column.of(labels).codes
