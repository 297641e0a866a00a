"""Every address that a rater can ask for is asked for, in every way, and nothing of what is blind comes back.

The addresses are read from the project itself: a new one is asked for by itself, and fails here where it
takes something that this module does not know how to fill in.
"""

import uuid

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse
from django.urls.resolvers import URLPattern

from annotation.actions import joining, quality
from annotation.models import Assignment, Gold
from annotation.vocabulary import AssignmentKind, AssignmentState, EnrolmentRole, GoldUse
from tests import cast
from tests.api.test_rating import a_body
from tests.rate.test_blindness import FAR, SECRETS, a_telling_study, everything

pytestmark = pytest.mark.slow

PAGES, PROGRAMS = ("rate", "join"), "api"
OPEN = AssignmentState.LEASED
FIELDS = cast.form_fields() | {"idempotency_key": "0" * 32, "reason": "garbled", "cause": "content"}
JSON = {"content_type": "application/json"}


def addresses(*prefixes: str) -> dict[str, set[str]]:
    """By name, what each address of these parts of the project takes."""
    found = {}
    for part in get_resolver().url_patterns:
        if not isinstance(part, URLPattern) and part.namespace in prefixes:
            for pattern in part.url_patterns:
                found[f"{part.namespace}:{pattern.name}"] = set(pattern.pattern.converters)
    return found


PAGE_ADDRESSES, API_ADDRESSES = addresses(*PAGES), addresses(PROGRAMS)
THE_SAME_FOR_EVERYBODY = {"api:docs", "api:schema"}
"""The specification: it tells of no study, and strangers read it, too. Its examples name intents and arms."""
NUMBERS = {"pk": FAR, "number": 1, "rater": FAR, "dataset": 1, "delivery": FAR}
FILES = {"table": "headline", "ending": "csv", "kind": "html", "name": "train.jsonl"}


def test_there_are_addresses_of_every_audience():
    assert {"rate:judge", "rate:draft", "rate:quiz", "join:join"} <= set(PAGE_ADDRESSES)
    assert {"api:claim", "api:judge", "api:flag"} <= set(API_ADDRESSES)


@pytest.fixture
def bob(db):
    """A senior rater in a study with a word in every blind place, with a hold of every kind."""
    study = a_telling_study()
    pair = study.pairs.get()
    Gold.objects.create(study=study, pair=pair, use=GoldUse.PRACTICE, expected={"balance": 2}, place=FAR + 40)
    joining.add_consent_version(study, "You may stop.", "Some answers are rude.")
    rater = cast.a_rater(study, cast.bob())
    type(rater).objects.filter(pk=rater.pk).update(role=EnrolmentRole.SENIOR)
    joining.give_consent(rater, 1)
    for number, kind in enumerate(AssignmentKind):
        a_hold(study, rater, pair, kind, number)
    study.pairs.update(open_slots=1)
    return rater


def a_hold(study, rater, pair, kind, number) -> None:
    """One of a kind, judged where the kind's page comes after that; learning has one that is held, too."""
    rated = kind == AssignmentKind.RATED
    judged = kind in (AssignmentKind.REPEAT, AssignmentKind.PRACTICE, AssignmentKind.SENIOR)
    now = study.created_at
    state = AssignmentState.SUBMITTED if judged else OPEN if rated or kind == "quiz" else "expired"
    held = Assignment.objects.create(
        pk=FAR + 50 + number,
        pair=pair,
        enrolment=rater,
        kind=kind,
        slot=0 if rated else None,
        left_is_a=True,
        state=state,
        claimed_at=now,
        lease_until=now,
        submitted_at=now if judged else None,
    )
    if judged:
        held.judgments.create(
            study=study, enrolment=rater, pair=pair, idempotency_key="k", left_is_a=True, confidence=2
        )


def filled_in(takes: set[str], secret: str):
    """Every way to fill in an address."""
    if takes - {"slug", "token", "secret", "control", "appeal", *NUMBERS, *FILES}:
        pytest.fail(f"This test does not know what to put for {takes}: teach it.")
    tokens = [*Assignment.objects.values_list("token", flat=True), uuid.uuid4()]
    for slug in ("kites", "nowhere") if "slug" in takes else ("",):
        for token in tokens if "token" in takes else ("",):
            given = {"slug": slug, "token": token, "secret": secret, "control": "pause", **NUMBERS, **FILES}
            yield {name: given[name] for name in takes}


def requests_to(address: str):
    """(method, arguments) of what may be asked at an address."""
    yield "get", {}
    yield "post", {"data": {}}
    yield "post", {"data": FIELDS}
    yield "post", {"data": a_body() | {"claim_next": True, "reason": "other"}, **JSON}
    yield "put", {"data": {"answers": {}, "seen": [], "version": 0}, **JSON}
    yield "put", {"data": "{", **JSON}
    yield "delete", {}


def told_by(client: Client, name: str, takes: set[str], secret: str = "0" * 48) -> list[str]:
    """What every reply at this address says; each is asked of the study as it was."""
    said = []
    for given in filled_in(takes, secret):
        address = reverse(name, kwargs=given)
        for method, arguments in requests_to(address):
            for page in ({}, {"HX-Request": "true"}):
                with transaction.atomic():
                    reply = getattr(client, method)(address, headers=page, **arguments)
                    transaction.set_rollback(True)
                assert reply.status_code < 500, (method, address)
                said.append(everything(reply))
    return said


def secrets_in(said: list[str]) -> set[str]:
    return {secret for text in said for secret in (*SECRETS, str(FAR)[:6]) if secret in text}


@pytest.mark.parametrize("name", PAGE_ADDRESSES)
def test_no_page_of_a_rater_tells_what_is_blind(bob, name):
    client = Client()
    client.force_login(bob.user)
    _, secret = joining.make_link(bob.study, "Prolific", person_parameter="PID", completion_code="C0DE")
    said = told_by(client, name, PAGE_ADDRESSES[name], secret)
    assert said and secrets_in(said) == set()


@pytest.mark.parametrize("name", ["rate:next", "rate:appeal", "rate:judge", "rate:practice", "rate:quiz"])
def test_no_page_of_a_paused_rater_tells_it_either(bob, name):
    quality.pause_rater(bob, "Too fast.")
    client = Client()
    client.force_login(bob.user)
    assert secrets_in(told_by(client, name, PAGE_ADDRESSES[name])) == set()


@pytest.mark.parametrize("name", sorted(API_ADDRESSES.keys() - THE_SAME_FOR_EVERYBODY))
def test_no_reply_to_a_raters_program_tells_it(bob, name):
    key = cast.a_token(bob.user)
    client = Client(headers={"Authorization": f"Token {key}"})
    said = told_by(client, name, API_ADDRESSES[name])
    # A rater who asks for what is a researcher's may read back the numbers that they sent.
    assert said and secrets_in(said) - ({str(FAR)[:6]} if "pk" in API_ADDRESSES[name] else set()) == set()
