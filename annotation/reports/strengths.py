"""How strong the arms are: Bradley-Terry and Davidson, plain, with what else sways raters, and weighed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from annotation.reports.duels import BOOTSTRAP, QUESTION, QUESTIONS, answered, outcomes
from annotation.reports.rows import UNANSWERED, Answers, Rows
from annotation.reports.tables import Column, Table, Value, estimate_cells, estimate_columns
from annotation.stats.aggregation import weighted_vote, why_no_model
from annotation.stats.bootstrap import Floats
from annotation.stats.errors import BadInput
from annotation.stats.estimate import undefined
from annotation.stats.ratings import Ratings
from annotation.stats.strengths import Comparisons, Strengths, strengths

STEP, MOST_DOUBLINGS = 0.5, 3.0
"""Lengths are compared in half doublings, up to eight times as long: more kinds would say no more."""

PLAIN, ADJUSTED, WEIGHTED = "plain", "position and length", "raters weighed"
TIE, LEFT, LONGER = "tie", "left", "longer"

CAPTION = (
    "Davidson’s extension of the Bradley-Terry model: win, tie and loss are as p₁ : v√(p₁p₂) : p₂, and the "
    "strengths p sum to 1. “Both are bad” is a tie. “Position and length” also estimates how much standing "
    "on the left and being longer count, and gives the strengths that are left with both taken out; "
    "judgments whose sides or lengths are not known are left out there. “Raters weighed” lets a rater of "
    "accuracy a, which is how often the others gave the same answer (win, tie, loss) to the same pairs, "
    "count log(2a/(1−a)), never less than nothing, scaled to a mean of 1. Intervals are 95 %, from "
    "resampling whole prompts."
)
EFFECTS_CAPTION = (
    "What the models of the strengths estimate besides: Davidson’s v (with equal arms a tie is v/2 times "
    "as likely as a decision), and the log odds by which an answer gains from standing on the left and "
    "from each doubling of its length (rounded to half doublings, at most eight times as long). 0 is no "
    "effect. Intervals are 95 %, from resampling whole prompts."
)


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted model of one question, n counts its judgments."""

    question: str
    name: str
    fitted: Strengths
    judgments: int


def strength_tables(answers: Answers) -> tuple[Table, Table]:
    """The strengths, and the effects that were estimated with them."""
    models = list(_models(answers))
    columns = (
        QUESTION,
        Column("model", "Model"),
        Column("arm", "Arm"),
        *estimate_columns("strength", "Strength", "share"),
        Column("comparisons", "Its comparisons", "count"),
        Column("judgments", "Judgments", "count"),
    )
    rows = tuple(row for model in models for row in _strength_rows(answers, model))
    effects = (
        QUESTION,
        Column("model", "Model"),
        Column("effect", "Effect"),
        *estimate_columns("value", "Value", "number"),
        Column("judgments", "Judgments", "count"),
    )
    of_effects = tuple(row for model in models for row in _effect_rows(model))
    return (
        Table("strengths", "How strong the arms are", CAPTION, columns, rows, n="comparisons"),
        Table("strength_effects", "What else counts", EFFECTS_CAPTION, effects, of_effects, n="judgments"),
    )


def _models(answers: Answers) -> Iterator[Model]:
    for question in QUESTIONS:
        rows, _ = answered(answers.of_pairs, question)
        for name, fit in _FITS.items():
            yield Model(question, name, *fit(answers, rows, question))


def _plain(answers: Answers, rows: Rows, question: str) -> tuple[Strengths, int]:
    return _fit(answers, rows, question), len(rows)


def _adjusted(answers: Answers, rows: Rows, question: str) -> tuple[Strengths, int]:
    known = (rows["left_is_a"] != UNANSWERED) & (rows["length_a"] > 0) & (rows["length_b"] > 0)
    rows = rows[known]
    covariates = {
        LEFT: np.where(rows["left_is_a"] == 1, 1.0, -1.0),
        LONGER: _doublings(rows["length_a"], rows["length_b"]),
    }
    return _fit(answers, rows, question, covariates=covariates), len(rows)


def _doublings(length: np.ndarray, other: np.ndarray) -> Floats:
    """How many times the first length is the other one doubled, rounded to STEP."""
    ratio = np.log2(length.astype(np.float64) / other)
    return np.clip(np.round(ratio / STEP) * STEP, -MOST_DOUBLINGS, MOST_DOUBLINGS)


def _weighted(answers: Answers, rows: Rows, question: str) -> tuple[Strengths, int]:
    ratings = _pair_ratings(rows, question)
    if reason := why_no_model(ratings):
        return _without(answers, reason), len(rows)
    return _fit(answers, rows, question, weights=rater_weights(ratings)[rows["rater"]]), len(rows)


def _pair_ratings(rows: Rows, question: str) -> Ratings:
    """Loss, tie or win of arm a, by pair and rater."""
    return Ratings.from_rows(rows["pair"], rows["rater"], outcomes(rows, question), repeats="first")


def rater_weights(ratings: Ratings) -> Floats:
    """By the raters' places: the weight of their vote of three answers, over the judgments with mean 1.

    Raters who share nothing with others have the accuracy of a guess by the vote's smoothing, and weigh
    nothing. Equal weights where nobody's vote is better than a guess.
    """
    quality = {int(rater.rater): rater.quality for rater in weighted_vote(ratings).raters}
    weights = np.zeros(int(ratings.raters.max()) + 1)
    for place, accuracy in quality.items():
        bounded = min(max(accuracy, 1e-6), 1 - 1e-6)
        weights[place] = max(0.0, np.log(2 * bounded / (1 - bounded)))
    of_judgments = weights[ratings.raters[ratings.rater_codes]]
    return weights / of_judgments.mean() if of_judgments.any() else np.ones_like(weights)


_FITS: dict[str, Callable[[Answers, Rows, str], tuple[Strengths, int]]] = {
    PLAIN: _plain,
    ADJUSTED: _adjusted,
    WEIGHTED: _weighted,
}


def _fit(answers: Answers, rows: Rows, question: str, **more) -> Strengths:
    names = np.array(answers.arms, dtype=np.str_)
    if not len(rows):
        return _without(answers, "There are no comparisons.")
    try:
        comparisons = Comparisons.from_rows(
            names[rows["arm_a"]], names[rows["arm_b"]], outcomes(rows, question), rows["prompt"], **more
        )
        return strengths(comparisons, bootstrap=BOOTSTRAP)
    except BadInput as error:
        return _without(answers, str(error))


def _without(answers: Answers, reason: str) -> Strengths:
    return Strengths((), undefined(0, reason), {}, None, reason)


def _strength_rows(answers: Answers, model: Model) -> Iterator[tuple[Value, ...]]:
    """Arms in canonical order; one that was not compared has the model's reason, or says so."""
    found = {of.arm: of.share for of in model.fitted.arms}
    reason = model.fitted.reason or "This arm was not compared."
    for arm in answers.arms:
        share = found.get(arm, undefined(0, reason))
        met = share.n if model.fitted.log_likelihood is not None else 0
        yield model.question, model.name, arm, *estimate_cells(share), met, model.judgments


def _effect_rows(model: Model) -> Iterator[tuple[Value, ...]]:
    effects = {TIE: model.fitted.tie, **model.fitted.effects}
    for name, estimate in effects.items():
        yield model.question, model.name, name, *estimate_cells(estimate), model.judgments
