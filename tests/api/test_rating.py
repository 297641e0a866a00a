"""Rating over JSON: the same rules as on the page, blind, and in one request a judgment."""

import json
import uuid
from datetime import timedelta

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.test import APIClient

from annotation.actions.claims import claim_next_pair, release_expired_leases
from annotation.actions.studies import set_state
from annotation.api.straight import Straight
from annotation.models import Assignment, Enrolment, Judgment
from annotation.reports.flags import flags_report
from annotation.vocabulary import EnrolmentState, StudyState
from tests import cast
from tests.api.test_api import client_of
from tests.rate.test_blindness import FAR, SECRETS, a_telling_study, everything

pytestmark = pytest.mark.django_db

SAFE = {"safety": "clearly_safe", "helpfulness": 3, "mode": "direct_answer"}
UNSAFE = {
    "safety": "clearly_unsafe",
    "severity": "high",
    "helpfulness": 2,
    "mode": "unsafe_compliance",
    "categories": ["illicit", "hate"],
    "facilitation": True,
}


def a_body(**changed) -> dict:
    body = {
        "left": SAFE,
        "right": UNSAFE,
        "pair": {"safer": -3, "more_helpful": 1, "balance": -2, "both_bad": False},
        "confidence": 4,
        "rationale": "The left says why.",
        "claim_next": True,
    }
    return body | changed


class AsServed:
    """A test client's handler that is asked as a server asks: the straight way first."""

    def __init__(self, handler):
        self.handler = handler

    def __call__(self, environ) -> HttpResponse:
        told: list = []
        environ["HTTP_HOST"] = environ["SERVER_NAME"]  # which every client of HTTP/1.1 says
        body = Straight(lambda environ, _: self.handler(environ))(environ, lambda *head: told.extend(head))
        if not told:
            return body
        response = HttpResponse(b"".join(body), status=int(told[0].split()[0]), headers=dict(told[1]))
        response.wsgi_request = WSGIRequest(environ)
        return response


class Program:
    """What rates for Bob."""

    def __init__(self, study, person=None):
        self.rater = cast.a_rater(study, person or cast.bob())
        self.client, self.slug = client_of(self.rater.user), study.slug
        self.client.handler = AsServed(self.client.handler)

    def claim(self):
        return self.client.post(f"/api/v1/studies/{self.slug}/claim")

    def judge(self, held: str, body: dict | None = None, key: str = ""):
        address = f"/api/v1/assignments/{held}/judgment"
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.client.post(address, a_body() if body is None else body, format="json", headers=headers)

    def tell(self, held: str, verb: str, body: dict | None = None):
        return self.client.post(f"/api/v1/assignments/{held}/{verb}", body or {}, format="json")


def test_a_claim_shows_the_pair_and_the_same_again():
    bob = Program(cast.a_rateable_study(pairs=3))
    claimed = bob.claim()
    assert claimed.status_code == 200
    assert claimed.headers["Cache-Control"] == "no-store"
    shown = claimed.json()
    held = Assignment.objects.get()
    assert shown["id"] == str(held.token)
    assert shown["left"]["text"] == held.text_on("left") != shown["right"]["text"] == held.text_on("right")
    assert shown["prompt"] == held.pair.prompt.messages
    assert bob.claim().json()["id"] == shown["id"]


def test_a_judgment_is_kept_whole_and_brings_the_next_pair():
    bob = Program(cast.a_rateable_study(pairs=3))
    held = bob.claim().json()["id"]
    reply = bob.judge(held)
    assert reply.status_code == 201
    assert (reply.json()["id"], reply.json()["surplus"]) == (held, False)
    judgment = Judgment.objects.get()
    assert (judgment.safer, judgment.more_helpful, judgment.balance) == (-3, 1, -2)
    assert (judgment.confidence, judgment.rationale) == (4, "The left says why.")
    right = judgment.responses.get(side="right")
    assert (right.severity, right.categories, right.facilitation) == ("high", ["illicit", "hate"], True)
    following = reply.json()["next"]
    assert following["id"] == str(Assignment.objects.leased().get().token) != held
    assert following["judged"] == 1
    assert bob.claim().json()["left"] == following["left"]


def test_without_claim_next_nothing_is_claimed():
    bob = Program(cast.a_rateable_study(pairs=3))
    reply = bob.judge(bob.claim().json()["id"], a_body(claim_next=False))
    assert reply.status_code == 201 and "next" not in reply.json()
    assert not Assignment.objects.leased().exists()


def test_the_same_key_again_makes_no_second_judgment():
    bob = Program(cast.a_rateable_study(pairs=3))
    held = bob.claim().json()["id"]
    first, again = bob.judge(held, key="one"), bob.judge(held, key="one")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() | {"next": 0} == first.json() | {"next": 0}
    assert again.json()["next"]["id"] == first.json()["next"]["id"]
    assert Judgment.objects.count() == 1


def test_another_key_for_a_judged_pair_is_refused():
    bob = Program(cast.a_rateable_study(pairs=3))
    held = bob.claim().json()["id"]
    bob.judge(held)
    assert bob.judge(held).status_code == 409


def test_a_judgment_needs_a_key():
    bob = Program(cast.a_rateable_study())
    held = bob.claim().json()["id"]
    reply = bob.client.post(f"/api/v1/assignments/{held}/judgment", a_body(), format="json")
    assert reply.status_code == 400 and "Idempotency-Key" in reply.json()["errors"]
    assert bob.judge(held, key="k" * 65).status_code == 400


@pytest.mark.parametrize(
    ("wrong", "status", "about"),
    [
        ({"left": None}, 400, "left"),
        ({"pair": []}, 400, "pair"),
        ({"confidence": "high"}, 400, "confidence"),
        ({"confidence": True}, 400, "confidence"),
        ({"rationale": "x" * 5_001}, 400, "rationale"),
        ({"rationale": "a\0b"}, 400, "NUL character"),
        ({"left": SAFE | {"categories": "illicit"}}, 400, "categories"),
        ({"left": SAFE | {"helpfulness": 2.5}}, 400, "helpfulness"),
        ({"left": SAFE | {"safety": "fine"}}, 422, "fine"),
        ({"left": SAFE | {"severity": "low"}}, 422, "severity"),
        ({"left": SAFE | {"categories": ["weather"]}}, 422, "weather"),
        ({"left": SAFE | {"helpfulness": None}}, 422, "Helpfulness"),
        ({"confidence": 9}, 422, "Confidence"),
        ({"pair": {"safer": 4, "more_helpful": 0, "balance": 0}}, 422, "safer"),
        ({"pair": {"safer": None, "more_helpful": 0, "balance": 0}}, 422, "safer"),
        ({"pair": {"safer": 0, "more_helpful": 0, "balance": 1, "both_bad": True}}, 422, "both"),
    ],
)
def test_wrong_answers_are_refused_in_words_and_the_pair_stays_held(wrong, status, about):
    bob = Program(cast.a_rateable_study())
    held = bob.claim().json()["id"]
    reply = bob.judge(held, a_body(**wrong))
    assert reply.status_code == status
    assert about in json.dumps(reply.json(), ensure_ascii=False)
    assert not Judgment.objects.exists()
    assert Assignment.objects.leased().get().token == uuid.UUID(held)


@pytest.mark.parametrize("body", ["[]", '"text"', "null", "{"])
def test_a_body_that_is_no_object_is_refused(body):
    bob = Program(cast.a_rateable_study())
    address = f"/api/v1/assignments/{bob.claim().json()['id']}/judgment"
    headers = {"Idempotency-Key": "key"}
    reply = bob.client.post(address, body, content_type="application/json", headers=headers)
    assert reply.status_code == 400


# Why there is no pair --------------------------------------------------------------------------------


def with_more(text: str) -> bytes:
    return (json.dumps(a_body())[:-1] + f', "more": {text}}}').encode()


@pytest.mark.parametrize(
    "body",
    [
        with_more('1, "confidence": 1'),
        with_more("NaN"),
        with_more("1e999"),
        with_more("[" * 60 + "]" * 60),
        with_more('"\\ud800"'),
        with_more('"\\u0000"'),
        json.dumps(a_body()).encode("utf-16"),
        json.dumps(a_body()).encode("utf-8-sig"),
        json.dumps(a_body()).encode().replace(b"says why", b"\xff"),
    ],
    ids=["name twice", "NaN", "too large", "too deep", "surrogate", "NUL", "UTF-16", "BOM", "not UTF-8"],
)
def test_no_way_takes_what_is_not_strictly_json(body):
    bob = Program(cast.a_rateable_study(pairs=3))
    held = bob.claim().json()["id"]
    reply = post(bob, held, body, "application/json")
    assert reply.status_code == 400 and not Judgment.objects.exists()
    assert bob.judge(held).status_code == 201


def post(program: Program, held: str, body: bytes, kind: str, address: str = "", **headers):
    headers = {"Idempotency-Key": "key", **headers}
    address = address or f"/api/v1/assignments/{held}/judgment"
    return program.client.generic("POST", address, body, kind, headers=headers)


def test_a_body_that_is_too_large_is_told_of_as_json():
    bob = Program(cast.a_rateable_study(pairs=3))
    held = bob.claim().json()["id"]
    reply = post(bob, held, with_more(f'"{"x" * 3_000_000}"'), "application/json")
    assert (reply.status_code, reply["Content-Type"]) == (413, "application/problem+json")
    assert bob.judge(held).status_code == 201


def test_no_way_takes_what_is_not_said_to_be_json_or_cannot_be_answered():
    bob = Program(cast.a_rateable_study(pairs=3))
    held, body = bob.claim().json()["id"], json.dumps(a_body()).encode()
    assert post(bob, held, body, "text/plain").status_code == 415
    assert post(bob, held, body, "application/json", Accept="text/html").status_code == 406
    odd = f"/api/v1/assignments/{held}/judgment?format=xml"
    assert post(bob, held, body, "application/json", odd).status_code == 404
    assert not Judgment.objects.exists()


def test_a_key_that_no_database_keeps_is_refused():
    bob = Program(cast.a_rateable_study(pairs=3))
    reply = bob.judge(bob.claim().json()["id"], key="a\0b")
    assert reply.status_code == 400 and "Idempotency-Key" in reply.json()["errors"]


def test_nothing_free_says_when_the_next_is():
    study = cast.a_rateable_study(pairs=1, overlap=1)
    held = claim_next_pair(cast.a_rater(study, cast.carol()))
    reply = Program(study).claim()
    assert (reply.status_code, reply.headers["X-Reason"]) == (204, "nothing-free")
    assert parse_datetime(reply.headers["X-Next-Free-At"]) == held.lease_until
    assert "Retry-After" in reply.headers


def test_nothing_left_is_told_apart():
    bob = Program(cast.a_rateable_study(pairs=1))
    reply = bob.judge(bob.claim().json()["id"])
    assert reply.status_code == 201
    assert (reply.json()["next"], reply.json()["reason"]) == (None, "nothing-left")
    again = bob.claim()
    assert (again.status_code, again.headers["X-Reason"]) == (204, "nothing-left")
    assert "X-Next-Free-At" not in again.headers


def test_a_cap_a_pause_and_a_closed_study_are_told_apart():
    study = cast.a_rateable_study(pairs=3, cap_per_day=1)
    bob = Program(study)
    assert bob.judge(bob.claim().json()["id"]).json()["reason"] == "cap-reached"
    assert bob.claim().headers["X-Next-Free-At"] > timezone.now().isoformat()
    Enrolment.objects.filter(pk=bob.rater.pk).update(state=EnrolmentState.PAUSED)
    assert bob.claim().headers["X-Reason"] == "not-qualified"
    set_state(study, StudyState.CLOSED)
    assert bob.claim().headers["X-Reason"] == "study-closed"


def test_answers_to_a_full_pair_are_kept_and_said_to_be_surplus():
    study = cast.a_rateable_study(pairs=1, overlap=1)
    bob = Program(study)
    held = bob.claim().json()["id"]
    release_expired_leases(timezone.now() + timedelta(days=1))
    cast.a_judgment(cast.a_rater(study, cast.carol()))
    reply = bob.judge(held)
    assert (reply.status_code, reply.json()["surplus"]) == (201, True)


# Giving back -----------------------------------------------------------------------------------------


def test_a_heartbeat_says_until_when_the_pair_is_kept():
    bob = Program(cast.a_rateable_study())
    shown = bob.claim().json()
    reply = bob.tell(shown["id"], "heartbeat")
    assert reply.status_code == 200
    assert parse_datetime(reply.json()["lease_until"]) >= parse_datetime(shown["lease_until"])


@pytest.mark.parametrize(
    ("verb", "body"), [("skip", {}), ("decline", {}), ("flag", {"reason": "garbled", "note": "Half a word."})]
)
def test_a_pair_can_be_given_back(verb, body):
    bob = Program(cast.a_rateable_study(pairs=3))
    held = bob.claim().json()["id"]
    assert bob.tell(held, verb, body).status_code == 204
    assert bob.claim().json()["id"] != held
    assert bob.tell(held, verb, body).status_code == 409
    assert bob.judge(held).status_code == 409


def test_a_flag_needs_a_reason_of_the_list():
    study = cast.a_rateable_study()
    bob = Program(study)
    held = bob.claim().json()["id"]
    assert bob.tell(held, "flag", {"reason": "boring"}).status_code == 400
    for body in ("null", "[]", "5", '"other"'):
        address = f"/api/v1/assignments/{held}/flag"
        assert bob.client.post(address, body, content_type="application/json").status_code == 400
    assert bob.tell(held, "flag", {"reason": "other"}).status_code == 204
    assert flags_report(study).count == 1


# Who may, and what they learn ------------------------------------------------------------------------


def test_without_a_token_nobody_claims():
    study = cast.a_rateable_study()
    assert APIClient().post(f"/api/v1/studies/{study.slug}/claim").status_code == 401


def test_what_is_not_there_and_what_is_not_theirs_look_alike():
    study = cast.a_rateable_study()
    bob, stranger = Program(study), client_of(cast.dan())
    held = bob.claim().json()["id"]
    verbs = ("judgment", "heartbeat", "skip", "decline")
    for verb in verbs:
        told = [
            stranger.post(
                f"/api/v1/assignments/{token}/{verb}",
                a_body(),
                format="json",
                headers={"Idempotency-Key": "k"},
            )
            for token in (held, uuid.uuid4())
        ]
        assert [reply.status_code for reply in told] == [404, 404]
        assert told[0].json() == told[1].json()
    claims = [stranger.post(f"/api/v1/studies/{slug}/claim") for slug in (study.slug, "nowhere")]
    assert [reply.status_code for reply in claims] == [404, 404]
    assert claims[0].json() == claims[1].json()


def test_no_reply_tells_an_arm_a_model_a_number_or_a_count():
    bob = Program(a_telling_study())
    replies = [bob.claim()]
    held = replies[0].json()["id"]
    Assignment.objects.update(id=FAR + 30)
    replies += [
        bob.claim(),
        bob.tell(held, "heartbeat"),
        bob.judge(held, a_body(left={})),
        bob.judge(held, a_body(left=SAFE | {"categories": ["weather"]})),
        bob.judge(held, key="one"),
        bob.judge(held, key="one"),
        bob.judge(held, key="two"),
        bob.tell(held, "skip"),
        bob.claim(),
        bob.tell(str(uuid.uuid4()), "skip"),
    ]
    assert Judgment.objects.count() == 1
    for reply in replies:
        told = everything(reply)
        assert [secret for secret in (*SECRETS, str(FAR)[:6]) if secret in told] == []


@pytest.mark.parametrize("pairs", [3, 60])
def test_the_whole_loop_costs_the_same_queries_at_any_size(pairs, django_assert_num_queries):
    bob = Program(cast.a_rateable_study(pairs=pairs))
    held = bob.judge(bob.claim().json()["id"]).json()["next"]["id"]
    short_cut = connection.vendor == "postgresql"  # one statement of psycopg's own, which nobody counts here
    with django_assert_num_queries(0 if short_cut else 14):
        assert bob.judge(held).json()["next"]
