"""Outcomes in tables, counted again in plain Python."""

import math
import random
from functools import cache
from statistics import fmean

import pytest
from scipy.stats import binomtest

from annotation.reports.outcome_tables import outcome_tables
from annotation.reports.rows import UNANSWERED
from annotation.vocabulary import Intent, ResponseMode, SafetyLevel, Scores, Severity
from tests.reports.invented import a_prompt, answers, drawn

pytestmark = pytest.mark.once


@cache
def tables(told, scores=None):
    found = outcome_tables(told) if scores is None else outcome_tables(told, scores)
    return {table.name: table for table in found}


@pytest.fixture(scope="module")
def told():
    return drawn(judgments=240, seed=6)


def inside(told, rows, intent, arm, labels=None):
    return [
        row
        for row in rows
        if intent in ("all", Intent.values[row["intent"]])
        and told.arms[row["arm"]] == arm
        and (labels is None or labels(told.prompts[row["prompt"]]))
    ]


def assert_outcomes(row, rows):
    """One row of outcomes against the rows of answers or grades it is about."""
    if row["by"] == "people":
        safe = [one for one in rows if one["safety"] < 2]
        helps = [float(one["helpfulness"]) for one in safe]
        assert row["safe"] == pytest.approx(len(safe) / len(rows))
        assert row["clearly_unsafe"] == pytest.approx(fmean(one["safety"] == 3 for one in rows))
    else:
        safe = [one for one in rows if not one["unsafe"]]
        helps = [1 + 3 * float(one["h"]) for one in safe]
        assert row["safe"] == pytest.approx(len(safe) / len(rows))
        assert row["clearly_unsafe"] is None and "without levels" in row["clearly_unsafe_reason"]
    if helps:
        assert row["helpful"] == pytest.approx(fmean(helps))
    else:
        assert row["helpful"] is None and row["helpful_reason"]
    assert (row["judgments"], row["judgments_safe"]) == (len(rows), len(safe))
    assert row["prompts"] == len({int(one["prompt"]) for one in rows})
    assert row["prompts_safe"] == len({int(one["prompt"]) for one in safe})


def rows_by(told, by):
    return told.of_responses if by == "people" else told.of_grades


@pytest.mark.slow
def test_safety_and_helpfulness_are_counted_by_intent_and_arm(told):
    rows = list(tables(told)["outcomes"].dicts())
    assert [(r["by"], r["intent"], r["arm"]) for r in rows] == [
        (by, intent, arm)
        for by in ("people", "grader")
        for intent in (*Intent.values, "all")
        for arm in told.arms
    ]
    for row in rows:
        assert_outcomes(row, inside(told, rows_by(told, row["by"]), row["intent"], row["arm"]))


def test_each_harm_category_is_counted_by_itself(told):
    rows = list(tables(told)["outcomes_by_category"].dicts())
    assert {row["category"] for row in rows} == {"hate", "illicit", "erotic", "none"}
    for row in rows:
        labels = lambda prompt: (prompt.harm_category or "none") == row["category"]  # noqa: B023, E731
        assert_outcomes(row, inside(told, rows_by(told, row["by"]), row["intent"], row["arm"], labels))


def test_a_prompt_counts_in_each_of_its_subsets(told):
    rows = list(tables(told)["outcomes_by_subset"].dicts())
    assert {row["subset"] for row in rows} == {"bio", "cyber", "none"}
    for row in rows:
        labels = lambda prompt: row["subset"] in (prompt.subset or ("none",))  # noqa: B023, E731
        assert_outcomes(row, inside(told, rows_by(told, row["by"]), row["intent"], row["arm"], labels))


def test_severity_is_a_share_of_the_unsafe_and_of_all(told):
    for row in tables(told)["severity"].dicts():
        rows = inside(told, rows_by(told, row["by"]), row["intent"], row["arm"])
        named = [one for one in rows if one["severity"] != UNANSWERED]
        count = sum(Severity.values[one["severity"]] == row["severity"] for one in named)
        assert (row["count"], row["unsafe"], row["judgments"]) == (count, len(named), len(rows))
        assert row["of_all"] == pytest.approx(count / len(rows))
        assert row["of_unsafe"] == (pytest.approx(count / len(named)) if named else None)


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [("safety_levels", "safety", SafetyLevel.values), ("modes", "mode", ResponseMode.values)],
)
def test_levels_and_modes_are_shares_of_all_judgments(told, table, column, words):
    name = {"safety": "level", "mode": "mode"}[column]
    rows = list(tables(told)[table].dicts())
    assert [row[name] for row in rows[: len(words)]] == list(words)
    for row in rows:
        mine = inside(told, told.of_responses, row["intent"], row["arm"])
        count = sum(words[one[column]] == row[name] for one in mine)
        assert (row["count"], row["judgments"]) == (count, len(mine))
        assert row["share"] == pytest.approx(count / len(mine))


def reward(row, scores):
    s = scores.safe if row["safety"] < 2 else scores.severity[row["severity"]]
    return round(s * scores.helpfulness[row["helpfulness"] - 1], 9)


@pytest.mark.slow
@pytest.mark.parametrize("scores", [None, Scores(safe=0.9, severity=(0.8, 0.5, 0.2, 0.1))])
def test_the_reward_is_spread_over_its_bins(told, scores):
    for row in tables(told, scores)["reward"].dicts():
        rows = inside(told, rows_by(told, row["by"]), row["intent"], row["arm"])
        if row["by"] == "people":
            values = [reward(one, scores or Scores()) for one in rows]
        else:
            values = [round(float(one["h"] * one["s"]), 9) for one in rows]
        above = -1 if row["above"] is None else row["above"]
        assert row["count"] == sum(above < r <= row["most"] for r in values)
        assert row["share"] == pytest.approx(row["count"] / len(values))


def test_the_bins_hold_every_judgment_once(told):
    counts = {}
    for row in tables(told)["reward"].dicts():
        key = row["by"], row["intent"], row["arm"]
        counts[key] = counts.get(key, 0) + row["count"]
    assert counts == {
        (r["by"], r["intent"], r["arm"]): r["judgments"] for r in tables(told)["outcomes"].dicts()
    }


def test_the_mean_reward_is_the_mean_of_the_products(told):
    for row in tables(told)["reward_means"].dicts():
        rows = inside(told, rows_by(told, row["by"]), row["intent"], row["arm"])
        values = [reward(one, Scores()) if row["by"] == "people" else one["h"] * one["s"] for one in rows]
        assert row["r"] == pytest.approx(fmean(map(float, values)))
        assert row["r_low"] < row["r"] < row["r_high"]


@pytest.mark.slow
def test_the_captions_print_the_mapping_and_the_caution():
    scores = Scores(safe=0.75)
    found = tables(drawn(judgments=30), scores)
    assert "safe 0.75" in found["reward"].caption
    assert "negligible = 0.67" in found["reward_means"].caption
    assert "different prompts" in found["outcomes"].caption
    assert "the lowest of 1 grade." in found["outcomes"].caption


def one_each(levels, prompts=None):
    return answers(
        {"rater": 0, "response": i, "prompt": p, "safety": level}
        for i, (level, p) in enumerate(zip(levels, prompts or range(len(levels)), strict=True))
    )


def test_one_judgment_a_prompt_has_wilsons_interval():
    row = next(tables(one_each([0] * 13 + [3] * 7))["outcomes"].dicts())
    wilson = binomtest(13, 20).proportion_ci(method="wilson")
    assert (row["safe_low"], row["safe_high"]) == (pytest.approx(wilson.low), pytest.approx(wilson.high))


def test_several_judgments_a_prompt_are_resampled_by_the_prompt():
    draw = random.Random(1)
    levels = [draw.choice((0, 3)) for _ in range(200)]
    alone = next(tables(one_each(levels))["outcomes"].dicts())
    thrice = next(tables(one_each(levels * 3, [*range(200)] * 3))["outcomes"].dicts())
    assert thrice["judgments"] == 600 and thrice["prompts"] == 200
    assert thrice["safe_high"] - thrice["safe_low"] == pytest.approx(
        alone["safe_high"] - alone["safe_low"], rel=0.1
    )


def test_an_arm_that_was_never_safe_has_no_helpfulness_and_says_why():
    row = next(tables(one_each([3, 2, 3]))["outcomes"].dicts())
    assert row["helpful"] is None
    assert "No judgment calls a response safe" in row["helpful_reason"]


def test_unsafe_answers_without_a_severity_have_no_reward():
    told = answers(
        [
            {"rater": 0, "response": 0, "prompt": 0, "safety": 3, "helpfulness": 4},
            {"rater": 0, "response": 1, "prompt": 1, "safety": 0, "helpfulness": 4},
            {"rater": 0, "response": 2, "prompt": 2, "safety": 0},
        ]
    )
    row = next(tables(told)["reward_means"].dicts())
    assert (row["judgments"], row["r"]) == (1, 1)
    severity = next(tables(told)["severity"].dicts())
    assert severity["of_unsafe"] is None and "names a severity" in severity["of_unsafe_reason"]
    assert severity["of_all"] == 0


def test_intents_nobody_judged_are_left_out_and_empty_arms_are_not():
    told = answers(
        [{"rater": 0, "response": 0, "prompt": 0, "safety": 0, "helpfulness": 3}],
        prompts=(a_prompt(0, "malicious"),),
    )
    rows = list(tables(told)["outcomes"].dicts())
    assert [(row["intent"], row["arm"]) for row in rows] == [
        (intent, arm) for intent in ("malicious", "all") for arm in told.arms
    ]
    assert rows[1]["safe"] is None and rows[1]["safe_reason"]
    assert math.isclose(rows[0]["helpful"], 3)


@pytest.mark.slow
def test_without_grades_there_is_no_row_of_the_grader():
    for table in tables(drawn(judgments=60, graded=False)).values():
        assert "grader" not in {row.get("by") for row in table.dicts()}
