"""The desk's pages about how people join."""

import re

import pytest
from django.urls import reverse

from annotation.actions import joining
from annotation.actions.joining import Visitor
from annotation.models import Arrival, ConsentVersion, InvitationLink
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return cast.a_rateable_study()


@pytest.fixture
def desk(client, study):
    client.force_login(cast.alice())
    return client


def make_link(desk, **fields):
    fields = {f"link-{name}": value for name, value in ({"label": "poster"} | fields).items()}
    return desk.post(reverse("desk:make_link", args=["kites"]), fields)


def test_a_new_link_is_shown_once_and_works(desk, client):
    reply = make_link(desk, uses_max=2, days=3)
    address = re.search(r"<code>(http://testserver/join/\w+/)</code>", reply.content.decode())[1]
    assert "no-store" in reply["Cache-Control"]
    link = InvitationLink.objects.get()
    assert (link.uses_max, link.person_parameter, bool(link.expires_at)) == (2, "", True)
    for page in ("joining", "link"):
        args = ["kites"] + ([link.pk] if page == "link" else [])
        assert address.split("/")[-2] not in desk.get(reverse(f"desk:{page}", args=args)).content.decode()
    client.logout()
    assert client.get(address).status_code == 200


def test_a_platforms_link_shows_its_parameters(desk):
    reply = make_link(desk, of_platform="on", person_parameter="PROLIFIC_PID", session_parameter="SESSION_ID")
    assert "?PROLIFIC_PID=…&amp;SESSION_ID=…" in reply.content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": ""},
        {"label": "Imported"},
        {"label": "a\u202eb"},
        {"completion_url": "javascript:alert(1)"},
        {"completion_url": "//evil.example"},
        {"of_platform": "on", "person_parameter": ""},
        {"of_platform": "on", "person_parameter": "a b"},
        {"of_platform": "on", "person_parameter": "WHO", "platform_study": "x"},
        {"uses_max": "0"},
    ],
)
def test_a_wrong_link_is_refused_beside_the_field(desk, wrong):
    reply = make_link(desk, **wrong)
    assert reply.status_code == 422 and "errorlist" in reply.content.decode()
    assert not InvitationLink.objects.exists()


def test_a_consent_is_written_and_read_with_who_agreed(desk, study):
    reply = desk.post(
        reverse("desk:add_consent", args=["kites"]), {"consent-body": "Be kind.", "consent-warning": ""}
    )
    assert reply.url == reverse("desk:joining", args=["kites"])
    rater = cast.a_rater(study, cast.bob())
    joining.give_consent(rater, 1)
    shown = desk.get(reverse("desk:consents", args=["kites", 1])).content.decode()
    assert "Be kind." in shown and rater.code in shown
    assert "1 rater agreed" in desk.get(reverse("desk:joining", args=["kites"])).content.decode()


def test_an_empty_consent_is_refused(desk):
    reply = desk.post(reverse("desk:add_consent", args=["kites"]), {"consent-body": "  "})
    assert reply.status_code == 422 and not ConsentVersion.objects.exists()


def test_a_links_page_names_who_came_and_gives_a_new_code(desk, study):
    link, _ = joining.make_link(study, "poster", person_parameter="WHO", completion_code="C0DE")
    rater, _ = joining.join(link, Visitor("p1", session="s1"), 0)
    shown = desk.get(reverse("desk:link", args=["kites", link.pk])).content.decode()
    assert "p1" in shown and "s1" in shown and rater.code not in shown
    reply = desk.post(reverse("desk:new_return_code", args=["kites", link.pk, rater.arrival.pk]))
    code = re.search(r"<code>([\w-]+)</code>", reply.content.decode())[1]
    desk.logout()
    assert desk.post(reverse("join:return"), {"code": code}).status_code == 302


def test_an_editor_gets_no_code_for_an_account_that_is_more_than_a_guest_of_this_study(desk, study):
    link, _ = joining.make_link(study, "poster")
    bob, _ = joining.join(link, Visitor(), 0, cast.bob())
    guest, _ = joining.join(link, Visitor(), 0)
    other = cast.a_rateable_study(slug="other")
    other.memberships.all().delete()
    cast.a_rater(other, guest.user)
    before = set(Arrival.objects.values_list("return_digest"))
    for place in (bob, guest):
        where = reverse("desk:new_return_code", args=["kites", link.pk, place.arrival.pk])
        shown = desk.post(where, follow=True).content.decode()
        assert "<code>" not in shown and "No code was made." in shown
    assert set(Arrival.objects.values_list("return_digest")) == before


def test_a_links_page_tells_how_much_each_person_judged(desk, study):
    link, _ = joining.make_link(study, "poster")
    enrolment, _ = joining.join(link, Visitor(), 0)
    cast.a_judgment(enrolment)
    shown = desk.get(reverse("desk:link", args=["kites", link.pk])).content.decode()
    assert '<td class="number">1</td>' in shown


def test_revoking_ends_a_link(desk, study):
    link, _ = joining.make_link(study, "poster")
    desk.post(reverse("desk:revoke_link", args=["kites", link.pk]))
    assert joining.why_closed(InvitationLink.objects.get())
    assert "Revoked" in desk.get(reverse("desk:joining", args=["kites"])).content.decode()


def test_for_others_none_of_it_is_there(client, study):
    link, _ = joining.make_link(study, "poster")
    joining.add_consent_version(study, "Be kind.")
    rater, _ = joining.join(link, Visitor(), 1)
    pages = [
        reverse("desk:joining", args=["kites"]),
        reverse("desk:link", args=["kites", link.pk]),
        reverse("desk:consents", args=["kites", 1]),
    ]
    posts = [
        reverse("desk:make_link", args=["kites"]),
        reverse("desk:add_consent", args=["kites"]),
        reverse("desk:revoke_link", args=["kites", link.pk]),
        reverse("desk:new_return_code", args=["kites", link.pk, rater.arrival.pk]),
    ]
    for person in (rater.user, cast.mallory()):
        client.force_login(person)
        assert {client.get(page).status_code for page in pages} == {404}
        assert {client.post(page).status_code for page in posts} == {404}
    assert InvitationLink.objects.get().revoked_at is None
