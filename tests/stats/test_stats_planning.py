"""Sizes of studies: textbook figures, and simulated studies of the size that was planned."""

import numpy as np
import pytest

from annotation.stats.errors import BadInput
from annotation.stats.intervals import mean
from annotation.stats.planning import (
    Design,
    StudySize,
    half_width,
    intraclass_correlation,
    outcome_variance,
    size_for_half_width,
    size_to_detect,
)

pytestmark = pytest.mark.once

NESTED = Design(pairs_per_prompt=2, raters_per_pair=3, prompt_share=0.1, pair_share=0.3)


def study(rng, prompts, design, chances):
    """Outcomes (prompts, pairs, raters): a judgment copies its prompt's or its pair's draw, or is its own."""
    shape = (prompts, design.pairs_per_prompt, design.raters_per_pair)
    of_prompt, of_pair = design.prompt_share**0.5, design.pair_share**0.5
    draws = [rng.choice([0, 0.5, 1], size, p=chances) for size in ((prompts, 1, 1), (*shape[:2], 1), shape)]
    which = rng.choice(3, shape, p=[of_prompt, of_pair, 1 - of_prompt - of_pair])
    return np.select([which == 0, which == 1], draws[:2], draws[2])


@pytest.mark.parametrize(("prompts", "points"), [(200, 6.9), (500, 4.4), (1000, 3.1), (2000, 2.2)])
def test_half_widths_of_one_judgment_a_prompt_are_the_known_ones(prompts, points):
    assert 100 * half_width(prompts) == pytest.approx(points, abs=0.05)


def test_a_width_of_5_points_takes_the_known_385_prompts():
    assert size_for_half_width(0.05) == StudySize(prompts=385, pairs=385, judgments=385, raters=4)


def test_a_rate_of_60_percent_takes_the_known_sample():
    """J. L. Fleiss, Statistical Methods for Rates and Proportions: (z sqrt(p0 q0) + z' sqrt(p1 q1))² / d²."""
    assert size_to_detect(0.6).prompts == 194


def test_a_size_has_the_width_it_was_asked_for_and_no_smaller_one_has():
    size = size_for_half_width(0.04, NESTED, rate=0.6, ties=0.2)
    assert half_width(size.prompts, NESTED, rate=0.6, ties=0.2) <= 0.04
    assert half_width(size.prompts - 1, NESTED, rate=0.6, ties=0.2) > 0.04
    assert (size.pairs, size.judgments) == (2 * size.prompts, 6 * size.prompts)


def test_raters_are_enough_for_a_pair_and_for_all_judgments():
    assert size_for_half_width(0.2, Design(raters_per_pair=5), judgments_per_rater=1000).raters == 5
    many = size_for_half_width(0.03, Design(raters_per_pair=2), judgments_per_rater=50)
    assert 50 * (many.raters - 1) < many.judgments <= 50 * many.raters


def test_more_raters_on_a_pair_buy_less_than_more_prompts():
    alike = {"prompt_share": 0.2, "pair_share": 0.3}
    one, five = Design(1, 1, **alike), Design(1, 5, **alike)
    assert half_width(500, five) > half_width(5 * 500, one)
    assert half_width(500, five) < half_width(500, one)


def test_the_variance_of_an_outcome_is_that_of_its_three_values():
    rng = np.random.default_rng(0)
    values = rng.choice([1, 0.5, 0], 400_000, p=[0.5, 0.2, 0.3])
    assert outcome_variance(0.6, 0.2) == pytest.approx(values.var(), abs=0.001)


def test_the_variance_of_a_prompts_mean_is_that_of_simulated_prompts():
    outcomes = study(np.random.default_rng(1), 100_000, NESTED, (0.3, 0.2, 0.5))
    expected = outcome_variance(0.6, 0.2) * NESTED.variance_factor
    assert outcomes.mean(axis=(1, 2)).var() == pytest.approx(expected, rel=0.02)


def test_the_correlation_of_raters_is_the_published_one():
    """Shrout and Fleiss 1979, tables 2 and 4: 6 targets, 4 judges, ICC(1,1) = .17."""
    rows = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    found = intraclass_correlation(np.ravel(rows), np.repeat(np.arange(6), 4))
    assert found.value == pytest.approx(0.17, abs=0.005)


def test_the_correlation_of_a_simulated_study_is_the_one_it_was_made_with():
    rng = np.random.default_rng(3)
    outcomes = study(rng, 20_000, Design(1, 3, 0.3, 0.0), (0.4, 0.2, 0.4))
    found = intraclass_correlation(outcomes.ravel(), np.repeat(np.arange(20_000), 3))
    assert found.value == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    ("values", "clusters"), [([], []), ([1, 2], [0, 0]), ([1, 2], [0, 1]), ([1, 1, 1], [0, 0, 1])]
)
def test_a_correlation_that_does_not_exist_says_why(values, clusters):
    found = intraclass_correlation(values, clusters)
    assert found.value is None and found.reason


@pytest.mark.parametrize(
    "call",
    [
        lambda: Design(pairs_per_prompt=0),
        lambda: Design(prompt_share=0.7, pair_share=0.4),
        lambda: Design(prompt_share=-0.1),
        lambda: size_for_half_width(0),
        lambda: size_for_half_width(0.1, level=95),
        lambda: size_for_half_width(0.1, judgments_per_rater=0),
        lambda: size_to_detect(0.5),
        lambda: size_to_detect(0.6, power=1),
        lambda: outcome_variance(0.9, 0.5),
        lambda: half_width(0),
    ],
)
def test_plans_without_meaning_are_refused(call):
    with pytest.raises(BadInput):
        call()


@pytest.mark.slow
def test_simulated_studies_of_the_planned_size_have_the_planned_width():
    rng = np.random.default_rng(11)
    size = size_for_half_width(0.05, NESTED, rate=0.6, ties=0.2)
    widths = []
    for _ in range(60):
        outcomes = study(rng, size.prompts, NESTED, (0.3, 0.2, 0.5))
        estimate = mean(outcomes.ravel(), np.repeat(np.arange(size.prompts), 6), bootstrap=500)
        widths.append((estimate.high - estimate.low) / 2)
    assert np.mean(widths) == pytest.approx(0.05, rel=0.05)


@pytest.mark.slow
def test_simulated_studies_of_the_planned_size_detect_as_often_as_planned():
    rng = np.random.default_rng(12)
    size = size_to_detect(0.58, NESTED, ties=0.2, power=0.8)
    outcomes = [study(rng, size.prompts, NESTED, (0.32, 0.2, 0.48)).mean(axis=(1, 2)) for _ in range(1500)]
    z = [(o.mean() - 0.5) / (o.std(ddof=1) / len(o) ** 0.5) for o in outcomes]
    assert np.mean(np.array(z) > 1.96) == pytest.approx(0.8, abs=0.03)
