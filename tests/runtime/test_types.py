"""The values that cross the runtime's border."""

import json

import pytest

from models_runtime.errors import InvalidSampling
from models_runtime.types import Message, ModelSpec, Sampling, with_system_prompt

pytestmark = pytest.mark.once
QUESTION = Message(role="user", content="Why?")


def test_sampling_survives_the_way_to_a_dictionary_and_back() -> None:
    sampling = Sampling(0.7, 0.9, 40, 100, 1.1, ("END",))
    assert Sampling.from_dict(sampling.to_dict()) == sampling


def test_sampling_refuses_an_unknown_name() -> None:
    with pytest.raises(InvalidSampling, match="temprature"):
        Sampling.from_dict({"temprature": 1.0})


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -0.1},
        {"temperature": 1e-40},
        {"temperature": float("nan")},
        {"temperature": "warm"},
        {"temperature": True},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"top_k": -1},
        {"top_k": 2.5},
        {"max_new_tokens": 0},
        {"repetition_penalty": 0.0},
        {"stop": "END"},
        {"stop": [""]},
        {"stop": [3]},
    ],
)
def test_sampling_refuses_what_is_out_of_range_and_names_it(settings: dict[str, object]) -> None:
    with pytest.raises(InvalidSampling, match=next(iter(settings))):
        Sampling.from_dict(settings)


def test_sampling_refuses_what_is_no_object() -> None:
    with pytest.raises(InvalidSampling, match="object"):
        Sampling.from_dict([1, 2])  # type: ignore[arg-type]


def test_equal_specs_are_one_key() -> None:
    assert (
        len({ModelSpec("scripted", "echo"), ModelSpec("scripted", "echo"), ModelSpec("scripted", "x")}) == 2
    )


def test_a_system_prompt_opens_the_conversation() -> None:
    assert with_system_prompt([QUESTION], "Be kind.") == ({"role": "system", "content": "Be kind."}, QUESTION)


def test_an_empty_system_prompt_changes_nothing() -> None:
    assert with_system_prompt([QUESTION], "") == (QUESTION,)


def test_a_system_message_of_the_prompt_is_kept_behind_the_arms() -> None:
    own = Message(role="system", content="Be short.")
    opened = with_system_prompt([own, QUESTION], "Be kind.")
    assert opened == ({"role": "system", "content": "Be kind.\n\nBe short."}, QUESTION)
    assert own["content"] == "Be short."


def test_stop_texts_are_a_list_in_json_and_hashable_within() -> None:
    sampling = Sampling.from_dict(json.loads(json.dumps({"stop": ["a", "b"]})))
    assert sampling.stop == ("a", "b")
    assert sampling.to_dict()["stop"] == ["a", "b"]
    assert hash(sampling)
