"""How many prompts, pairs and raters a study needs, before it opens.

The measure is a win rate with ties as half (or any share, with no ties). Judgments of one pair, and pairs of
one prompt, resemble each other, so more of them buy less than more prompts do: variances of nested samples,
W. G. Cochran, Sampling Techniques, 3rd ed. 1977, ch. 10; normal approximation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from annotation.stats.bootstrap import check_level
from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import checked_values, cluster_codes


@dataclass(frozen=True)
class Design:
    """What is judged how often, and how alike judgments are.

    ``prompt_share`` is the correlation of two judgments of different pairs of one prompt; a second judgment
    of the same pair adds ``pair_share`` to it. Both come from a pilot (`intraclass_correlation`) or a guess.
    """

    pairs_per_prompt: int = 1
    raters_per_pair: int = 1
    prompt_share: float = 0.0
    pair_share: float = 0.0

    def __post_init__(self) -> None:
        if self.pairs_per_prompt < 1 or self.raters_per_pair < 1:
            raise BadInput("A prompt has at least one pair, and a pair at least one rater.")
        if min(self.prompt_share, self.pair_share) < 0 or self.prompt_share + self.pair_share > 1:
            raise BadInput("The shares of variance are 0 or more and sum to at most 1.")

    @property
    def variance_factor(self) -> float:
        """The variance of a prompt's mean, in units of one judgment's variance."""
        rest = 1 - self.prompt_share - self.pair_share
        k, r = self.pairs_per_prompt, self.raters_per_pair
        return self.prompt_share + self.pair_share / k + rest / (k * r)


@dataclass(frozen=True)
class StudySize:
    """``raters`` is the fewest who can do it: enough for every pair, and for all judgments."""

    prompts: int
    pairs: int
    judgments: int
    raters: int


def half_width(
    prompts: int, design: Design | None = None, *, rate: float = 0.5, ties: float = 0.0, level: float = 0.95
) -> float:
    """Half the width of the interval that so many prompts will give."""
    check_level(level)
    if prompts < 1:
        raise BadInput("A study has at least one prompt.")
    variance = outcome_variance(rate, ties) * (design or Design()).variance_factor
    return _z(level) * math.sqrt(variance / prompts)


def size_for_half_width(
    width: float,
    design: Design | None = None,
    *,
    rate: float = 0.5,
    ties: float = 0.0,
    level: float = 0.95,
    judgments_per_rater: int = 100,
) -> StudySize:
    """The smallest study whose interval is at most ± ``width``; rate 0.5 without ties is the worst case."""
    check_level(level)
    if not 0 < width < 1:
        raise BadInput(f"A half-width lies between 0 and 1, not {width}.")
    plan = design or Design()
    needed = _z(level) ** 2 * outcome_variance(rate, ties) * plan.variance_factor / width**2
    return _size(needed, plan, judgments_per_rater)


def size_to_detect(
    rate: float,
    design: Design | None = None,
    *,
    ties: float = 0.0,
    power: float = 0.8,
    level: float = 0.95,
    judgments_per_rater: int = 100,
) -> StudySize:
    """The smallest study that tells a true win rate from 1/2 with probability ``power`` (two-sided)."""
    check_level(level)
    if not 0 < power < 1 or rate == 0.5:
        raise BadInput("The power lies between 0 and 1, and the rate to detect is not 1/2.")
    plan = design or Design()
    here, there = outcome_variance(0.5, ties), outcome_variance(rate, ties)
    reach = _z(level) * math.sqrt(here) + NormalDist().inv_cdf(power) * math.sqrt(there)
    return _size(reach**2 * plan.variance_factor / (rate - 0.5) ** 2, plan, judgments_per_rater)


def outcome_variance(rate: float, ties: float = 0.0) -> float:
    """The variance of one outcome (1, 0.5, 0) with this mean and share of ties."""
    wins = rate - ties / 2
    if not (0 <= ties <= 1 and wins >= -1e-12 and wins + ties <= 1 + 1e-12):
        raise BadInput(f"A win rate of {rate} cannot be had with {ties} of ties.")
    return max(0.0, wins + ties / 4 - rate**2)


def intraclass_correlation(values: ArrayLike, clusters: ArrayLike) -> Estimate:
    """How alike two values of one cluster are: ICC(1), from a one-way analysis of variance.

    (B - W) / (B + (k - 1) W) with the mean squares between and within clusters and k their mean size,
    adjusted for unequal sizes. Source: P. E. Shrout and J. L. Fleiss, Psychological Bulletin 86 (1979)
    420-428. A point estimate for planning; below 0 read it as 0. n counts values. Undefined without two
    clusters, without a cluster of two values, or where nothing varies.
    """
    numbers = checked_values(values)
    groups = cluster_codes(clusters, len(numbers))
    sizes = np.bincount(groups).astype(np.float64)
    n, k = len(numbers), len(sizes)
    if k < 2 or n == k:
        return undefined(n, "There must be two clusters, one of them with two values.")
    means = np.bincount(groups, weights=numbers) / sizes
    within = float(((numbers - means[groups]) ** 2).sum()) / (n - k)
    between = float((sizes * (means - numbers.mean()) ** 2).sum()) / (k - 1)
    size = (n - float((sizes**2).sum()) / n) / (k - 1)
    total = between + (size - 1) * within
    if total <= 0:
        return undefined(n, "All values are equal.")
    return Estimate((between - within) / total, None, None, n, "No interval: this is for planning.")


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def _size(prompts: float, design: Design, judgments_per_rater: int) -> StudySize:
    if judgments_per_rater < 1:
        raise BadInput("A rater gives at least one judgment.")
    # Rounding noise must not cost a prompt.
    whole = max(1, math.ceil(prompts - 1e-9))
    pairs = whole * design.pairs_per_prompt
    judgments = pairs * design.raters_per_pair
    raters = max(design.raters_per_pair, math.ceil(judgments / judgments_per_rater))
    return StudySize(whole, pairs, judgments, raters)
