"""Tests for paired outcomes, and Holm's correction for looking at several slices.

Judgments of one prompt are not independent, so every test here takes one value for each prompt: see
`leanings`. SciPy does the arithmetic where it has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from annotation.stats.bootstrap import Floats
from annotation.stats.errors import BadInput
from annotation.stats.intervals import checked_values, cluster_codes


@dataclass(frozen=True)
class TestResult:
    """``p`` is two-sided; None where there is no test, with the reason. n counts what decides the test."""

    __test__ = False  # not one of pytest's

    p: float | None
    n: int
    reason: str = ""


def leanings(outcomes: ArrayLike, prompts: ArrayLike) -> Floats:
    """One number for each prompt: its mean outcome less 1/2, so above 0 where the first arm won more
    often."""
    values = checked_values(outcomes)
    groups = cluster_codes(prompts, len(values))
    if not len(values):
        return np.empty(0)
    return np.bincount(groups, weights=values - 0.5) / np.bincount(groups)


def exact_binomial(successes: int, n: int, p: float = 0.5) -> TestResult:
    """Whether a share of independent trials differs from ``p`` (two-sided, exact)."""
    if not 0 <= successes <= n or not 0 <= p <= 1:
        raise BadInput(f"There is no test of {successes} successes in {n} trials against {p}.")
    if n == 0:
        return TestResult(None, 0, "There are no trials.")
    return TestResult(float(stats.binomtest(successes, n, p).pvalue), n)


def sign_test(differences: ArrayLike) -> TestResult:
    """Whether positive and negative differences are equally likely; zeros are left out, n counts the rest."""
    values = checked_values(differences)
    positive, negative = int((values > 0).sum()), int((values < 0).sum())
    if not positive + negative:
        return TestResult(None, 0, "No prompt leans to either arm.")
    return exact_binomial(positive, positive + negative)


def mcnemar(first: ArrayLike, second: ArrayLike) -> TestResult:
    """Whether two arms' yes/no outcomes on the same prompts differ: exact, on the prompts where they do.

    Source: Q. McNemar, Psychometrika 12 (1947) 153-157, in its exact binomial form. n counts discordant
    prompts.
    """
    a, b = checked_values(first), checked_values(second)
    if a.shape != b.shape or not np.isin(np.concatenate([a, b]), (0, 1)).all():
        raise BadInput("McNemar's test needs two columns of 0 and 1, of equal length.")
    return sign_test(a - b)


def wilcoxon(differences: ArrayLike) -> TestResult:
    """Whether paired differences are symmetric about 0, by signed ranks (zeros are left out).

    Source: F. Wilcoxon, Biometrics Bulletin 1 (1945) 80-83. Exact for at most 50 differences without equal
    sizes among them, else the normal approximation with the correction for ties. n counts what is not zero.
    """
    values = checked_values(differences)
    values = values[values != 0]
    if not len(values):
        return TestResult(None, 0, "All differences are zero.")
    exact = len(values) <= 50 and len(np.unique(np.abs(values))) == len(values)
    result = stats.wilcoxon(values, method="exact" if exact else "approx", correction=not exact)
    return TestResult(float(result.pvalue), len(values))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values of several slices, adjusted so that any false alarm at all is as rare as the level says.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979) 65-70. None (no test) stays None and is not
    counted.
    """
    places = [place for place, p in enumerate(p_values) if p is not None]
    values = np.array([cast(float, p_values[place]) for place in places])
    if not ((values >= 0) & (values <= 1)).all():
        raise BadInput("A p-value lies between 0 and 1.")
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted: list[float | None] = [None] * len(p_values)
    for rank, place in enumerate(order):
        adjusted[places[place]] = float(min(1.0, steps[rank]))
    return adjusted
