"""How each rater of a study uses the scales."""

from collections.abc import Iterator

import numpy as np

from annotation.reports.duels import HEADLINE, IN_SLICES, answered, outcomes
from annotation.reports.rows import UNANSWERED, Answers, Rows, are_unsafe, first_of_each
from annotation.reports.tables import Column, Table, Value, estimate_cells, estimate_columns
from annotation.stats.biases import chosen_left, rater_severity, self_consistency_by_rater
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.ratings import Ratings

CAPTION = (
    "Stricter: how much more often the rater says unsafe than the others about the same answers, in points "
    "of share. More generous: the rater’s helpfulness (1–4) less the others’. Left: how often the answer "
    "on the left won the balance, ties as half. Consistent: how often the rater said the same, safe or "
    "unsafe, of an answer that they met again in another pair, as happens with three or more arms. Pairs "
    "that are repeated as a check are no part of the results: the page of raters’ quality shows them. None "
    "is a verdict: raters who differ may be right, and a share of six is six answers. Intervals are 95 %, "
    f"from {IN_SLICES} resamples of what is judged (answers, or whole prompts for the side)."
)
NO_REPEATS = "This rater met no answer twice in pairs that count."


def raters_table(answers: Answers) -> Table:
    """One row for each rater who judged anything."""
    columns = (
        Column("rater", "Rater"),
        Column("cohort", "Came by"),
        *estimate_columns("stricter", "Stricter", "number", n="shared"),
        *estimate_columns("more_generous", "More generous", "number"),
        *estimate_columns("left", "Left", "share"),
        *estimate_columns("consistent", "Consistent", "share", n="met_again"),
        Column("met_again", "Answers met again", "count"),
        Column("shared", "Answers shared with others", "count"),
        Column("responses", "Answers judged", "count"),
        Column("judgments", "Pairs judged", "count"),
    )
    return Table(
        "raters", "How raters use the scales", CAPTION, columns, tuple(_rows(answers)), n="judgments"
    )


def _rows(answers: Answers) -> Iterator[tuple[Value, ...]]:
    responses = first_of_each(answers.of_responses, "response")
    safety = responses[responses["safety"] != UNANSWERED]
    helpful = responses[responses["helpfulness"] != UNANSWERED]
    again = _consistency(answers.of_responses)
    stricter = _severity(safety, are_unsafe(safety).astype(int))
    generous = _severity(helpful, helpful["helpfulness"])
    balance, _ = answered(answers.of_pairs, HEADLINE)
    balance = balance[balance["left_is_a"] != UNANSWERED]
    pairs, judged = (_counts(answers, rows) for rows in (answers.of_pairs, responses))
    for place, rater in enumerate(answers.raters):
        if not pairs[place] + judged[place]:
            continue
        nobody = undefined(0, "Nobody else judged this rater’s answers.")
        strict, consistent = stricter.get(place, nobody), again.get(place, undefined(0, NO_REPEATS))
        yield (
            *(rater.code, rater.cohort),
            *estimate_cells(strict),
            *estimate_cells(generous.get(place, nobody)),
            *estimate_cells(_left(balance[balance["rater"] == place])),
            *estimate_cells(consistent),
            *(consistent.n, strict.n, int(judged[place]), int(pairs[place])),
        )


def _counts(answers: Answers, rows: Rows) -> np.ndarray:
    return np.bincount(rows["rater"], minlength=len(answers.raters))


def _severity(rows: Rows, values: np.ndarray) -> dict[int, Estimate]:
    """By the rater's place."""
    ratings = Ratings.from_rows(rows["response"], rows["rater"], values)
    return {int(of.rater): of.estimate for of in rater_severity(ratings, bootstrap=IN_SLICES)}


def _consistency(rows: Rows) -> dict[int, Estimate]:
    """By the rater's place, of those who called one response safe or unsafe more than once."""
    rows = rows[rows["safety"] != UNANSWERED]
    said = are_unsafe(rows).astype(int)
    ratings = Ratings.from_rows(rows["response"], rows["rater"], said, repeats="all")
    return {int(of.rater): of.estimate for of in self_consistency_by_rater(ratings, bootstrap=IN_SLICES)}


def _left(rows: Rows) -> Estimate:
    won = outcomes(rows, HEADLINE)
    return chosen_left(won, rows["left_is_a"] == 1, rows["prompt"], bootstrap=IN_SLICES).rate
