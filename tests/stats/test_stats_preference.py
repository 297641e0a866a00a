import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.stats.errors import BadInput
from annotation.stats.intervals import clustered_bootstrap, wilson
from annotation.stats.preference import (
    Outcomes,
    arm_difference,
    cohens_h,
    normalised_win_rate,
    win_rate,
    win_rate_h,
)

pytestmark = pytest.mark.once

outcome_lists = st.lists(st.sampled_from([1, 0.5, 0]), min_size=1, max_size=30)


def test_a_tie_counts_half_and_is_left_out_of_the_decisive_rate():
    result = win_rate([1, 1, 1, 0.5, 0.5, 0], bootstrap=100)
    assert (result.wins, result.ties, result.losses) == (3, 2, 1)
    assert result.rate.value == pytest.approx(4 / 6) and result.rate.n == 6
    assert result.decisive == wilson(3, 4)


def test_without_ties_both_rates_are_the_same_proportion():
    result = win_rate([1, 1, 0])
    assert result.rate == result.decisive == wilson(2, 3)


@given(outcomes=outcome_lists)
def test_swapping_the_arms_mirrors_the_win_rate(outcomes):
    ours = win_rate(outcomes, bootstrap=20)
    theirs = win_rate([1 - outcome for outcome in outcomes], bootstrap=20)
    assert ours.rate.value + theirs.rate.value == pytest.approx(1)
    assert (ours.wins, ours.losses) == (theirs.losses, theirs.wins)


def test_several_raters_of_one_prompt_are_not_independent():
    outcomes = np.repeat([1, 0.5, 0, 1] * 10, 5)
    clustered = win_rate(outcomes, np.repeat(np.arange(40), 5)).rate
    independent = win_rate(outcomes).rate
    assert clustered.high - clustered.low > 1.5 * (independent.high - independent.low)


def test_all_ties_have_a_rate_and_no_decisive_rate():
    result = win_rate([0.5] * 6)
    assert result.rate.value == 0.5 and result.rate.low is None
    assert result.decisive.value is None and "Every outcome is a tie" in result.decisive.reason


def test_no_outcomes_have_no_rate():
    result = win_rate([])
    assert result.rate.value is None and result.rate.reason and result.wins == 0


def test_other_outcomes_are_refused():
    with pytest.raises(BadInput, match="1 for a win"):
        Outcomes.from_values([1, 2])


def test_outcomes_are_counted():
    assert Outcomes.from_values([1, 0, 0.5, 1]) == Outcomes(wins=2, ties=1, losses=1)


def test_cohens_h_gives_the_published_check():
    assert cohens_h(0.651, 0.349) == pytest.approx(0.61, abs=0.005)


@given(p=st.floats(0, 1), q=st.floats(0, 1))
def test_cohens_h_is_signed_and_symmetric(p, q):
    assert cohens_h(p, q) == pytest.approx(-cohens_h(q, p))
    assert cohens_h(p, q) == pytest.approx(cohens_h(1 - q, 1 - p), abs=1e-6)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_cohens_h_refuses_what_is_no_proportion(p):
    with pytest.raises(BadInput):
        cohens_h(p, 0.5)


def test_a_busy_prompt_or_rater_does_not_count_more():
    outcomes = [1, 1, 1, 0, 0.5]
    prompts, raters = ["p", "p", "p", "q", "q"], ["ann", "ann", "ann", "ann", "bo"]
    by_prompt = normalised_win_rate(outcomes, prompts, raters, "prompt", bootstrap=0).value
    by_rater = normalised_win_rate(outcomes, prompts, raters, "rater", bootstrap=0).value
    both = normalised_win_rate(outcomes, prompts, raters, bootstrap=0).value
    assert by_prompt == pytest.approx((1 + 0.25) / 2)
    assert by_rater == pytest.approx((0.75 + 0.5) / 2)
    # In q ann's judgment weighs 1/4 and bo's 1: (0/4 + 0.5) / (5/4).
    assert both == pytest.approx((1 + 0.4) / 2)


@given(outcomes=st.lists(st.sampled_from([1, 0.5, 0]), min_size=2, max_size=12))
def test_a_balanced_study_needs_no_balance(outcomes):
    prompts, raters = np.repeat(np.arange(len(outcomes)), 2), np.tile([0, 1], len(outcomes))
    values = np.repeat(outcomes, 2)
    for balance in ("prompt", "rater", "both"):
        found = normalised_win_rate(values, prompts, raters, balance, bootstrap=0)
        assert found.value == pytest.approx(np.mean(outcomes))


def test_normalising_has_an_interval_over_prompts_and_refuses_nonsense():
    rng = np.random.default_rng(0)
    found = normalised_win_rate(rng.integers(2, size=200), np.arange(200) // 4, np.arange(200) % 3)
    assert found.low < found.value < found.high and found.n == 200
    assert normalised_win_rate([], [], []).reason
    with pytest.raises(BadInput, match="balanced by"):
        normalised_win_rate([1], [1], [1], "week")


def test_effect_size_of_a_win_rate_keeps_its_interval():
    rate = win_rate([1] * 65 + [0] * 35).rate
    h = win_rate_h(rate)
    assert h.value == pytest.approx(cohens_h(0.65, 0.35))
    assert (h.low, h.high) == (cohens_h(rate.low, 1 - rate.low), cohens_h(rate.high, 1 - rate.high))
    assert win_rate_h(win_rate([]).rate).value is None


def test_arms_are_compared_on_their_common_prompts():
    rng = np.random.default_rng(5)
    hard = np.repeat(rng.random(150) < 0.5, 2)
    first = np.tile([True, False], 150)
    safe = (rng.random(300) < np.where(hard, 0.3, 0.95) + 0.04 * first).astype(float)
    prompts = np.repeat(np.arange(150), 2)
    paired = arm_difference(safe, first, prompts)
    apart = arm_difference(safe, first, np.arange(300))
    by_hand = safe[first].mean() - safe[~first].mean()
    assert paired.difference.value == pytest.approx(by_hand)
    assert paired.h.value == pytest.approx(cohens_h(safe[first].mean(), safe[~first].mean()))
    width, alone = (d.difference.high - d.difference.low for d in (paired, apart))
    assert width < 0.9 * alone


def test_a_difference_needs_both_arms_and_h_needs_shares():
    assert "no values" in arm_difference([1, 0], [True, True], ["p", "q"]).difference.reason
    scores = arm_difference([3, 1, 4, 2], [True, False, True, False], list("ppqq"))
    assert scores.difference.value == 2 and scores.h.value is None and scores.h.reason


def test_a_weight_counts_as_so_many_values():
    values, clusters, weights = [1, 0, 0.5, 1], ["p", "p", "q", "r"], [2, 1, 0, 3]
    repeated = clustered_bootstrap([1, 1, 0, 1, 1, 1], ["p", "p", "p", "r", "r", "r"], seed=1)
    weighed = clustered_bootstrap(values, clusters, weights=weights, seed=1)
    assert (weighed.value, weighed.low, weighed.high) == (repeated.value, repeated.low, repeated.high)


@pytest.mark.parametrize("weights", [[1], [-1, 1], [0, 0]])
def test_weights_without_meaning_are_refused(weights):
    with pytest.raises(BadInput, match="one weight"):
        clustered_bootstrap([1, 0], ["p", "q"], weights=weights)
