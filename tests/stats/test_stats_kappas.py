"""Fleiss, Gwet and Cohen: against definitions written out pair by pair, and other libraries' values."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from annotation.stats import rater_pairs
from annotation.stats.agreement import fleiss_kappa, gwet_ac1, gwet_ac2, krippendorff_alpha
from annotation.stats.errors import BadInput
from annotation.stats.rater_pairs import MOST_COMPARISONS, cohen_by_pair, cohen_kappa
from annotation.stats.ratings import Ratings

pytestmark = pytest.mark.once

WEIGHTINGS = ["none", "linear", "quadratic"]
# Each row is an item, each entry a rater's answer, None where there is none.
some_tables = st.lists(
    st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=3, max_size=3), min_size=2, max_size=10
)


def from_rows(table):
    cells = [(i, f"r{j}", v) for i, row in enumerate(table) for j, v in enumerate(row) if v is not None]
    return Ratings.from_rows(*zip(*cells, strict=True))


def cohen_by_hand(answers, categories, weighting):
    """One pair of raters, summed over every two of their items: no contingency table, no shared code."""
    rank = {category: place for place, category in enumerate(categories)}

    def apart(a, b):
        step = abs(rank[a] - rank[b])
        return {"none": float(step > 0), "linear": step, "quadratic": step**2}[weighting]

    observed = sum(apart(a, b) for a, b in answers) / len(answers)
    expected = sum(apart(a, b) for (a, _), (_, b) in product(answers, answers)) / len(answers) ** 2
    return 1 - observed / expected if expected else None


def gwet_by_hand(table, weight, chance):
    """Gwet's form with the agreement of every ordered pair of answers of an item."""
    rows = [[v for v in row if v is not None] for row in table]
    rows = [row for row in rows if row]
    categories = sorted({v for row in rows for v in row})
    shared = [row for row in rows if len(row) > 1]
    pairs = [
        [weight(row[i], row[j]) for i in range(len(row)) for j in range(len(row)) if i != j] for row in shared
    ]
    observed = sum(sum(p) / len(p) for p in pairs) / len(pairs)
    shares = [sum(row.count(c) / len(row) for row in rows) / len(rows) for c in categories]
    by_chance = chance(categories, shares)
    return (observed - by_chance) / (1 - by_chance)


def compared(table):
    """Whether some item has two answers, and those of such items vary."""
    shared = [[v for v in row if v is not None] for row in table]
    return len({v for row in shared if len(row) > 1 for v in row}) > 1


@pytest.mark.slow
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@given(table=some_tables)
def test_cohen_is_the_mean_of_the_pairs_computed_by_hand(weighting, table):
    assume(any(v is not None for row in table for v in row))
    ratings = from_rows(table)
    shared = [[(r[a], r[b]) for r in table if None not in (r[a], r[b])] for a, b in combinations(range(3), 2)]
    by_hand = [cohen_by_hand(answers, ratings.categories, weighting) for answers in shared if answers]
    kappas = [kappa for kappa in by_hand if kappa is not None]
    found = cohen_kappa(ratings, weighting, "ordinal", bootstrap=0)
    if kappas:
        assert found.value == pytest.approx(sum(kappas) / len(kappas), abs=1e-9)
    else:
        assert found.value is None and found.reason
    one_by_one = [pair.kappa.value for pair in cohen_by_pair(ratings, weighting, "ordinal")]
    assert one_by_one == [None if kappa is None else pytest.approx(kappa, abs=1e-9) for kappa in by_hand]


@given(table=some_tables)
def test_fleiss_and_gwet_equal_a_sum_over_all_pairs_of_answers(table):
    assume(compared(table))
    ratings = from_rows(table)

    def same(a, b):
        return float(a == b)

    fleiss = gwet_by_hand(table, same, lambda _, p: sum(x * x for x in p))
    ac1 = gwet_by_hand(table, same, lambda _, p: sum(x * (1 - x) for x in p) / (len(p) - 1))
    assert fleiss_kappa(ratings, bootstrap=0).value == pytest.approx(fleiss, abs=1e-9)
    assert gwet_ac1(ratings, bootstrap=0).value == pytest.approx(ac1, abs=1e-9)


@given(table=some_tables)
def test_ac2_on_the_interval_level_equals_a_sum_over_all_pairs_of_answers(table):
    assume(compared(table))
    values = [v for row in table for v in row if v is not None]
    spread = (max(values) - min(values)) ** 2

    def near(a, b):
        return 1 - (a - b) ** 2 / spread

    def chance(categories, p):
        total = sum(near(a, b) for a, b in product(categories, categories))
        return total * sum(x * (1 - x) for x in p) / (len(p) * (len(p) - 1))

    found = gwet_ac2(from_rows(table), "interval", bootstrap=0)
    assert found.value == pytest.approx(gwet_by_hand(table, near, chance), abs=1e-9)


# irrCAC 0.4.4 on the complete tables; its ranks go wrong where a cell is missing.
@pytest.mark.parametrize(
    ("table", "level", "theirs"),
    [
        ("irr_anxiety", "ordinal", 0.486133768),
        ("irr_anxiety", "interval", 0.535292239),
        ("sas_3x3", "ordinal", 0.691213814),
        ("sas_3x3", "interval", 0.719672131),
    ],
)
def test_ac2_gives_the_values_of_another_library(shared_data, table, level, theirs):
    ratings = shared_data.ratings(f"agreement_tables/{table}_long.csv")
    assert gwet_ac2(ratings, level, bootstrap=0).value == pytest.approx(theirs, abs=1e-8)


@pytest.mark.parametrize(
    "table",
    ["krippendorff_c", "krippendorff_wikipedia", "fleiss1971", "irr_anxiety", "sas_3x3", "artstein_poesio"],
)
def test_every_pair_of_raters_gives_the_kappas_of_another_library(shared_data, table):
    reference = shared_data.json("agreement_tables/reference.json")["tables"][table]
    ratings = shared_data.ratings(f"agreement_tables/{table}_long.csv")
    for weighting, key in zip(WEIGHTINGS, ["", "_linear", "_quadratic"], strict=True):
        known = {(p["a"], p["b"]): p.get(f"cohen_kappa{key}") for p in reference["pairwise_cohen"]}
        if None in known.values():
            continue
        level = "nominal" if weighting == "none" else "ordinal"
        pairs = cohen_by_pair(ratings, weighting, level)
        found = {(pair.rater_a, pair.rater_b): pair.kappa.value for pair in pairs}
        assert found == pytest.approx(known, abs=1e-9)
        assert {p["n"] for p in reference["pairwise_cohen"]} == {pair.kappa.n for pair in pairs}
    mean = cohen_kappa(ratings, bootstrap=0)
    assert mean.value == pytest.approx(reference["mean_pairwise_cohen_kappa"], abs=1e-9)


def test_two_raters_of_a_panel_give_the_published_weighted_kappas(shared_data):
    """R's irr on raters 2 and 3 alone, whose answers never use category 5: it weighs by rank, as we do."""
    rows = shared_data.rows("agreement_tables/irr_anxiety_long.csv")
    rows = [row for row in rows if row["rater_id"] != "rater1"]
    columns = ([row[name] for row in rows] for name in ("item_id", "rater_id"))
    ratings = Ratings.from_rows(*columns, [int(row["label"]) for row in rows])
    kappas = [cohen_kappa(ratings, weighting, "ordinal", bootstrap=0).value for weighting in WEIGHTINGS]
    assert kappas == pytest.approx([-0.006289308, 0.1459075, 0.2520325], abs=1e-7)


def test_the_published_kappa_interval_is_about_as_wide_as_the_bootstrap(shared_data):
    ratings = shared_data.ratings("agreement_tables/artstein_poesio_long.csv")
    kappa = cohen_kappa(ratings, bootstrap=2000)
    fleiss = fleiss_kappa(ratings, bootstrap=2000)
    assert kappa.high - kappa.low == pytest.approx(2 * 1.96 * 0.05224, rel=0.15)
    assert fleiss.high - fleiss.low == pytest.approx(2 * 1.96 * 0.05367, rel=0.15)


def test_fleiss_gives_the_published_kappas(shared_data):
    published = {"fleiss1971": 0.4302445, "fleiss_wikipedia": 0.20993}
    for table, kappa in published.items():
        ratings = shared_data.ratings(f"agreement_tables/{table}_long.csv")
        assert fleiss_kappa(ratings, bootstrap=0).value == pytest.approx(kappa, abs=1e-6)


def test_fleiss_with_missing_ratings_is_gwets_extension(shared_data):
    reference = shared_data.json("agreement_tables/reference.json")["tables"]
    for table in ("krippendorff_c", "krippendorff_wikipedia"):
        ratings = shared_data.ratings(f"agreement_tables/{table}_long.csv")
        known = reference[table]["irrCAC"]["fleiss"]["coefficient"]
        assert fleiss_kappa(ratings, bootstrap=0).value == pytest.approx(known, abs=6e-6)


def test_two_raters_give_the_same_interval_as_a_bootstrap_by_copying_items():
    rng = np.random.default_rng(3)
    truth = rng.integers(3, size=60)
    noisy = np.where(rng.random(60) < 0.7, truth, rng.integers(3, size=60))
    kappa = cohen_kappa(from_rows(np.column_stack([truth, noisy]).tolist()), bootstrap=4000)
    answers = list(zip(truth, noisy, strict=True))
    copies = [[answers[i] for i in rng.integers(60, size=60)] for _ in range(400)]
    low, high = np.quantile([cohen_by_hand(copy, [0, 1, 2], "none") for copy in copies], [0.025, 0.975])
    assert (kappa.low, kappa.high) == (pytest.approx(low, abs=0.06), pytest.approx(high, abs=0.06))


def test_a_pair_that_never_varies_is_left_out_of_the_mean():
    ratings = from_rows([["a", "a", None], ["a", "a", None], ["a", None, "b"], ["b", None, "b"]])
    values = {(p.rater_a, p.rater_b): p.kappa.value for p in cohen_by_pair(ratings)}
    assert values == {("r0", "r1"): None, ("r0", "r2"): 0}
    assert cohen_kappa(ratings, bootstrap=0).value == 0


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ([["a", None], ["b", None]], "only one rater"),
        ([["a", None], [None, "b"]], "two"),
        ([["a", "a"], ["a", "a"]], "same|vary"),
    ],
)
@pytest.mark.parametrize("measure", [cohen_kappa, fleiss_kappa, gwet_ac1])
def test_what_does_not_exist_says_why(measure, table, why):
    found = measure(from_rows(table))
    assert found.value is None and any(word in found.reason for word in why.split("|"))


def test_weights_need_an_order():
    ratings = from_rows([["a", "b"], ["a", "a"]])
    assert cohen_kappa(ratings, "linear", "nominal").value is None
    assert gwet_ac2(ratings, "nominal").value is None
    for measure in (lambda: cohen_kappa(ratings, "linear", "ordinal"), lambda: gwet_ac2(ratings, "ordinal")):
        with pytest.raises(BadInput, match="needs numbers"):
            measure()


def test_a_crowd_on_one_item_is_not_compared_one_by_one():
    crowd = int((2 * MOST_COMPARISONS) ** 0.5) + 2
    ratings = Ratings.from_rows([0] * crowd, range(crowd), [0, 1] * (crowd // 2) + [1] * (crowd % 2))
    found = cohen_kappa(ratings)
    assert found.value is None and "Fleiss" in found.reason
    assert fleiss_kappa(ratings, bootstrap=0).value is not None


def test_measurements_are_not_categories():
    values = np.linspace(0, 1, 1200)
    ratings = Ratings.from_rows(np.repeat(np.arange(600), 2), [0, 1] * 600, values)
    for measure in (cohen_kappa, fleiss_kappa, gwet_ac1):
        assert "measurements" in measure(ratings).reason
    assert krippendorff_alpha(ratings, "interval", bootstrap=10).value > 0.99


def test_numbers_near_the_end_of_the_range_do_not_overflow():
    small, large = ([[1, -1], [1, 0.5], [-1, -1]] for _ in range(2))
    large = [[1e308 * value for value in row] for row in small]
    for measure in (
        lambda r: krippendorff_alpha(r, "interval", bootstrap=0),
        lambda r: gwet_ac2(r, "interval", bootstrap=0),
        lambda r: cohen_kappa(r, "quadratic", "interval", bootstrap=0),
    ):
        assert measure(from_rows(large)).value == pytest.approx(measure(from_rows(small)).value)


def test_repeated_ratings_count_and_are_not_compared_with_themselves():
    rows = (["q1", "q1", "q1", "q2", "q2"], ["ann", "ann", "bo", "ann", "bo"], [1, 2, 1, 2, 2])
    everything = Ratings.from_rows(*rows, repeats="all")
    assert len(everything) == 5
    (pair,) = cohen_by_pair(everything)
    assert (pair.rater_a, pair.rater_b, pair.kappa.n) == ("ann", "bo", 3)
    first = Ratings.from_rows(*rows, repeats="first")
    assert len(first) == 4 and cohen_kappa(first, bootstrap=0).value == 1


def test_many_raters_with_few_common_items_have_no_interval_for_their_mean_kappa():
    """The mean of kappas on nine items each lies below 0.49, where all raters together are."""
    rng = np.random.default_rng(1)
    truth = rng.integers(4, size=200)
    raters = np.array([rng.permutation(12)[:3] for _ in range(200)])
    said = np.where(rng.random((200, 3)) < 0.7, truth[:, None], rng.integers(4, size=(200, 3)))
    ratings = Ratings.from_rows(np.repeat(np.arange(200), 3), raters.ravel(), said.ravel())
    mean = cohen_kappa(ratings)
    assert mean.value is not None and mean.low is None and "few items" in mean.reason
    assert fleiss_kappa(ratings).low < 0.49 < fleiss_kappa(ratings).high


def test_more_comparisons_than_are_resampled_have_a_value_and_no_interval(monkeypatch):
    ratings = from_rows([["a", "a", "b"], ["b", "b", "b"], ["a", "b", "a"]])
    whole = cohen_kappa(ratings)
    monkeypatch.setattr(rater_pairs, "MOST_RESAMPLED", 8_999)
    found = cohen_kappa(ratings)
    assert found.value == whole.value and found.low is None and "too long to resample" in found.reason
