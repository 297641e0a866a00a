"""Coming in by a link, with nothing but a browser without JavaScript."""

import re
from contextlib import suppress

import pytest
from django.test import Client
from django.urls import reverse

from annotation import access
from annotation.actions import joining, quality
from annotation.actions.claims import claim_next_pair, skip_assignment
from annotation.actions.members import add_member
from annotation.actions.studies import add_guideline, set_state
from annotation.errors import NothingFree, NothingLeft
from annotation.models import Arrival, Consent, Enrolment, User
from annotation.models.joining import digest
from annotation.vocabulary import GuidelineCondition, StudyRole, StudyState
from tests import cast
from tests.rate.test_blindness import FAR, SECRETS, a_telling_study, everything

pytestmark = pytest.mark.django_db

PROLIFIC = {
    "person_parameter": "PROLIFIC_PID",
    "study_parameter": "STUDY_ID",
    "session_parameter": "SESSION_ID",
}
FROM_PROLIFIC = "?PROLIFIC_PID=p1&STUDY_ID=st&SESSION_ID=se"


def address(study, query="", **rules) -> str:
    return reverse("join:join", args=[joining.make_link(study, "poster", **rules)[1]]) + query


def agree(client, where, version=1, **changed):
    return client.post(where, {"version": version, "agree": "yes"} | changed)


@pytest.fixture
def study():
    study = cast.a_rateable_study(pairs=2, guideline_condition=GuidelineCondition.POLICY_GIVEN)
    add_guideline(study, "Judge what the reply *gives*.")
    joining.add_consent_version(study, "You *may* stop.", "Some answers are rude.")
    return study


def test_a_stranger_reads_agrees_and_rates(client, study):
    where = address(study)
    shown = client.get(where).content.decode()
    for words in ("Some answers are rude.", "You <em>may</em> stop.", "<em>gives</em>"):
        assert words in shown
    assert not User.objects.filter(username__startswith="guest").exists()
    welcome = agree(client, where)
    assert welcome.url == reverse("rate:welcome", args=["kites"])
    code = re.search(r"<code>([\w-]+)</code>", client.get(welcome.url).content.decode())[1]
    assert client.get(reverse("rate:next", args=["kites"])).status_code == 200
    elsewhere = Client()
    assert elsewhere.post(reverse("join:return"), {"code": f" {code.upper()} "}).url == reverse(
        "rate:next", args=["kites"]
    )
    assert "Pair to judge" in elsewhere.get(reverse("rate:next", args=["kites"])).content.decode()
    assert Consent.objects.get().version.version == 1


def test_without_the_tick_nobody_joins(client, study):
    reply = client.post(address(study), {"version": 1})
    assert (reply.status_code, Enrolment.objects.count()) == (422, 0)
    assert "Tick the box" in reply.content.decode()


@pytest.mark.parametrize("version", ["0", "7", "x", "", "²"])
def test_agreeing_to_another_wording_shows_the_newest_again(client, study, version):
    reply = agree(client, address(study), version)
    assert (reply.status_code, Enrolment.objects.count()) == (409, 0)
    assert "Please read the new one" in reply.content.decode()


def test_what_is_over_says_so_before_it_asks_for_anything(client, study):
    where = address(study)
    set_state(study, StudyState.CLOSED)
    for reply in (client.get(where), agree(client, where)):
        assert reply.status_code == 409
        assert "not open for rating" in reply.content.decode()
        assert "agree" not in reply.content.decode()
    assert not Enrolment.objects.exists()


def test_an_unknown_link_leads_nowhere(client, study):
    assert client.get(reverse("join:join", args=["0" * 48])).status_code == 404


def test_a_researcher_is_told_why_they_cannot_join(client, study):
    client.force_login(cast.alice())
    reply = agree(client, address(study))
    assert reply.status_code == 409 and "see" in reply.content.decode()
    assert not Enrolment.objects.exists()


def test_who_has_a_place_goes_on_to_it(client, study):
    where = address(study)
    agree(client, where)
    assert client.get(where).url == reverse("rate:next", args=["kites"])
    assert Enrolment.objects.count() == 1


# Platforms -------------------------------------------------------------------------------------------


def test_a_platform_brings_a_person_with_their_name_there(client, study):
    where = address(study, FROM_PROLIFIC, **PROLIFIC)
    shown = client.get(where).content.decode()
    posted_to = re.search(r'<form method="post" action="(/join[^"]+)"', shown)[1].replace("&amp;", "&")
    agree(client, posted_to)
    arrival = Arrival.objects.get()
    assert (arrival.person, arrival.session) == ("p1", "se")
    assert client.get(where).url == reverse("rate:next", args=["kites"])


def test_parameters_have_the_names_that_the_link_says(client, study):
    agree(client, address(study, "?workerId=w1", person_parameter="workerId"))
    assert Arrival.objects.get().person == "w1"


@pytest.mark.parametrize("query", ["", "?PROLIFIC_PID=", "?PROLIFIC_PID=" + "x" * 201, "?PROLIFIC_PID=a%00b"])
def test_an_address_without_a_proper_person_is_refused(client, study, query):
    where = address(study, query, **PROLIFIC)
    for reply in (client.get(where), agree(client, where)):
        assert reply.status_code == 409
    assert not Enrolment.objects.exists()


def test_another_browser_that_names_the_same_person_gets_neither_place_nor_session(client, study):
    where = address(study, FROM_PROLIFIC, **PROLIFIC)
    agree(client, where)
    thief = Client()
    for reply in (thief.get(where), agree(thief, where)):
        assert reply.url == reverse("join:return")
    assert "sessionid" not in thief.cookies
    assert thief.get(reverse("rate:next", args=["kites"])).url.startswith(reverse("login"))


def test_somebody_elses_browser_is_not_led_into_the_place_it_knows(client, study):
    secret = joining.make_link(study, "poster", **PROLIFIC)[1]
    where = reverse("join:join", args=[secret])
    agree(client, f"{where}{FROM_PROLIFIC}")
    reply = client.get(f"{where}?PROLIFIC_PID=p2")
    assert reply.status_code == 409 and "somebody else" in reply.content.decode()


def test_a_wrong_return_code_opens_nothing(client, study):
    reply = client.post(reverse("join:return"), {"code": "aaaaa-bbbbb-ccccc-ddddd"})
    assert reply.status_code == 422 and "sessionid" not in client.cookies


def test_a_new_return_code_replaces_the_old(client, study):
    _, old = joining.join(joining.make_link(study, "poster")[0], joining.Visitor(), 1)
    new = joining.new_return_code(Arrival.objects.get())
    assert client.post(reverse("join:return"), {"code": old}).status_code == 422
    assert client.post(reverse("join:return"), {"code": new}).status_code == 302


# Consent of those who are in --------------------------------------------------------------------------


@pytest.mark.parametrize("htmx", [False, True])
def test_a_rater_with_a_place_is_asked_before_the_next_pair(study, htmx):
    client = Client(headers={"HX-Request": "true"} if htmx else {})
    client.force_login(cast.a_rater(study, cast.bob()).user)
    asked = client.get(reverse("rate:next", args=["kites"]), follow=True)
    assert asked.redirect_chain[-1][0] == reverse("rate:consent", args=["kites"])
    assert "Before the first pair" in asked.content.decode()
    assert client.post(reverse("rate:consent", args=["kites"]), {"version": 1}).status_code == 422
    assert agree(client, reverse("rate:consent", args=["kites"])).url == reverse("rate:next", args=["kites"])
    assert "Pair to judge" in client.get(reverse("rate:next", args=["kites"])).content.decode()


# Being done ------------------------------------------------------------------------------------------

BACK = "https://platform.example/complete?cc=C0DE"


def a_done_rater(client, study):
    where = address(study, FROM_PROLIFIC, **PROLIFIC, completion_code="C0DE", completion_url=BACK)
    agree(client, where)
    place = Enrolment.objects.get()
    while not joining.is_done(Enrolment.objects.get()):
        cast.a_judgment(place)


def test_who_is_done_gets_the_code_and_the_studys_way_back(client, study):
    a_done_rater(client, study)
    done = reverse("rate:completed", args=["kites"])
    assert f'href="{done}"' in client.get(reverse("rate:next", args=["kites"])).content.decode()
    shown = client.get(f"{done}?cc=OTHER&url=https://evil.example").content.decode()
    assert f'href="{BACK}"' in shown and "C0DE</code>" in shown
    assert "evil" not in shown and "OTHER" not in shown
    assert Arrival.objects.get().completed_at


def test_who_skipped_the_rest_is_told_what_is_missing_for_the_code(client, study):
    agree(client, address(study, completion_code="C0DE"))
    place = Enrolment.objects.get()
    cast.a_judgment(place)
    with suppress(NothingLeft, NothingFree):
        while True:
            skip_assignment(claim_next_pair(place))
    page, done = reverse("rate:next", args=["kites"]), reverse("rate:completed", args=["kites"])
    assert client.get(done).url == page
    shown = client.get(page).content.decode()
    assert "when you have judged or declined them" in shown and done not in shown


def test_who_is_not_done_gets_no_code(client, study):
    agree(client, address(study, completion_code="C0DE"))
    reply = client.get(reverse("rate:completed", args=["kites"]))
    assert reply.url == reverse("rate:next", args=["kites"])
    assert Arrival.objects.get().completed_at is None


def a_paused_rater(client, study):
    agree(client, address(study, completion_code="C0DE"))
    place = Enrolment.objects.get()
    cast.a_judgment(place)
    quality.pause_rater(place, "Please write to us.")
    return Enrolment.objects.get()


def is_told_the_code(client) -> bool:
    """The page that they are on leads to it, and it is there."""
    done = reverse("rate:completed", args=["kites"])
    offered = f'href="{done}"' in client.get(reverse("rate:next", args=["kites"])).content.decode()
    told = client.get(done).status_code == 200
    assert offered == told
    return told


def test_a_paused_rater_whose_work_stands_gets_the_code_at_once(client, study):
    a_paused_rater(client, study)
    assert is_told_the_code(client)


def test_a_paused_rater_who_appeals_gets_the_code_when_they_will_not_go_on(client, study):
    place = a_paused_rater(client, study)
    quality.appeal(place, "I was careful.")
    assert not is_told_the_code(client)
    quality.decide_appeal(place.appeals.get(), granted=False, answer="It stays.")
    assert is_told_the_code(client)


def test_an_appeal_that_nobody_answered_keeps_nobody_from_the_code_of_a_closed_study(client, study):
    quality.appeal(a_paused_rater(client, study), "I was careful.")
    set_state(study, StudyState.CLOSED)
    assert is_told_the_code(client)


def test_work_that_was_withdrawn_brings_no_code_also_when_the_study_closes(client, study):
    quality.withdraw_work(a_paused_rater(client, study), "Not read at all.")
    assert not is_told_the_code(client)
    set_state(study, StudyState.CLOSED)
    assert not is_told_the_code(client)


def test_a_paused_rater_who_judged_nothing_gets_no_code(client, study):
    agree(client, address(study, completion_code="C0DE"))
    quality.pause_rater(Enrolment.objects.get(), "Please write to us.")
    assert not is_told_the_code(client)


# Blindness -------------------------------------------------------------------------------------------


def test_no_page_on_the_way_in_or_out_tells_an_arm_a_model_a_number_or_a_count(client):
    study = a_telling_study()
    joining.add_consent_version(study, "Be kind.", "Some answers are rude.")
    study.question = f"Is {cast.ARMS[0]} better?"
    study.save(update_fields=["question"])
    where = address(study, FROM_PROLIFIC, **PROLIFIC, completion_code="C0DE")
    next_page = reverse("rate:next", args=["kites"])
    replies = [client.get(where), client.post(where), agree(client, where, 9), agree(client, where)]
    replies += [client.get(where), client.get(reverse("rate:welcome", args=["kites"])), client.get(next_page)]
    cast.a_judgment(Enrolment.objects.get())
    joining.add_consent_version(study, "Be kinder.")
    replies += [client.get(next_page, follow=True)]
    replies += [client.post(reverse("rate:consent", args=["kites"]), {"version": 2})]
    replies += [agree(client, reverse("rate:consent", args=["kites"]), 2), client.get(next_page)]
    replies += [client.get(reverse("rate:completed", args=["kites"])), Client().get(where)]
    replies += [Client().get(reverse("join:return")), Client().post(reverse("join:return"), {"code": "no"})]
    set_state(study, StudyState.CLOSED)
    replies += [Client().get(address(study)), client.get(next_page)]
    assert "C0DE" in replies[11].content.decode()
    for reply in replies:
        told = everything(reply)
        assert [secret for secret in (*SECRETS, str(FAR)[:6]) if secret in told] == []
        assert "no-store" in reply["Cache-Control"]


# Whose account a code opens --------------------------------------------------------------------------


def test_a_return_code_opens_no_account_that_has_a_log_in_of_its_own(client, study):
    client.force_login(bob := cast.bob())
    where = agree(client, address(study)).url
    assert "<code>" not in client.get(where).content.decode()
    assert not access.is_a_guest(bob)
    Arrival.objects.update(return_digest=digest("aaaaa-bbbbb-ccccc-ddddd"))
    thief = Client()
    reply = thief.post(reverse("join:return"), {"code": "aaaaa-bbbbb-ccccc-ddddd"})
    assert reply.status_code == 422 and "sessionid" not in thief.cookies


@pytest.mark.parametrize("grown", ["staff", "member", "password"])
def test_a_return_code_opens_no_guest_who_became_more(client, study, grown):
    guest, code = joining.join(joining.make_link(study, "poster")[0], joining.Visitor(), 1)
    if grown == "member":
        add_member(cast.a_study("other"), guest.user, StudyRole.VIEWER)
    elif grown == "staff":
        User.objects.filter(pk=guest.user_id).update(is_staff=True)
    else:
        guest.user.set_password("a long word of mine")
        guest.user.save()
    assert client.post(reverse("join:return"), {"code": code}).status_code == 422
