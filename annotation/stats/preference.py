"""One arm against another: wins, ties, losses, win rates, differences and Cohen's h."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotation.stats.bootstrap import Floats, Resampling, joint_estimates
from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import (
    checked_values,
    cluster_codes,
    clustered_bootstrap,
    mean,
    number_of,
    proportion,
)


@dataclass(frozen=True)
class Outcomes:
    """How often the first arm won, tied and lost."""

    wins: int
    ties: int
    losses: int

    @classmethod
    def from_values(cls, values: ArrayLike) -> Outcomes:
        """Count outcomes given as 1 (win), 0.5 (tie) and 0 (loss)."""
        numbers = checked_values(values)
        if not np.isin(numbers, (0, 0.5, 1)).all():
            raise BadInput("An outcome is 1 for a win, 0.5 for a tie or 0 for a loss.")
        wins, ties, losses = (int((numbers == value).sum()) for value in (1, 0.5, 0))
        return cls(wins, ties, losses)


@dataclass(frozen=True)
class WinRate:
    """``rate`` counts a tie as half a win; ``decisive`` leaves ties out."""

    wins: int
    ties: int
    losses: int
    rate: Estimate
    decisive: Estimate


def win_rate(
    outcomes: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    bootstrap: int = 1000,
    seed: int = 0,
) -> WinRate:
    """Win rate of the first arm from outcomes 1, 0.5 (tie) and 0, clustered (on the prompt).

    Without ties both rates are proportions (see ``intervals.proportion``); with ties, the rate is a mean
    with the clustered bootstrap. Undefined without outcomes; ``decisive`` also where every outcome is a
    tie.
    """
    values = checked_values(outcomes)
    counts = Outcomes.from_values(values)
    groups = np.arange(len(values)) if clusters is None else cluster_codes(clusters, len(values))
    decided = values != 0.5
    proportion_of = partial(proportion, level=level, bootstrap=bootstrap, seed=seed)
    mean_of = partial(mean, level=level, bootstrap=bootstrap, seed=seed)
    decisive = _decisive(counts, proportion_of(values[decided], groups[decided]))
    rate = mean_of(values, groups) if counts.ties else decisive
    return WinRate(counts.wins, counts.ties, counts.losses, rate, decisive)


def _decisive(counts: Outcomes, estimate: Estimate) -> Estimate:
    if counts.ties and not estimate.n:
        return undefined(0, "Every outcome is a tie.")
    return estimate


Balance = Literal["prompt", "rater", "both"]


def normalised_win_rate(
    outcomes: ArrayLike,
    prompts: ArrayLike,
    raters: ArrayLike,
    balance: Balance = "both",
    *,
    level: float = 0.95,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Estimate:
    """The win rate (ties as half) in which no prompt and no rater counts more for having more judgments.

    "prompt": the mean over prompts of each prompt's rate; "rater": the mean over raters of each rater's rate;
    "both": the mean over prompts, within a prompt weighing each judgment by 1 / its rater's judgments. The
    interval resamples prompts with these weights as they are. n counts judgments.
    """
    values = checked_values(outcomes)
    Outcomes.from_values(values)
    if balance not in get_args(Balance):
        raise BadInput(f"A win rate is balanced by prompt, rater or both, not {balance!r}.")
    if not len(values):
        return undefined(0, "There are no values.")
    groups, people = cluster_codes(prompts, len(values)), cluster_codes(raters, len(values))
    weights = np.ones(len(values)) if balance == "prompt" else _equal_shares(people, np.ones(len(values)))
    if balance != "rater":
        weights = _equal_shares(groups, weights)
    return clustered_bootstrap(values, groups, weights=weights, level=level, bootstrap=bootstrap, seed=seed)


def _equal_shares(groups: NDArray[Any], weights: Floats) -> Floats:
    """The weights scaled so that each group's sum to 1."""
    return weights / np.bincount(groups, weights=weights)[groups]


def win_rate_h(rate: Estimate) -> Estimate:
    """Cohen's h of a win rate against the other arm's, 1 - rate; the interval is the rate's, transformed."""

    def h(p: float | None) -> float | None:
        return None if p is None else cohens_h(p, 1 - p)

    return replace(rate, value=h(rate.value), low=h(rate.low), high=h(rate.high))


@dataclass(frozen=True)
class Difference:
    """The first arm's mean less the second's, and Cohen's h where the values are 0 and 1."""

    difference: Estimate
    h: Estimate


def arm_difference(
    values: ArrayLike,
    of_first: ArrayLike,
    prompts: ArrayLike,
    *,
    level: float = 0.95,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Difference:
    """Two arms on the same prompts: ``of_first`` tells which values are the first arm's.

    Whole prompts are resampled, each with both arms' values, so that what a prompt does to both cancels. n
    counts prompts. Undefined where an arm has no values.
    """
    numbers, first = checked_values(values), np.asarray(of_first, dtype=np.bool_)
    groups = cluster_codes(prompts, len(numbers))
    prompts_n = number_of(groups)
    if not first.any() or first.all():
        nothing = undefined(prompts_n, "One of the arms has no values.")
        return Difference(nothing, nothing)
    columns = [np.bincount(groups, weights=w) for w in (numbers * first, first, numbers * ~first, ~first)]
    rows, sizes = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    binary = bool(np.isin(numbers, (0, 1)).all())

    def both(weights: Floats) -> Floats:
        sums = weights @ rows
        with np.errstate(invalid="ignore", divide="ignore"):
            a, b = sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 3]
        h = 2 * np.arcsin(np.sqrt(a)) - 2 * np.arcsin(np.sqrt(b)) if binary else np.full(len(a), np.nan)
        return np.column_stack([a - b, h])

    plan = Resampling(bootstrap, seed, level)
    difference, h = joint_estimates(both, sizes.astype(np.int64), plan, n=prompts_n, unit="prompt")
    return Difference(difference, h if binary else undefined(prompts_n, "Cohen's h is for shares."))


def cohens_h(p1: float, p2: float) -> float:
    """Effect size between two proportions, 2 asin √p1 - 2 asin √p2, signed.

    Source: J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, ch. 6 (0.2 small, 0.5
    medium, 0.8 large).
    """
    for p in (p1, p2):
        if not 0 <= p <= 1:
            raise BadInput(f"A proportion lies between 0 and 1, not {p}.")
    return 2 * math.asin(math.sqrt(p1)) - 2 * math.asin(math.sqrt(p2))
