"""Have enough raters judged an item? A sequential rule for panels of at most k raters.

Model: an item has its own unknown shares of the answers 0 … c − 1 among raters, drawn from a Dirichlet
distribution with parameters `concentration · shares`; raters answer independently given these. A low
concentration says that raters mostly agree on an item, a high one that they differ on it as they do at large.
The answers still to come are then Pólya-distributed (Johnson, Kotz and Balakrishnan, Discrete Multivariate
Distributions, 1997, chapter 40), and how likely they are to change the panel's answer is a finite sum.

The model knows no rater by name: one who errs more than others is noise for all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, lgamma

from annotation.stats.errors import BadInput

LEAST_CONCENTRATION, MOST_CONCENTRATION = 0.05, 20.0
PSEUDO_COUNT = 0.5
"""Added to each answer's count when shares are learned, so that none is held to be impossible."""


@dataclass(frozen=True)
class PanelPrior:
    """What is expected of an item before anybody judged it; `shares` are positive and sum to one."""

    shares: tuple[float, ...]
    concentration: float

    def __post_init__(self) -> None:
        if min(self.shares) <= 0 or abs(sum(self.shares) - 1) > 1e-9 or self.concentration <= 0:
            raise BadInput("Shares must be positive and sum to one, and the concentration must be positive.")

    @property
    def parameters(self) -> tuple[float, ...]:
        """Of the Dirichlet distribution."""
        return tuple(self.concentration * share for share in self.shares)


def chance_settled(counts: Sequence[int], remaining: int, prior: PanelPrior) -> float:
    """The probability that the sole leader of `counts` is still it after `remaining` more answers.

    0.0 where nobody leads alone: then the panel has no answer yet.
    """
    if len(counts) != len(prior.shares):
        raise BadInput("There must be one count for each answer of the prior.")
    leader = _sole_leader(counts)
    if leader is None:
        return 0.0
    parameters = [a + n for a, n in zip(prior.parameters, counts, strict=True)]
    return sum(
        _polya(parameters, more)
        for more in _compositions(remaining, len(counts))
        if _sole_leader([n + x for n, x in zip(counts, more, strict=True)]) == leader
    )


def is_settled(counts: Sequence[int], most: int, prior: PanelPrior, confidence: float) -> bool:
    """Whether raters up to `most` would leave the answer as it is, with at least this confidence."""
    return chance_settled(counts, max(0, most - sum(counts)), prior) >= confidence


def fit_prior(items: Iterable[Sequence[int]], answers: int) -> PanelPrior | None:
    """The prior by the method of moments from the counts of items; None before two raters met on any.

    Shares are those of all answers. With S the sum of their squares and A the chance that two raters of one
    item agree, A = (1 + concentration · S) / (1 + concentration).
    """
    totals, agreeing, pairs = [PSEUDO_COUNT] * answers, 0, 0
    for counts in items:
        totals = [total + n for total, n in zip(totals, counts, strict=True)]
        agreeing += sum(n * (n - 1) for n in counts)
        pairs += sum(counts) * (sum(counts) - 1)
    if not pairs:
        return None
    shares = tuple(total / sum(totals) for total in totals)
    by_chance = sum(share**2 for share in shares)
    observed = max(agreeing / pairs, by_chance + 1e-9)
    concentration = (1 - observed) / (observed - by_chance)
    return PanelPrior(shares, min(MOST_CONCENTRATION, max(LEAST_CONCENTRATION, concentration)))


def _sole_leader(counts: Sequence[int]) -> int | None:
    most = max(counts)
    return counts.index(most) if most and list(counts).count(most) == 1 else None


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write `total` as an ordered sum of `parts` whole numbers."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)


def _polya(parameters: Sequence[float], more: Sequence[int]) -> float:
    """The probability of these further counts, in any order."""
    total, m = sum(parameters), sum(more)
    log = lgamma(m + 1) + lgamma(total) - lgamma(total + m)
    for a, x in zip(parameters, more, strict=True):
        log += lgamma(a + x) - lgamma(a) - lgamma(x + 1)
    return exp(log)
