"""The confidence sequence: its definition written out, and the promise that it holds at every look."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.stats.errors import BadInput
from annotation.stats.sequential import confidence_sequence, win_rate_sequence

pytestmark = pytest.mark.once

some_values = st.lists(st.sampled_from([0, 0.5, 1]), min_size=1, max_size=60)


def ever_rich(values, candidate, alpha):
    """Whether hedged bets against the candidate ever reach 1/alpha: the paper's process, one step at a
    time."""
    up = down = 1.0
    spread, total, variance = 0.25, 0.0, 0.25
    for t, x in enumerate(values, start=1):
        bet = math.sqrt(2 * math.log(2 / alpha) / (variance * t * math.log(t + 1)))
        up *= 1 + min(bet, 0.5 / candidate if candidate else math.inf) * (x - candidate)
        down *= 1 - min(bet, 0.5 / (1 - candidate) if candidate < 1 else math.inf) * (x - candidate)
        if (up + down) / 2 >= 1 / alpha:
            return True
        total += x
        spread += (x - (0.5 + total) / (t + 1)) ** 2
        variance = spread / (t + 1)
    return False


@given(values=some_values)
@settings(max_examples=40)
def test_the_bounds_hold_every_mean_that_no_bet_has_refuted(values):
    end = confidence_sequence(values * 4, level=0.9)
    for candidate in np.linspace(0, 1, 41):
        if not ever_rich(values * 4, candidate, 0.1):
            assert end.low[-1] <= candidate <= end.high[-1]


def test_the_bounds_are_no_wider_than_what_bets_have_refuted():
    values = [1, 1, 0.5, 0, 1] * 40
    end = confidence_sequence(values)
    for candidate in (end.low[-1] - 0.003, end.high[-1] + 0.003):
        assert ever_rich(values, candidate, 0.05)


@given(values=some_values)
def test_bounds_only_ever_narrow(values):
    found = confidence_sequence(values)
    assert (np.diff(found.low) >= 0).all() and (np.diff(found.high) <= 0).all()
    assert found.means[-1] == pytest.approx(np.mean(values))


def test_a_longer_record_does_not_change_its_past():
    values = np.random.default_rng(2).choice([0, 0.5, 1], 1500)
    whole, part = confidence_sequence(values), confidence_sequence(values[:700])
    assert (whole.low[:700] == part.low).all() and (whole.high[:700] == part.high).all()


def test_a_clear_winner_is_seen_early():
    found = confidence_sequence(np.random.default_rng(1).random(400) < 0.75)
    assert found.at_end().low > 0.6 and np.argmax(found.low > 0.5) < 100


def test_the_end_is_an_estimate_in_the_common_shape():
    end = confidence_sequence([1, 0, 1, 1]).at_end()
    assert (end.value, end.n) == (0.75, 4) and end.low <= 0.75 <= end.high
    assert confidence_sequence([]).at_end().value is None


def test_a_mean_that_changed_leaves_no_interval():
    end = confidence_sequence([0] * 300 + [1] * 3000).at_end()
    assert end.low is None and "changed" in end.reason


def test_a_prompt_counts_once_in_the_order_of_its_first_outcome():
    found = win_rate_sequence([1, 0, 1, 0.5], ["q", "p", "q", "p"])
    assert list(found.means) == [1, 0.625]
    assert len(win_rate_sequence([], []).means) == 0


@pytest.mark.parametrize("values", [[1.5], [-0.1], [float("nan")], ["x"]])
def test_values_outside_0_and_1_are_refused(values):
    with pytest.raises(BadInput):
        confidence_sequence(values)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.5, 0.8])
@pytest.mark.parametrize("chances", [(0.5, 0.5), (0.8, 0.2), (0.05, 0.95)])
def test_of_all_that_can_happen_in_eleven_steps_no_more_than_allowed_refutes_the_truth(level, chances):
    """Exact: every one of the 2048 courses of a coin, with its probability."""
    missed = 0.0
    for course in itertools.product((0, 1), repeat=11):
        found = confidence_sequence(course, level=level)
        if ((found.low > chances[1]) | (found.high < chances[1])).any():
            missed += math.prod(chances[x] for x in course)
    assert 0 < missed <= 1 - level


@pytest.mark.slow
@pytest.mark.parametrize("chances", [(0.85, 0.1, 0.05), (0.25, 0.15, 0.6), (0, 0.02, 0.98)])
def test_the_bounds_hold_any_mean_at_every_look_in_95_percent_of_studies(chances):
    rng, mean, held = np.random.default_rng(3), chances[1] / 2 + chances[2], 0
    for _ in range(250):
        found = confidence_sequence(rng.choice([0, 0.5, 1], 250, p=chances))
        held += ((found.low <= mean) & (mean <= found.high)).all()
    assert held / 250 >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 250)


def false_alarm_rate(studies, looks, chances, seed):
    rng = np.random.default_rng(seed)
    rows = [confidence_sequence(rng.choice([0, 0.5, 1], looks, p=chances)) for _ in range(studies)]
    return np.mean([((row.low > 0.5) | (row.high < 0.5)).any() for row in rows])


@pytest.mark.slow
@pytest.mark.parametrize("chances", [(0.5, 0, 0.5), (0.35, 0.3, 0.35), (0.1, 0.8, 0.1)])
def test_watching_all_the_time_cries_wolf_in_at_most_5_percent_of_studies(chances):
    """The bound is 5 %; a simulation of 400 studies may exceed it by two standard errors of its own."""
    assert false_alarm_rate(400, 400, chances, seed=7) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.slow
def test_stopping_a_fixed_interval_when_it_looks_good_cries_wolf_far_more_often():
    """Why there is a sequence at all: the same studies, watched with an interval made for one look."""
    rng = np.random.default_rng(7)
    values = rng.integers(2, size=(400, 400))
    n = np.arange(1, 401)
    means = np.cumsum(values, axis=1) / n
    half = 1.96 * np.sqrt(means * (1 - means) / n)
    assert (np.abs(means - 0.5) > half)[:, 20:].any(axis=1).mean() > 0.2
