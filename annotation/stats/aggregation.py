"""One label for each item from the labels of several raters, with its probability and what each rater is
worth.

Four ways, from plain to modelled: the majority; a vote weighed by the raters' quality; Dawid and Skene, where
each rater has a table of errors; and MACE, where each rater either knows the answer or guesses. All work on
the judgments as they stand, sparse, and a repeated judgment counts as often as it was given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import digamma

from annotation.stats.bootstrap import Floats, Ints
from annotation.stats.errors import BadInput
from annotation.stats.ratings import Ratings

MOST_CELLS = 60_000_000
"""Probabilities held at once: items × labels, and raters × labels × labels."""

TIE = 1e-9
"""Probabilities nearer than this are a tie."""


@dataclass(frozen=True)
class RaterQuality:
    """``quality`` is the rater's estimated chance to give the true label (for MACE: to know it);
    ``confusion`` holds, for each true label, how the rater labels such items, where the model knows. n is
    ``judgments``."""

    rater: str
    judgments: int
    quality: float
    confusion: Floats | None = None


@dataclass(frozen=True, eq=False)
class Aggregate:
    """``posteriors`` (items, categories) are probabilities; for votes, shares of the (weighed) vote.

    ``chosen`` indexes categories. Where several are equally probable, it is the one given more often in all
    the ratings, and then the first in order. ``prevalence`` is how common each category is; ``iterations``
    and ``converged`` tell how a model was fitted.
    """

    items: NDArray[Any]
    categories: NDArray[Any]
    posteriors: Floats
    chosen: Ints
    raters: tuple[RaterQuality, ...]
    prevalence: Floats
    iterations: int = 0
    converged: bool = True
    log_likelihood: float | None = None

    @property
    def labels(self) -> NDArray[Any]:
        """The chosen label of each item."""
        return self.categories[self.chosen]


def why_no_model(ratings: Ratings) -> str:
    """Why raters cannot be told apart from these ratings, or ""."""
    if not len(ratings):
        return "There are no judgments."
    if len(ratings.raters) < 2:
        return "There is only one rater: nothing can be learnt about them from their own labels."
    if len(ratings.categories) < 2:
        return f"Every rating is the same ({str(ratings.categories[0])[:60]}): there is nothing to decide."
    same_item = np.diff(ratings.item_codes) == 0
    if not (same_item & (np.diff(ratings.rater_codes) != 0)).any():
        return "No item has labels of two raters, so no rater can be measured against another."
    return ""


def majority_vote(ratings: Ratings) -> Aggregate:
    """The label most raters gave. A rater's quality is the mean share of an item's vote that their label
    got."""
    _refuse_too_large(ratings)
    counts = _votes(ratings, np.ones(len(ratings)))
    shares = _normalised(counts)
    given = shares[ratings.item_codes, ratings.value_codes]
    numbers = _judgments_of(ratings)
    quality = _sums(ratings.rater_codes, given, len(numbers)) / numbers
    return _aggregate(ratings, shares, quality)


def weighted_vote(ratings: Ratings, accuracies: Mapping[str, float] | None = None) -> Aggregate:
    """A vote in which a rater of accuracy a counts log((q-1) a / (1-a)), never less than nothing; q labels.

    These are the weights of the best vote among raters who err independently and equally often on all labels
    (S. Nitzan and J. Paroush, International Economic Review 23 (1982) 289-297), and the posteriors are that
    model's. ``accuracies`` may come from gold items, by rater; else a rater's accuracy is how often the
    others gave the same label to the same items (Laplace-smoothed), so that nobody's vote confirms itself.
    Raises BadInput where `why_no_model` has a reason, unless accuracies are given.
    """
    _refuse_too_large(ratings)
    if accuracies is None:
        _refuse_unmodelled(ratings)
        quality = _agreement_with_others(ratings)
    else:
        quality = _given_accuracies(ratings, accuracies)
    q = max(2, len(ratings.categories))
    bounded = np.clip(quality, 1e-6, 1 - 1e-6)
    weights = np.maximum(0, np.log((q - 1) * bounded / (1 - bounded)))
    posteriors, _ = _softmax(_votes(ratings, weights[ratings.rater_codes]))
    return _aggregate(ratings, posteriors, quality)


def dawid_skene(ratings: Ratings, *, iterations: int = 1000, tolerance: float = 1e-10) -> Aggregate:
    """Each rater's table of errors and each item's label, by expectation-maximisation from the vote shares.

    Source: A. P. Dawid and A. M. Skene, Applied Statistics 28 (1979) 20-28, without smoothing. Stops when the
    log-likelihood gains less than ``tolerance`` (relative), or after ``iterations``. Quality is the chance of
    a right label given the prevalence. Raises BadInput where `why_no_model` has a reason.
    """
    _refuse_too_large(ratings)
    _refuse_unmodelled(ratings)
    model = _DawidSkene(ratings)
    posteriors = _normalised(_votes(ratings, np.ones(len(ratings))))
    before, done, converged = -np.inf, 0, False
    while done < iterations and not converged:
        prevalence, confusion = model.maximise(posteriors)
        posteriors, likelihood = model.expect(prevalence, confusion)
        converged = likelihood - before <= tolerance * abs(likelihood)
        before, done = likelihood, done + 1
    prevalence, confusion = model.maximise(posteriors)
    quality = np.einsum("rkk,k->r", confusion, prevalence)
    return _aggregate(
        ratings,
        posteriors,
        quality,
        confusion=confusion,
        prevalence=prevalence,
        iterations=done,
        converged=converged,
        log_likelihood=float(before),
    )


def mace(
    ratings: Ratings, *, restarts: int = 10, iterations: int = 50, seed: int = 0, tolerance: float = 1e-9
) -> Aggregate:
    """Raters who know the answer or guess from a habit of their own, by variational Bayes.

    Source: D. Hovy, T. Berg-Kirkpatrick, A. Vaswani and E. Hovy, NAACL-HLT 2013, 1120-1130, with their
    priors: Beta(0.5, 0.5) on guessing, Dirichlet(10) on the habit, and all labels equally likely before. The
    best of ``restarts`` random starts and one from the raters' agreement, by marginal likelihood. Quality is
    the chance that the rater knew. Raises BadInput where `why_no_model` has a reason.
    """
    _refuse_too_large(ratings)
    _refuse_unmodelled(ratings)
    model = _Mace(ratings)
    rng = np.random.default_rng(seed)
    starts = [model.start(1 - _agreement_with_others(ratings))]
    starts += [model.start(rng.random(len(ratings.raters)), rng) for _ in range(restarts)]
    fits = [model.fit(start, iterations, tolerance) for start in starts]
    best = max(fits, key=lambda fit: fit.log_likelihood)
    return _aggregate(
        ratings,
        best.posteriors,
        best.competence,
        iterations=best.iterations,
        converged=best.converged,
        log_likelihood=best.log_likelihood,
    )


class _DawidSkene:
    """The two steps, as products with the sparse table of who said what about which item."""

    def __init__(self, ratings: Ratings) -> None:
        self.raters, self.labels = len(ratings.raters), len(ratings.categories)
        said = ratings.rater_codes * self.labels + ratings.value_codes
        starts = np.append(0, np.cumsum(np.bincount(ratings.item_codes)))
        shape = (len(ratings.items), self.raters * self.labels)
        self.by_item = sparse.csr_array((np.ones(len(ratings)), said, starts), shape=shape)
        self.by_rater = self.by_item.T.tocsr()

    def maximise(self, posteriors: Floats) -> tuple[Floats, Floats]:
        """Prevalence (labels,) and confusion (raters, true label, given label), whose rows sum to 1.

        A true label that a rater never met leaves a row of zeros.
        """
        counts = np.asarray(self.by_rater @ posteriors).reshape(self.raters, self.labels, self.labels)
        confusion = counts.transpose(0, 2, 1)
        met = confusion.sum(axis=2, keepdims=True)
        return posteriors.mean(axis=0), np.divide(confusion, met, out=np.zeros_like(confusion), where=met > 0)

    def expect(self, prevalence: Floats, confusion: Floats) -> tuple[Floats, float]:
        """Posteriors (items, labels) and the log-likelihood of the parameters given."""
        with np.errstate(divide="ignore"):
            log_confusion, log_prevalence = np.log(confusion), np.log(prevalence)
        said = log_confusion.transpose(0, 2, 1).reshape(self.raters * self.labels, self.labels)
        posteriors, totals = _softmax(np.asarray(self.by_item @ said) + log_prevalence)
        return posteriors, float(totals.sum())


@dataclass(frozen=True, eq=False)
class _MaceFit:
    posteriors: Floats
    competence: Floats
    log_likelihood: float
    iterations: int
    converged: bool


class _Mace:
    """One variational pass: ``guessing`` (raters,), ``knowing`` (raters,), ``habit`` (raters, labels)."""

    def __init__(self, ratings: Ratings) -> None:
        self.ratings = ratings
        self.labels = len(ratings.categories)
        self.judgments: Floats = _judgments_of(ratings)
        self.place = ratings.item_codes * self.labels + ratings.value_codes
        self.said = ratings.rater_codes * self.labels + ratings.value_codes

    def start(
        self, guessing: Floats, rng: np.random.Generator | None = None
    ) -> tuple[Floats, Floats, Floats]:
        shape = (len(self.judgments), self.labels)
        habit = np.ones(shape) if rng is None else rng.random(shape) + 0.5
        bounded = np.clip(guessing, 0.02, 0.98)
        return bounded, 1 - bounded, _normalised(habit)

    def fit(self, start: tuple[Floats, Floats, Floats], iterations: int, tolerance: float) -> _MaceFit:
        guessing, knowing, habit = start
        before, done, converged = -np.inf, 0, False
        while True:
            posteriors, knew, likelihood = self._expect(guessing, knowing, habit)
            converged = abs(likelihood - before) <= tolerance * abs(likelihood)
            if converged or done == iterations:
                break
            guessing, knowing, habit = self._maximise(knew)
            before, done = likelihood, done + 1
        known = _sums(self.ratings.rater_codes, knew, len(self.judgments))
        competence = (known + 0.5) / (self.judgments + 1)
        return _MaceFit(posteriors, competence, likelihood, done, bool(converged))

    def _expect(self, guessing: Floats, knowing: Floats, habit: Floats) -> tuple[Floats, Floats, float]:
        """Posteriors (items, labels), the chance that each judgment was known, and the likelihood."""
        by_guess = (guessing[:, np.newaxis] * habit).ravel()[self.said]
        if_true = by_guess + knowing[self.ratings.rater_codes]
        items = len(self.ratings.items)
        gain = _sums(self.place, np.log(if_true / by_guess), items * self.labels)
        base = _sums(self.ratings.item_codes, np.log(by_guess), items)
        scores = gain.reshape(items, self.labels) + (base - np.log(self.labels))[:, np.newaxis]
        posteriors, totals = _softmax(scores)
        knew = posteriors.ravel()[self.place] * knowing[self.ratings.rater_codes] / if_true
        return posteriors, knew, float(totals.sum())

    def _maximise(self, knew: Floats) -> tuple[Floats, Floats, Floats]:
        """The parameters' geometric means under their posteriors, as variational Bayes wants them."""
        known = _sums(self.ratings.rater_codes, knew, len(self.judgments))
        guessed = _sums(self.said, 1 - knew, len(self.judgments) * self.labels)
        guessed = np.maximum(guessed, 0).reshape(-1, self.labels) + 10.0
        total = digamma(self.judgments + 1)
        guessing = np.exp(digamma(np.maximum(self.judgments - known, 0) + 0.5) - total)
        knowing = np.exp(digamma(known + 0.5) - total)
        habit = np.exp(digamma(guessed) - digamma(guessed.sum(axis=1, keepdims=True)))
        return guessing, knowing, habit


def _sums(places: Ints, weights: Floats, size: int) -> Floats:
    """The weights of each place 0..size-1, summed."""
    return np.bincount(places, weights=weights, minlength=size).astype(np.float64)


def _votes(ratings: Ratings, weights: Floats) -> Floats:
    """The weight of each label of each item (items, labels)."""
    q = len(ratings.categories)
    votes = _sums(ratings.item_codes * q + ratings.value_codes, weights, len(ratings.items) * q)
    return votes.reshape(len(ratings.items), q)


def _agreement_with_others(ratings: Ratings) -> Floats:
    """How often an item's other judgments say what the rater says, smoothed towards 1/labels."""
    counts = _votes(ratings, np.ones(len(ratings)))
    others = np.bincount(ratings.item_codes)[ratings.item_codes] - 1
    same = counts[ratings.item_codes, ratings.value_codes] - 1
    shared = others > 0
    raters = ratings.rater_codes[shared]
    agreed = _sums(raters, same[shared] / others[shared], len(ratings.raters))
    return (agreed + 1) / (np.bincount(raters, minlength=len(ratings.raters)) + len(ratings.categories))


def _given_accuracies(ratings: Ratings, accuracies: Mapping[str, float]) -> Floats:
    missing = [str(rater) for rater in ratings.raters if str(rater) not in accuracies]
    if missing:
        raise BadInput(f"There is no accuracy for rater {missing[0]} ({len(missing)} raters in all).")
    quality = np.array([accuracies[str(rater)] for rater in ratings.raters], dtype=np.float64)
    if not ((quality >= 0) & (quality <= 1)).all():
        raise BadInput("An accuracy lies between 0 and 1.")
    return quality


def _aggregate(ratings: Ratings, posteriors: Floats, quality: Floats, **fitted: Any) -> Aggregate:
    confusion = fitted.pop("confusion", None)
    tables = [None] * len(quality) if confusion is None else confusion
    rows = zip(ratings.raters, _judgments_of(ratings), quality, tables, strict=True)
    raters = tuple(RaterQuality(str(name), int(n), float(value), table) for name, n, value, table in rows)
    fitted.setdefault("prevalence", posteriors.mean(axis=0) if len(posteriors) else posteriors.sum(axis=0))
    chosen = _chosen(posteriors, np.bincount(ratings.value_codes, minlength=len(ratings.categories)))
    return Aggregate(ratings.items, ratings.categories, posteriors, chosen, raters, **fitted)


def _chosen(posteriors: Floats, frequency: Ints) -> Ints:
    if not posteriors.size:
        return np.empty(0, dtype=np.int64)
    order = np.argsort(-frequency, kind="stable")
    near = posteriors[:, order] >= posteriors.max(axis=1, keepdims=True) - TIE
    return order[near.argmax(axis=1)]


def _judgments_of(ratings: Ratings) -> Floats:
    return np.bincount(ratings.rater_codes, minlength=len(ratings.raters)).astype(np.float64)


def _normalised(rows: Floats) -> Floats:
    return rows / rows.sum(axis=1, keepdims=True)


def _softmax(scores: Floats) -> tuple[Floats, Floats]:
    """Rows of logarithms as probabilities that sum to 1, and the logarithm of what they summed to."""
    # Column by column: NumPy reduces many short rows several times slower.
    highest = reduce(np.maximum, scores.T)[:, np.newaxis]
    shares = np.exp(scores - highest)
    totals = (shares @ np.ones(shares.shape[1]))[:, np.newaxis]
    return shares / totals, (highest + np.log(totals)).ravel()


def _refuse_unmodelled(ratings: Ratings) -> None:
    reason = why_no_model(ratings)
    if reason:
        raise BadInput(reason)


def _refuse_too_large(ratings: Ratings) -> None:
    q = len(ratings.categories)
    if max(len(ratings.items), len(ratings.raters) * q) * q > MOST_CELLS:
        raise BadInput(
            f"{len(ratings.items)} items and {len(ratings.raters)} raters with {q} different labels are too "
            "much to aggregate: labels are categories, of which there are few."
        )
