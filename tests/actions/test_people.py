"""A person is forgotten: nothing tells who they were, and what they judged stays."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from annotation.actions import accounts, joining, members, people
from annotation.actions.claims import claim_next_pair
from annotation.actions.joining import Visitor
from annotation.actions.tokens import make_token
from annotation.errors import MemberRefused
from annotation.models import Arrival, Draft, Enrolment, Event, Judgment, User
from annotation.vocabulary import StudyRole, TokenScope
from tests import cast

GUESSES = 10  # allauth's own limit of how often a minute a password is asked for again

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_was_guessed_yet():
    cache.clear()


TELLING = "zanzibara"  # a word that no table has a reason to contain


def a_person_with_everything() -> Enrolment:
    """Came from a platform, judged, holds a pair with a draft, has a token, a session, a second step."""
    study = cast.a_rateable_study(pairs=3)
    link, _ = joining.make_link(study, "Platform", person_parameter="PID")
    rater, _ = joining.join(link, Visitor(f"{TELLING}-pid", "", f"{TELLING}-session"), 0)
    user = rater.user
    fields = {
        "username": TELLING,
        "first_name": TELLING,
        "last_name": TELLING,
        "email": f"{TELLING}@example.org",
    }
    User.objects.filter(pk=user.pk).update(**fields)
    user.refresh_from_db()
    cast.a_judgment(rater)
    held = claim_next_pair(rater)
    Draft.objects.create(token=held.token, assignment=held, updated_at=study.created_at)
    make_token(user, TELLING, [TokenScope.RATE])
    EmailAddress.objects.create(user=user, email=user.email)
    Authenticator.objects.create(user=user, type="totp", data={"secret": TELLING})
    AccessAttempt.objects.create(username=TELLING, ip_address="192.0.2.1", failures_since_start=1)
    Client().force_login(user)
    return rater


def everything_stored() -> str:
    """Every value of every row of every table, sessions decoded."""
    rows = [str(row) for model in apps.get_models() for row in model.objects.values_list(*_columns(model))]
    return "\n".join([*rows, *(str(session.get_decoded()) for session in Session.objects.all())])


def _columns(model) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def test_nothing_that_is_stored_tells_who_they_were():
    rater = a_person_with_everything()
    assert everything_stored().count(TELLING) >= 8
    assert people.forget_person(rater.user)
    assert TELLING not in everything_stored()


def test_what_they_judged_stays_under_their_code_and_is_recorded():
    rater = a_person_with_everything()
    judged, code = Judgment.objects.get(), rater.code
    people.forget_person(rater.user, cast.alice())
    kept = Judgment.objects.get(pk=judged.pk)
    assert (kept.enrolment_id, kept.enrolment.code, kept.balance) == (rater.pk, code, judged.balance)
    event = Event.objects.filter(verb="forget_person").get()
    assert (event.actor, event.detail) == (cast.alice(), {"rater": code})


def test_failed_log_ins_go_whatever_case_the_name_has(client):
    zoe = cast.person("Zoë-Ann")
    address = reverse("login")
    client.post(address, {"username": "Zoë-Ann", "password": "not this one"})
    assert AccessAttempt.objects.count() == 1
    people.forget_person(zoe)
    assert not AccessAttempt.objects.exists()


def test_they_are_let_in_no_more_and_what_they_held_goes_to_others():
    rater = a_person_with_everything()
    held = rater.assignments.leased().get()
    client = Client()
    client.force_login(rater.user)
    people.forget_person(rater.user)
    assert client.get(reverse("rate:home")).status_code == 302
    assert not rater.assignments.leased().exists() and not Draft.objects.exists()
    held.pair.refresh_from_db()
    assert held.pair.open_slots == held.pair.overlap
    user = User.objects.get(pk=rater.user_id)
    assert not user.is_active and not user.has_usable_password() and user.forgotten_at
    assert Arrival.objects.get().person == ""


def test_it_is_done_once():
    user = cast.bob()
    assert people.forget_person(user) and not people.forget_person(user)


def test_an_owner_hands_over_first_where_others_work_on_the_study():
    study = cast.a_study()
    members.add_member(study, cast.carol(), StudyRole.EDITOR)
    with pytest.raises(MemberRefused, match="would have no owner"):
        people.forget_person(cast.alice())
    assert User.objects.get(username="alice").is_active
    members.set_role(study, cast.carol(), StudyRole.OWNER)
    assert people.forget_person(cast.alice())
    assert [member.user for member in study.memberships.all()] == [cast.carol()]


def test_the_last_administrator_stays():
    root = cast.person("root", is_staff=True, is_superuser=True)
    with pytest.raises(MemberRefused, match="Nobody else administers"):
        people.forget_person(root)


# By whom ---------------------------------------------------------------------------------------------


def test_a_person_forgets_themself_with_their_name_and_password(client):
    cast.bob()
    client.force_login(cast.bob())
    page = reverse("forget")
    for wrong in ({"username": "bob", "password": "wrong"}, {"username": "x", "password": cast.PASSWORD}):
        assert client.post(page, wrong).status_code == 422
    assert client.post(page, {"username": "bob", "password": cast.PASSWORD}).url == reverse("forgotten")
    assert not User.objects.filter(username="bob").exists()
    assert "_auth_user_id" not in client.session


def test_a_borrowed_session_guesses_no_password_where_people_are_forgotten(client):
    cast.bob()
    client.force_login(cast.bob())
    page, wrong = reverse("forget"), {"username": "bob", "password": "wrong"}
    replies = [client.post(page, wrong).status_code for _ in range(GUESSES + 1)]
    assert replies == [422] * GUESSES + [429]
    assert client.post(page, {"username": "bob", "password": cast.PASSWORD}).status_code == 429
    assert User.objects.filter(username="bob").exists()


def test_an_owner_forgets_a_rater_of_this_study_alone(client):
    study = cast.a_rateable_study()
    rater = cast.a_rater(study, cast.bob())
    cast.a_judgment(rater)
    page = reverse("desk:forget_rater", args=[study.slug, rater.pk])
    client.force_login(cast.alice())
    assert client.post(page, {"code": "another"}).status_code == 422
    elsewhere = cast.a_rater(cast.a_rateable_study(slug="other"), cast.bob())
    client.post(page, {"code": rater.code})
    assert User.objects.filter(username="bob").exists()

    Enrolment.objects.filter(pk=elsewhere.pk).delete()
    assert client.post(page, {"code": rater.code}).status_code == 302
    assert not User.objects.filter(username="bob").exists()


def test_an_owner_forgets_nobody_whom_they_only_enrolled(client):
    """Anybody who makes studies may enrol a name; that gives them no say in whether the account goes on."""
    study = cast.a_rateable_study()
    rater = cast.a_rater(study, cast.bob())
    page = reverse("desk:forget_rater", args=[study.slug, rater.pk])
    client.force_login(cast.alice())
    assert "Only the people who run this Evenhand" in client.post(page, {"code": rater.code}).content.decode()
    assert User.objects.filter(username="bob").exists()


def test_an_owner_forgets_whom_a_link_brought_and_whose_account_they_made(client):
    study = cast.a_rateable_study()
    guest, _ = joining.join(joining.make_link(study, "poster")[0], joining.Visitor(), 0)
    made = accounts.make_rater(study, "robin", cast.alice())
    client.force_login(cast.alice())
    for rater in (guest, made):
        page = reverse("desk:forget_rater", args=[study.slug, rater.pk])
        assert client.post(page, {"code": rater.code}).status_code == 302
        rater.user.refresh_from_db()
        assert rater.user.forgotten_at


def test_an_editor_forgets_nobody(client):
    study = cast.a_rateable_study()
    rater = cast.a_rater(study, cast.bob())
    members.add_member(study, cast.carol(), StudyRole.EDITOR)
    client.force_login(cast.carol())
    page = reverse("desk:forget_rater", args=[study.slug, rater.pk])
    assert client.get(page).status_code == 403 and client.post(page, {"code": rater.code}).status_code == 403


def test_a_command_forgets_and_asks_first(monkeypatch, capsys):
    cast.bob()
    monkeypatch.setattr("builtins.input", lambda _: "carol")
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("forget_person", "bob")
    call_command("forget_person", "bob", "--yes")
    assert "is forgotten" in capsys.readouterr().out and not User.objects.filter(username="bob").exists()
    with pytest.raises(CommandError, match="There is no user"):
        call_command("forget_person", "bob", "--yes")
