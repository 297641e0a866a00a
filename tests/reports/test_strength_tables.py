"""Strengths, what sways raters, and how they differ: against another optimiser, SciPy and plain Python."""

import math
from collections import defaultdict

import numpy as np
import pytest
from scipy.optimize import minimize

from annotation.reports.duels import answered, outcomes
from annotation.reports.row_types import UNANSWERED
from annotation.reports.strengths import ADJUSTED, PLAIN, WEIGHTED, strength_tables
from tests.reports.made import drawn, made
from tests.reports.test_preference_tables import all_ties, arms_that_never_met, outcome, rows_of, the_row

pytestmark = pytest.mark.once

THREE = ("a", "b", "c")


def davidson(answers, question, columns=(), weights=None):
    """Strengths, v and effects by a general-purpose optimiser from the definition."""
    rows, _ = answered(answers.of_pairs, question)
    won = outcomes(rows, question)
    weigh = np.ones(len(rows)) if weights is None else weights
    arms = len(answers.arms)

    def loss(at):
        log = np.append(0, at[: arms - 1])
        lean = log[rows["arm_a"]] - log[rows["arm_b"]]
        lean = lean + sum(effect * column for effect, column in zip(at[arms:], columns, strict=True))
        win, tie = np.exp(lean / 2), np.exp(at[arms - 1])
        total = win + tie + 1 / win
        chance = np.select([won == 1, won == 0.5], [win / total, tie / total], 1 / win / total)
        return -(weigh * np.log(chance)).sum()

    at = minimize(loss, np.zeros(arms + len(columns)), method="BFGS", options={"gtol": 1e-8}).x
    odds = np.exp(np.append(0, at[: arms - 1]))
    return odds / odds.sum(), math.exp(at[arms - 1]), at[arms:]


@pytest.mark.slow
@pytest.mark.parametrize("question", ["balance", "safer"])
def test_strengths_of_three_arms_are_those_of_another_optimiser(question):
    answers = drawn(4, prompts=40, arms=THREE)
    table, effects = strength_tables(answers)
    rows = rows_of(table, question=question, model=PLAIN)
    shares, tie, _ = davidson(answers, question)
    assert [row["strength"] for row in rows] == pytest.approx(shares, abs=1e-5)
    assert sum(row["strength"] for row in rows) == pytest.approx(1)
    assert the_row(effects, question=question, model=PLAIN)["value"] == pytest.approx(tie, abs=1e-4)
    assert [row["comparisons"] for row in rows] == [240, 240, 240]
    assert all(row["strength_low"] < row["strength"] < row["strength_high"] for row in rows)


def test_position_and_length_are_estimated_beside_the_strengths():
    answers = drawn(5, prompts=60, arms=THREE)
    table, effects = strength_tables(answers)
    rows = answers.of_pairs
    left = np.where(rows["left_is_a"] == 1, 1.0, -1.0)
    doubled = [
        math.log2(a / b) for a, b in zip(rows["length_a"].tolist(), rows["length_b"].tolist(), strict=True)
    ]
    longer = np.array([max(-3.0, min(3.0, round(2 * x) / 2)) for x in doubled])
    shares, _, (of_left, of_length) = davidson(answers, "more_helpful", (left, longer))
    found = rows_of(table, question="more_helpful", model=ADJUSTED)
    assert [row["strength"] for row in found] == pytest.approx(shares, abs=1e-4)
    told = {row["effect"]: row["value"] for row in rows_of(effects, question="more_helpful", model=ADJUSTED)}
    assert (told["left"], told["longer"]) == pytest.approx((of_left, of_length), abs=1e-4)


def test_a_habit_of_the_left_is_told_from_a_better_arm():
    """Equal arms, and raters who take the left answer in three of four: log 3 in all."""
    draw = np.random.default_rng(0)
    pairs = []
    for n in range(800):
        left_is_a, took_left = int(draw.integers(2)), draw.random() < 0.75
        lean = -1 if took_left == left_is_a else 1
        lengths = {"length_a": int(draw.integers(50, 400)), "length_b": int(draw.integers(50, 400))}
        pairs.append({"prompt": n, "left_is_a": left_is_a, "balance": lean, **lengths})
    table, effects = strength_tables(made(pairs))
    share = the_row(table, question="balance", model=ADJUSTED, arm="one")
    left = the_row(effects, question="balance", model=ADJUSTED, effect="left")
    assert share["strength_low"] < 0.5 < share["strength_high"]
    assert left["value_low"] < math.log(3) < left["value_high"] and left["value_low"] > 0.5


def test_judgments_whose_sides_or_lengths_are_not_known_are_left_out_of_that_model():
    pairs = [{"prompt": n, "balance": (-1, 1)[n % 2], "left_is_a": n // 2 % 2} for n in range(12)]
    pairs += [{"prompt": 12, "balance": -1}, {"prompt": 13, "balance": -1, "left_is_a": 1, "length_a": -1}]
    table, _ = strength_tables(made(pairs))
    assert the_row(table, question="balance", model=PLAIN, arm="one")["judgments"] == 14
    assert the_row(table, question="balance", model=ADJUSTED, arm="one")["judgments"] == 12


def with_a_guesser():
    """Three raters who mostly agree, and one who answers at random."""
    draw = np.random.default_rng(9)
    pairs = []
    for n in range(80):
        truth = -1 if draw.random() < 0.7 else 1
        said = [truth if draw.random() < 0.9 else -truth for _ in range(3)] + [int(draw.integers(-1, 2))]
        pairs += [{"prompt": n, "rater": rater, "balance": lean} for rater, lean in enumerate(said)]
    return made(pairs)


def weights_in_plain_python(answers) -> list[float]:
    by_pair = defaultdict(list)
    for row in answers.of_pairs:
        by_pair[int(row["pair"])].append((int(row["rater"]), outcome(row, "balance")))
    agreed, shared = defaultdict(float), defaultdict(int)
    for said in by_pair.values():
        for rater, value in said:
            others = [other for who, other in said if who != rater]
            agreed[rater] += sum(other == value for other in others) / len(others)
            shared[rater] += 1
    accuracy = {rater: (agreed[rater] + 1) / (shared[rater] + 3) for rater in shared}
    weight = {rater: max(0.0, math.log(2 * a / (1 - a))) for rater, a in accuracy.items()}
    given = [weight[int(row["rater"])] for row in answers.of_pairs]
    return [w / (sum(given) / len(given)) for w in given]


def test_raters_weigh_by_how_often_the_others_said_the_same():
    answers = with_a_guesser()
    weights = np.array(weights_in_plain_python(answers))
    assert weights[3] < weights[0] / 2  # the fourth rater guesses
    shares, _, _ = davidson(answers, "balance", weights=weights)
    table, _ = strength_tables(answers)
    found = [row["strength"] for row in rows_of(table, question="balance", model=WEIGHTED)]
    assert found == pytest.approx(shares, abs=1e-5)
    plain = the_row(table, question="balance", model=PLAIN, arm="one")["strength"]
    assert found[0] > plain  # the guesser drags towards one half


# What does not exist ---------------------------------------------------------------------------------


def reasons(answers, model=PLAIN) -> set[str]:
    table, _ = strength_tables(answers)
    rows = rows_of(table, question="balance", model=model)
    assert all(row["strength"] is None for row in rows)
    return {row["strength_reason"] for row in rows}


def test_arms_that_never_met_have_no_common_scale():
    (reason,) = reasons(arms_that_never_met())
    assert "a, b never met c, d" in reason


def test_an_arm_that_never_lost_has_no_finite_strength():
    (reason,) = reasons(made([{"prompt": n, "balance": -1} for n in range(9)]))
    assert "one never lost to two (separation)" in reason


def test_nothing_but_ties_shows_no_strength():
    (reason,) = reasons(all_ties())
    assert "Every comparison is a tie" in reason


def test_one_rater_cannot_be_weighed():
    (reason,) = reasons(drawn(raters=1), WEIGHTED)
    assert "only one rater" in reason


def test_an_arm_that_was_not_compared_says_so():
    pairs = [{"prompt": n, "balance": (-1, 1)[n % 2]} for n in range(10)]
    table, _ = strength_tables(made(pairs, arms=THREE))
    assert (
        the_row(table, question="balance", model=PLAIN, arm="c")["strength_reason"]
        == "This arm was not compared."
    )
    assert the_row(table, question="balance", model=PLAIN, arm="a")["strength"] == pytest.approx(0.5)


def test_a_length_that_never_varies_has_no_effect_to_estimate():
    pairs = [{"prompt": n, "balance": (-1, 1)[n % 2], "left_is_a": n // 2 % 2} for n in range(40)]
    (reason,) = reasons(made(pairs), ADJUSTED)
    assert "a covariate that never varies" in reason


def test_no_answer_is_no_comparison():
    assert reasons(made([{"prompt": 0, "balance": UNANSWERED}])) == {"There are no comparisons."}
