"""How large a study must be: textbook sizes, what a pilot tells, and simulated studies of that size."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from annotation.errors import BadPlan
from annotation.reports.duels import HEADLINE, duel
from annotation.reports.planning import (
    ASSUMED,
    OBSERVED,
    RATE,
    WIDTH,
    Assumptions,
    as_query,
    assumptions_for,
    observed,
    plan,
    plan_from_query,
    planning_table,
    plans_for_usual_goals,
)
from annotation.stats.intervals import mean
from tests.reports.made import drawn, made
from tests.reports.test_preference_tables import all_ties, rows_of, the_row

pytestmark = pytest.mark.once

ALONE = Assumptions(overlap=1, ties=0, prompt_share=0, pair_share=0)


def pilot(rng, prompts, pairs, raters, prompt_share, pair_share, ties=0.2):
    """Outcomes of a known likeness: a judgment copies its prompt's draw, its pair's, or is its own."""
    chances = [0.5 - ties / 2, ties, 0.5 - ties / 2]
    shape = (prompts, pairs, raters)
    draws = [
        rng.choice([-1, 0, 1], size, p=chances) for size in ((prompts, 1, 1), (prompts, pairs, 1), shape)
    ]
    shares = [math.sqrt(prompt_share), math.sqrt(pair_share)]
    which = rng.choice(3, shape, p=[*shares, 1 - sum(shares)])
    said = np.select([which == 0, which == 1], draws[:2], draws[2])
    return made(
        {"prompt": p, "pair": p * pairs + k, "rater": r, "balance": int(said[p, k, r])}
        for p in range(prompts)
        for k in range(pairs)
        for r in range(raters)
    )


def test_one_judgment_a_prompt_takes_the_known_sizes():
    """(1.96 / 2w)² prompts; and Fleiss' sample for 60 % against one half."""
    assert plan(WIDTH, 0.05, ALONE).size.prompts == 385
    assert plan(WIDTH, 0.03, ALONE).size.prompts == 1068
    assert plan(RATE, 0.6, ALONE).size.prompts == 194


def test_alike_judgments_take_the_design_effect_more():
    """Kish: k judgments of a pair are worth k / (1 + (k - 1) ICC)."""
    given = Assumptions(overlap=3, ties=0, prompt_share=0, pair_share=0.4)
    size = plan(WIDTH, 0.05, given).size
    needed = norm.ppf(0.975) ** 2 * 0.25 / 0.05**2 * (1 + 2 * 0.4) / 3
    assert size.prompts == math.ceil(needed) and size.judgments == 3 * size.prompts
    assert size.raters == math.ceil(size.judgments / 100)


def test_before_anything_is_judged_the_table_says_what_it_assumes():
    rows = rows_of(planning_table(made()))
    assert [row["goal"] for row in rows] == [WIDTH] * 3 + [RATE] * 3
    assert {row["source"] for row in rows} == {ASSUMED} and {row["judged"] for row in rows} == {0}
    assert (rows[0]["overlap"], rows[0]["ties"], rows[0]["prompt_share"], rows[0]["pair_share"]) == (
        3,
        0.2,
        0.1,
        0.2,
    )


def test_a_pilot_tells_overlap_ties_and_likeness():
    answers = pilot(np.random.default_rng(2), 3000, 2, 3, 0.1, 0.3)
    told = observed(duel(answers, 0, 1, HEADLINE))
    assert (told.overlap, told.pairs_per_prompt, told.source, told.judged) == (3, 2, OBSERVED, 18000)
    assert told.ties == pytest.approx(0.2, abs=0.01)
    assert told.prompt_share == pytest.approx(0.1, abs=0.03)
    assert told.pair_share == pytest.approx(0.3, abs=0.03)


def test_with_one_pair_a_prompt_all_likeness_is_the_pairs():
    told = observed(duel(pilot(np.random.default_rng(3), 3000, 1, 3, 0.2, 0.2), 0, 1, HEADLINE))
    assert told.prompt_share == 0 and told.pair_share == pytest.approx(0.4, abs=0.03)


def test_a_pilot_of_few_prompts_or_of_one_judgment_each_leaves_likeness_assumed():
    few = observed(duel(pilot(np.random.default_rng(4), 9, 1, 3, 0.2, 0.2), 0, 1, HEADLINE))
    assert few == Assumptions()
    single = observed(duel(pilot(np.random.default_rng(4), 40, 1, 1, 0.2, 0.2), 0, 1, HEADLINE))
    assert (single.overlap, single.prompt_share, single.pair_share) == (1, 0.1, 0.2)


def test_judgments_that_differ_more_than_chance_are_read_as_independent():
    pairs = [{"prompt": n, "rater": r, "balance": (-1, 1)[r]} for n in range(40) for r in range(2)]
    told = observed(duel(made(pairs), 0, 1, HEADLINE))
    assert (told.prompt_share, told.pair_share) == (0, 0)


def test_the_best_judged_two_arms_stand_for_the_study():
    answers = drawn(arms=("a", "b", "c"), prompts=30)
    pairs = answers.of_pairs[(answers.of_pairs["arm_a"] == 0) | (answers.of_pairs["rater"] == 0)]
    fewer = made([dict(zip(pairs.dtype.names, row.item(), strict=True)) for row in pairs], (), answers.arms)
    assert assumptions_for(fewer, overlap=5).judged == 90
    assert assumptions_for(made(), overlap=5) == Assumptions(overlap=5)


def test_nothing_but_ties_plans_nothing_and_says_why():
    for row in rows_of(planning_table(all_ties())):
        assert row["prompts"] is None and "Every judgment is a tie" in row["reason"]


def test_a_rate_that_ties_leave_no_room_for_is_refused_alone():
    given = Assumptions(ties=0.9)
    assert [row.goal for row in plans_for_usual_goals(given)] == [WIDTH] * 3 + [RATE]
    with pytest.raises(BadPlan, match="cannot be had"):
        plan(RATE, 0.6, given)


# A query ---------------------------------------------------------------------------------------------


def test_a_query_says_what_differs_and_the_rest_is_as_before():
    before = Assumptions(overlap=4, source=OBSERVED, judged=120)
    found = plan_from_query({"goal": "rate", "target": "65", "ties": "10"}, before, prompts=40)
    assert (found.goal, found.target, found.assumptions.ties, found.assumptions.overlap) == (
        RATE,
        0.65,
        0.1,
        4,
    )
    assert found.assumptions.source == ASSUMED
    assert found.size == plan(RATE, 0.65, Assumptions(overlap=4, ties=0.1)).size
    assert found.here > 0


def test_the_query_of_what_was_observed_changes_nothing():
    before = observed(duel(pilot(np.random.default_rng(5), 60, 1, 3, 0.2, 0.2), 0, 1, HEADLINE))
    again = plan_from_query(as_query(before), before)
    assert again.assumptions.source == OBSERVED
    assert again.size.prompts == pytest.approx(plan(WIDTH, 0.05, before).size.prompts, abs=1)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"ties": "many"}, "“ties” must be a number, not “many”"),
        ({"ties": "nan"}, "“ties” must be a number from 0 to 100"),
        ({"target": "inf"}, "“target” must be"),
        ({"overlap": "2.5"}, "“overlap” must be a whole number from 1 to 100, not 2.5"),
        ({"overlap": "0"}, "“overlap” must be a whole number"),
        ({"power": "100"}, "“power” must be a number from 1 to 99.9"),
        ({"goal": "fame"}, "not “fame”"),
        ({"goal": "rate", "target": "50"}, "is not 1/2"),
        ({"prompt_share": "0.7", "pair_share": "0.7"}, "sum to at most 1"),
        ({"ties": "100"}, "Every judgment is a tie"),
        ({"tie": "1"}, "knows no “tie”"),
        ({"judgments_per_rater": "1e99"}, "“judgments_per_rater” must be a whole number"),
    ],
)
def test_a_query_without_meaning_is_refused_in_a_sentence(query, says):
    with pytest.raises(BadPlan, match=says.replace("(", r"\(")):
        plan_from_query(query, Assumptions())


@pytest.mark.slow
def test_a_study_of_the_planned_size_has_the_planned_width():
    """From a pilot's answers to a plan to studies of that size, drawn as the pilot was."""
    rng = np.random.default_rng(8)
    told = observed(duel(pilot(rng, 400, 2, 3, 0.1, 0.3), 0, 1, HEADLINE))
    size = plan(WIDTH, 0.06, told).size
    widths = []
    for _ in range(40):
        of = duel(pilot(rng, size.prompts, 2, 3, 0.1, 0.3), 0, 1, HEADLINE)
        found = mean(of.outcomes, of.rows["prompt"], bootstrap=400)
        widths.append((found.high - found.low) / 2)
    assert np.mean(widths) == pytest.approx(0.06, rel=0.12)


def test_the_table_holds_the_sizes_of_the_plans():
    row = the_row(planning_table(drawn(prompts=40)), goal=WIDTH, target=0.05)
    told = observed(duel(drawn(prompts=40), 0, 1, HEADLINE))
    size = plan(WIDTH, 0.05, told).size
    assert (row["prompts"], row["pairs"], row["judgments"], row["raters"]) == (
        size.prompts,
        size.pairs,
        size.judgments,
        size.raters,
    )
