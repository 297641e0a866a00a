"""Draws are reproducible, and fair enough to be called random."""

import random

from hypothesis import given
from hypothesis import strategies as st
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
    heads = sum(draws.left_is_a(3, draws.draw(3, "position", i), "rater", [], 0) for i in range(5_000))
    assert binomtest(heads, 5_000).pvalue > 0.001


def test_raters_of_one_pair_do_not_share_the_coin():
    heads = sum(draws.left_is_a(3, 4, f"rater {i}", [], 0) for i in range(5_000))
    assert binomtest(heads, 5_000).pvalue > 0.001


@given(
    overlap=st.integers(1, 7),
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(-3, 3)), max_size=60),
)
def test_no_side_gets_more_than_half_of_a_pairs_places_in_any_order_of_arrivals(overlap, moves):
    """Raters come with any tilt; now and then one of those who are there leaves again."""
    shown: list[bool] = []
    for number, (leaves, who, tilt) in enumerate(moves):
        if leaves and shown:
            shown.pop(who % len(shown))
        elif len(shown) < overlap:
            shown.append(draws.left_is_a(1, 2, f"rater {number}", shown, tilt))
        assert max(sum(shown), len(shown) - sum(shown)) <= (overlap + 1) // 2


def test_a_rater_who_is_alone_on_every_pair_is_balanced_to_one():
    tilt = 0
    for position in range(200):
        tilt += 1 if draws.left_is_a(5, position, "rater", [], tilt) else -1
        assert abs(tilt) <= 1


def test_the_second_of_two_raters_stays_near_balance_too():
    """Whoever is second takes what the first left; taking turns at random, both are pulled back."""
    order, tilts, worst = random.Random(4), {"one": 0, "two": 0}, 0
    for position in range(2_000):
        shown: list[bool] = []
        for rater in order.sample(list(tilts), 2):
            shown.append(draws.left_is_a(5, position, rater, shown, tilts[rater]))
            tilts[rater] += 1 if shown[-1] else -1
        assert sum(shown) == 1
        worst = max(worst, *map(abs, tilts.values()))
    assert worst <= 12  # a fair coin for each would reach about 100


def test_mixing_only_deals_the_positions_out_anew():
    positions = [draws.draw(1, "position", i) for i in range(60)]
    strata = [i % 4 for i in range(60)]
    assert sorted(draws.mixed(1, strata, positions)) == sorted(positions)
    assert draws.mixed(1, strata, positions) == draws.mixed(1, strata, positions)


def test_every_stretch_of_the_mixed_order_holds_each_stratum_in_its_share():
    strata = ["common"] * 300 + ["less"] * 150 + ["rare"] * 50
    places = draws.mixed(1, strata, [draws.draw(1, "position", i) for i in range(500)])
    walk = [strata[index] for index in sorted(range(500), key=places.__getitem__)]
    for length in (10, 50, 100):
        for start in range(0, 500 - length):
            stretch = walk[start : start + length]
            for stratum, share in (("common", 0.6), ("less", 0.3), ("rare", 0.1)):
                assert abs(stretch.count(stratum) - share * length) <= 2


def test_mixing_keeps_the_order_within_a_stratum():
    positions = [draws.draw(1, "position", i) for i in range(40)]
    places = draws.mixed(1, ["one"] * 40, positions)
    assert places == positions


def test_request_seeds_fit_what_generators_take():
    assert all(0 <= draws.request_seed(1, "prompt", sample) < 2**31 for sample in range(100))
