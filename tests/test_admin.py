"""The admin: researchers see their own studies' rows, make raters, and gain no rights."""

import json
from types import SimpleNamespace

import pytest
from django.contrib import admin
from django.db.models import ProtectedError
from django.urls import reverse

from annotation.actions import runs
from annotation.actions.arms import freeze_arm
from annotation.actions.members import add_member
from annotation.models import Arm, Enrolment, Event, GuidelineVersion, Judgment, Prompt, Study, User
from annotation.vocabulary import StudyRole
from tests import cast
from tests.reports.studies import a_varied_study

pytestmark = pytest.mark.django_db

OURS = [model for model in admin.site._registry if model._meta.app_label == "annotation"]
READ_ONLY = ("judgment", "event", "assignment", "response", "pair", "run", "snapshot", "grading", "grade")


@pytest.fixture
def alice(client):
    client.force_login(cast.alice())
    return client


def changelist(model: str) -> str:
    return reverse(f"admin:annotation_{model}_changelist")


def change(row) -> str:
    return reverse(f"admin:annotation_{row._meta.model_name}_change", args=[row.pk])


def study_fields(**fields) -> dict:
    return {
        "title": "Kites",
        "slug": "kites",
        "overlap": "2",
        "allow_tie": "on",
        "guideline_condition": "policy_free",
        "harm_categories": json.dumps(["illicit"]),
        "lease_minutes": "30",
        "break_minutes": "50",
        "seed": "7",
        **fields,
    }


def prompt_fields(study: Study, **fields) -> dict:
    return {"study": study.pk, "key": "one", "messages": "How?", "intent": "benign", "subset": "", **fields}


def arm_fields(study: Study, **fields) -> dict:
    return {
        "study": study.pk,
        "name": "one",
        "backend": "scripted",
        "model": "echo",
        "dtype": "auto",
        "device": "auto",
        "sampling": '{"temperature": 0.5}',
        **fields,
    }


# Who gets in -----------------------------------------------------------------------------------------


def test_a_rater_does_not_get_in(client):
    study = a_varied_study(2)
    client.force_login(cast.bob())
    for page in (reverse("admin:index"), changelist("study"), change(study), change(cast.alice())):
        answer = client.get(page)
        assert answer.status_code == 302 and reverse("admin:login") in answer.url


def test_alice_opens_every_list_and_row(alice):
    study = a_varied_study(2)
    cast.an_arm(study, "third")
    runs.start_run(study)
    for model in OURS:
        name = model._meta.model_name
        assert alice.get(changelist(name)).status_code == 200
        row = admin.site._registry[model].get_queryset(alice.get(changelist(name)).wsgi_request).first()
        if row:
            assert alice.get(change(row)).status_code == 200, name


def test_mallory_sees_no_row_of_alices_study(client):
    study = a_varied_study(2)
    cast.an_arm(study, "third")
    runs.start_run(study)
    client.force_login(cast.mallory())
    for model in OURS:
        if model is User:
            continue
        page = client.get(changelist(model._meta.model_name))
        assert page.context["cl"].result_count == 0, model
        assert client.get(change(model.objects.first() or study)).status_code == 302


def test_mallory_cannot_choose_alices_study(client):
    study = cast.a_study()
    client.force_login(cast.mallory())
    answer = client.post(reverse("admin:annotation_prompt_add"), prompt_fields(study))
    assert "Select a valid choice" in answer.content.decode()
    assert not Prompt.objects.exists()


# Studies ---------------------------------------------------------------------------------------------


def test_who_creates_a_study_is_its_researcher(alice):
    alice.post(reverse("admin:annotation_study_add"), study_fields())
    study = Study.objects.get()
    assert [(each.user, each.role) for each in study.memberships.all()] == [(cast.alice(), "owner")]
    assert (study.state, study.seed) == ("draft", 7)
    assert [event.verb for event in Event.objects.all()] == ["add_member", "create_study"]


@pytest.mark.parametrize("field", [{"overlap": "0"}, {"harm_categories": '{"a": 1}'}, {"slug": ""}])
def test_a_malformed_study_is_refused(alice, field):
    assert alice.post(reverse("admin:annotation_study_add"), study_fields(**field)).status_code == 200
    assert not Study.objects.exists()


def test_the_seed_and_the_state_are_not_edited(alice):
    study = cast.a_study()
    alice.post(change(study), study_fields(seed="99", state="closed"))
    study.refresh_from_db()
    assert (study.overlap, study.seed, study.state) == (2, 20250809, "open")


def test_a_guideline_gets_the_next_number_and_is_never_edited(alice):
    study = cast.a_study()
    for body in ("First.", "Second."):
        alice.post(reverse("admin:annotation_guidelineversion_add"), {"study": study.pk, "body": body})
    latest = GuidelineVersion.objects.get(version=2)
    assert latest.body == "Second."
    assert alice.post(change(latest), {"study": study.pk, "body": "Other."}).status_code == 403


# Prompts and arms ------------------------------------------------------------------------------------


def test_a_prompt_is_written_as_plain_text(alice):
    study = cast.a_study()
    alice.post(reverse("admin:annotation_prompt_add"), prompt_fields(study))
    prompt = Prompt.objects.get()
    assert prompt.messages == [{"role": "user", "content": "How?"}]
    assert ">\nHow?</textarea>" in alice.get(change(prompt)).content.decode()


def test_a_prompt_is_written_as_messages(alice):
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How?"}]
    alice.post(
        reverse("admin:annotation_prompt_add"), prompt_fields(cast.a_study(), messages=json.dumps(turns))
    )
    assert Prompt.objects.get().messages == turns


@pytest.mark.parametrize(("written", "kept"), [("", "de"), ("gsw", "gsw")])
def test_a_new_prompts_language_is_as_written_or_found_out(alice, written, kept):
    german = "Wie lagere ich Reinigungsmittel sicher?"
    fields = prompt_fields(cast.a_study(), messages=german, language=written)
    alice.post(reverse("admin:annotation_prompt_add"), fields)
    prompt = Prompt.objects.get()
    assert prompt.language == kept
    alice.post(change(prompt), fields | {"language": ""})
    assert Prompt.objects.get().language == ""


@pytest.mark.parametrize(
    "field",
    [
        {"messages": '[{"role": "assistant", "content": "So."}]'},
        {"messages": "   "},
        {"harm_category": "unheard-of"},
        {"intent": "other"},
        {"language": "German"},
    ],
)
def test_a_malformed_prompt_is_refused(alice, field):
    answer = alice.post(reverse("admin:annotation_prompt_add"), prompt_fields(cast.a_study(), **field))
    assert answer.status_code == 200 and "errorlist" in answer.content.decode()
    assert not Prompt.objects.exists()


def test_an_answered_prompt_keeps_its_wording(alice):
    study = cast.a_rateable_study(1)
    prompt = study.prompts.get()
    before = prompt.messages
    alice.post(change(prompt), prompt_fields(study, messages="Other?", intent="malicious"))
    prompt.refresh_from_db()
    assert (prompt.messages, prompt.intent) == (before, "malicious")


def test_a_key_that_is_taken_is_refused_with_a_message(alice):
    study = cast.a_study()
    first, second = cast.a_prompt(study, "one"), cast.a_prompt(study, "two")
    answer = alice.post(change(second), prompt_fields(study, key=first.key), follow=True)
    assert "Nothing was saved" in answer.content.decode()
    second.refresh_from_db()
    assert second.key == "two"


def test_arms_get_the_next_position(alice):
    study = cast.a_study()
    for name in ("one", "two"):
        alice.post(reverse("admin:annotation_arm_add"), arm_fields(study, name=name))
    assert list(Arm.objects.values_list("name", "position")) == [("one", 0), ("two", 1)]
    assert Arm.objects.first().sampling == {"temperature": 0.5}


@pytest.mark.parametrize("sampling", ['{"warmth": 1}', '{"temperature": "hot"}', "[]", "{"])
def test_a_malformed_sampling_is_refused(alice, sampling):
    answer = alice.post(reverse("admin:annotation_arm_add"), arm_fields(cast.a_study(), sampling=sampling))
    assert answer.status_code == 200
    assert not Arm.objects.exists()


def test_an_arm_that_has_generated_keeps_its_settings(alice):
    study = cast.a_study()
    arm = cast.an_arm(study, "one")
    freeze_arm(arm)
    alice.post(change(arm), arm_fields(study, name="renamed", model="other"))
    arm.refresh_from_db()
    assert (arm.name, arm.model) == ("renamed", "echo")


def test_an_arm_with_imported_responses_gets_no_backend(alice):
    study = cast.a_study()
    arm = cast.an_arm(study, "one", backend="", model="")
    cast.a_response(cast.a_prompt(study), arm)
    answer = alice.post(change(arm), arm_fields(study))
    assert "This arm holds imported responses." in answer.content.decode()
    assert alice.post(change(arm), arm_fields(study, name="two", backend="", model="")).status_code == 302
    arm.refresh_from_db()
    assert (arm.name, arm.backend, arm.model) == ("two", "", "")


def test_what_is_in_use_is_not_deleted(alice):
    prompt = cast.a_rateable_study(1).prompts.get()
    address = reverse("admin:annotation_prompt_delete", args=[prompt.pk])
    assert "Cannot delete prompt" in alice.post(address, {"post": "yes"}).content.decode()
    with pytest.raises(ProtectedError):
        prompt.delete()


# People ----------------------------------------------------------------------------------------------


def test_a_rater_is_enrolled_under_a_pseudonym(alice):
    study, bob = cast.a_study(), cast.bob()
    alice.post(reverse("admin:annotation_enrolment_add"), {"study": study.pk, "user": bob.pk})
    assert Enrolment.objects.get().code.startswith("rater-")


def test_a_researcher_does_not_rate(alice):
    study = cast.a_study()
    place = {"study": study.pk, "user": cast.alice().pk}
    answer = alice.post(reverse("admin:annotation_enrolment_add"), place, follow=True)
    assert "cannot judge them blind" in answer.content.decode()
    assert not Enrolment.objects.exists()


def test_a_viewer_looks_and_changes_nothing(client):
    study = cast.a_study()
    prompt, arm = cast.a_prompt(study), cast.an_arm(study, "one")
    add_member(study, cast.mallory(), StudyRole.VIEWER)
    client.force_login(cast.mallory())
    for row in (study, prompt, arm):
        assert client.get(change(row)).status_code == 200
        assert client.post(change(row), {"title": "Mine", "key": "mine", "name": "mine"}).status_code == 403
    client.post(reverse("admin:annotation_prompt_add"), {"study": study.pk, "key": "x", "messages": "Why?"})
    assert study.prompts.get() == prompt and not Study.objects.filter(title="Mine").exists()


def test_a_place_is_paused(alice):
    place = cast.a_rater(cast.a_study(), cast.bob())
    alice.post(change(place), {"state": "paused"})
    place.refresh_from_db()
    assert place.state == "paused"


def test_alice_creates_a_rater_and_gives_no_rights(alice):
    rights = {"is_staff": "on", "is_superuser": "on"}
    fields = {"username": "erin", "password1": cast.PASSWORD, "password2": cast.PASSWORD, **rights}
    alice.post(reverse("admin:annotation_user_add"), {**fields, "usable_password": "true"}, follow=True)
    erin = User.objects.get(username="erin")
    assert erin.check_password(cast.PASSWORD)
    assert not erin.is_staff and not erin.is_superuser


def test_alice_changes_nobodys_account(alice):
    rights = {"username": "x", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    for person in (cast.bob(), cast.alice(), cast.mallory()):
        password_page = reverse("admin:auth_user_password_change", args=[person.pk])
        alice.post(change(person), rights)
        alice.post(password_page, {"password1": "another long one", "password2": "another long one"})
        now = User.objects.get(pk=person.pk)
        assert (now.username, now.is_superuser) == (person.username, False)
        assert now.password == person.password


def test_alice_sees_raters_but_neither_hashes_nor_other_staff(alice):
    bob, mallory = cast.bob(), cast.mallory()
    page = alice.get(change(bob)).content.decode()
    assert bob.username in page and "md5" not in page
    assert alice.get(change(mallory)).status_code == 302
    assert alice.get(changelist("user"), {"password__startswith": "md5"}).status_code in (302, 400)


def test_groups_and_tokens_are_a_superusers(alice):
    assert alice.get(reverse("admin:auth_group_changelist")).status_code == 403
    assert alice.get(reverse("admin:authtoken_tokenproxy_changelist")).status_code == 403


# What is only looked at ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", READ_ONLY)
def test_what_only_actions_write_is_not_added(alice, model):
    assert alice.get(reverse(f"admin:annotation_{model}_add")).status_code == 403


def test_a_judgment_is_neither_changed_nor_deleted(client):
    a_varied_study(1)
    client.force_login(cast.person("root", is_staff=True, is_superuser=True))
    judgment = Judgment.objects.first()
    assert client.post(change(judgment), {"rationale": "other"}).status_code == 403
    deletion = reverse("admin:annotation_judgment_delete", args=[judgment.pk])
    assert client.post(deletion, {"post": "yes"}).status_code == 403


def test_a_page_that_grew_old_puts_nothing_back():
    """Only what the form changed is written; the rest of the row became another while the page was open."""
    cast.a_rateable_study(pairs=2)
    assert saved_late(Study, {"title": "Renamed"}, {"state": "closed", "pair_count": 9})
    assert saved_late(Prompt, {"family": "kites"}, {"intent": "malicious", "subset": ["hard"]})
    assert saved_late(Arm, {"name": "renamed"}, {"dtype": "bfloat16"})


def saved_late(model, ours, theirs) -> bool:
    """Whether both changes stay: ours by the admin with an object read before theirs was written."""
    stale = model.objects.first()
    model.objects.filter(pk=stale.pk).update(**theirs)
    for name, value in ours.items():
        setattr(stale, name, value)
    request = SimpleNamespace(user=cast.alice())
    form = SimpleNamespace(changed_data=[*ours, "no column"], cleaned_data={**ours, "dtype": "auto"})
    admin.site.get_model_admin(model).save_model(request, stale, form, change=True)
    return model.objects.filter(pk=stale.pk, **ours, **theirs).exists()


@pytest.mark.parametrize(
    "field",
    [
        {"backend": ""},
        {"model": ""},
        {"backend": "transformers"},
        {"device": "gpu0"},
        {"dtype": "int3"},
        {"quantization": "3bit"},
        {"adapter": "some/adapter"},  # which a script has no use for
        {"backend": "transformers_local", "chat_template": "{% for m in messages %}"},
        {"backend": "openai_http"},  # without an address
        {"backend": "openai_http", "base_url": "http://me:word@host/v1"},
        {"backend": "openai_http", "base_url": "http://host/v1", "api_key_variable": "SECRET_KEY"},
    ],
)
def test_an_arm_that_could_not_generate_is_refused(alice, field):
    fields = {"study": cast.a_study().pk, "name": "one", "backend": "scripted", "model": "echo"}
    fields |= {"device": "auto", "dtype": "auto", "sampling": "{}"}
    address = reverse("admin:annotation_arm_add")
    assert "errorlist" in alice.post(address, fields | field).content.decode()
    assert not Arm.objects.exists()
    assert alice.post(address, fields).status_code == 302
    assert Arm.objects.get().model == "echo"


@pytest.mark.parametrize(
    "named",
    [
        {"backend": "openai_http", "base_url": "http://host/v1", "api_key_variable": "MODEL_KEY_A"},
        {"backend": "transformers_local", "adapter": "org/adapter", "quantization": "4bit", "revision": "v1"},
        {"backend": "transformers_local", "device": "balanced", "chat_template": "{{ messages }}"},
    ],
)
def test_an_arm_names_all_that_its_backend_obeys(alice, named):
    fields = arm_fields(cast.a_study(), model="org/name", **named)
    assert alice.post(reverse("admin:annotation_arm_add"), fields).status_code == 302
    spec = Arm.objects.get().spec
    assert spec.model == "org/name"
    assert named == {name: getattr(spec, name) for name in named}


def test_tags_are_written_as_words(alice):
    alice.post(
        reverse("admin:annotation_prompt_add"), prompt_fields(cast.a_study(), subset="tea, kitchen , ")
    )
    assert Prompt.objects.get().subset == ["tea", "kitchen"]


@pytest.mark.parametrize(
    "field",
    [
        {"lease_minutes": "4200000000"},
        {"overlap": "1000000000"},
        {"harm_categories": '["\\ud800"]'},
        {"harm_categories": "[" * 100_000},
        {"harm_categories": "9" * 5_000},
    ],
)
def test_a_study_that_would_break_its_pages_is_refused(alice, field):
    study = cast.a_study()
    address = reverse("admin:annotation_study_change", args=[study.pk])
    fields = {
        "slug": study.slug,
        "title": study.title,
        "overlap": "2",
        "lease_minutes": "30",
        "break_minutes": "50",
        "guideline_condition": "policy_free",
        "harm_categories": '["illicit"]',
    }
    assert "errorlist" in alice.post(address, fields | field).content.decode()
    assert alice.post(address, fields).status_code == 302


@pytest.mark.parametrize("sampling", ["[" * 100_000, '{"temperature": 1' + "0" * 400 + "}", '{"\\ud800": 1}'])
def test_sampling_that_nobody_would_write_is_a_form_error(alice, sampling):
    fields = {"study": cast.a_study().pk, "name": "one", "backend": "scripted", "model": "echo"}
    fields |= {"device": "auto", "dtype": "auto", "sampling": sampling}
    answer = alice.post(reverse("admin:annotation_arm_add"), fields)
    assert answer.status_code == 200 and not Arm.objects.exists()


@pytest.mark.parametrize(
    "add, fields",
    [
        ("prompt", {"messages": '[{"role": "user", "content": "a", "content": "b"}]'}),
        ("arm", {"sampling": '{"temperature": 0.1, "temperature": 0.9}'}),
        ("arm", {"sampling": '{"temperature": 1e999}'}),
    ],
)
def test_json_that_says_a_thing_twice_is_a_form_error(alice, add, fields):
    study = cast.a_study()
    whole = (prompt_fields if add == "prompt" else arm_fields)(study, **fields)
    answer = alice.post(reverse(f"admin:annotation_{add}_add"), whole)
    assert "Not valid JSON here" in answer.content.decode()
    assert not Prompt.objects.exists() and not Arm.objects.exists()


HIDDEN_NAMES = [
    ("study", lambda study: study_fields(title="Ki\u202etes")),
    ("study", lambda study: study_fields(question="Why\u202e?")),
    ("study", lambda study: study_fields(harm_categories='["a\u200bb"]')),
    ("prompt", lambda study: prompt_fields(study, key="k\u202e1")),
    ("prompt", lambda study: prompt_fields(study, subset="a, b\u2066")),
    ("arm", lambda study: arm_fields(study, name="on\u200be")),
    ("arm", lambda study: arm_fields(study, model="ec\u200bho")),
    (
        "user",
        lambda study: {"username": "eri\u3164n", "password1": cast.PASSWORD, "password2": cast.PASSWORD},
    ),
]


@pytest.mark.parametrize("model, fields", HIDDEN_NAMES)
def test_a_name_with_hidden_characters_is_a_form_error(alice, model, fields):
    given = {**fields(cast.a_study("other")), "usable_password": "true"}
    answer = alice.post(reverse(f"admin:annotation_{model}_add"), given)
    assert answer.status_code == 200 and "errorlist" in answer.content.decode()
    assert not Prompt.objects.exists() and not Arm.objects.exists()
    assert (Study.objects.count(), User.objects.count()) == (1, 1)


def test_a_deeply_nested_prompt_is_only_text(alice):
    fields = prompt_fields(cast.a_study(), messages="[" * 100_000)
    assert alice.post(reverse("admin:annotation_prompt_add"), fields).status_code in (200, 302)


@pytest.mark.parametrize("model", ["study", "prompt", "user", "event"])
def test_a_filter_by_a_number_that_no_database_holds_is_a_wrong_filter(alice, model):
    answer = alice.get(changelist(model), {"id__in": "9" * 30})
    assert answer.status_code in (200, 302)
    assert answer.status_code == 200 or alice.get(answer.url).status_code in (200, 302)


@pytest.mark.parametrize("chosen", ["x", "\0", "9" * 30])
def test_a_row_chosen_by_no_number_is_said(alice, chosen):
    prompt = cast.a_prompt(cast.a_study())
    fields = {"action": "delete_selected", "_selected_action": chosen, "index": "0", "post": "yes"}
    answer = alice.post(changelist("prompt"), fields, follow=True)
    assert answer.status_code == 200
    assert Prompt.objects.get() == prompt
