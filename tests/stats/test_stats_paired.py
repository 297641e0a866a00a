"""Paired tests against enumerations of every case, and Holm against closed testing."""

from itertools import chain, combinations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.stats.errors import BadInput
from annotation.stats.paired import exact_binomial, holm, leanings, mcnemar, sign_test, wilcoxon

pytestmark = pytest.mark.once


def binomial_by_counting(successes, n):
    """Twice the smaller tail: for p = 1/2 the exact test is symmetric."""
    tail = min(successes, n - successes)
    return min(1.0, 2 * sum(comb(n, k) for k in range(tail + 1)) / 2**n)


@given(n=st.integers(1, 40), data=st.data())
def test_the_exact_binomial_counts_the_tails(n, data):
    successes = data.draw(st.integers(0, n))
    assert exact_binomial(successes, n).p == pytest.approx(binomial_by_counting(successes, n))


def test_the_sign_test_leaves_zeros_out():
    found = sign_test([1, 2, 0.5, -1, 0, 0])
    assert found.n == 4 and found.p == pytest.approx(binomial_by_counting(1, 4))


def test_mcnemar_looks_at_discordant_prompts_only():
    first, second = [1] * 9 + [0] * 2 + [1] * 30, [0] * 9 + [1] * 2 + [1] * 30
    found = mcnemar(first, second)
    assert found.n == 11 and found.p == pytest.approx(binomial_by_counting(2, 11))


@given(st.lists(st.integers(-30, 30).filter(bool), min_size=1, max_size=9, unique_by=abs))
def test_wilcoxon_equals_all_ways_to_give_the_signs(differences):
    """Every difference's sign is as likely as not: enumerate them all."""
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    sums = np.array([ranks[np.array(signs) > 0].sum() for signs in product([-1, 1], repeat=len(ranks))])
    middle = ranks.sum() / 2
    observed = abs(ranks[np.array(differences) > 0].sum() - middle)
    expected = (np.abs(sums - middle) >= observed - 1e-9).mean()
    assert wilcoxon(differences).p == pytest.approx(min(1, expected))


def test_wilcoxon_with_equal_sizes_is_near_a_permutation_test():
    rng = np.random.default_rng(0)
    values = rng.choice([-1, -0.5, 0, 0.5, 1], 80, p=[0.1, 0.15, 0.3, 0.2, 0.25])
    kept = values[values != 0]
    ranks = np.array([(np.abs(kept) < abs(v)).sum() + ((np.abs(kept) == abs(v)).sum() + 1) / 2 for v in kept])
    sums = (rng.choice([-1, 1], (20_000, len(kept))) * ranks).sum(axis=1)
    by_chance = (np.abs(sums) >= abs((np.sign(kept) * ranks).sum()) - 1e-9).mean()
    assert wilcoxon(values).p == pytest.approx(by_chance, abs=0.01)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_closed_testing_by_bonferroni(p_values):
    """A slice counts only if every set of slices that holds it counts: enumerate the sets."""
    sets = chain.from_iterable(combinations(range(len(p_values)), k) for k in range(1, len(p_values) + 1))
    by_set = {chosen: min(1.0, len(chosen) * min(p_values[i] for i in chosen)) for chosen in sets}
    expected = [max(p for chosen, p in by_set.items() if i in chosen) for i in range(len(p_values))]
    assert holm(p_values) == pytest.approx(expected)


def test_holm_skips_slices_without_a_test():
    assert holm([0.01, None, 0.04]) == [0.02, None, 0.04]
    assert holm([]) == []


def test_a_prompt_leans_by_its_mean_outcome():
    assert list(leanings([1, 1, 0, 0.5, 0], ["p", "p", "q", "r", "r"])) == pytest.approx([0.5, -0.5, -0.25])
    assert len(leanings([], [])) == 0


@pytest.mark.parametrize("test", [sign_test, wilcoxon])
def test_without_a_difference_there_is_no_test(test):
    found = test([0, 0])
    assert found.p is None and found.reason and found.n == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: exact_binomial(3, 2),
        lambda: exact_binomial(1, 2, 1.5),
        lambda: mcnemar([1, 0], [1]),
        lambda: mcnemar([1, 2], [1, 0]),
        lambda: holm([1.2]),
        lambda: wilcoxon([float("nan")]),
    ],
)
def test_input_without_meaning_is_refused(call):
    with pytest.raises(BadInput):
        call()


@pytest.mark.slow
def test_the_sign_test_on_prompts_keeps_its_level_where_raters_of_a_prompt_agree():
    """Equal arms, five raters who mostly repeat each other: counting judgments would cry wolf."""
    rng = np.random.default_rng(6)
    alarms = loud = 0
    for _ in range(1000):
        leaning = rng.random((60, 1)) < 0.5
        outcomes = np.where(rng.random((60, 5)) < 0.9, leaning, ~leaning).astype(float)
        alarms += sign_test(leanings(outcomes.ravel(), np.repeat(np.arange(60), 5))).p < 0.05
        loud += exact_binomial(int(outcomes.sum()), 300).p < 0.05
    assert alarms / 1000 <= 0.065 and loud / 1000 > 0.2
