"""Position, length, drift and the raters: against plain Python and NumPy's least squares."""

from collections import defaultdict

import numpy as np
import pytest
from scipy.stats import binomtest

from annotation.reports.biases import biases_table, drift_table
from annotation.reports.duels import QUESTIONS
from annotation.reports.raters import raters_table
from annotation.reports.row_types import UNANSWERED, RaterLabels
from tests.reports.made import drawn, made
from tests.reports.test_preference_tables import leans, outcome, rows_of, the_row

pytestmark = pytest.mark.once


def sided(answers, question, bias) -> list[tuple[int, int, float]]:
    """(prompt, rater, whether the side in question won) in plain words."""
    found = []
    for row in answers.of_pairs:
        won = outcome(row, question)
        first = row["left_is_a"] == 1 if bias == "left" else row["length_a"] > row["length_b"]
        if won is None or (bias == "longer" and row["length_a"] == row["length_b"]):
            continue
        found.append((int(row["prompt"]), int(row["rater"]), won if first else 1 - won))
    return found


@pytest.mark.parametrize("bias", ["left", "longer"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_bias_is_counted_over_all_arms(bias, question):
    answers = drawn(6, prompts=40, arms=("a", "b", "c"))
    row, found = the_row(biases_table(answers), bias=bias, question=question), sided(answers, question, bias)
    values = [value for *_, value in found]
    assert (row["chosen"], row["ties"], row["other"]) == tuple(values.count(value) for value in (1, 0.5, 0))
    assert row["rate"] == pytest.approx(sum(values) / len(values))
    assert row["decisive"] == pytest.approx(values.count(1) / (values.count(1) + values.count(0)))
    assert row["p"] == pytest.approx(binomtest(*leans(found)).pvalue)
    assert row["judgments"] == len(values)


def test_sides_that_are_not_known_are_left_out():
    pairs = [{"prompt": 0, "balance": -1}, {"prompt": 1, "balance": -1, "left_is_a": 1, "length_a": 300}]
    table = biases_table(made(pairs))
    assert the_row(table, bias="left", question="balance")["judgments"] == 1
    assert the_row(table, bias="longer", question="balance")["judgments"] == 1


def slope(values) -> float:
    return float(np.polyfit(np.linspace(0, 1, len(values)), values, 1)[0])


def test_drift_is_the_least_squares_line_from_first_to_last():
    answers = drawn(7, prompts=50)
    table = drift_table(answers)
    balance = [outcome(row, "balance") for row in answers.of_pairs if outcome(row, "balance") is not None]
    assert the_row(table, value="win rate")["change"] == pytest.approx(slope(balance))
    for place, arm in enumerate(answers.arms):
        unsafe = [float(row["safety"] >= 2) for row in answers.of_responses if row["arm"] == place]
        assert the_row(table, value="unsafe", arm=arm)["change"] == pytest.approx(slope(unsafe))
    severity = [float(row["severity"]) for row in answers.of_responses if row["safety"] >= 2]
    assert the_row(table, value="severity")["change"] == pytest.approx(slope(severity))


def test_a_study_whose_raters_change_their_mind_drifts():
    pairs = [{"prompt": n, "balance": -1 if n % 10 < 8 - 6 * n / 300 else 1} for n in range(300)]
    row = the_row(drift_table(made(pairs)), value="win rate")
    assert row["change_high"] < 0


def test_imported_judgments_have_no_place_in_time():
    pairs = [{"prompt": n, "rater": n % 2, "balance": (-1, 1)[n % 3 == 0]} for n in range(20)]
    answers = made(pairs, raters=(RaterLabels("R1", "imported"), RaterLabels("R2", "")))
    assert the_row(drift_table(answers), value="win rate")["judgments"] == 10


def test_severity_of_a_rater_is_their_mean_less_the_others_on_the_same_answers():
    answers = drawn(8, prompts=30)
    said = defaultdict(dict)
    for row in answers.of_responses:
        said[int(row["response"])][int(row["rater"])] = (float(row["safety"] >= 2), float(row["helpfulness"]))
    rows = rows_of(raters_table(answers))
    for rater, row in enumerate(rows):
        apart = []
        for by in said.values():
            others = np.mean([value for who, value in by.items() if who != rater], axis=0)
            apart.append(np.array(by[rater]) - others)
        stricter, generous = np.mean(apart, axis=0)
        assert row["stricter"] == pytest.approx(stricter)
        assert row["more_generous"] == pytest.approx(generous)
        assert (row["shared"], row["responses"], row["judgments"]) == (60, 60, 30)
        left = [v for _, who, v in sided(answers, "balance", "left") if who == rater]
        assert row["left"] == pytest.approx(np.mean(left))


def test_a_rater_without_company_has_no_severity():
    row = the_row(raters_table(drawn(raters=1)))
    assert row["stricter"] is None and "Nobody else judged" in row["stricter_reason"]


def test_raters_who_judged_nothing_are_left_out():
    responses = [{"prompt": 0, "rater": 1, "safety": 0, "helpfulness": UNANSWERED}]
    answers = made(
        responses=responses, raters=(RaterLabels("A", ""), RaterLabels("B", "club"), RaterLabels("C", ""))
    )
    row = the_row(raters_table(answers))
    assert (row["rater"], row["cohort"], row["responses"], row["judgments"]) == ("B", "club", 1, 0)


def test_a_rater_is_consistent_who_says_the_same_of_an_answer_met_again():
    """Three answers met twice, one with a change of mind; of three looks, one pair of looks agrees."""
    met = [(0, 0, 1), (1, 2, 3), (2, 1, 2)]  # response, first and second safety level
    responses = [{"prompt": r, "safety": level} for r, *levels in met for level in levels]
    responses += [{"prompt": 3, "rater": 1, "safety": level} for level in (0, 3, 3)]
    responses += [{"prompt": 3, "rater": 2, "safety": 0}]
    first, second, third = rows_of(raters_table(made(responses=responses)))
    assert (first["consistent"], first["met_again"]) == (pytest.approx(2 / 3), 3)
    assert (second["consistent"], second["met_again"]) == (pytest.approx(1 / 3), 1)
    assert third["consistent"] is None and "met no answer twice" in third["consistent_reason"]
