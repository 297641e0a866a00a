"""Prompts come in well-formed or not at all."""

import pytest

from annotation.actions.prompts import add_prompt, clean_messages
from annotation.errors import DomainError
from tests.cast import a_study

USER = {"role": "user", "content": "Why?"}


def test_a_text_is_one_turn_of_the_user():
    assert clean_messages("Why?") == [USER]


def test_a_conversation_is_kept_as_it_is():
    turns = [{"role": "system", "content": "Be brief."}, USER, {"role": "assistant", "content": "So."}, USER]
    assert clean_messages(turns) == turns


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "   ",
        [],
        {"role": "user"},
        [USER, {"role": "assistant", "content": "So."}],
        [{"role": "robot", "content": "Why?"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": "Why?", "name": "x"}],
        "a\x00b",
        "half \ud800 character",
        17,
    ],
)
def test_what_is_no_conversation_is_refused(wrong):
    with pytest.raises(DomainError):
        clean_messages(wrong)


@pytest.mark.django_db
def test_a_harm_category_that_the_study_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(DomainError, match="illicit, erotic"):
        add_prompt(a_study(), "key", "Why?", "benign", harm_category="weather")
