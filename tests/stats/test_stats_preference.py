import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.stats.errors import BadInput
from annotation.stats.intervals import wilson
from annotation.stats.preference import Outcomes, cohens_h, win_rate

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
