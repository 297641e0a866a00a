"""One arm against another: wins, ties, losses, win rates and Cohen's h."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import checked_values, cluster_codes, mean, proportion


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


def cohens_h(p1: float, p2: float) -> float:
    """Effect size between two proportions, 2 asin √p1 - 2 asin √p2, signed.

    Source: J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, ch. 6 (0.2 small, 0.5
    medium, 0.8 large).
    """
    for p in (p1, p2):
        if not 0 <= p <= 1:
            raise BadInput(f"A proportion lies between 0 and 1, not {p}.")
    return 2 * math.asin(math.sqrt(p1)) - 2 * math.asin(math.sqrt(p2))
