"""What of an output is its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_runtime.backends.reasoning import cut_at_stop, opens_reasoning, read_output, split_reasoning

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("output", "answer", "reasoning"),
    [
        ("Plain. 1 < 2 > 0\n", "Plain. 1 < 2 > 0\n", ""),
        ("<think>\nHm.\n</think>\n\nYes.", "Yes.", "Hm."),
        ("<think>Hm, and then", "", "Hm, and then"),
        ("Opened by the template.</think>Yes.", "Yes.", "Opened by the template."),
        ("<think>a</think>Yes. <think>b</think>No.", "Yes. No.", "ab"),
        ("<Thinking>a</Thinking>Yes.", "Yes.", "a"),
        ("<think>the <think> tag</think>Yes.", "Yes.", "the  tag"),
        ("<think></think>Yes.", "Yes.", ""),
        ("[THINK]a[/THINK]Yes.", "Yes.", "a"),
        ("See [think](page) and [Think].", "See [think](page) and [Think].", ""),
    ],
)
def test_reasoning_is_split_off(output: str, answer: str, reasoning: str) -> None:
    assert split_reasoning(output) == (answer, reasoning)


@given(st.lists(st.sampled_from(["<think>", "</think>", "words ", "<", "</thinking>"])))
def test_no_tag_is_left_in_an_answer(pieces: list[str]) -> None:
    answer, _ = split_reasoning("".join(pieces))
    assert "think>" not in answer


@pytest.mark.parametrize(
    ("prompt", "opens"),
    [
        ("…<|assistant|><think>\n", True),
        ("…<|assistant|><think>\n\n</think>\n\n", False),
        ("…<|assistant|>", False),
        ("…[/INST][THINK]", True),
    ],
)
def test_a_prompt_may_end_inside_reasoning(prompt: str, opens: bool) -> None:
    assert opens_reasoning(prompt) is opens


def test_the_stop_text_that_comes_first_cuts() -> None:
    assert cut_at_stop("one END two STOP", ("STOP", "END")) == ("one ", True)
    assert cut_at_stop("one", ("STOP",)) == ("one", False)
    assert cut_at_stop("one", ()) == ("one", False)


@pytest.mark.parametrize(
    ("output", "begins_inside", "answer", "reasoning"),
    [
        ("Plan. END More.</think>Yes.", False, "", "Plan."),
        ("Plan. END More.", True, "", "Plan."),
        ("<think>Plan. END More.</think>Yes.", False, "", "Plan."),
        ("Plan.</think>Yes. END No.", False, "Yes.", "Plan."),
        ("Yes. END <think>Again?</think>", False, "Yes. ", ""),
    ],
)
def test_reasoning_that_a_stop_text_cuts_is_no_answer(
    output: str, begins_inside: bool, answer: str, reasoning: str
) -> None:
    assert read_output(output, ("END",), begins_inside) == (answer, reasoning, True)


def test_a_stop_text_may_be_the_tag_itself() -> None:
    assert read_output("Plan.</think>Yes.", ("</think>",)) == ("", "Plan.", True)
