"""Two people have the same step of the setup open: the second to save is told, and nothing is lost."""

import re

import pytest
from django.test import Client

from annotation.actions.arms import change_arm
from annotation.actions.prompts import change_prompt
from annotation.errors import ArmRefused, PromptRefused
from annotation.models import Study
from annotation.vocabulary import StudyRole, StudyState
from tests import cast
from tests.desk.test_setup import address, an_arm_form

pytestmark = pytest.mark.django_db

QUESTIONS = {"title": "Kites", "question": "Which?", "harm_categories": "hate\nown", "allow_tie": "on"}
PAIRING = {"pairing": "all", "overlap": "2", "lease_minutes": "30", "matched_sampling": "on"}
GUIDELINE = {"guideline_condition": "policy_given", "body": "Judge what it gives."}
STEPS = {"questions": QUESTIONS, "pairing": PAIRING, "guideline": GUIDELINE}


@pytest.fixture
def study() -> Study:
    return cast.a_study(state=StudyState.DRAFT, question="Which?", harm_categories=["hate", "own"])


@pytest.fixture
def people(study) -> list[Client]:
    study.memberships.create(user=cast.carol(), role=StudyRole.EDITOR)
    found = []
    for person in (cast.alice(), cast.carol()):
        found.append(Client())
        found[-1].force_login(person)
    return found


def opened(person: Client, step: str) -> str:
    """The mark of the step's page."""
    return mark_in(person.get(address(f"setup_{step}", "kites")).content.decode())


def mark_in(page: str) -> str:
    return re.search(r'name="read" value="([^"]+)"', page)[1]


def sent(person: Client, step: str, mark: str, **changes):
    return person.post(address(f"setup_{step}", "kites"), STEPS[step] | changes | {"read": mark})


@pytest.mark.parametrize(
    ("step", "first", "second", "told"),
    [
        ("questions", {"title": "Boats"}, {"title": "Birds"}, "Somebody made this “Boats” meanwhile."),
        ("questions", {"harm_categories": "hate"}, {}, "Somebody made this “hate” meanwhile."),
        ("questions", {"allow_tie": ""}, {}, "Somebody took this tick away meanwhile."),
        ("questions", {"question": ""}, {"title": "Birds"}, "Somebody emptied this meanwhile."),
        ("pairing", {"pairing": "first"}, {}, "Somebody made this “"),
        ("pairing", {"overlap": "4"}, {"overlap": "5"}, "Somebody made this “4” meanwhile."),
        ("guideline", {"body": "By Alice."}, {"body": "By Carol."}, "the newest of the versions below"),
    ],
)
def test_who_saves_second_is_told_and_saves_again(study, people, step, first, second, told):
    marks = [opened(person, step) for person in people]
    assert sent(people[0], step, marks[0], **first).status_code == 302
    refused = sent(people[1], step, marks[1], **second)
    page = refused.content.decode()
    assert refused.status_code == 422 and "Somebody saved this meanwhile." in page and told in page
    for value in second.values():
        assert value in page
    events = study.events.count()
    assert sent(people[1], step, mark_in(page), **second).status_code == 302
    assert study.events.count() == events + 1


@pytest.fixture
def editors(study) -> dict[str, tuple[str, dict]]:
    """Where an arm and a prompt are edited, and with what."""
    an_arm, prompt = cast.an_arm(study, "one"), cast.a_prompt(study)
    text = {"text": prompt.last_message, "intent": prompt.intent}
    return {
        "arm": (address("setup_arm", "kites", an_arm.position), an_arm_form("one")),
        "prompt": (address("setup_prompt", "kites", prompt.pk), text),
    }


@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize(
    ("which", "first", "second", "told"),
    [
        ("arm", {"system_prompt": "By Alice."}, {"system_prompt": "By Carol."}, "made this “By Alice.”"),
        ("arm", {"temperature": "0.5"}, {"name": "two"}, "made this “0.5”"),
        ("arm", {"top_k": "7"}, {}, "made this “7”"),
        ("prompt", {"text": "By Alice?"}, {"text": "By Carol?"}, "made this “By Alice?”"),
        ("prompt", {"subset": "a, b"}, {"family": "birds"}, "made this “a, b”"),
        ("prompt", {"intent": "benign"}, {}, "made this “Benign”"),
    ],
)
def test_arms_and_prompts_are_not_overwritten_unseen(people, editors, which, first, second, told, htmx):
    where, fields = editors[which]
    headers = {"HX-Request": "true"} if htmx and which == "prompt" else {}
    marks = [mark_in(person.get(where, headers=headers).content.decode()) for person in people]
    assert people[0].post(where, fields | first | {"read": marks[0]}).status_code == 302
    refused = people[1].post(where, fields | second | {"read": marks[1]}, headers=headers)
    page = refused.content.decode()
    assert refused.status_code == 422 and "Somebody saved this meanwhile." in page and told in page
    for value in second.values():
        assert value in page
    assert people[1].post(where, fields | second | {"read": mark_in(page)}).status_code == 302


def test_hidden_characters_in_what_came_meanwhile_are_spelt_out(people, editors):
    where, fields = editors["prompt"]
    mark = mark_in(people[1].get(where).content.decode())
    people[0].post(where, fields | {"text": "By \u202eAlice?"})
    page = people[1].post(where, fields | {"text": "By Carol?", "read": mark}).content.decode()
    assert "Somebody made this" in page and "\u202e" not in page and "U+202E" in page


def test_an_arm_or_a_prompt_that_left_the_study_is_not_changed(study, editors):
    arm, prompt = study.arms.get(), study.prompts.get()
    study.arms.all().delete()
    study.prompts.all().delete()
    with pytest.raises(ArmRefused, match="out of the study"):
        change_arm(arm, name="two")
    with pytest.raises(PromptRefused, match="out of the study"):
        change_prompt(prompt, family="birds")
    assert not study.events.filter(verb__in=["change_arm", "change_prompt"]).exists()


def test_a_change_elsewhere_is_no_reason_to_ask(study, people):
    marks = {step: opened(people[1], step) for step in STEPS}
    assert sent(people[0], "questions", opened(people[0], "questions"), title="Boats").status_code == 302
    assert sent(people[1], "pairing", marks["pairing"], overlap="3").status_code == 302
    assert sent(people[1], "guideline", marks["guideline"]).status_code == 302


def test_what_only_the_second_changed_is_not_said_to_be_somebody_elses(people):
    mark = opened(people[1], "questions")
    sent(people[0], "questions", opened(people[0], "questions"), title="Boats")
    page = sent(people[1], "questions", mark, title="Boats", question="Why?").content.decode()
    assert "Somebody saved this meanwhile." in page and "Somebody made this" not in page


def test_a_preview_tells_it_too_and_a_page_without_a_mark_is_saved_as_ever(study, people):
    mark = opened(people[1], "guideline")
    sent(people[0], "guideline", opened(people[0], "guideline"), body="By Alice.")
    shown = sent(people[1], "guideline", mark, body="By Carol.", preview="1").content.decode()
    assert "Somebody saved this meanwhile." in shown and "By Carol." in shown
    assert people[1].post(address("setup_guideline", "kites"), GUIDELINE).status_code == 302
    assert study.guidelines.count() == 2


def test_of_a_refused_guideline_nothing_is_kept(study, people):
    """Its words and whether raters read it are one change."""
    mark = opened(people[1], "guideline")
    sent(people[0], "guideline", opened(people[0], "guideline"), body="By Alice.")
    assert sent(people[1], "guideline", mark, guideline_condition="policy_free").status_code == 422
    study.refresh_from_db()
    assert study.guideline_condition == "policy_given"
    assert [version.body for version in study.guidelines.all()] == ["By Alice."]
