"""Two sources that label the same things (people and an automatic grader), and how well a score says what
people will: confusion, agreement beyond chance, calibration.

Several judgments of one prompt hang together, so every interval resamples whole clusters (prompts); n counts
judgments.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotation.stats.bootstrap import Floats, Ints, Resampling, joint_estimates
from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import checked_values, cluster_codes, proportion

NOTHING = "Nothing was judged by both."
ONE_LABEL = "Both give everything the same label: agreement cannot be told from chance."
BINNED_BY_CHANCE = (
    "No interval: with so few values in each bin, chance alone moves them apart by more than resampling can "
    "ignore."
)


@dataclass(frozen=True)
class TwoSources:
    """`accuracy` is the share of equal labels; `kappa` Cohen's, `kappa_quadratic` with squared distances of
    the labels' places, `ac1` Gwet's."""

    accuracy: Estimate
    kappa: Estimate
    kappa_quadratic: Estimate
    ac1: Estimate


def confusion(first: ArrayLike, second: ArrayLike, labels: int) -> Ints:
    """How often each label of the first source meets each of the second: (labels, labels) counts."""
    a, b = _checked_labels(first, second, labels)
    return np.bincount(a * labels + b, minlength=labels * labels).reshape(labels, labels)


def agreement_of_two(
    first: ArrayLike,
    second: ArrayLike,
    clusters: ArrayLike,
    labels: int,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> TwoSources:
    """Labels 0 … labels − 1 from two sources, one row for each judgment.

    Kappa: J. Cohen, Educational and Psychological Measurement 20 (1960) 37-46, weighted: Psychological
    Bulletin 70 (1968) 213-220; AC1: K. L. Gwet, British Journal of Mathematical and Statistical Psychology 61
    (2008) 29-48. They do not exist where both sources give all the same one label. Where only one source
    never varies, kappa is 0: it agrees no better than its habit.
    """
    a, b = _checked_labels(first, second, labels)
    groups = cluster_codes(clusters, len(a))
    if not len(a):
        return TwoSources(*[undefined(0, NOTHING)] * 4)
    accuracy = proportion(a == b, groups, level=level, bootstrap=bootstrap, seed=seed)
    rows, sizes = _distinct(_per_cluster(groups, a * labels + b, labels * labels))
    plan = Resampling(bootstrap, seed, level, corrected=True)
    found = joint_estimates(
        lambda weights: _beyond_chance((weights @ rows).reshape(-1, labels, labels)),
        sizes,
        plan,
        n=len(a),
        unit="cluster",
        width=labels * labels,
    )
    return TwoSources(accuracy, *(e if e.value is not None else undefined(len(a), ONE_LABEL) for e in found))


def _beyond_chance(tables: Floats) -> Floats:
    """Kappa, quadratic kappa and AC1 of tables (replicates, labels, labels); NaN where they do not exist."""
    q = tables.shape[1]
    shares = tables / tables.sum(axis=(1, 2), keepdims=True)
    first, second = shares.sum(axis=2), shares.sum(axis=1)
    places = np.arange(q, dtype=np.float64)
    plain, squared = 1 - np.eye(q), (places[:, np.newaxis] - places) ** 2
    kappas = [_kappa(shares, first, second, apart) for apart in (plain, squared)]
    pooled = (first + second) / 2
    chance = (pooled * (1 - pooled)).sum(axis=1) / max(1, q - 1)
    equal = np.trace(shares, axis1=1, axis2=2)
    # One label alone: chance is 0 and nothing was put to the test.
    ac1 = np.where(chance > 1e-12, (equal - chance) / (1 - chance), np.nan)
    return np.column_stack([*kappas, ac1])


def _kappa(shares: Floats, first: Floats, second: Floats, apart: Floats) -> Floats:
    observed = (shares * apart).sum(axis=(1, 2))
    expected = ((first @ apart) * second).sum(axis=1)
    missing = np.full(len(shares), np.nan)
    return 1 - np.divide(observed, expected, out=missing, where=expected > 1e-12)


@dataclass(frozen=True)
class Bin:
    """Scores from `low` to `high` (the last bin holds its end too): their mean, and the `share` of yes among
    them. `clusters` counts different prompts."""

    low: float
    high: float
    mean_score: float
    share: Estimate
    clusters: int


@dataclass(frozen=True)
class Calibration:
    """The bins that hold something. `error` is the expected calibration error, the mean over judgments of how
    far their bin's mean score lies from its share of yes: 0 is perfect."""

    bins: tuple[Bin, ...]
    error: Estimate


def calibration(
    scores: ArrayLike,
    yes: ArrayLike,
    clusters: ArrayLike,
    *,
    bins: int = 10,
    bootstrap: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Calibration:
    """Whether things scored s in [0, 1] are a yes in a share s of the judgments.

    `bins` bins of equal width. Expected calibration error: M. P. Naeini, G. F. Cooper and M. Hauskrecht, AAAI
    2015, 2901-2907. It cannot fall below 0, so few values in a bin push it up.
    """
    s, y = checked_values(scores), checked_values(yes)
    groups = cluster_codes(clusters, len(s))
    if len(s) != len(y) or not np.isin(y, (0, 1)).all() or ((s < 0) | (s > 1)).any() or bins < 1:
        raise BadInput("Calibration needs scores from 0 to 1, each with a yes or no (1 or 0).")
    if not len(s):
        return Calibration((), undefined(0, NOTHING))
    # Rounded so that 0.3 falls into the bin that begins with 0.3, whatever 0.3 · 10 is in binary.
    place = np.minimum(np.floor(np.round(s * bins, 9)).astype(np.int64), bins - 1)
    plan = Resampling(bootstrap, seed, level, corrected=True)
    found = tuple(_bin(k, bins, s, y, groups, place == k, plan) for k in np.unique(place))
    return Calibration(found, _calibration_error(s - y, groups, place, bins, plan))


def _bin(
    k: int, bins: int, s: Floats, y: Floats, groups: Ints, inside: NDArray[Any], plan: Resampling
) -> Bin:
    share = proportion(y[inside], groups[inside], level=plan.level, bootstrap=plan.bootstrap, seed=plan.seed)
    clusters = len(np.unique(groups[inside]))
    return Bin(float(k / bins), float((k + 1) / bins), float(s[inside].mean()), share, clusters)


def _calibration_error(gaps: Floats, groups: Ints, place: Ints, bins: int, plan: Resampling) -> Estimate:
    sums = _per_cluster(groups, place, bins, gaps)
    counts = np.bincount(groups).astype(np.float64)
    # Rounded for the grouping: equal sums added in another order differ in their last digit.
    rows, sizes = _distinct(np.column_stack([sums, counts]).round(9))
    plan = replace(plan, corrected=True)
    return joint_estimates(
        lambda weights: (np.abs(weights @ rows[:, :-1]).sum(axis=1) / (weights @ rows[:, -1]))[:, np.newaxis],
        sizes,
        plan,
        n=len(gaps),
        unit="cluster",
        if_biased=BINNED_BY_CHANCE,
    )[0]


def _per_cluster(groups: Ints, codes: Ints, width: int, weights: Floats | None = None) -> Floats:
    """How often (or how much of) each code 0 … width − 1 stands in each cluster: (clusters, width)."""
    found = np.bincount(groups * width + codes, weights=weights, minlength=(groups.max() + 1) * width)
    return found.astype(np.float64).reshape(-1, width)


def _distinct(rows: Floats) -> tuple[Floats, Ints]:
    """Clusters with the same numbers are interchangeable."""
    distinct, sizes = np.unique(rows, axis=0, return_counts=True)
    return distinct, sizes.astype(np.int64)


def _checked_labels(first: ArrayLike, second: ArrayLike, labels: int) -> tuple[Ints, Ints]:
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.ndim != 1:
        raise BadInput(f"Two sources need two columns of equal length, not {a.shape} and {b.shape}.")
    for column in (a, b):
        if len(column) and not (column.dtype.kind in "biu" and column.min() >= 0 and column.max() < labels):
            raise BadInput(f"Labels are whole numbers from 0 to {labels - 1}.")
    return a.astype(np.int64), b.astype(np.int64)
