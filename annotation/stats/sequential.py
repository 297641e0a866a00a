"""A confidence sequence for a mean: an interval that stays valid however often it is looked at.

Source: I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by betting, Journal of the
Royal Statistical Society B 86 (2024) 1-27: the hedged capital process with predictable plug-in bets. A
gambler who bets that the mean is not m becomes rich only if it is not; by Ville's inequality the capital
against the true mean ever reaches 1/alpha with probability at most alpha. It holds for any values in [0, 1]
whose mean given the past does not change, at any stopping time, and needs no number of looks fixed
beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from annotation.stats.bootstrap import Floats, check_level
from annotation.stats.columns import Column
from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import checked_values, cluster_codes

GRID = 1001
"""Candidate means 0, 0.001 … 1; bounds are widened to the next one outwards."""

BLOCK = 512
BOLDEST = 0.5
"""A bet risks at most this share of the capital."""


@dataclass(frozen=True, eq=False)
class ConfidenceSequence:
    """Bounds after each value; all of them hold together with the level's probability.

    ``low`` never falls and ``high`` never rises. Where they have crossed, no mean fits all the values: their
    mean has changed on the way.
    """

    means: Floats
    low: Floats
    high: Floats

    def at_end(self) -> Estimate:
        """The running mean with the bounds now; n counts values."""
        n = len(self.means)
        if not n:
            return undefined(0, "There are no values.")
        value, low, high = (float(column[-1]) for column in (self.means, self.low, self.high))
        if low > high:
            return Estimate(value, None, None, n, "No interval: the mean changed while it was measured.")
        return Estimate(value, low, high, n)


def confidence_sequence(values: ArrayLike, *, level: float = 0.95) -> ConfidenceSequence:
    """Bounds for the mean of values in [0, 1], in the order in which they came. Time linear in the values."""
    check_level(level)
    x = checked_values(values)
    if not ((x >= 0) & (x <= 1)).all():
        raise BadInput("A confidence sequence is for values between 0 and 1.")
    bets = _bets(x, 1 - level)
    candidates = np.linspace(0, 1, GRID)
    capital = np.zeros((2, GRID))
    low, high = np.ones(len(x)), np.zeros(len(x))  # crossed, where no candidate stands any more
    for start in range(0, len(x), BLOCK):
        block = slice(start, start + BLOCK)
        logs = capital[:, np.newaxis] + np.cumsum(_gains(x[block], bets[block], candidates), axis=1)
        rich = np.logaddexp(logs[0], logs[1]) - np.log(2) >= -np.log(1 - level)
        stands = ~np.logical_or.accumulate(rich, axis=0)
        low[block], high[block] = _bounds(stands, candidates)
        # What is refuted stays so: the next block bets against the others only.
        candidates, capital = candidates[stands[-1]], logs[:, -1, stands[-1]]
        if not len(candidates):
            break
    means = np.cumsum(x) / np.arange(1, len(x) + 1)
    return ConfidenceSequence(means, np.maximum.accumulate(low), np.minimum.accumulate(high))


def win_rate_sequence(outcomes: ArrayLike, prompts: ArrayLike, *, level: float = 0.95) -> ConfidenceSequence:
    """The sequence for a win rate (outcomes 1, 0.5, 0 in the order they came), one step for each prompt.

    A prompt's value is its mean outcome, so the sequence is for the prompt-normalised win rate; prompts come
    in the order of their first outcome. To watch a running study, give it finished prompts only: a prompt's
    later outcomes would change a value that was bet on already.
    """
    values = checked_values(outcomes)
    groups = cluster_codes(prompts, len(values))
    _, first = np.unique(groups, return_index=True)
    order = Column.of(first[groups]).codes
    if not len(values):
        return confidence_sequence([], level=level)
    return confidence_sequence(np.bincount(order, weights=values) / np.bincount(order), level=level)


def _bets(x: Floats, alpha: float) -> Floats:
    """Each step's bet, from the values before it: sqrt(2 log(2/alpha) / (variance so far x t log(t + 1)))."""
    t = np.arange(1, len(x) + 1)
    means = (0.5 + np.cumsum(x)) / (t + 1)
    variances = (0.25 + np.cumsum((x - means) ** 2)) / (t + 1)
    before = np.append(0.25, variances[:-1])[: len(x)]
    return np.sqrt(2 * np.log(2 / alpha) / (before * t * np.log(t + 1)))


def _gains(x: Floats, bets: Floats, candidates: Floats) -> Floats:
    """Logarithms of what each bet multiplies the capital by: (above or below, steps, candidates)."""
    apart = x[:, np.newaxis] - candidates
    with np.errstate(divide="ignore"):
        above = np.minimum(bets[:, np.newaxis], BOLDEST / candidates)
        below = np.minimum(bets[:, np.newaxis], BOLDEST / (1 - candidates))
    return np.stack([np.log1p(above * apart), np.log1p(-below * apart)])


def _bounds(stands: np.ndarray, candidates: Floats) -> tuple[Floats, Floats]:
    """For each step, the outermost candidates that stand, widened by one; crossed where none does."""
    step = 1 / (GRID - 1)
    low = np.maximum(0, candidates[stands.argmax(axis=1)] - step)
    high = np.minimum(1, candidates[stands.shape[1] - 1 - stands[:, ::-1].argmax(axis=1)] + step)
    none = ~stands.any(axis=1)
    low[none], high[none] = 1.0, 0.0
    return low, high
