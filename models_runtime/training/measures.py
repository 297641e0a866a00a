"""Small statistics of training: calibration to [0, 1], accuracy with an interval. Arrays in, numbers out."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

Z95 = 1.959963984540054
LEAST_ROWS = 10  # to fit a calibration on
BINS = 5
PRIOR_ROWS = 2.0  # the weight of "as it is" (slope 1, offset 0) against the calibration rows


@dataclass(frozen=True)
class Calibration:
    """Platt's: a raw score x becomes 1 / (1 + exp(-(slope * x + offset)))."""

    slope: float = 1.0
    offset: float = 0.0

    def apply(self, raw: Sequence[float]) -> list[float]:
        """Scores in [0, 1]; the order of answers stays what it was."""
        return [float(value) for value in _sigmoid(self.slope * np.asarray(raw, float) + self.offset)]


def fit_calibration(raw: Sequence[float], human: Sequence[float]) -> Calibration:
    """Slope and offset of the least cross-entropy to human scores in [0, 1] (Platt 1999, with soft labels).

    Newton's method. A weak pull towards slope 1 and offset 0 keeps few or separable rows from an infinite
    slope. A calibration never turns the order round: where the rows would, the slope stays at 0.01.
    """
    x, y = np.asarray(raw, float), np.asarray(human, float)
    design, prior = np.column_stack([x, np.ones_like(x)]), np.array([1.0, 0.0])
    weights = prior.copy()
    for _ in range(100):
        p = _sigmoid(design @ weights)
        gradient = design.T @ (p - y) + PRIOR_ROWS * (weights - prior)
        curvature = (design.T * (p * (1 - p))) @ design + PRIOR_ROWS * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(max(0.01, float(weights[0])), float(weights[1]))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


@dataclass(frozen=True)
class Rate:
    """A share of n, with a 95 % interval that allows for rows of one cluster being alike."""

    value: float
    low: float
    high: float
    n: int
    clusters: int


def rate(hits: Sequence[float], clusters: Sequence[Hashable]) -> Rate | None:
    """Wilson's interval with the rows' number divided by the design effect; None without rows.

    The design effect is the variance of the share between clusters over that of independent rows (Kish 1965),
    at least 1. Where every row is alike it cannot be told; then the number of clusters is that of rows.
    """
    n = len(hits)
    if not n:
        return None
    share = sum(hits) / n
    names = sorted({str(cluster) for cluster in clusters})
    sums = {name: 0.0 for name in names}
    for hit, cluster in zip(hits, clusters, strict=True):
        sums[str(cluster)] += hit - share
    k = len(names)
    spread = share * (1 - share) / n
    between = sum(value**2 for value in sums.values()) / n**2 * k / (k - 1) if k > 1 else math.inf
    effective = n / max(1.0, between / spread) if spread > 0 and k > 1 else float(k)
    low, high = wilson(share, effective)
    return Rate(share, low, high, n, k)


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's (1927) 95 % interval of a share of n, n any positive number."""
    z2 = Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class CalibrationReport:
    """`error` is the mean distance of predicted and human means over bins, weighted by rows (ECE)."""

    error: float
    squared: float
    n: int
    bins: list[dict[str, float]]


def calibration_report(predicted: Sequence[float], human: Sequence[float]) -> CalibrationReport | None:
    """How far predictions in [0, 1] are from human scores, in BINS bins of equal width; None without rows."""
    p, y = np.asarray(predicted, float), np.asarray(human, float)
    if not len(p):
        return None
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    bins = [
        {"n": int(inside.sum()), "predicted": float(p[inside].mean()), "human": float(y[inside].mean())}
        for inside in (place == number for number in range(BINS))
        if inside.any()
    ]
    error = sum(row["n"] * abs(row["predicted"] - row["human"]) for row in bins) / len(p)
    return CalibrationReport(float(error), float(((p - y) ** 2).mean()), len(p), bins)


def as_dict(value: "Rate | Mean | CalibrationReport | None") -> dict[str, Any] | None:
    return None if value is None else asdict(value)


@dataclass(frozen=True)
class Mean:
    """A mean of n scores in [0, 1], with a 95 % interval that allows for rows of one cluster being alike."""

    value: float
    low: float | None
    high: float | None
    n: int
    clusters: int


def mean(values: Sequence[float], clusters: Sequence[Hashable]) -> Mean | None:
    """Student's interval on the clusters' sums of deviations (a ratio mean, linearised); None without rows.

    One cluster says nothing of how clusters differ, so it gives no interval.
    """
    if not values:
        return None
    middle, half, k = _clustered(values, clusters)
    if half is None:
        return Mean(middle, None, None, len(values), k)
    return Mean(middle, max(0.0, middle - half), min(1.0, middle + half), len(values), k)


def gain(differences: Sequence[float], clusters: Sequence[Hashable]) -> Mean:
    """The mean of at least one paired difference, in [-1, 1], with the interval of `mean`, unclipped."""
    middle, half, k = _clustered(differences, clusters)
    low, high = (None, None) if half is None else (middle - half, middle + half)
    return Mean(middle, low, high, len(differences), k)


def _clustered(values: Sequence[float], clusters: Sequence[Hashable]) -> tuple[float, float | None, int]:
    """(mean, half the width of its 95 % interval or None, number of clusters)."""
    n = len(values)
    middle = sum(values) / n
    sums: dict[str, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[str(cluster)] = sums.get(str(cluster), 0.0) + value - middle
    k = len(sums)
    if k < 2:
        return middle, None, k
    error = math.sqrt(sum(part**2 for part in sums.values()) * k / (k - 1)) / n
    return middle, float(stats.t.ppf(0.975, k - 1)) * error, k
