"""Why the measures of agreement differ on these very answers, in a sentence each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from annotation.reports.measures import Measured
from annotation.reports.questions import Question
from annotation.reports.tables import FEW
from annotation.stats.bootstrap import Floats
from annotation.stats.ratings import Ratings

APART = 0.05
"""Measures nearer than this tell the same story."""
SKEWED = 0.75


@dataclass(frozen=True)
class Note:
    """`about` is undefined, skew, few items, order, raters or close; the most common answer stands beside
    it."""

    about: str
    sentence: str
    top_label: str
    top_share: float | None


def notes(question: Question, ratings: Ratings, found: Measured) -> tuple[Note, ...]:
    """One sentence for each reason that applies, or that the measures are close; none without judgments."""
    if not len(ratings):
        return ()
    counts = np.bincount(ratings.value_codes, minlength=len(ratings.categories))
    top = int(counts.argmax())
    label, share = _words(question, ratings)[top], float(counts[top] / counts.sum())
    return tuple(Note(*said, label, share) for said in _said(question, ratings, found, label, share))


def _said(
    question: Question, ratings: Ratings, found: Measured, label: str, share: float
) -> Iterator[tuple[str, str]]:
    if found.alpha.value is None:
        yield "undefined", _why_undefined(found, label)
        return
    sentences = {
        "skew": _skew(found, label, share),
        "few items": _few_items(found),
        "order": _order(question, ratings, found),
        "raters": _raters(question, ratings, found, label),
    }
    yield from ((about, sentence) for about, sentence in sentences.items() if sentence)
    if not any(sentences.values()):
        yield "close", _close(found)


def _why_undefined(found: Measured, label: str) -> str:
    if found.raw.value is None:
        return found.raw.reason
    return (
        f"Every answer is “{label}”: raters agree, but nothing shows whether they would have noticed another "
        "case, so only raw agreement exists."
    )


def _skew(found: Measured, label: str, share: float) -> str:
    if share < SKEWED or _apart(found.ac1.value, found.alpha.value) < APART:
        return ""
    return (
        f"{share:.0%} of the answers are “{label}”, so much of the raw agreement ({found.raw.value:.0%}) "
        f"would come from saying so blindly. Alpha ({found.alpha.value:.2f}) and the kappas charge for "
        f"that and ask how well raters tell the rare answers; AC1 ({found.ac1.value:.2f}) hardly does."
    )


def _few_items(found: Measured) -> str:
    n = found.raw.n
    if n >= FEW:
        return ""
    return (
        f"Only {n} {'item has' if n == 1 else 'items have'} two ratings or more: intervals are wide, and all "
        "measures may change with the next judgments. Alpha corrects for few ratings and Fleiss’ kappa does "
        "not."
    )


def _order(question: Question, ratings: Ratings, found: Measured) -> str:
    if question.level == "nominal" or _apart(found.ac2.value, found.ac1.value) < APART:
        return ""
    near = _one_step_apart(ratings)
    return (
        f"{near:.0%} of the differing answers are one step apart on the scale. Alpha "
        f"({found.alpha.value:.2f}), weighted kappas and AC2 ({found.ac2.value:.2f}) count steps; plain "
        f"Cohen, Fleiss and AC1 ({found.ac1.value:.2f}) call every difference the same."
    )


def _raters(question: Question, ratings: Ratings, found: Measured, label: str) -> str:
    cohen, fleiss = found.cohen.value, found.fleiss.value
    if _apart(cohen, fleiss) < APART:
        return ""
    if cohen > fleiss:
        low, high = _least_and_most(ratings)
        return (
            f"Raters use the answers unequally often: “{label}” is {low:.0%} to {high:.0%} of a rater’s "
            f"answers. Fleiss’ kappa ({fleiss:.2f}) and alpha charge for that, Cohen’s ({cohen:.2f}) does "
            "not."
        )
    return (
        f"Cohen’s kappa ({cohen:.2f}) is a mean over pairs of raters with few items in common each, which "
        f"draws it to 0; Fleiss’ kappa ({fleiss:.2f}) and alpha pool all raters."
    )


def _close(found: Measured) -> str:
    values = [
        one.value for one in (found.alpha, found.cohen, found.fleiss, found.ac1) if one.value is not None
    ]
    return (
        f"Alpha, Cohen, Fleiss and AC1 lie within {max(values) - min(values):.2f} of each other: no answer "
        "is so common, and no rater so unlike the others, that it matters which is read."
    )


def _apart(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)


def _words(question: Question, ratings: Ratings) -> list[str]:
    """The categories in use, as people read them."""
    if question.level == "nominal":
        return [str(word).replace("_", " ") for word in ratings.categories]
    return [question.words[code].replace("_", " ") for code in ratings.categories]


def _one_step_apart(ratings: Ratings) -> float:
    """The share of two raters' differing answers about one item that are neighbours on the scale.

    Neighbours among the answers in use, over which the weights run.
    """
    counts = _counts(ratings)
    neighbours = (counts[:, :-1] * counts[:, 1:]).sum()
    differing = (counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)).sum() / 2
    return float(neighbours / differing) if differing else 0.0


def _counts(ratings: Ratings) -> Floats:
    q = len(ratings.categories)
    cells = np.bincount(ratings.item_codes * q + ratings.value_codes, minlength=len(ratings.items) * q)
    return cells.reshape(-1, q).astype(np.float64)


def _least_and_most(ratings: Ratings) -> tuple[float, float]:
    """How often the most common answer is given, by the raters who give it least and most."""
    top = np.bincount(ratings.value_codes).argmax()
    given = np.bincount(ratings.rater_codes)
    shares = np.bincount(ratings.rater_codes, weights=ratings.value_codes == top) / given
    return float(shares.min()), float(shares.max())
