"""Bradley-Terry and Davidson: published values, an optimiser of another kind, and identities."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from annotation.stats.errors import BadInput
from annotation.stats.strengths import MOST_ARMS, Comparisons, strengths

pytestmark = pytest.mark.once

WORDS = {"a": 1, "tie": 0.5, "b": 0}
games = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([1, 1, 0.5, 0, 0])).filter(
        lambda game: game[0] != game[1]
    ),
    min_size=12,
    max_size=40,
)


def of(rows, **more):
    return Comparisons.from_rows(*zip(*rows, strict=True), **more)


def shares(fitted):
    return {row.arm: row.share.value for row in fitted.arms}


def log_ratios(fitted, reference):
    by_arm = shares(fitted)
    return {arm: np.log(share / by_arm[reference]) for arm, share in by_arm.items() if arm != reference}


def best_by_another_way(rows, arms):
    """Davidson's probabilities as he wrote them, maximised without derivatives of ours."""
    first, second, won = (np.array(column) for column in zip(*rows, strict=True))

    def cost(logs):
        strength, tie = np.exp(np.append(0, logs[:-1])), np.exp(logs[-1])
        a, b = strength[first], strength[second]
        middle = tie * np.sqrt(a * b)
        chance = np.select([won == 1, won == 0], [a, b], middle) / (a + b + middle)
        return -np.log(chance).sum()

    found = minimize(cost, np.zeros(arms), method="BFGS", options={"gtol": 1e-8})
    strength = np.exp(np.append(0, found.x[:-1]))
    return -found.fun, strength / strength.sum()


@pytest.fixture(scope="session")
def baseball(shared_data):
    rows = shared_data.rows("bradley_terry/agresti_baseball1987_home_away.csv")
    return [
        (row["home_team"], row["away_team"], outcome)
        for row in rows
        for column, outcome in (("home_wins", 1), ("away_wins", 0))
        for _ in range(int(row[column]))
    ]


@pytest.fixture(scope="session")
def tournament(shared_data):
    pairs = {row["item_id"]: row["cmp_key"].split("_") for row in shared_data.rows("pandalm/items.csv")}
    labels = {"1": 1, "2": 0, "tie": 0.5}
    votes = shared_data.rows("pandalm/judgments_long.csv")
    return [(*pairs[vote["item_id"]], labels[vote["label"]], vote["item_id"]) for vote in votes]


def test_baseball_gives_the_published_strengths(shared_data, baseball):
    reference = shared_data.json("bradley_terry/reference.json")["tables"]["agresti_baseball1987"]
    plain = strengths(of(baseball), bootstrap=0)
    assert shares(plain) == pytest.approx(reference["no_home_effect"]["abilities_sum_to_1"], abs=1e-8)
    coefficients = reference["no_home_effect"]["statsmodels_glm"]["coef"]
    assert log_ratios(plain, "Baltimore") == pytest.approx(coefficients, abs=1e-8)
    assert plain.tie.value is None and plain.tie.reason


def test_baseball_gives_the_published_effect_of_playing_at_home(shared_data, baseball):
    known = shared_data.json("bradley_terry/reference.json")["tables"]["agresti_baseball1987"]
    known = known["with_home_effect(position_bias)"]
    fitted = strengths(of(baseball, covariates={"home": np.ones(len(baseball))}), bootstrap=2000)
    assert shares(fitted) == pytest.approx(known["abilities_sum_to_1"], abs=1e-8)
    home = fitted.effects["home"]
    assert home.value == pytest.approx(known["coef"]["at_home"], abs=1e-8)
    assert home.value == pytest.approx(0.302, abs=0.0005)  # as published
    assert home.high - home.low == pytest.approx(2 * 1.96 * known["se"]["at_home"], rel=0.1)


def test_citations_give_the_reference_coefficients(shared_data):
    rows = shared_data.rows("bradley_terry/stigler1994_citations_pairs.csv")
    games = [
        (row["item_a"], row["item_b"], outcome)
        for row in rows
        for column, outcome in (("wins_a", 1), ("wins_b", 0))
        for _ in range(int(row[column]))
    ]
    reference = shared_data.json("bradley_terry/reference.json")["tables"]["stigler1994_citations"]
    fitted = strengths(of(games), bootstrap=0)
    assert log_ratios(fitted, "Biometrika") == pytest.approx(reference["statsmodels_glm"]["coef"], abs=1e-8)
    assert fitted.log_likelihood == pytest.approx(reference["statsmodels_glm"]["loglik_kernel"], abs=1e-6)


@pytest.mark.parametrize(
    ("ties", "key", "within"),
    [
        ("half", "bt_ties_half_glm", 1e-8),
        ("drop", "bt_ties_dropped_glm", 1e-8),
        ("davidson", "davidson1970", 1e-6),
    ],
)
def test_a_tournament_with_ties_gives_the_reference_coefficients(shared_data, tournament, ties, key, within):
    reference = shared_data.json("pandalm/reference.json")["tournament_all_votes"][key]
    fitted = strengths(of([row[:3] for row in tournament]), ties, bootstrap=0)
    assert log_ratios(fitted, "bloom-7b") == pytest.approx(reference["coef"], abs=within)
    likelihood = reference.get("loglik", reference.get("loglik_kernel"))
    assert fitted.log_likelihood == pytest.approx(likelihood, abs=1e-6)
    if ties == "davidson":
        assert fitted.tie.value == pytest.approx(reference["nu"], abs=1e-6)


@given(games=games)
@settings(max_examples=40)
def test_davidson_is_where_another_optimiser_ends(games):
    assume(len({arm for a, b, _ in games for arm in (a, b)}) == 4 and any(won == 0.5 for *_, won in games))
    fitted = strengths(of(games), bootstrap=0)
    likelihood, theirs = best_by_another_way(games, 4)
    if fitted.reason:
        assert theirs.min() < 1e-3 or "never met" in fitted.reason
    else:
        assert fitted.log_likelihood == pytest.approx(likelihood, abs=1e-5)
        assert list(shares(fitted).values()) == pytest.approx(theirs, abs=1e-3)


@given(wins=st.integers(1, 50), ties=st.integers(1, 50), losses=st.integers(1, 50))
def test_two_arms_are_fitted_exactly(wins, ties, losses):
    rows = [("x", "y", 1)] * wins + [("x", "y", 0.5)] * ties + [("y", "x", 1)] * losses
    fitted = strengths(of(rows), bootstrap=0)
    assert shares(fitted)["x"] == pytest.approx(wins / (wins + losses), abs=1e-9)
    assert fitted.tie.value == pytest.approx(ties / (wins * losses) ** 0.5)
    halves = strengths(of(rows), "half", bootstrap=0)
    assert shares(halves)["x"] == pytest.approx((wins + ties / 2) / len(rows), abs=1e-9)


def test_strengths_sum_to_one_and_do_not_depend_on_who_is_named_first(tournament):
    fitted = strengths(of([row[:3] for row in tournament]), bootstrap=0)
    turned = strengths(of([(b, a, 1 - won) for a, b, won, _ in tournament]), bootstrap=0)
    assert sum(shares(fitted).values()) == pytest.approx(1)
    assert shares(turned) == pytest.approx(shares(fitted))


def test_a_weight_of_two_is_the_row_twice(tournament):
    rows = [row[:3] for row in tournament]
    weights = np.arange(len(rows)) % 3
    repeated = [row for row, times in zip(rows, weights, strict=True) for _ in range(times)]
    weighed = strengths(of(rows, weights=weights), bootstrap=0)
    assert shares(weighed) == pytest.approx(shares(strengths(of(repeated), bootstrap=0)))


def test_raters_of_one_prompt_are_resampled_together(tournament):
    rows, items = [row[:3] for row in tournament], [row[3] for row in tournament]
    together = strengths(of(rows, clusters=items)).arms[2].share
    apart = strengths(of(rows)).arms[2].share
    assert together.low < together.value < together.high
    assert together.high - together.low > 1.3 * (apart.high - apart.low)


def simulated(n, gap, left, seed=0, length=0.0):
    """Comparisons of y against x, where y is stronger by `gap` and the left side helps."""
    rng = np.random.default_rng(seed)
    side, longer = rng.choice([-1.0, 1.0], n), rng.normal(0, 300, n)
    won = rng.random(n) < 1 / (1 + np.exp(-(gap + left * side + length * longer)))
    return ["y"] * n, ["x"] * n, won.astype(float), side, longer


def test_the_position_and_the_length_are_told_from_the_strength():
    *rows, side, longer = simulated(6000, gap=0.5, left=0.8, length=0.002)
    covariates = {"left": side, "length": longer}
    fitted = strengths(Comparisons.from_rows(*rows, covariates=covariates), bootstrap=200)
    assert log_ratios(fitted, "x")["y"] == pytest.approx(0.5, abs=0.1)
    assert fitted.effects["left"].low < 0.8 < fitted.effects["left"].high
    assert fitted.effects["length"].low < 0.002 < fitted.effects["length"].high


def test_a_covariate_in_other_units_has_the_same_effect_in_them():
    *rows, _, longer = simulated(500, gap=0.3, left=0, length=0.002)
    letters, words = (
        strengths(Comparisons.from_rows(*rows, covariates={"length": longer / unit}), bootstrap=50)
        for unit in (1, 5e4)
    )
    assert words.effects["length"].value == pytest.approx(5e4 * letters.effects["length"].value)
    assert shares(words) == pytest.approx(shares(letters))


@pytest.mark.parametrize("ties", ["davidson", "half", "drop"])
@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("x y a, y x a, u v a, v u a", "u, v never met x, y|x, y never met u, v"),
        ("x y a, x y a, x y a", "x never lost to y"),
        ("x y a, y x a, x z a, y z a, z u a, u z a", "x, y never lost to u, z"),
    ],
)
def test_what_the_comparisons_do_not_bound_has_a_reason(ties, rows, why):
    rows = [row.split() for row in rows.split(", ")]
    fitted = strengths(of([(a, b, WORDS[won]) for a, b, won in rows]), ties)
    assert any(words in fitted.reason for words in why.split("|"))
    assert all(row.share.value is None and row.share.reason == fitted.reason for row in fitted.arms)


def test_ties_and_wins_without_a_loss_are_separated_too():
    fitted = strengths(of([("x", "y", 1), ("x", "y", 0.5), ("y", "x", 0.5)]))
    assert "x never lost to y" in fitted.reason


@pytest.mark.parametrize("ties", ["davidson", "drop"])
def test_all_ties_show_nothing(ties):
    assert "is a tie" in strengths(of([("x", "y", 0.5)] * 5), ties).reason


def test_halved_ties_of_equal_arms_share_evenly():
    assert shares(strengths(of([("x", "y", 0.5)] * 5), "half", bootstrap=0)) == {"x": 0.5, "y": 0.5}


def test_nothing_has_no_strengths():
    assert "no comparisons" in strengths(Comparisons.from_rows([], [], [])).reason


def test_a_side_that_never_changes_cannot_be_told_from_the_strength():
    fitted = strengths(of([("x", "y", 1), ("x", "y", 0)], covariates={"left": [1, 1]}))
    assert "covariate that never varies" in fitted.reason


def test_there_is_no_interval_where_many_resamples_are_separated():
    fitted = strengths(of([("x", "y", 1)] * 6 + [("x", "y", 0)]))
    assert fitted.arms[0].share.value == pytest.approx(6 / 7)
    assert fitted.arms[0].share.low is None and fitted.arms[0].share.reason


@pytest.mark.parametrize(
    ("rows", "more", "words"),
    [
        ([("x", "x", 1)], {}, "with itself"),
        ([("x", "y", 2)], {}, "An outcome is"),
        ([("x", "y", float("nan"))], {}, "missing or not finite"),
        ([("x", "y", 1)], {"weights": [-1]}, "0 or more"),
        ([("x", "y", 1)], {"weights": [1, 1]}, "same length"),
        ([("x", "y", 1)], {"covariates": {"left": [1, 1]}}, "same length"),
        ([(n, n + 1, 1) for n in range(MOST_ARMS + 1)], {}, "arms"),
    ],
)
def test_rows_without_meaning_are_refused(rows, more, words):
    with pytest.raises(BadInput, match=words):
        of(rows, **more)


def test_an_unknown_way_with_ties_is_refused():
    with pytest.raises(BadInput, match="davidson"):
        strengths(of([("x", "y", 1)]), "ignore")


@pytest.mark.slow
def test_the_interval_of_a_strength_covers_it_about_as_often_as_it_says():
    """Prompts that lean of their own: every judgment of a prompt shares a shift of the log odds."""
    rng = np.random.default_rng(8)
    true, covered, studies = 1 / (1 + np.exp(-0.6)), 0, 250
    leans = rng.normal(0.6, 0.5, 200_000)
    share = (1 / (1 + np.exp(-leans))).mean()  # what a win rate converges to
    for _ in range(studies):
        lean = np.repeat(rng.normal(0.6, 0.5, 150), 3)
        won = (rng.random(450) < 1 / (1 + np.exp(-lean))).astype(float)
        rows = Comparisons.from_rows(["x"] * 450, ["y"] * 450, won, np.repeat(np.arange(150), 3))
        estimate = strengths(rows, bootstrap=400).arms[0].share
        covered += estimate.low <= share <= estimate.high
    assert share < true  # averaging pulls a rate towards one half: the interval is for the average
    assert 0.915 <= covered / studies <= 0.98


def test_too_many_different_covariates_are_refused_with_a_way_out():
    n = 30_000
    first = np.arange(n) % 45
    with pytest.raises(BadInput, match="round the covariates"):
        strengths(
            Comparisons.from_rows(
                first, first + 1, np.arange(n) % 2, covariates={"length": np.linspace(0, 1, n)}
            )
        )
