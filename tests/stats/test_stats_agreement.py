from functools import cache
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from annotation.stats.agreement import gwet_ac1, krippendorff_alpha, raw_agreement
from annotation.stats.errors import BadInput
from annotation.stats.ratings import Ratings

pytestmark = pytest.mark.once

SCALES = ["nominal", "ordinal", "interval"]

# Krippendorff (2011), section C: 4 observers, 12 units, 5 values, missing data. One line per observer.
WORKED_EXAMPLE = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""


def from_table(text):
    cells = [
        (unit, rater, value)
        for rater, line in enumerate(text.split("\n"))
        for unit, value in enumerate(line.split())
    ]
    kept = [(unit, rater, int(value)) for unit, rater, value in cells if value != "."]
    return Ratings.from_rows(*zip(*kept, strict=True))


def from_items(*items):
    """Each argument holds the values one item got, from raters 0, 1, 2 ..."""
    rows = [(item, rater, value) for item, values in enumerate(items) for rater, value in enumerate(values)]
    return Ratings.from_rows(*zip(*rows, strict=True))


def brute_force_alpha(items, scale):
    """The definition, pair by pair: no coincidence matrix, no mid-ranks, no shared code."""
    units = [values for values in items if len(values) > 1]
    pool = [value for values in units for value in values]

    @cache
    def distance(a, b):
        if scale == "nominal":
            return float(a != b)
        if scale == "interval":
            return (a - b) ** 2
        between = sum(1 for value in pool if min(a, b) <= value <= max(a, b))
        return (between - (pool.count(a) + pool.count(b)) / 2) ** 2 if a != b else 0.0

    observed = sum(distance(a, b) / (len(u) - 1) for u in units for a, b in permutations(u, 2)) / len(pool)
    expected = sum(distance(a, b) for a, b in permutations(pool, 2)) / (len(pool) * (len(pool) - 1))
    return 1 - observed / expected


some_items = st.lists(st.lists(st.integers(-3, 4), min_size=1, max_size=5), min_size=2, max_size=12)


def varied(items):
    return len({value for values in items if len(values) > 1 for value in values}) > 1


@pytest.mark.parametrize(
    ("scale", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_gives_the_published_values_of_the_worked_example(scale, published):
    alpha = krippendorff_alpha(from_table(WORKED_EXAMPLE), scale)
    assert alpha.value == pytest.approx(published, abs=0.0005)
    assert alpha.low < alpha.value < alpha.high
    assert alpha.n == 11


def test_raw_agreement_gives_the_published_value_of_the_worked_example():
    assert raw_agreement(from_table(WORKED_EXAMPLE)).value == pytest.approx(0.81818, abs=0.000005)


def test_a_skewed_set_has_high_raw_agreement_and_low_alpha():
    items = [("safe", "safe")] * 93 + [("unsafe", "unsafe")] + [("safe", "unsafe")] * 6
    assert raw_agreement(from_items(*items)).value == pytest.approx(0.94)
    assert krippendorff_alpha(from_items(*items), "nominal").value == pytest.approx(0.22, abs=0.005)
    assert gwet_ac1(from_items(*items)).value == pytest.approx(0.935, abs=0.0005)


def test_ac1_is_one_when_all_agree_and_bounds_its_interval_by_it():
    agreed = gwet_ac1(from_items(*[("a", "a")] * 20, *[("b", "b")] * 20))
    assert agreed.value == pytest.approx(1)


def test_ac1_counts_items_with_one_rating_in_what_chance_would_give():
    """Worked by hand: shares a (1 + 1/2 + 1) / 3, b the rest; observed 1/2 over the two items rated twice."""
    ac1 = gwet_ac1(from_items(("a", "a"), ("a", "b"), ("a",)), bootstrap=0)
    chance = 2 * (5 / 6) * (1 / 6)
    assert ac1.value == pytest.approx((0.5 - chance) / (1 - chance))
    assert ac1.n == 2


def test_ac1_has_an_interval_around_its_value():
    items = [("a", "a")] * 30 + [("b", "b")] * 20 + [("a", "b")] * 10
    ac1 = gwet_ac1(from_items(*items))
    assert ac1.low < ac1.value < ac1.high


@pytest.mark.parametrize(
    ("items", "why"),
    [([("a", "a")] * 3, "Every rating is the same"), ([("a",), ("b",)], "agreement needs two")],
)
def test_ac1_says_why_it_does_not_exist(items, why):
    ac1 = gwet_ac1(from_items(*items))
    assert ac1.value is None and why in ac1.reason


@pytest.mark.parametrize("scale", SCALES)
@given(items=some_items)
def test_alpha_equals_a_brute_force_over_all_rating_pairs(scale, items):
    assume(varied(items))
    alpha = krippendorff_alpha(from_items(*items), scale, bootstrap=0)
    assert alpha.value == pytest.approx(brute_force_alpha(items, scale), abs=1e-9)


@given(items=some_items)
def test_raw_agreement_equals_a_brute_force_over_all_rater_pairs(items):
    pairs = [[a == b for a, b in combinations(values, 2)] for values in items if len(values) > 1]
    assume(pairs)
    ratings = from_items(*items)
    mean_over_items = sum(sum(item) / len(item) for item in pairs) / len(pairs)
    assert raw_agreement(ratings, bootstrap=0).value == pytest.approx(mean_over_items)
    pooled = sum(map(sum, pairs)) / sum(map(len, pairs))
    assert raw_agreement(ratings, pooled=True, bootstrap=0).value == pytest.approx(pooled)


@pytest.mark.parametrize("scale", SCALES)
def test_items_with_the_same_counts_all_count(scale):
    items = [[1, 2, 2], [3, 3], [1, 1, 4, 4], [2, 3]]
    alpha = krippendorff_alpha(from_items(*items, *items), scale, bootstrap=0)
    assert alpha.value == pytest.approx(brute_force_alpha(items + items, scale), abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("scale", SCALES)
def test_the_interval_agrees_with_a_bootstrap_by_copying_items(scale):
    rng = np.random.default_rng(5)
    truth = rng.integers(1, 5, 40)
    items = [[int(np.clip(t + rng.integers(-1, 2), 1, 4)) for _ in range(2 + t % 2)] for t in truth]
    copies = [[items[i] for i in rng.integers(40, size=40)] for _ in range(400)]
    low, high = np.quantile([brute_force_alpha(c, scale) for c in copies], [0.025, 0.975])
    alpha = krippendorff_alpha(from_items(*items), scale, bootstrap=4000)
    assert (alpha.low, alpha.high) == (pytest.approx(low, abs=0.06), pytest.approx(high, abs=0.06))


@pytest.mark.parametrize("scale", SCALES)
def test_perfect_agreement_is_one_and_admits_that_resampling_cannot_tell_how_sure(scale):
    alpha = krippendorff_alpha(from_items(*[[1, 1], [2, 2, 2], [3, 3]] * 5), scale)
    assert alpha.value == 1
    assert alpha.low is None and "same value" in alpha.reason


def test_perfect_raw_agreement_keeps_an_honest_interval():
    agreement = raw_agreement(from_items(*[[1, 1]] * 20))
    assert (agreement.value, agreement.high) == (1, 1)
    assert agreement.low == pytest.approx(0.8389, abs=0.0001)  # Wilson's bound for 20 of 20


@given(items=some_items, shift=st.integers(-50, 50), factor=st.sampled_from([-3, -0.5, 2, 10]))
def test_interval_alpha_does_not_change_under_affine_maps(items, shift, factor):
    assume(varied(items))
    moved = [[factor * value + shift for value in values] for values in items]
    before = krippendorff_alpha(from_items(*items), "interval", bootstrap=0)
    after = krippendorff_alpha(from_items(*moved), "interval", bootstrap=0)
    assert after.value == pytest.approx(before.value, abs=1e-9)


def test_interval_alpha_survives_a_large_offset():
    items = [[1, 2], [3, 3], [2, 4], [1, 1]]
    moved = [[value + 1_700_000_000 for value in values] for values in items]
    expected = krippendorff_alpha(from_items(*items), "interval", bootstrap=0).value
    assert krippendorff_alpha(from_items(*moved), "interval", bootstrap=0).value == pytest.approx(
        expected, abs=1e-9
    )


@given(items=some_items)
def test_only_the_order_of_the_codes_enters_ordinal_alpha(items):
    assume(varied(items))
    cubed = [[value**3 for value in values] for values in items]
    before = krippendorff_alpha(from_items(*items), "ordinal", bootstrap=0)
    assert krippendorff_alpha(from_items(*cubed), "ordinal", bootstrap=0).value == pytest.approx(before.value)


@given(items=some_items, names=st.permutations("abcdefgh"))
def test_renaming_labels_does_not_change_nominal_alpha(items, names):
    assume(varied(items))
    renamed = [[names[value + 3] for value in values] for values in items]
    before = krippendorff_alpha(from_items(*items), "nominal", bootstrap=0)
    assert krippendorff_alpha(from_items(*renamed), "nominal", bootstrap=0).value == pytest.approx(
        before.value
    )


@given(order=st.permutations(range(41)))
@settings(max_examples=20)
def test_the_order_of_rows_changes_nothing(order):
    ratings = from_table(WORKED_EXAMPLE)
    columns = (column[list(order)] for column in (ratings.item_codes, ratings.rater_codes, ratings.values))
    before = krippendorff_alpha(ratings, "ordinal", bootstrap=50)
    assert krippendorff_alpha(Ratings.from_rows(*columns), "ordinal", bootstrap=50) == before


def test_a_seed_gives_the_same_interval_again_and_another_seed_another():
    ratings = from_table(WORKED_EXAMPLE)
    first = krippendorff_alpha(ratings, "interval", seed=1)
    assert first == krippendorff_alpha(ratings, "interval", seed=1)
    assert first.low != krippendorff_alpha(ratings, "interval", seed=2).low


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    ("ratings", "words"),
    [
        (Ratings.from_rows([], [], []), "no judgments"),
        (Ratings.from_rows([1, 2], ["ann", "ann"], [1, 2]), "one rater"),
        (Ratings.from_rows([1, 2], ["ann", "bo"], [1, 2]), "No item has two ratings"),
        (from_items([2, 2], [2, 2], [1]), "Every rating is the same (2)"),
    ],
)
def test_alpha_says_why_it_does_not_exist(ratings, words, scale):
    alpha = krippendorff_alpha(ratings, scale)
    assert (alpha.value, alpha.low, alpha.high) == (None, None, None)
    assert words in alpha.reason


def test_raw_agreement_says_why_it_does_not_exist():
    agreement = raw_agreement(Ratings.from_rows([1, 2], ["ann", "bo"], [1, 2]))
    assert agreement.value is None and "No item has two ratings" in agreement.reason


def test_one_item_has_a_value_and_no_interval():
    alpha = krippendorff_alpha(from_items([1, 2, 2]), "nominal")
    assert alpha.value == pytest.approx(0)
    assert alpha.low is None and "only one item" in alpha.reason


def test_there_is_no_interval_when_many_resamples_show_no_variation():
    alpha = krippendorff_alpha(from_items(*[[1, 1]] * 8, [2, 2]), "nominal")
    assert alpha.value == 1
    assert alpha.low is None and "no variation" in alpha.reason


@pytest.mark.parametrize("scale", ["ordinal", "interval"])
def test_words_have_no_order(scale):
    with pytest.raises(BadInput, match="needs numbers"):
        krippendorff_alpha(from_items(["low", "high"], ["low", "low"]), scale)


def test_an_unknown_scale_is_refused():
    with pytest.raises(BadInput, match="nominal, ordinal or interval"):
        krippendorff_alpha(from_items([1, 2]), "ratio")


@pytest.mark.parametrize("settings", [{"bootstrap": -1}, {"confidence": 95}])
def test_settings_without_meaning_are_refused(settings):
    with pytest.raises(BadInput):
        krippendorff_alpha(from_items([1, 2], [2, 2]), "nominal", **settings)


def test_the_interval_covers_the_population_value_about_as_often_as_it_says():
    """Two raters, right with probability 0.85 on two equally common labels: alpha tends to 0.7 squared."""
    rng = np.random.default_rng(20)
    covered = 0
    for _ in range(300):
        truth = rng.integers(2, size=120)
        votes = np.where(rng.random((2, 120)) < 0.85, truth, 1 - truth).ravel()
        ratings = Ratings.from_rows(np.tile(np.arange(120), 2), np.repeat([0, 1], 120), votes)
        alpha = krippendorff_alpha(ratings, "nominal", bootstrap=400)
        covered += alpha.low <= 0.49 <= alpha.high
    assert 0.90 <= covered / 300 <= 0.985
