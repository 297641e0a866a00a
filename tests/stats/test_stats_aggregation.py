"""Labels from several raters: against published values, loops written out, and simulated truth."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from annotation.stats.aggregation import dawid_skene, mace, majority_vote, weighted_vote, why_no_model
from annotation.stats.errors import BadInput
from annotation.stats.ratings import Ratings

pytestmark = pytest.mark.once

some_tables = st.lists(
    st.lists(st.one_of(st.none(), st.integers(0, 2)), min_size=4, max_size=4), min_size=3, max_size=9
)


def from_table(table):
    cells = [(i, f"r{j}", v) for i, row in enumerate(table) for j, v in enumerate(row) if v is not None]
    return Ratings.from_rows(*zip(*cells, strict=True))


def modelled(table):
    ratings = from_table(table) if any(v is not None for row in table for v in row) else None
    return ratings if ratings is not None and not why_no_model(ratings) else None


def simulated(items=400, accuracies=(0.9, 0.8, 0.7, 0.6, 0.6), labels=3, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(labels, size=items)
    other = (truth + rng.integers(1, labels, size=(len(accuracies), items))) % labels
    said = np.where(rng.random((len(accuracies), items)) < np.array(accuracies)[:, None], truth, other)
    raters = np.repeat([f"r{j}" for j in range(len(accuracies))], items)
    return Ratings.from_rows(np.tile(np.arange(items), len(accuracies)), raters, said.ravel()), truth


def dawid_skene_by_hand(ratings, steps):
    """The two steps of the paper with dictionaries, one judgment at a time."""
    rows = list(zip(ratings.item_codes, ratings.rater_codes, ratings.value_codes, strict=True))
    items, raters, labels = len(ratings.items), len(ratings.raters), range(len(ratings.categories))
    belief = [[sum(i == item and v == k for i, _, v in rows) for k in labels] for item in range(items)]
    belief = [[n / sum(row) for n in row] for row in belief]
    for _ in range(steps):
        common = [sum(row[k] for row in belief) / items for k in labels]
        error = np.zeros((raters, len(labels), len(labels)))
        for i, r, v in rows:
            for k in labels:
                error[r, k, v] += belief[i][k]
        for r in range(raters):
            for k in labels:
                error[r, k] /= error[r, k].sum() or 1
        belief = [list(common) for _ in range(items)]
        for i, r, v in rows:
            belief[i] = [b * error[r, k, v] for k, b in enumerate(belief[i])]
        belief = [[b / sum(row) for b in row] for row in belief]
    return belief


def mace_by_hand(ratings, steps):
    """Hovy and others' passes, one judgment at a time, from the raters' agreement with the others."""
    rows = list(zip(ratings.item_codes, ratings.rater_codes, ratings.value_codes, strict=True))
    items, q = len(ratings.items), len(ratings.categories)
    per_rater = [[(i, v) for i, r, v in rows if r == rater] for rater in range(len(ratings.raters))]
    knowing = []
    for rater, said in enumerate(per_rater):
        others = [[v == w for j, s, w in rows if j == i and s != rater] for i, v in said]
        others = [sum(o) / len(o) for o in others if o]
        knowing.append(min(0.98, max(0.02, (sum(others) + 1) / (len(others) + q))))
    guessing, habit = [1 - k for k in knowing], [[1 / q] * q for _ in per_rater]
    for step in range(steps + 1):
        score = [[1 / q] * q for _ in range(items)]
        for i, r, v in rows:
            for t in range(q):
                score[i][t] *= guessing[r] * habit[r][v] + knowing[r] * (t == v)
        belief = [[s / sum(row) for s in row] for row in score]
        if step == steps:
            return belief
        for r, said in enumerate(per_rater):
            knew = [belief[i][v] * knowing[r] / (guessing[r] * habit[r][v] + knowing[r]) for i, v in said]
            guessed = [
                sum(1 - k for k, (_, v) in zip(knew, said, strict=True) if v == a) + 10 for a in range(q)
            ]
            guessing[r] = math.exp(digamma(len(said) - sum(knew) + 0.5) - digamma(len(said) + 1))
            knowing[r] = math.exp(digamma(sum(knew) + 0.5) - digamma(len(said) + 1))
            habit[r] = [math.exp(digamma(g) - digamma(sum(guessed))) for g in guessed]


@given(table=some_tables, steps=st.integers(1, 4))
@settings(max_examples=60)
def test_dawid_skene_equals_its_steps_written_out(table, steps):
    ratings = modelled(table)
    assume(ratings is not None)
    found = dawid_skene(ratings, iterations=steps, tolerance=-np.inf)
    assert found.posteriors == pytest.approx(np.array(dawid_skene_by_hand(ratings, steps)), abs=1e-9)


@given(table=some_tables, steps=st.integers(0, 4))
@settings(max_examples=60)
def test_mace_equals_its_passes_written_out(table, steps):
    ratings = modelled(table)
    assume(ratings is not None)
    found = mace(ratings, restarts=0, iterations=steps, tolerance=-1)
    assert found.posteriors == pytest.approx(np.array(mace_by_hand(ratings, steps)), abs=1e-9)


def test_the_anaesthetists_give_the_reference_values(shared_data):
    rows = shared_data.rows("dawid_skene_1979/anaesthetists_long.csv")
    columns = ([row[name] for row in rows] for name in ("item_id", "rater_id", "label"))
    reference = shared_data.json("dawid_skene_1979/reference.json")["anaesthetists"]
    known = reference["dawid_skene_em"]
    found = dawid_skene(Ratings.from_rows(*columns, repeats="all"), tolerance=1e-14)
    assert found.converged and found.log_likelihood == pytest.approx(known["loglik"], abs=1e-6)
    assert found.prevalence == pytest.approx(np.array(known["class_marginals"]), abs=1e-5)
    assert found.prevalence == pytest.approx([0.40, 0.42, 0.11, 0.07], abs=0.005)  # as published
    for item, row in zip(found.items, found.posteriors, strict=True):
        assert row == pytest.approx(np.array(known["posteriors"][item]), abs=1e-5)
    for rater in found.raters:
        theirs = np.array(known["error_matrices"][f"rater{rater.rater}"])
        assert rater.confusion == pytest.approx(theirs, abs=1e-4)


def test_the_majority_of_the_anaesthetists_is_the_reference_one(shared_data):
    rows = shared_data.rows("dawid_skene_1979/anaesthetists_long.csv")
    columns = ([row[name] for row in rows] for name in ("item_id", "rater_id", "label"))
    reference = shared_data.json("dawid_skene_1979/reference.json")["anaesthetists"]["majority_all_7_ratings"]
    found = majority_vote(Ratings.from_rows(*columns, repeats="all"))
    labels = dict(zip(found.items, found.labels, strict=True))
    assert all(int(labels[item]) in among for item, among in reference.items())
    assert labels["12"] == "2"  # tied with 3, which is rarer


def test_aggregates_of_a_real_panel_match_gold_about_as_often_as_another_library_found(shared_data):
    ratings = shared_data.ratings("hatecheck/judgments_long.csv")
    reference = shared_data.json("hatecheck/reference.json")
    majority, modelled = majority_vote(ratings), dawid_skene(ratings)
    words, counts = np.unique(majority.labels, return_counts=True)
    assert dict(zip(words, counts, strict=True)) == reference["majority_counts"]
    differ = (majority.labels != modelled.labels).sum()
    assert differ == reference["crowdkit_dawid_skene_vs_majority_disagree"]
    known = {name: row["accuracy"] for name, row in reference["rater_accuracy_vs_gold"].items()}
    for model in (modelled, mace(ratings, restarts=2), weighted_vote(ratings)):
        ours = [rater.quality for rater in model.raters]
        theirs = [known[rater.rater] for rater in model.raters]
        assert np.corrcoef(ours, theirs)[0, 1] > 0.9


@pytest.mark.parametrize("method", [weighted_vote, dawid_skene, mace])
def test_models_find_the_truth_more_often_than_the_majority_when_raters_differ(method):
    ratings, truth = simulated()
    found = method(ratings)
    assert (found.labels == truth).mean() > (majority_vote(ratings).labels == truth).mean() + 0.02
    qualities = [rater.quality for rater in found.raters]
    assert qualities[0] > qualities[1] > qualities[2] > max(qualities[3:])


@pytest.mark.parametrize("method", [dawid_skene, mace])
def test_probabilities_mean_what_they_say(method):
    ratings, truth = simulated(items=3000, seed=4)
    found = method(ratings)
    sure = found.posteriors.max(axis=1)
    right = found.labels == truth
    for low, high in ((0.5, 0.8), (0.8, 0.95), (0.95, 1)):
        within = (sure >= low) & (sure <= high)
        assert right[within].mean() == pytest.approx(sure[within].mean(), abs=0.04)


def test_mace_finds_who_guesses():
    rng = np.random.default_rng(1)
    truth = rng.integers(3, size=300)
    knowing = np.array([0.95, 0.8, 0.6, 0.0])
    habit = np.array([0.2, 0.5, 0.3])
    said = np.where(rng.random((4, 300)) < knowing[:, None], truth, rng.choice(3, (4, 300), p=habit))
    ratings = Ratings.from_rows(np.tile(np.arange(300), 4), np.repeat(list("abcd"), 300), said.ravel())
    qualities = [rater.quality for rater in mace(ratings).raters]
    assert qualities == pytest.approx(knowing, abs=0.1)


def test_a_weighted_vote_by_known_accuracies_is_bayes_rule():
    """One good rater against two poor ones: multiply the odds by hand."""
    ratings = Ratings.from_rows([1, 1, 1, 2], ["good", "p", "q", "p"], ["x", "y", "y", "y"])
    found = weighted_vote(ratings, {"good": 0.95, "p": 0.6, "q": 0.6})
    x, y = 0.95 * 0.4 * 0.4, 0.05 * 0.6 * 0.6
    assert found.posteriors[0] == pytest.approx([x / (x + y), y / (x + y)])
    assert list(found.labels) == ["x", "y"]


def test_a_rater_worse_than_chance_gets_no_weight():
    ratings = Ratings.from_rows([1, 1], ["good", "bad"], ["x", "y"])
    found = weighted_vote(ratings, {"good": 0.7, "bad": 0.1})
    assert found.posteriors[0] == pytest.approx([0.7, 0.3])


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [({"a": 0.9}, "no accuracy for rater b"), ({"a": 0.9, "b": 2}, "between 0 and 1")],
)
def test_accuracies_without_meaning_are_refused(accuracies, words):
    with pytest.raises(BadInput, match=words):
        weighted_vote(Ratings.from_rows([1, 1], ["a", "b"], ["x", "y"]), accuracies)


@given(table=some_tables, names=st.permutations([5, 3, 9]))
@settings(max_examples=40)
def test_renaming_labels_renames_the_answer(table, names):
    ratings = modelled(table)
    assume(ratings is not None)
    renamed = from_table([[None if v is None else names[v] for v in row] for row in table])
    place = [list(renamed.categories).index(names[c]) for c in ratings.categories]
    few_steps = partial(dawid_skene, iterations=20, tolerance=-np.inf)
    for method in (majority_vote, weighted_vote, few_steps):
        assert method(renamed).posteriors[:, place] == pytest.approx(method(ratings).posteriors, abs=1e-6)


def test_a_longer_fit_never_has_a_lower_likelihood():
    ratings, _ = simulated(items=60, seed=2)
    fits = [dawid_skene(ratings, iterations=n, tolerance=-np.inf).log_likelihood for n in range(1, 25)]
    assert (np.diff(fits) >= -1e-9).all()


def test_majority_needs_no_second_rater():
    found = majority_vote(Ratings.from_rows([1, 2], ["ann", "ann"], ["x", "y"]))
    assert list(found.labels) == ["x", "y"] and found.raters[0].quality == 1


def test_nothing_is_aggregated_to_nothing():
    assert len(majority_vote(Ratings.from_rows([], [], [])).labels) == 0


def test_labels_that_are_measurements_are_refused():
    n = 20_000
    with pytest.raises(BadInput, match="labels are categories"):
        majority_vote(Ratings.from_rows(np.arange(n), np.zeros(n), np.linspace(0, 1, n)))
