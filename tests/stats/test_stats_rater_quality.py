"""Raters' signals, against brute force, identities and SciPy."""

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr

from annotation.stats.errors import BadInput
from annotation.stats.gold_answers import agreements, expected_problems, wrong_answers
from annotation.stats.rater_quality import (
    agreement_with_majority,
    hasty_share,
    majority_agreement,
    self_consistency,
    share_left,
    share_right,
    time_follows_length,
)

pytestmark = pytest.mark.once


# Gold ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "given", "tolerance", "wrong"),
    [
        ({"balance": 2}, {"balance": 3}, 1, []),
        ({"balance": 2}, {"balance": 0}, 1, ["balance"]),
        ({"balance": 2}, {"balance": 0}, 2, []),
        ({"balance": 1}, {"balance": -1}, 6, ["balance"]),
        ({"balance": 0}, {"balance": -1}, 1, []),
        ({"balance": 1}, {"balance": None}, 6, ["balance"]),
        ({"a_unsafe": True, "b_unsafe": False}, {"a_unsafe": True, "b_unsafe": True}, 6, ["b_unsafe"]),
        ({"safer": 0, "more_helpful": 3}, {"safer": 3, "more_helpful": 3}, 0, ["safer"]),
    ],
)
def test_an_answer_is_right_within_the_tolerance_and_never_on_the_other_side(
    expected, given, tolerance, wrong
):
    assert wrong_answers(expected, given, tolerance) == wrong


@pytest.mark.parametrize(
    "answers", [{}, {"balance": 4}, {"balance": True}, {"a_unsafe": 1}, {"mode": "other"}]
)
def test_what_is_no_expected_answer_is_named(answers):
    assert expected_problems(answers)


def test_agreeing_is_mutual():
    steps = [None, *range(-3, 4)]
    for one, other in itertools.product(steps, steps):
        assert agreements({"balance": one}, {"balance": other}) == agreements(
            {"balance": other}, {"balance": one}
        )


# Signals ---------------------------------------------------------------------------------------------


def by_hand(items, values, index):
    """The majority of the others, counted one by one."""
    others = [
        v
        for i, (item, v) in enumerate(zip(items, values, strict=True))
        if item == items[index] and i != index
    ]
    counts = sorted(((others.count(value), value) for value in set(others)), reverse=True)
    if not counts or (len(counts) > 1 and counts[0][0] == counts[1][0]):
        return -1
    return int(counts[0][1] == values[index])


def test_agreement_with_the_majority_of_others_is_what_counting_by_hand_gives():
    dice = np.random.default_rng(1)
    items, values = dice.integers(0, 40, 200).tolist(), dice.integers(0, 3, 200).tolist()
    assert majority_agreement(items, values).tolist() == [by_hand(items, values, i) for i in range(200)]


def test_nobody_agrees_with_themselves_alone():
    found = agreement_with_majority([1, 2, 2], [10, 10, 11], [0, 1, 1], [0, 0, 1])
    assert {rater: (e.value, e.n) for rater, e in found.items()} == {1: (0.0, 1), 2: (0.0, 1)}


def test_who_is_alone_has_no_agreement_and_a_reason():
    (alone,) = agreement_with_majority([1], [10], [0], [0]).values()
    assert alone.value is None and alone.n == 0 and alone.reason


def test_values_are_whole_numbers_from_zero():
    with pytest.raises(BadInput):
        majority_agreement([1, 1], [-1, 0])


@pytest.mark.parametrize("seed", range(5))
def test_the_rank_correlation_is_scipys(seed):
    dice = np.random.default_rng(seed)
    seconds, characters = dice.integers(1, 30, 40), dice.integers(1, 20, 40) * 100
    found = time_follows_length(seconds, characters)
    assert found.value == pytest.approx(spearmanr(seconds, characters).statistic)
    assert found.low < found.value < found.high and found.n == 40


def test_the_interval_of_the_rank_correlation_covers():
    dice, hits = np.random.default_rng(3), 0
    for _ in range(400):
        x = dice.normal(size=60)
        found = time_follows_length(x, dice.normal(size=60))
        hits += found.low <= 0 <= found.high
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize(("seconds", "characters"), [([1, 2, 3], [1, 2, 3]), ([5] * 9, range(9)), ([], [])])
def test_too_little_says_so(seconds, characters):
    found = time_follows_length(seconds, list(characters))
    assert found.value is None and found.reason


def test_a_perfect_order_has_a_value_and_no_interval():
    found = time_follows_length([1, 2, 3, 4], [10, 20, 30, 40])
    assert (found.value, found.low) == (1.0, None)


def test_shares_count_what_they_say():
    assert share_left([-3, -1, 0, 2]).value == pytest.approx(2 / 3) and share_left([-3, -1, 0, 2]).n == 3
    assert share_left([0, 0]).value is None
    assert hasty_share([1, 10], [100, 100], 60).value == 0.5
    assert share_right([True, True, False]).n == 3
    assert self_consistency([], []).value is None
    assert self_consistency([1, 1, 0, 0], [7, 7, 8, 8]).value == 0.5
