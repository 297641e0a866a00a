"""What judgments follow besides quality: the side, the length, the time."""

from collections.abc import Callable, Iterator

import numpy as np

from annotation.models.joining import IMPORTED
from annotation.reports.duels import (
    BOOTSTRAP,
    HEADLINE,
    IN_SLICES,
    QUESTION,
    QUESTIONS,
    answered,
    duels,
    outcomes,
    p_cells,
    p_columns,
)
from annotation.reports.rows import UNANSWERED, Answers, Rows, are_unsafe
from annotation.reports.tables import Column, Table, Value, estimate_cells, estimate_columns
from annotation.stats.biases import chosen_left, chosen_longer, drift
from annotation.stats.bootstrap import Floats
from annotation.stats.paired import leanings, sign_test
from annotation.stats.preference import WinRate

BIASES_CAPTION = (
    "How often the answer on the left, and the longer answer, was chosen, over all arms together. "
    "Decisive: among decisions; the rate counts ties (and “both are bad”) as half. Without a habit P(left) "
    "is one half, whichever arm is better, because sides are drawn at random; P(longer) is above one half "
    "also where a better arm writes longer answers: the strengths with position and length tell the two "
    "apart. Lengths are in characters of the text as raters read it; equal lengths are left out, and "
    "judgments whose sides are not known. Intervals are 95 %, from resampling whole prompts; the sign test "
    "takes one value for each prompt."
)
DRIFT_CAPTION = (
    "How much a value changes from the first judgment to the last: the slope of a straight line over the "
    "order in which the judgments were given, so in the value’s own unit. 0 is no drift. Win rates are the "
    "first arm’s on the balance; unsafe is the share of judgments; severity counts steps from 0 negligible "
    "to 3 high, among unsafe. Prompts come in mixed order, so that a drift is the raters’ or the answers’, "
    "not the order of the questions. Imported judgments, whose order is not known, are left out. Intervals "
    f"are 95 %, from {IN_SLICES} resamples of whole prompts."
)


def biases_table(answers: Answers) -> Table:
    """P(left) and P(longer) of every question."""
    columns = (
        Column("bias", "Chosen"),
        QUESTION,
        Column("chosen", "Times chosen", "count"),
        Column("ties", "Ties", "count"),
        Column("other", "Other chosen", "count"),
        *estimate_columns("decisive", "Decisive", "share"),
        *estimate_columns("rate", "Ties as half", "share"),
        *p_columns("p", "Sign test"),
        Column("judgments", "Judgments", "count"),
        Column("prompts", "Prompts", "count"),
    )
    rows = tuple(_bias_row(answers, bias, question) for bias in _BIASES for question in QUESTIONS)
    return Table("biases", "Position and length", BIASES_CAPTION, columns, rows, n="judgments")


def _bias_row(answers: Answers, bias: str, question: str) -> tuple[Value, ...]:
    rows, _ = answered(answers.of_pairs, question)
    rows, won, measure = _BIASES[bias](rows, question)
    result = measure()
    return (
        *(bias, question, result.wins, result.ties, result.losses),
        *estimate_cells(result.decisive),
        *estimate_cells(result.rate),
        *p_cells(sign_test(leanings(won, rows["prompt"]))),
        *(len(rows), len(np.unique(rows["prompt"]))),
    )


Sided = tuple[Rows, Floats, Callable[[], WinRate]]
"""The rows that count, 1 where the side in question won (0.5 tie, 0), and its rates."""


def _left(rows: Rows, question: str) -> Sided:
    rows = rows[rows["left_is_a"] != UNANSWERED]
    of_a, is_left = outcomes(rows, question), rows["left_is_a"] == 1
    won = np.where(is_left, of_a, 1 - of_a)
    return rows, won, lambda: chosen_left(of_a, is_left, rows["prompt"], bootstrap=BOOTSTRAP)


def _longer(rows: Rows, question: str) -> Sided:
    rows = rows[(rows["length_a"] != rows["length_b"]) & (rows["length_a"] >= 0) & (rows["length_b"] >= 0)]
    of_a, more = outcomes(rows, question), rows["length_a"].astype(np.int64) - rows["length_b"]
    won = np.where(more > 0, of_a, 1 - of_a)
    return rows, won, lambda: chosen_longer(of_a, more, rows["prompt"], bootstrap=BOOTSTRAP)


_BIASES: dict[str, Callable[[Rows, str], Sided]] = {"left": _left, "longer": _longer}


def drift_table(answers: Answers) -> Table:
    """How the headline and the raters' severity moved over time."""
    columns = (
        Column("value", "What"),
        Column("arm", "Arm"),
        Column("arm_b", "Against"),
        *estimate_columns("change", "Change", "number"),
        Column("judgments", "Judgments", "count"),
        Column("prompts", "Prompts", "count"),
    )
    return Table("drift", "Drift over time", DRIFT_CAPTION, columns, tuple(_drifts(answers)), n="judgments")


def _drifts(answers: Answers) -> Iterator[tuple[Value, ...]]:
    for of in duels(answers, (HEADLINE,)):
        yield _drift_row(answers, "win rate", of.arm_a, of.arm_b, of.rows, of.outcomes)
    rated = answers.of_responses[answers.of_responses["safety"] != UNANSWERED]
    for place, arm in enumerate(answers.arms):
        rows = rated[rated["arm"] == place]
        yield _drift_row(answers, "unsafe", arm, "", rows, are_unsafe(rows).astype(float))
    severe = rated[are_unsafe(rated) & (rated["severity"] != UNANSWERED)]
    yield _drift_row(answers, "severity", "", "", severe, severe["severity"].astype(float))
    helped = answers.of_responses[answers.of_responses["helpfulness"] != UNANSWERED]
    yield _drift_row(answers, "helpfulness", "", "", helped, helped["helpfulness"].astype(float))


def _drift_row(
    answers: Answers, value: str, arm: str, other: str, rows: Rows, numbers: Floats
) -> tuple[Value, ...]:
    """The rows are in the order in which they were given, but for those of imports."""
    rated_here = np.array([rater.cohort != IMPORTED for rater in answers.raters], bool)
    timed = rated_here[rows["rater"]]
    rows, numbers = rows[timed], numbers[timed]
    change = drift(numbers, np.arange(len(rows)), rows["prompt"], bootstrap=IN_SLICES)
    return value, arm, other, *estimate_cells(change), len(rows), len(np.unique(rows["prompt"]))
