import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from annotation.stats.errors import BadInput
from annotation.stats.intervals import clustered_bootstrap, mean, proportion, wilson

pytestmark = pytest.mark.once


@given(n=st.integers(1, 5000), share=st.floats(0, 1), level=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_equals_scipy(n, share, level):
    successes = round(share * n)
    ours, theirs = wilson(successes, n, level), binomtest(successes, n).proportion_ci(level, method="wilson")
    assert (ours.low, ours.high) == (
        pytest.approx(theirs.low, abs=1e-10),
        pytest.approx(theirs.high, abs=1e-10),
    )
    assert 0 <= ours.low <= ours.value <= ours.high <= 1


def test_wilson_gives_the_published_interval_of_a_small_sample():
    """Newcombe, Statistics in Medicine 17 (1998) 857-872, table I: 15 of 148."""
    interval = wilson(15, 148)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.0624, 0.1605)


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2), (0, -1)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(BadInput):
        wilson(successes, n)


def test_wilson_of_nothing_is_undefined():
    assert wilson(0, 0).value is None and wilson(0, 0).reason


def test_a_proportion_with_one_value_a_prompt_is_wilsons():
    assert (
        proportion([1, 0, 1, 1], ["p1", "p2", "p3", "p4"])
        == wilson(3, 4)
        == proportion([True, False, True, True])
    )


def test_ignoring_clusters_would_claim_too_much():
    """Ten identical values in each of 40 clusters hold the information of 40."""
    clusters = np.repeat(np.arange(40), 10)
    values = np.repeat(np.arange(40) % 2, 10)
    clustered, naive = proportion(values, clusters), proportion(values)
    assert clustered.value == naive.value == 0.5
    assert clustered.n == 400
    assert clustered.high - clustered.low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(40), rel=0.1)
    assert naive.high - naive.low < 0.5 * (clustered.high - clustered.low)


def test_the_bootstrap_is_as_wide_as_the_linearised_standard_error_of_a_ratio():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 8, 300)
    clusters = np.repeat(np.arange(300), sizes)
    values = rng.normal(size=300)[clusters] + rng.normal(size=sizes.sum())
    sums = np.bincount(clusters, weights=values)
    residuals = sums - values.mean() * sizes
    se = np.sqrt((residuals**2).sum() * 300 / 299) / sizes.sum()
    estimate = clustered_bootstrap(values, clusters, bootstrap=4000)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * se, rel=0.07)


def test_the_clustered_interval_covers_the_population_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(8)
    covered = 0
    for _ in range(400):
        sizes = rng.integers(1, 5, 60)
        clusters = np.repeat(np.arange(60), sizes)
        values = rng.random(sizes.sum()) < rng.beta(2, 2, 60)[clusters]
        estimate = proportion(values, clusters, bootstrap=400)
        covered += estimate.low <= 0.5 <= estimate.high
    assert 0.90 <= covered / 400 <= 0.98


def test_equal_values_in_clusters_get_the_cautious_wilson_interval():
    estimate = proportion([1] * 30, np.repeat(np.arange(10), 3))
    assert (estimate.low, estimate.high, estimate.n) == (wilson(10, 10).low, 1, 30)


@pytest.mark.parametrize("statistic", [proportion, mean])
def test_one_cluster_has_a_value_and_no_interval(statistic):
    estimate = statistic([1, 0, 1, 1], ["p1"] * 4)
    assert (estimate.value, estimate.low, estimate.high) == (0.75, None, None)
    assert "only one cluster" in estimate.reason


def test_one_value_has_a_mean_and_no_interval():
    assert mean([3.0]).value == 3 and mean([3.0]).low is None


def test_equal_values_have_a_mean_and_no_interval():
    estimate = mean([2, 2, 2])
    assert estimate.value == 2 and estimate.low is None and "same value" in estimate.reason


@pytest.mark.parametrize("statistic", [proportion, mean])
def test_nothing_is_undefined(statistic):
    assert statistic([]).value is None and statistic([], []).reason


@pytest.mark.parametrize("values", [[1, np.nan], [1, None], ["a", "b"], [[1, 0]]])
@pytest.mark.parametrize("statistic", [proportion, mean])
def test_values_that_are_no_numbers_are_refused(statistic, values):
    with pytest.raises(BadInput):
        statistic(values)


def test_a_proportion_of_other_numbers_is_refused():
    with pytest.raises(BadInput, match="0 or 1"):
        proportion([0, 1, 2])


def test_each_value_needs_its_cluster():
    with pytest.raises(BadInput, match="one cluster for each value"):
        mean([1, 2, 3], ["p1", "p2"])


def test_a_seed_gives_the_same_interval_again():
    values, clusters = np.arange(12.0), np.arange(12) // 2
    assert mean(values, clusters, seed=4) == mean(values, clusters, seed=4)
