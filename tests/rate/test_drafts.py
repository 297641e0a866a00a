"""Unfinished answers are kept on the server, and never overwrite what another window kept."""

import json
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation import tasks
from annotation.actions import claims, drafts
from annotation.actions.studies import set_state
from annotation.errors import DraftConflict, LeaseLost
from annotation.models import Assignment, Draft
from annotation.rate.forms import LONGEST_DRAFT
from annotation.vocabulary import StudyState
from tests import cast
from tests.rate.conftest import Rater

SOME = {"left-safety": "clearly_safe", "balance": "both_bad", "rationale": "Half a thought"}


@pytest.fixture
def held(bob) -> Assignment:
    return Assignment.objects.get()


def put(rater: Rater, held: Assignment, answers=None, seen=(), version=0, **more):
    body = json.dumps(
        {"answers": SOME if answers is None else answers, "seen": list(seen), "version": version}
    )
    url = reverse("rate:draft", args=[held.token])
    return rater.client.put(url, body, content_type="application/json", **more)


def test_a_draft_is_there_after_a_reload(bob, held):
    assert put(bob, held, seen=["left"]).json() == {"version": 1}
    html = bob.open().content.decode()
    assert 'name="left-safety" value="clearly_safe" checked' in html
    assert 'name="balance" value="both_bad" checked' in html
    assert "Half a thought</textarea>" in html
    assert 'data-version="1" data-seen="left"' in html


def test_each_change_is_the_next_version(bob, held):
    put(bob, held)
    assert put(bob, held, {"safer": "3"}, version=1).json() == {"version": 2}
    assert Draft.objects.get().answers == {"safer": "3"}


@pytest.mark.parametrize("version", [0, 2])
def test_whoever_has_not_seen_the_newest_version_is_shown_it_instead(bob, held, version):
    put(bob, held, seen=["right"])
    reply = put(bob, held, {"safer": "3"}, version=version)
    assert reply.status_code == 409
    assert reply.json() == {"answers": SOME, "seen": ["right"], "version": 1}
    assert Draft.objects.get().answers == SOME


def test_a_version_of_nothing_is_a_conflict_with_nothing(bob, held):
    reply = put(bob, held, version=3)
    assert (reply.status_code, reply.json()["version"]) == (409, 0)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "{",
        '{"answers": {}, "seen": []}',
        '{"answers": [], "seen": [], "version": 0}',
        '{"answers": {}, "seen": ["middle"], "version": 0}',
        '{"answers": {}, "seen": 1, "version": 0}',
        '{"answers": {}, "seen": [], "version": -1}',
        '{"answers": {}, "seen": [], "version": true}',
        '{"answers": {}, "seen": [], "version": 99999999999}',
        '{"answers": {"arm": "x"}, "seen": [], "version": 0}',
        '{"answers": {"idempotency_key": "x"}, "seen": [], "version": 0}',
        '{"answers": {"safer": "4"}, "seen": [], "version": 0}',
        '{"answers": {"safer": 3}, "seen": [], "version": 0}',
        '{"answers": {"safer": {"a": 1}}, "seen": [], "version": 0}',
        '{"answers": {"left-categories": ["weather"]}, "seen": [], "version": 0}',
        '{"answers": {"left-safety": "safe"}, "seen": [], "version": 0}',
        '{"answers": {"rationale": "' + "x" * 5001 + '"}, "seen": [], "version": 0}',
        "[" * 20_000,
    ],
)
def test_what_is_no_draft_of_this_form_is_refused(bob, held, body):
    url = reverse("rate:draft", args=[held.token])
    assert bob.client.put(url, body, content_type="application/json").status_code == 400
    assert not Draft.objects.exists()


def test_a_note_that_no_database_keeps_is_kept_readable(bob, held):
    put(bob, held, {"rationale": "a\x00b\ud800"})
    assert Draft.objects.get().answers == {"rationale": "a\ufffdb\ufffd"}


def test_a_draft_has_a_longest_size(bob, held):
    assert put(bob, held, {"rationale": "x" * LONGEST_DRAFT}).status_code == 413


def test_a_judged_pair_has_no_draft_and_takes_none(bob, held):
    put(bob, held)
    action, key = bob.action, bob.key
    bob.send(action, key)
    assert not Draft.objects.exists()
    assert put(bob, held, version=1).status_code == 410


@pytest.mark.parametrize("way", ["skip", "decline", "flag"])
def test_a_pair_given_back_has_no_draft(bob, held, way):
    put(bob, held)
    bob.client.post(reverse(f"rate:{way}", args=[held.token]))
    assert not Draft.objects.exists()


def test_a_pair_taken_again_begins_without_the_draft_of_the_old_hold(bob, held):
    put(bob, held)
    claims.release_expired_leases(held.lease_until.replace(year=held.lease_until.year + 1))
    Assignment.objects.update(token=uuid.uuid4(), state="leased", slot=0)
    again = Assignment.objects.get()
    assert "Half a thought" not in bob.open().content.decode()
    assert put(bob, again).json() == {"version": 1}
    assert Draft.objects.get().token == again.token


def test_only_the_rater_who_holds_the_pair_keeps_a_draft(bob, held):
    stranger = Rater(cast.dan())
    assert put(stranger, held).status_code == 404
    stranger.client.logout()
    assert put(stranger, held, headers={"HX-Request": "true"}).status_code == 401


def test_a_draft_comes_with_the_token_against_forgery(bob, held):
    bob.client.handler.enforce_csrf_checks = True
    assert put(bob, held).status_code == 403


def test_the_verb_says_what_the_page_is_told(bob, held):
    assert drafts.keep_draft(held, {}, [], 0) == 1
    with pytest.raises(DraftConflict):
        drafts.keep_draft(held, {}, [], 0)
    claims.skip_assignment(held)
    held.refresh_from_db()
    with pytest.raises(LeaseLost):
        drafts.keep_draft(held, {}, [], 1)


def test_a_beat_keeps_the_pair_and_says_when_it_is_lost(bob, held):
    url = reverse("rate:beat", args=[held.token])
    assert bob.client.post(url).status_code == 200
    claims.skip_assignment(held)
    assert bob.client.post(url).status_code == 410


# Drafts that nobody can send any more


@pytest.fixture
def left(bob, held):
    """A draft whose hold lapsed two days ago."""
    put(bob, held)
    Assignment.objects.update(lease_until=timezone.now() - timedelta(days=2))
    claims.release_expired_leases()
    Draft.objects.update(updated_at=timezone.now() - timedelta(days=2))
    return held


def fill(pair):
    pair.study.pairs.filter(pk=pair.pk).update(open_slots=0)


def test_a_draft_stays_while_its_answers_may_still_be_accepted(left):
    assert drafts.drop_left_drafts() == 0 and Draft.objects.exists()


def test_a_draft_goes_once_its_pair_takes_no_more_answers(left):
    fill(left.pair)
    tasks.release_expired_leases()
    assert not Draft.objects.exists()


def test_a_draft_goes_with_the_study(left, study):
    set_state(study, StudyState.CLOSED)
    assert drafts.drop_left_drafts() == 1


def test_a_draft_goes_when_its_hold_was_taken_again(left):
    Assignment.objects.update(token=uuid.uuid4())
    assert drafts.drop_left_drafts() == 1


def test_a_draft_that_changed_lately_or_is_still_held_stays(bob, held):
    put(bob, held)
    fill(held.pair)
    assert drafts.drop_left_drafts(timezone.now() + timedelta(days=300)) == 0
    Assignment.objects.update(state="expired", slot=None)
    assert drafts.drop_left_drafts(timezone.now() + timedelta(hours=1)) == 0
    assert drafts.drop_left_drafts(timezone.now() + timedelta(days=2)) == 1


def test_a_draft_of_a_rater_who_never_came_back_goes_in_the_end(left):
    assert drafts.drop_left_drafts(timezone.now() + timedelta(days=27)) == 0
    assert drafts.drop_left_drafts(timezone.now() + timedelta(days=29)) == 1
