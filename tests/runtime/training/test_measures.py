"""Calibration and intervals, against other solutions and identities."""

import numpy as np
import pytest
from scipy import optimize, stats

from models_runtime.training.measures import (
    PRIOR_ROWS,
    Calibration,
    calibration_report,
    fit_calibration,
    gain,
    mean,
    rate,
    wilson,
)

pytestmark = pytest.mark.once


def test_calibration_is_where_a_general_optimizer_finds_the_minimum():
    dice = np.random.default_rng(1)
    raw = dice.normal(size=200) * 3
    human = np.clip(1 / (1 + np.exp(-(0.7 * raw - 1))) + dice.normal(size=200) * 0.1, 0, 1)

    def loss(weights):
        z = weights[0] * raw + weights[1]
        pull = PRIOR_ROWS / 2 * ((weights[0] - 1) ** 2 + weights[1] ** 2)
        return np.sum(np.logaddexp(0, z) - human * z) + pull

    found = optimize.minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    ours = fit_calibration(list(raw), list(human))
    assert (ours.slope, ours.offset) == pytest.approx(tuple(found.x), abs=1e-4)


def test_calibration_recovers_what_made_the_scores():
    raw = np.linspace(-4, 4, 4000)
    ours = fit_calibration(list(raw), Calibration(1.8, -0.6).apply(list(raw)))
    assert (ours.slope, ours.offset) == pytest.approx((1.8, -0.6), abs=0.02)


def test_separable_rows_get_a_finite_calibration():
    ours = fit_calibration([-9.0] * 10 + [9.0] * 10, [0.0] * 10 + [1.0] * 10)
    low, high = ours.apply([-9.0, 9.0])
    assert 0 <= low < 0.01 and 0.99 < high <= 1 and np.isfinite(ours.slope)


def test_a_calibration_never_turns_the_order_round():
    ours = fit_calibration([-2.0, -1.0, 1.0, 2.0] * 10, [1.0, 0.9, 0.1, 0.0] * 10)
    scores = ours.apply([-5.0, 0.0, 5.0])
    assert scores == sorted(scores) and scores[0] < scores[2]


def test_wilson_is_the_published_interval():
    expected = stats.binomtest(81, 263).proportion_ci(method="wilson")
    assert wilson(81 / 263, 263) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_rows_that_stand_alone_have_nearly_the_plain_interval():
    hits = [1.0] * 70 + [0.0] * 30
    alone = rate(hits, range(100))
    assert (alone.low, alone.high) == pytest.approx(wilson(0.7, 100), abs=0.002)


def test_copies_of_a_row_add_no_certainty():
    hits = [1.0] * 14 + [0.0] * 6
    once = rate(hits, range(20))
    five_times = rate(hits * 5, [*range(20)] * 5)
    assert five_times.n == 100 and five_times.clusters == 20
    assert (five_times.low, five_times.high) == pytest.approx((once.low, once.high), abs=1e-6)


def test_where_all_are_right_the_clusters_are_counted():
    assert rate([1.0] * 50, [1, 2, 3, 4, 5] * 10).low == pytest.approx(wilson(1.0, 5)[0])
    assert rate([], []) is None


def test_a_mean_of_rows_alone_has_students_interval():
    values = list(np.random.default_rng(2).uniform(0.2, 0.8, size=12))
    expected = stats.t.interval(0.95, 11, np.mean(values), stats.sem(values))
    found = mean(values, range(12))
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_a_mean_of_one_cluster_has_no_interval():
    found = mean([0.2, 0.4], ["locks", "locks"])
    assert (found.value, found.low, found.high) == (pytest.approx(0.3), None, None)


def test_perfect_predictions_have_no_calibration_error():
    report = calibration_report([0.1, 0.1, 0.9, 0.9], [0.0, 0.2, 0.8, 1.0])
    assert report.error == pytest.approx(0) and report.squared == pytest.approx(0.01)
    assert [row["n"] for row in report.bins] == [2, 2]


def test_the_calibration_error_is_the_distance_where_it_is_known():
    assert calibration_report([0.5] * 8, [1.0] * 8).error == pytest.approx(0.5)


def test_a_gain_over_clusters_of_one_is_students_paired_interval():
    differences = [0.5, -0.25, 0.0, 0.75, -0.5]
    found = gain(differences, list("abcde"))
    expected = stats.ttest_1samp(differences, 0).confidence_interval()
    assert (found.value, found.low, found.high) == pytest.approx((0.1, expected.low, expected.high))
    assert gain([0.5, 0.25], "aa").low is None
