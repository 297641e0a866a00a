"""Draws are reproducible, and fair enough to be called random."""

from scipy.stats import binomtest, kstest

from annotation import draws


def test_a_draw_depends_on_all_it_is_given_and_on_nothing_else():
    assert draws.draw(1, "side", 2) == draws.draw(1, "side", 2)
    assert len({draws.draw(1, "side", 2), draws.draw(2, "side", 2), draws.draw(1, "other", 2)}) == 3
    assert draws.draw(1, "side", 2, 3) != draws.draw(1, "side", 23)


def test_draws_are_uniform():
    values = [draws.draw(7, "uniform", i) / 2**draws.POSITION_BITS for i in range(5_000)]
    assert kstest(values, "uniform").pvalue > 0.001


def test_first_sides_are_a_fair_coin():
    heads = sum(draws.left_is_a(3, draws.draw(3, "position", i), 0) for i in range(5_000))
    assert binomtest(heads, 5_000).pvalue > 0.001


def test_an_even_overlap_is_balanced_exactly_and_an_odd_one_by_one():
    for position in range(100):
        sides = [draws.left_is_a(3, position, slot) for slot in range(5)]
        assert sum(sides[:4]) == 2
        assert sum(sides) in (2, 3)


def test_request_seeds_fit_what_generators_take():
    assert all(0 <= draws.request_seed(1, "prompt", sample) < 2**31 for sample in range(100))
