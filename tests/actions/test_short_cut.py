"""On PostgreSQL the plain judgment takes a short cut: it leaves the rows of the long way, or none at all."""

import json
import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from annotation import access
from annotation.actions import tokens
from annotation.actions.claims import claim_next_pair, release_expired_leases, skip_assignment
from annotation.actions.judging import submit_and_claim
from annotation.actions.short_cut import KEPT, judge_and_claim
from annotation.actions.studies import add_guideline
from annotation.api.rating import pair_as_json
from annotation.models import (
    Assignment,
    Enrolment,
    Event,
    Judgment,
    Pair,
    ResponseJudgment,
    Study,
    functions,
)
from tests.cast import SAFE, UNSAFE, a_judgment, a_rateable_study, a_rater, a_token, answers, bob, carol

pytestmark = pytest.mark.django_db
AT = timezone.now().replace(microsecond=0)
GIVEN = answers(
    type(SAFE)(SAFE.safety, SAFE.helpfulness, SAFE.mode, categories=("hate",), facilitation=False),
    UNSAFE,
    rationale="Because.",
    confidence=2,
)
on_postgresql = pytest.mark.postgresql


def judged(rater, given=None, key="key", held=None, at=AT):
    held = held or claim_next_pair(rater, at=at)
    return judge_and_claim(a_token(rater.user), str(held.token), given or GIVEN, key, at)


def rows(study) -> list:
    """All that a judgment leaves, without what is drawn anew: keys, tokens, moments of writing."""
    left_out = ("id", "token", "created_at", "judgment_id", "assignment_id", "submitted_at")
    found = []
    for table, filters in (
        (Judgment, {"study": study}),
        (ResponseJudgment, {"judgment__study": study}),
        (Assignment, {"pair__study": study}),
        (Event, {"study": study}),
        (Pair, {"study": study}),
        (Enrolment, {"study": study}),
    ):
        for row in table.objects.filter(**filters).order_by("pk").values():
            found.append((table.__name__, {k: v for k, v in row.items() if k not in left_out}))
    return found


@on_postgresql
@pytest.mark.parametrize(
    "rules", [{}, {"overlap": 1}, {"overlap": 3}, {"guideline_condition": "policy_given"}], ids=str
)
@pytest.mark.parametrize("given", [GIVEN, answers(UNSAFE, SAFE, balance=None, both_bad=True)])
def test_it_leaves_the_rows_of_the_long_way(rules, given):
    """The same judgments, once each way, on the same study: all is taken back in between."""
    study = a_rateable_study(pairs=12, **rules)
    add_guideline(study, "Judge what it *gives*.")
    other = a_rater(study, carol())
    for _ in range(3):
        a_judgment(other)
    claim_next_pair(other, at=AT)
    rater, ways = a_rater(study, bob()), []
    for way in (long_way, short_way):
        point = transaction.savepoint()
        ways.append(way(study, rater, given))
        transaction.savepoint_rollback(point)
    assert ways[0] == ways[1]


def long_way(study, rater, given):
    held, shown = claim_next_pair(rater, at=AT), []
    for number in range(5):
        _, held, _ = submit_and_claim(held, given, f"key {number}", AT)
        shown.append(json.loads(JSONRenderer().render(pair_as_json(access.blind_text(held)))))
    return rows(study), [without_token(pair) for pair in shown]


def short_way(study, rater, given):
    held, shown = claim_next_pair(rater, at=AT), []
    for number in range(5):
        told = json.loads(judged(rater, given, f"key {number}", held))
        held = Assignment.objects.get(token=told["id"])
        shown.append(told)
    return rows(study), [without_token(pair) for pair in shown]


def without_token(pair):
    return {name: value for name, value in pair.items() if name != "id"}


@on_postgresql
def test_it_says_so_when_no_pair_is_left_and_keeps_the_answers():
    rater = a_rater(a_rateable_study(pairs=1), bob())
    assert judged(rater) == KEPT
    assert Judgment.objects.get().idempotency_key == "key"


def steps_aside(rater, given=None, held=None) -> bool:
    before = rows(rater.study)
    return judged(rater, given, held=held) is None and rows(rater.study) == before


def changed(study, **rules):
    Study.objects.filter(pk=study.pk).update(**rules)


@pytest.mark.parametrize(
    "rules",
    [
        {"state": "closed"},
        {"overlap_max": 5},
        {"cap_total": 1},
        {"cap_per_day": 1},
        {"arrivals": 9},
        {"allow_tie": False},
        {"harm_categories": ["illicit"]},
    ],
    ids=str,
)
def test_it_steps_aside_where_the_study_asks_for_more(rules):
    study = a_rateable_study(pairs=3)
    rater = a_rater(study, bob())
    held = claim_next_pair(rater, at=AT)
    changed(study, **rules)
    assert steps_aside(rater, answers(GIVEN.left, UNSAFE, safer=0), held)


def test_it_steps_aside_for_a_paused_rater_and_for_one_with_a_cap():
    rater = a_rater(a_rateable_study(pairs=3), bob())
    held = claim_next_pair(rater, at=AT)
    for change in ({"state": "paused"}, {"state": "active", "cap_total": 1}):
        Enrolment.objects.filter(pk=rater.pk).update(**change)
        assert steps_aside(rater, held=held)


def test_it_steps_aside_when_the_pair_is_not_held_any_more():
    rater = a_rater(a_rateable_study(pairs=3), bob())
    held = claim_next_pair(rater, at=AT)
    skip_assignment(held)
    assert steps_aside(rater, held=held)
    held = claim_next_pair(rater, at=AT)
    release_expired_leases(AT + timedelta(days=1))
    assert steps_aside(rater, held=held)


def test_it_steps_aside_for_answers_that_contradict_the_questions():
    rater = a_rater(a_rateable_study(pairs=3), bob())
    assert steps_aside(rater, answers(SAFE, SAFE, balance=None), claim_next_pair(rater, at=AT))


def test_a_wrong_token_and_another_raters_pair_change_nothing():
    study = a_rateable_study(pairs=3)
    rater, other = a_rater(study, bob()), a_rater(study, carol())
    held = claim_next_pair(rater, at=AT)
    before = rows(study)
    for auth_key in ("", "nonsense", a_token(other.user)):
        assert judge_and_claim(auth_key, str(held.token), GIVEN, "key", AT) is None
    assert judge_and_claim("nonsense", str(uuid.uuid4()), GIVEN, "key", AT) is None
    assert rows(study) == before


@on_postgresql
def test_a_token_opens_the_short_cut_only_for_rating_and_only_while_it_is_valid():
    rater = a_rater(a_rateable_study(pairs=3), bob())
    held = claim_next_pair(rater, at=AT)
    revoked = a_token(rater.user)
    tokens.revoke_token(rater.user.api_tokens.get())
    lasting = AT + timedelta(days=1)
    a_day = a_token(rater.user, expires_at=lasting)
    for auth_key, at in ((revoked, AT), (a_token(rater.user, "read", "write"), AT), (a_day, lasting)):
        assert judge_and_claim(auth_key, str(held.token), GIVEN, "key", at) is None
    assert judge_and_claim(a_day, str(held.token), GIVEN, "key", AT) is not None


def test_a_rater_who_left_is_not_let_in():
    rater = a_rater(a_rateable_study(pairs=3), bob())
    held = claim_next_pair(rater, at=AT)
    rater.user.is_active = False
    rater.user.save(update_fields=["is_active"])
    assert steps_aside(rater, held=held)


def test_sqlite_always_goes_the_long_way():
    rater = a_rater(a_rateable_study(pairs=3), bob())
    held = claim_next_pair(rater, at=AT)
    assert (judged(rater, held=held) is None) == (connection.vendor == "sqlite")


@on_postgresql
@pytest.mark.parametrize(
    ("column", "used"),
    [
        ("jsonb NOT NULL DEFAULT '[]'", '["something"]'),
        ("boolean", True),
        ("integer NOT NULL DEFAULT 0", -1),
        ("varchar(9) NOT NULL DEFAULT ''", "x"),
        ("text", " "),
        ("date", "2026-01-01"),
    ],
)
def test_a_setting_that_it_does_not_know_makes_it_step_aside_once_it_is_used(column, used):
    rater = a_rater(a_rateable_study(pairs=3), bob())
    held = claim_next_pair(rater, at=AT)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no table can change while a check of its is to come
        cursor.execute(f"ALTER TABLE annotation_study ADD COLUMN later {column}")
    assert steps_aside(rater, held=held)
    functions.install(connection)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE annotation_study SET later = %s", [used])
    assert steps_aside(rater, held=held)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE annotation_study SET later = DEFAULT")
    assert judged(rater, held=held) is not None
