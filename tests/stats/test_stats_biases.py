"""Biases: found where they were put, absent where they were not, and against sums written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.stats.biases import (
    chosen_left,
    chosen_longer,
    drift,
    rater_severity,
    self_consistency,
    self_consistency_by_rater,
)
from annotation.stats.errors import BadInput
from annotation.stats.ratings import Ratings

pytestmark = pytest.mark.once

some_rows = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=40
)


def everything(rows):
    return Ratings.from_rows(*zip(*rows, strict=True), repeats="all")


def test_the_left_side_is_seen_whichever_arm_stood_there():
    found = chosen_left([1, 0, 0.5, 0], [True, False, True, True], list("pqrs"))
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)
    assert found.decisive.value == pytest.approx(2 / 3)


def test_a_better_arm_is_no_position_bias_where_sides_are_drawn():
    rng = np.random.default_rng(0)
    left = rng.random(4000) < 0.5
    fair = chosen_left(rng.random(4000) < 0.8, left, np.arange(4000)).decisive
    biased = chosen_left(rng.random(4000) < np.where(left, 0.9, 0.6), left, np.arange(4000)).decisive
    assert fair.low < 0.5 < fair.high
    assert biased.low < 0.65 < biased.high


def test_equal_lengths_have_no_longer_one():
    found = chosen_longer([1, 0, 1, 0.5], [10, 5, 0, -3], list("pqrs"))
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)


def test_drift_is_the_change_of_a_straight_line_from_first_to_last():
    rng = np.random.default_rng(1)
    times = rng.permutation(500)
    values = 2 + 0.8 * times / 499 + rng.normal(0, 0.2, 500)
    found = drift(values, times * 60.0 + 1.7e9, np.arange(500) // 2)
    slope = np.polyfit(times / 499, values, 1)[0]
    assert found.value == pytest.approx(slope) and found.low < 0.8 < found.high and found.n == 500


def test_no_drift_is_found_where_there_is_none():
    rng = np.random.default_rng(2)
    found = drift(rng.random(300), np.arange(300), np.arange(300))
    assert found.low < 0 < found.high


@pytest.mark.parametrize(("values", "times", "why"), [([], [], "no values"), ([1, 2], [5, 5], "one time")])
def test_there_is_no_drift_in_an_instant(values, times, why):
    assert why in drift(values, times, times).reason


@given(rows=some_rows)
@settings(max_examples=60)
def test_severity_is_the_mean_distance_from_the_others(rows):
    found = {row.rater: row.estimate for row in rater_severity(everything(rows), bootstrap=0)}
    for rater in {rater for _, rater, _ in rows}:
        apart = []
        for item, who, value in rows:
            others = [v for i, r, v in rows if i == item and r != rater]
            if who == rater and others:
                apart.append(value - sum(others) / len(others))
        estimate = found[str(rater)]
        assert estimate.n == len(apart)
        assert estimate.value == (pytest.approx(sum(apart) / len(apart)) if apart else None)


def test_a_severe_rater_is_found():
    rng = np.random.default_rng(4)
    truth = rng.integers(1, 5, 200)
    said = np.concatenate([truth, truth + 1, truth])
    ratings = Ratings.from_rows(np.tile(np.arange(200), 3), np.repeat(list("abc"), 200), said)
    severity = {row.rater: row.estimate.value for row in rater_severity(ratings)}
    assert severity == pytest.approx({"a": -0.5, "b": 1.0, "c": -0.5})


def test_severity_of_words_is_refused():
    with pytest.raises(BadInput, match="needs numbers"):
        rater_severity(Ratings.from_rows([1, 1], ["a", "b"], ["safe", "unsafe"]))


def test_the_anaesthetist_who_rated_three_times_is_as_consistent_as_published(shared_data):
    rows = shared_data.rows("dawid_skene_1979/anaesthetists_long.csv")
    columns = ([row[name] for row in rows] for name in ("item_id", "rater_id", "label"))
    known = shared_data.json("dawid_skene_1979/reference.json")["anaesthetists"]["rater1_intra_agreement"]
    ratings = Ratings.from_rows(*columns, repeats="all")
    found = self_consistency(ratings)
    assert found.value == pytest.approx(sum(known.values()) / 3) and found.n == 45
    assert found.low < found.value < found.high
    (only,) = self_consistency_by_rater(ratings)
    assert only.rater == "1" and only.estimate == found


@given(rows=some_rows)
@settings(max_examples=60)
def test_self_consistency_compares_every_two_occasions(rows):
    shares = []
    for key in {row[:2] for row in rows}:
        said = [value for *who, value in rows if tuple(who) == key]
        pairs = [a == b for i, a in enumerate(said) for b in said[i + 1 :]]
        shares += [sum(pairs) / len(pairs)] if pairs else []
    found = self_consistency(everything(rows), bootstrap=0)
    assert found.value == (pytest.approx(sum(shares) / len(shares)) if shares else None)
    assert shares or "twice" in found.reason


@pytest.mark.parametrize(
    "call",
    [
        lambda: chosen_left([1, 0], [True], ["p", "q"]),
        lambda: chosen_longer([1, 0], [1], ["p", "q"]),
        lambda: drift([1, 2], [1], ["p", "q"]),
    ],
)
def test_columns_of_unequal_length_are_refused(call):
    with pytest.raises(BadInput):
        call()
