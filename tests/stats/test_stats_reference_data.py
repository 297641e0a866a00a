"""Our values against those other libraries computed from real judgments."""

import numpy as np
import pytest

from annotation.stats.agreement import gwet_ac1, krippendorff_alpha, raw_agreement
from annotation.stats.preference import win_rate

pytestmark = pytest.mark.once

TABLES = [
    "artstein_poesio",
    "fleiss1971",
    "fleiss_wikipedia",
    "irr_anxiety",
    "krippendorff_c",
    "krippendorff_wikipedia",
    "sas_3x3",
]
MODELS = ["llama2orig", "llama2new", "mistralinstruct", "mistralguard", "gpt4"]


def assert_matches(ratings, reference, scales=("nominal",)):
    mean_over_items = raw_agreement(ratings, bootstrap=0)
    pooled = raw_agreement(ratings, pooled=True, bootstrap=0)
    assert mean_over_items.value == pytest.approx(
        reference["observed_pairwise_agreement_mean_over_items"], abs=1e-9
    )
    assert pooled.value == pytest.approx(reference["observed_pairwise_agreement_pooled_pairs"], abs=1e-9)
    assert mean_over_items.n == reference["items_with_2plus"]
    if "irrCAC" in reference:
        ac1 = gwet_ac1(ratings, bootstrap=0)
        assert ac1.value == pytest.approx(reference["irrCAC"]["gwet_ac1"]["coefficient"], abs=6e-6)
    for scale in scales:
        alpha = krippendorff_alpha(ratings, scale, bootstrap=0)
        assert alpha.value == pytest.approx(reference[f"krippendorff_alpha_{scale}"], abs=1e-9), scale


@pytest.mark.parametrize("table", TABLES)
def test_textbook_tables_give_the_values_of_other_libraries(shared_data, table):
    reference = shared_data.json("agreement_tables/reference.json")["tables"][table]
    scales = [s for s in ("nominal", "ordinal", "interval") if f"krippendorff_alpha_{s}" in reference]
    assert_matches(shared_data.ratings(f"agreement_tables/{table}_long.csv"), reference, scales)


def test_no_textbook_table_is_left_out(shared_data):
    assert sorted(shared_data.json("agreement_tables/reference.json")["tables"]) == TABLES


@pytest.mark.parametrize("model", MODELS)
def test_refusal_labels_of_each_model_match(shared_data, model):
    ratings = shared_data.ratings("xstest/judgments_long.csv", model=model)
    assert_matches(ratings, shared_data.json("xstest/reference.json")["models"][model])


def test_refusal_labels_of_all_models_together_match(shared_data):
    reference = shared_data.json("xstest/reference.json")["pooled_5_models"]
    assert_matches(shared_data.ratings("xstest/judgments_long.csv"), reference)


def test_a_sparse_panel_matches(shared_data):
    reference = shared_data.json("hatecheck/reference.json")["all_3901"]
    assert_matches(shared_data.ratings("hatecheck/judgments_long.csv"), reference)


def test_pairwise_labels_with_ties_match(shared_data):
    reference = shared_data.json("pandalm/reference.json")["agreement"]
    assert_matches(shared_data.ratings("pandalm/judgments_long.csv"), reference)


def test_the_bootstrap_is_as_wide_as_the_analytic_standard_error(shared_data):
    reference = shared_data.json("xstest/reference.json")["pooled_5_models"]["irrCAC"]["krippendorff"]
    alpha = krippendorff_alpha(shared_data.ratings("xstest/judgments_long.csv"), "nominal", bootstrap=2000)
    assert alpha.high - alpha.low == pytest.approx(2 * 1.96 * reference["se"], rel=0.1)


def test_win_rates_of_a_tournament_match(shared_data):
    reference = shared_data.json("pandalm/reference.json")["tournament_all_votes"]
    models, wins, ties = reference["models"], reference["wins_matrix"], reference["ties_matrix"]
    pairs = {row["item_id"]: row["cmp_key"].split("_") for row in shared_data.rows("pandalm/items.csv")}
    votes = shared_data.rows("pandalm/judgments_long.csv")
    for i, model in enumerate(models):
        outcomes, items = _outcomes_for(model, votes, pairs)
        result = win_rate(outcomes, items, bootstrap=200)
        assert (result.wins, result.ties) == (sum(wins[i]), sum(ties[i]))
        assert result.losses == sum(row[i] for row in wins)
        assert result.rate.value == pytest.approx(reference["win_rate_ties_half"][model], abs=1e-12)
        assert result.rate.low < result.rate.value < result.rate.high


def _outcomes_for(model, votes, pairs):
    mine = [vote for vote in votes if model in pairs[vote["item_id"]]]
    outcomes = [
        0.5 if v["label"] == "tie" else float(pairs[v["item_id"]][int(v["label"]) - 1] == model) for v in mine
    ]
    return np.array(outcomes), [vote["item_id"] for vote in mine]
