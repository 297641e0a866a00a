"""A recipe is told in words, is equal to its equals, and refuses what cannot be in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.datasets.recipe import Recipe
from annotation.errors import BadRecipe

pytestmark = pytest.mark.once

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.slow
@given(st.sampled_from(sorted(Recipe("sft").as_dict())), JSON)
def test_any_value_is_taken_or_refused_in_a_sentence(rule, value):
    try:
        recipe = Recipe.from_dict({"format": "sft", rule: value})
    except BadRecipe as error:
        assert str(error).endswith(".")
    else:
        assert Recipe.from_dict(recipe.as_dict()) == recipe


@pytest.mark.parametrize("told", [None, [], "sft", {}, {"format": "sft", "colour": "red"}])
def test_what_is_no_recipe_is_refused(told):
    with pytest.raises(BadRecipe):
        Recipe.from_dict(told)


def test_the_order_of_names_makes_no_other_recipe():
    one = Recipe("sft", files=("parquet", "jsonl"), cohorts=("b", "a", "b"))
    other = Recipe("sft", files=("jsonl", "parquet"), cohorts=("a", "b"))
    assert one == other and one.digest == other.digest
    assert one.digest != Recipe("sft", split_seed=1).digest


@pytest.mark.parametrize(
    "rules",
    [
        {"format": "trl_unpaired", "ties": "both_ways"},
        {"format": "pku_saferlhf", "ties": "soft"},
        {"format": "anthropic_hh", "ties": "soft"},
        {"format": "sft", "test_share": 0.6, "validation_share": 0.4},
        {"format": "sft", "test_share": 0},
        {"format": "sft", "files": []},
    ],
)
def test_rules_that_contradict_each_other_are_refused(rules):
    with pytest.raises(BadRecipe):
        Recipe.from_dict(rules)


def test_no_split_asks_for_no_shares():
    assert "No split" in " ".join(Recipe("sft", split="none", test_share=0.0).words())
