"""Prompts come in well-formed or not at all."""

import importlib
import pkgutil

import pytest
from django.apps import apps

from annotation import migrations
from annotation.actions.prompts import add_prompt, change_prompt, clean_messages
from annotation.actions.studies import change_study, create_study
from annotation.errors import DomainError
from annotation.models import Prompt
from tests.cast import a_prompt, a_study

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


# Languages -------------------------------------------------------------------------------------------

GERMAN = "Wie lagere ich Reinigungsmittel sicher?"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("messages", "given", "language"),
    [
        (GERMAN, "", "de"),
        ("Como guardo produtos de limpeza com segurança em casa?", "", "pt"),
        ([{"role": "system", "content": GERMAN}, {"role": "user", "content": "And now in short?"}], "", ""),
        (GERMAN, "de-CH", "de-CH"),
        ("Why?", "", ""),
    ],
)
def test_a_prompts_language_is_what_is_given_or_can_be_told(messages, given, language):
    assert add_prompt(a_study(), "one", messages, "benign", language=given).language == language


@pytest.mark.django_db
@pytest.mark.parametrize("odd", ["German", "d", "de_DE", "de-", "=1+1"])
def test_what_is_no_language_tag_is_refused(odd):
    with pytest.raises(DomainError, match="no language tag"):
        add_prompt(a_study(), "one", GERMAN, "benign", language=odd)


@pytest.mark.django_db
def test_prompts_that_were_there_before_are_told_apart_too():
    study = a_study()
    prompts = [
        Prompt.objects.create(study=study, key=str(number), messages=clean_messages(text), intent="benign")
        for number, text in enumerate([GERMAN, "Why?", "How do I store cleaning agents safely?"])
    ]
    names = [module.name for module in pkgutil.iter_modules(migrations.__path__)]
    (name,) = [name for name in names if name.endswith("_prompt_language")]
    importlib.import_module(f"annotation.migrations.{name}").find_out(apps, None)
    assert [Prompt.objects.get(pk=prompt.pk).language for prompt in prompts] == ["de", "", "en"]


@pytest.mark.django_db
@pytest.mark.parametrize("labels", [{"subset": ["plain", "odd\u202e"]}, {"family": "odd\u202e"}])
def test_a_label_that_reads_turned_round_is_refused(labels):
    study = a_study()
    with pytest.raises(DomainError, match="202E"):
        add_prompt(study, "key", "How?", "benign", **labels)
    prompt = a_prompt(study)
    with pytest.raises(DomainError, match="202E"):
        change_prompt(prompt, **labels)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "rules", [{"title": "Odd\u202e"}, {"question": "Odd\u202e"}, {"harm_categories": ["odd\u202e"]}]
)
def test_a_study_whose_names_read_turned_round_is_refused(rules):
    with pytest.raises(DomainError, match="202E"):
        create_study("odd", **{"title": "Odd", **rules})
    with pytest.raises(DomainError, match="202E"):
        change_study(a_study(), **rules)
