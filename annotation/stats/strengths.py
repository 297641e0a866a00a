"""How strong two or more arms are, from paired comparisons: Bradley-Terry, and Davidson where there are ties.

Sources: R. A. Bradley and M. E. Terry, Biometrika 39 (1952) 324-345; R. R. Davidson, Journal of the American
Statistical Association 65 (1970) 317-328. With strengths p, the first arm wins, ties and loses in the ratio
p1 : v sqrt(p1 p2) : p2. Covariates (who stood left, how much longer an answer is) add to log p1 - log p2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from annotation.stats.bootstrap import Floats, Ints, Resampling, resamples, with_percentiles
from annotation.stats.columns import Column
from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import checked_values
from annotation.stats.profiles import profiles_of

Ties = Literal["davidson", "half", "drop"]

FARTHEST = 15.0
"""A log strength beyond this is on its way to infinity: no study is large enough to measure it."""

MOST_ARMS = 50
MOST_CELLS = 50_000_000
"""Kinds of comparisons times parameters squared: numbers held for one step of a fit."""

MOST_STEPS = 60
UNBOUNDED = "they would grow without end"


@dataclass(frozen=True, eq=False)
class Comparisons:
    """One row for each comparison: who met (codes into ``arms``), how it ended for the first (1, 0.5, 0).

    ``clusters`` are resampled whole (the prompt). ``covariates`` (rows, names) count in favour of the first
    arm and change sign with it: +1 where it stood left, -1 where right; its length less the other's.
    ``weights`` say how much a row counts, for example the rater's quality.
    """

    arms: NDArray[Any]
    first: Ints
    second: Ints
    outcomes: Floats
    clusters: Ints
    covariates: Floats
    names: tuple[str, ...]
    weights: Floats

    @classmethod
    def from_rows(
        cls,
        first: ArrayLike,
        second: ArrayLike,
        outcomes: ArrayLike,
        clusters: ArrayLike | None = None,
        *,
        covariates: Mapping[str, ArrayLike] | None = None,
        weights: ArrayLike | None = None,
    ) -> Comparisons:
        """Columns of equal length. Raises BadInput for unequal lengths, an arm against itself, an outcome
        that is not 1, 0.5 or 0, values that are no finite numbers, and weights below 0."""
        won = checked_values(outcomes)
        n = len(won)
        both = Column.of(np.concatenate([np.asarray(first), np.asarray(second)]))
        if len(both.labels) > MOST_ARMS:
            raise BadInput(f"There are {len(both.labels)} arms; at most {MOST_ARMS} are compared.")
        named = {name: checked_values(column) for name, column in (covariates or {}).items()}
        counts = np.ones(n) if weights is None else checked_values(weights)
        groups = Column.of(np.arange(n) if clusters is None else clusters).codes
        if {len(both.codes), 2 * len(counts), 2 * len(groups), *(2 * len(c) for c in named.values())} != {
            2 * n
        }:
            raise BadInput("All columns of the comparisons must have the same length.")
        _check_rows(both.codes[:n], both.codes[n:], won, counts)
        table = np.column_stack(list(named.values())) if named else np.empty((n, 0))
        return cls(both.labels, both.codes[:n], both.codes[n:], won, groups, table, tuple(named), counts)

    def __len__(self) -> int:
        """The number of comparisons."""
        return len(self.outcomes)


@dataclass(frozen=True)
class ArmStrength:
    """``share`` is the arm's part of all strengths, which sum to 1; n counts the arm's comparisons."""

    arm: str
    share: Estimate


@dataclass(frozen=True)
class Strengths:
    """The fitted model, in the order of the arms' names; ``reason`` says why there is none.

    ``tie`` is Davidson's v: with equal arms, a tie is v/2 times as likely as a decision. ``effects`` are the
    covariates' log odds; with a covariate at 0, odds of p1 : p2 remain.
    """

    arms: tuple[ArmStrength, ...]
    tie: Estimate
    effects: Mapping[str, Estimate] = field(default_factory=dict)
    log_likelihood: float | None = None
    reason: str = ""


def strengths(
    comparisons: Comparisons,
    ties: Ties = "davidson",
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Strengths:
    """Maximum-likelihood strengths, with percentile intervals from resampling whole clusters.

    ``ties``: "davidson" models them; "half" counts each as half a win for both (the same shares for two
    arms); "drop" leaves them out. There are no strengths where some arms never met the others, where every
    comparison is a tie, or where some arms never lost to the others (complete separation): the reason says
    which.
    """
    plan = Resampling(bootstrap, seed, confidence)
    if ties not in get_args(Ties):
        raise BadInput(f"Ties are modelled (davidson), halved (half) or dropped (drop), not {ties!r}.")
    reason = _why_no_comparison(comparisons, ties)
    if reason:
        return _without(comparisons, reason)
    cells = _Cells.of(comparisons)
    model = _Model(comparisons, cells, ties)
    whole = cells.counts(cells.sizes[np.newaxis, :].astype(np.float64))
    fitted = model.fit(whole)
    if np.isnan(fitted).any():
        return _without(comparisons, _why_unbounded(comparisons))
    draws = [model.fit(cells.counts(weights), start=fitted[0]) for weights in model.resamples(plan)]
    return _described(comparisons, model, fitted, np.concatenate(draws) if draws else None, whole, plan)


@dataclass(frozen=True, eq=False)
class _Cells:
    """Comparisons that are alike (arms and covariates), and how often each ended how, by kind of cluster.

    ``rows`` (kinds, 3 x cells) holds wins, ties and losses of the lower arm; ``sizes`` counts the clusters of
    each kind.
    """

    low: Ints
    high: Ints
    covariates: Floats
    rows: Any
    sizes: Ints

    @classmethod
    def of(cls, comparisons: Comparisons) -> _Cells:
        swapped = comparisons.first > comparisons.second
        low = np.where(swapped, comparisons.second, comparisons.first)
        high = np.where(swapped, comparisons.first, comparisons.second)
        sign = np.where(swapped, -1.0, 1.0)
        won = np.where(swapped, 1 - comparisons.outcomes, comparisons.outcomes)
        table = np.column_stack([low, high, comparisons.covariates * sign[:, np.newaxis]])
        alike, cell = np.unique(table, axis=0, return_inverse=True)
        place = 3 * cell.ravel() + np.rint(2 * (1 - won)).astype(np.int64)
        rows, sizes = _by_cluster(comparisons, place, 3 * len(alike))
        return cls(alike[:, 0].astype(np.int64), alike[:, 1].astype(np.int64), alike[:, 2:], rows, sizes)

    def counts(self, weights: Floats) -> Floats:
        """(replicates, cells, 3) from weights (replicates, kinds)."""
        return np.asarray(weights @ self.rows).reshape(len(weights), len(self.low), 3)


def _by_cluster(comparisons: Comparisons, place: Ints, width: int) -> tuple[Any, Ints]:
    if len(place) and (comparisons.weights == 1).all():
        table = profiles_of(comparisons.clusters, place, np.arange(width))
        return table.counts, table.sizes
    size = int(comparisons.clusters.max(initial=-1)) + 1
    entries = (comparisons.weights, (comparisons.clusters, place))
    return sparse.csr_array(entries, shape=(size, width)), np.ones(size, dtype=np.int64)


class _Model:
    """Newton's method on many weightings of the same cells at once; the log-likelihood is concave.

    Parameters (replicates, p): log strengths but the first arm's, the covariates' effects, and log v where
    ties are modelled and there are any.
    """

    def __init__(self, comparisons: Comparisons, cells: _Cells, ties: Ties) -> None:
        self.cells, self.ties, self.arms = cells, ties, len(comparisons.arms)
        self.has_tie = ties == "davidson" and bool((comparisons.outcomes == 0.5).any())
        places = np.arange(len(cells.low))
        contrast = np.zeros((len(cells.low), self.arms))
        contrast[places, cells.low] = 1
        contrast[places, cells.high] -= 1
        # Scaled to 1, so that FARTHEST and the test for curvature mean the same in every unit.
        self.scales = np.abs(cells.covariates).max(axis=0, initial=0)
        self.scales[self.scales == 0] = 1
        self.design = np.column_stack([contrast[:, 1:], cells.covariates / self.scales])
        if self.design.shape[0] * self.design.shape[1] ** 2 > MOST_CELLS:
            raise BadInput(
                f"{len(self.design)} different comparisons of {self.arms} arms are too many to fit: round "
                "the covariates, so that more comparisons are alike."
            )
        self.p = self.design.shape[1] + self.has_tie

    def resamples(self, plan: Resampling) -> Iterator[Floats]:
        """Weights of the clusters' kinds, block by block, small enough for the arrays of a fit."""
        if plan.bootstrap and self.cells.sizes.sum() > 1:
            yield from resamples(
                self.cells.sizes, plan.bootstrap, plan.seed, 4 * len(self.design) + self.p**2
            )

    def fit(self, counts: Floats, start: Floats | None = None) -> Floats:
        """Parameters (replicates, p), NaN where the maximum is not reached within FARTHEST."""
        found = np.full((len(counts), self.p), np.nan)
        at = np.zeros((len(counts), self.p)) if start is None else np.tile(start, (len(counts), 1))
        going, decided = np.arange(len(counts)), self._decided(counts)
        for _ in range(MOST_STEPS):
            gradient, curvature = self._slopes(at, decided)
            done = np.abs(gradient).max(axis=1, initial=0) <= 1e-11 * decided.sum(axis=(1, 2))
            done &= _is_curved(curvature)
            found[going[done]] = at[done]
            keep = ~done & (np.abs(at).max(axis=1, initial=0) <= FARTHEST) & _is_curved(curvature)
            if not keep.any():
                break
            step = np.linalg.solve(curvature[keep], gradient[keep][..., np.newaxis])[..., 0]
            longest = np.abs(step).max(axis=1, keepdims=True)
            at = at[keep] + step * np.minimum(1, 2 / np.maximum(longest, 1e-300))
            going, decided = going[keep], decided[keep]
        return found

    def log_likelihood(self, at: Floats, counts: Floats) -> float:
        """Of one set of parameters (1, p)."""
        decided = self._decided(counts)
        with np.errstate(divide="ignore"):
            logs = np.log(self._chances(at))
        return float(np.where(decided > 0, decided * np.where(decided > 0, logs, 0), 0).sum())

    def shares(self, at: Floats) -> Floats:
        """Strengths (replicates, arms) that sum to 1."""
        logs = np.column_stack([np.zeros(len(at)), at[:, : self.arms - 1]])
        odds = np.exp(logs - logs.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def effects(self, at: Floats) -> Floats:
        """The covariates' effects in their own units (replicates, covariates)."""
        return at[:, self.arms - 1 : self.design.shape[1]] / self.scales

    def _decided(self, counts: Floats) -> Floats:
        """Wins, ties and losses as this model counts them."""
        if self.has_tie:
            return counts
        half = counts[..., 1] / 2 if self.ties == "half" else np.zeros(counts.shape[:2])
        return np.stack([counts[..., 0] + half, np.zeros_like(half), counts[..., 2] + half], axis=-1)

    def _chances(self, at: Floats) -> Floats:
        """The chances of win, tie and loss in each cell (replicates, cells, 3)."""
        ahead = at[:, : self.design.shape[1]] @ self.design.T / 2
        tie = np.repeat(at[:, -1:], ahead.shape[1], axis=1) if self.has_tie else np.full_like(ahead, -np.inf)
        logs = np.stack([ahead, tie, -ahead], axis=-1)
        odds = np.exp(logs - logs.max(axis=-1, keepdims=True))
        return odds / odds.sum(axis=-1, keepdims=True)

    def _slopes(self, at: Floats, counts: Floats) -> tuple[Floats, Floats]:
        """Gradient (replicates, p) and negative second derivatives (replicates, p, p)."""
        chances, n = self._chances(at), counts.sum(axis=-1)
        lead = chances[..., 0] - chances[..., 2]
        pull = (counts[..., 0] - counts[..., 2] - n * lead) / 2
        bend = n * (chances[..., 0] + chances[..., 2] - lead**2) / 4
        k = self.design.shape[1]
        squares = (self.design[:, :, np.newaxis] * self.design[:, np.newaxis, :]).reshape(-1, k * k)
        gradient, curvature = np.empty((len(at), self.p)), np.empty((len(at), self.p, self.p))
        gradient[:, :k] = pull @ self.design
        curvature[:, :k, :k] = (bend @ squares).reshape(-1, k, k)
        if self.has_tie:
            tie = chances[..., 1]
            gradient[:, k] = (counts[..., 1] - n * tie).sum(axis=1)
            curvature[:, :k, k] = curvature[:, k, :k] = -(n * lead * tie / 2) @ self.design
            curvature[:, k, k] = (n * tie * (1 - tie)).sum(axis=1)
        return gradient, curvature


def _is_curved(curvature: Floats) -> NDArray[np.bool_]:
    """Where the second derivatives have an inverse: else some strengths are not compared at all."""
    if not curvature.shape[1]:
        return np.ones(len(curvature), dtype=np.bool_)
    values = np.linalg.eigvalsh(curvature)
    return values[:, 0] > 1e-10 * np.maximum(values[:, -1], 1e-300)


def _described(
    comparisons: Comparisons,
    model: _Model,
    fitted: Floats,
    draws: Floats | None,
    whole: Floats,
    plan: Resampling,
) -> Strengths:
    n = len(comparisons)
    met = np.bincount(
        np.concatenate([comparisons.first, comparisons.second]), minlength=len(comparisons.arms)
    )
    shares, drawn = model.shares(fitted)[0], None if draws is None else model.shares(draws)
    arms = tuple(
        ArmStrength(str(name), _estimate(shares[i], drawn, i, int(met[i]), plan))
        for i, name in enumerate(comparisons.arms)
    )
    scaled, scaled_draws = model.effects(fitted)[0], None if draws is None else model.effects(draws)
    effects = {
        name: _estimate(scaled[i], scaled_draws, i, n, plan) for i, name in enumerate(comparisons.names)
    }
    if model.has_tie:
        tie = _estimate(np.exp(fitted[0, -1]), None if draws is None else np.exp(draws), model.p - 1, n, plan)
    else:
        tie = undefined(n, "There are no ties, or they are not modelled.")
    return Strengths(arms, tie, effects, model.log_likelihood(fitted, whole))


def _estimate(value: float, draws: Floats | None, column: int, n: int, plan: Resampling) -> Estimate:
    if draws is None:
        why = "no bootstrap was asked for" if plan.bootstrap == 0 else "there is only one cluster to resample"
        return Estimate(float(value), None, None, n, f"No interval: {why}.")
    return with_percentiles(float(value), draws[:, column], n, plan)


def _without(comparisons: Comparisons, reason: str) -> Strengths:
    nothing = undefined(len(comparisons), reason)
    arms = tuple(ArmStrength(str(name), nothing) for name in comparisons.arms)
    return Strengths(arms, nothing, {name: nothing for name in comparisons.names}, None, reason)


def _check_rows(first: Ints, second: Ints, won: Floats, weights: Floats) -> None:
    if (first == second).any():
        raise BadInput(f"Row {int(np.argmax(first == second)) + 1} compares an arm with itself.")
    if not np.isin(won, (0, 0.5, 1)).all():
        raise BadInput("An outcome is 1 for a win of the first arm, 0.5 for a tie or 0 for a loss.")
    if (weights < 0).any():
        raise BadInput("A weight is 0 or more.")


def _why_no_comparison(comparisons: Comparisons, ties: Ties) -> str:
    counted = comparisons.weights > 0
    if not counted.any():
        return "There are no comparisons."
    if (comparisons.outcomes[counted] == 0.5).all() and ties != "half":
        return "Every comparison is a tie: nothing shows which arm is stronger."
    if ties == "drop":
        counted &= comparisons.outcomes != 0.5
    apart = _components(comparisons, counted)
    if apart.max() == 0:
        return ""
    one, rest = _names(comparisons, apart == apart[0]), _names(comparisons, apart != apart[0])
    return f"{one} never met {rest}, not even through other arms: their strengths have no common scale."


def _why_unbounded(comparisons: Comparisons) -> str:
    """After the fit ran away: name arms that never lost to the others, if that is why."""
    graph = _wins(comparisons, comparisons.weights > 0)
    count, component = connected_components(graph, connection="strong")
    for number in range(count if count > 1 else 0):
        inside = component == number
        if not graph[~inside][:, inside].nnz:
            return (
                f"{_names(comparisons, inside)} never lost to {_names(comparisons, ~inside)} (separation): "
                f"the strengths have no finite estimate, {UNBOUNDED}."
            )
    return (
        f"The comparisons do not bound the model (separation, or a covariate that never varies): {UNBOUNDED}."
    )


def _wins(comparisons: Comparisons, counted: NDArray[np.bool_]) -> Any:
    """Who beat whom (winner, loser)."""
    decisive = counted & (comparisons.outcomes != 0.5)
    won = comparisons.outcomes[decisive] == 1
    first, second = comparisons.first[decisive], comparisons.second[decisive]
    entries = (np.ones(len(won)), (np.where(won, first, second), np.where(won, second, first)))
    return sparse.csr_array(entries, shape=(len(comparisons.arms),) * 2)


def _components(comparisons: Comparisons, counted: NDArray[np.bool_]) -> Ints:
    """For each arm, the group of arms it met, directly or through others."""
    entries = (np.ones(counted.sum()), (comparisons.first[counted], comparisons.second[counted]))
    graph = sparse.csr_array(entries, shape=(len(comparisons.arms),) * 2)
    return connected_components(graph, connection="weak")[1].astype(np.int64)


def _names(comparisons: Comparisons, which: NDArray[np.bool_]) -> str:
    names = [str(name)[:60] for name in comparisons.arms[which]]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
