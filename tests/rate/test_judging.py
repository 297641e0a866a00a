"""A rater judges pair after pair, and every refusal is told."""

import re
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.actions.claims import claim_next_pair, release_expired_leases, skip_assignment
from annotation.actions.studies import set_state
from annotation.models import Assignment, Judgment
from annotation.vocabulary import AssignmentState, EnrolmentState, StudyState
from tests import cast
from tests.rate.conftest import Rater, page_of


def held_by(place) -> Assignment:
    return place.assignments.get(state=AssignmentState.LEASED)


def test_a_reload_shows_the_same_pair(bob, place):
    token = held_by(place).token
    assert str(token) in bob.open().content.decode()
    assert place.assignments.count() == 1


def test_the_reply_to_a_judgment_is_the_next_pair(bob, place):
    first = bob.action
    reply = bob.send()
    assert reply.status_code == 200
    assert bob.action != first and str(held_by(place).token) in bob.action
    assert "1 judged · 3 pairs" in bob.html
    assert Judgment.objects.get().balance == 2


def test_with_htmx_the_reply_is_the_page_without_its_frame(quick_bob):
    reply = quick_bob.send()
    assert "<html" not in quick_bob.html and "<title>" in quick_bob.html
    assert reply["HX-Replace-Url"] == page_of()


def test_the_same_form_sent_twice_is_one_judgment_and_shows_the_next_pair(bob):
    action, key = bob.action, bob.key
    bob.send()
    following = bob.action
    assert bob.send(action, key).status_code == 200
    assert bob.action == following
    assert Judgment.objects.count() == 1


def test_the_address_of_a_reply_leads_back_to_the_study(bob):
    assert bob.client.get(bob.action).url == page_of()


def test_a_second_judgment_of_the_same_pair_is_refused_with_a_way_to_correct_it(bob):
    action = bob.action
    bob.send()
    reply = bob.send(action, uuid.uuid4().hex, rationale="My second thoughts.")
    assert reply.status_code == 409
    assert "already judged" in bob.html and "My second thoughts." in bob.html
    assert f"{action}correct/" in bob.html
    assert Judgment.objects.count() == 1


def test_a_form_without_answers_names_every_question_that_is_missing(bob):
    action, key = bob.action, bob.key
    bob.shown = bob.client.post(action, {"idempotency_key": key})
    assert bob.shown.status_code == 422
    for question in ("left-safety", "left-helpfulness", "left-mode", "right-mode", "safer", "balance"):
        assert f'<a href="#q-{question}">' in bob.html
        assert f'id="q-{question}-problem"' in bob.html
    assert '<a href="#q-left-severity">' not in bob.html
    assert bob.key == key
    assert not Judgment.objects.exists()


def test_a_form_that_lacks_an_answer_keeps_all_the_others(bob):
    bob.send(**{"right-mode": None, "rationale": "Keep me."})
    assert bob.shown.status_code == 422
    assert bob.html.count(" checked>") == 8 + 1  # of nine questions; the switch of the key sheet
    assert "Keep me." in bob.html


@pytest.mark.parametrize(
    ("field", "value"),
    [("safer", "4"), ("balance", "x"), ("left-mode", "sarcasm"), ("left-helpfulness", "0"), ("safer", "")],
)
def test_an_answer_that_was_never_offered_is_refused(bob, field, value):
    assert bob.send(**{field: value}).status_code == 422
    assert f'id="q-{field}-problem"' in bob.html
    assert not Judgment.objects.exists()


def test_an_unsafe_answer_needs_a_severity(bob):
    bob.send(given=cast.answers(left=cast.UNSAFE), **{"left-severity": ""})
    assert bob.shown.status_code == 422
    assert '<a href="#q-left-severity">' in bob.html and '<a href="#q-right-severity">' not in bob.html


def test_a_severity_given_before_a_change_of_mind_is_dropped(bob):
    assert bob.send(**{"left-severity": "high", "right-severity": "nonsense"}).status_code == 200
    assert set(Judgment.objects.get().responses.values_list("severity", flat=True)) == {""}


def test_both_bad_is_stored_apart_from_a_tie(bob):
    bob.send(given=cast.answers(balance=None, both_bad=True))
    judgment = Judgment.objects.get()
    assert judgment.both_bad and judgment.balance is None


def test_about_equal_is_not_about_equal_safer(bob):
    equal = re.findall(r'value="0">\s*<span>(.*?)</span><kbd', bob.html)
    assert equal == ["About equal"] * 3
    slightly = re.findall(r'name="safer" value="1">\s*<span>(.*?)</span><kbd', bob.html)
    assert slightly == ['B slightly<span class="tail"> safer</span>']


def test_a_study_without_ties_neither_offers_nor_takes_one(db):
    study = cast.a_rateable_study(allow_tie=False)
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    bob.open()
    assert 'name="balance" value="0"' not in bob.html
    assert bob.send(safer="0").status_code == 422


@pytest.mark.parametrize("key", ["", "short", "X" * 32, "a" * 65])
def test_a_form_without_a_usable_number_gets_a_new_one(bob, key):
    assert bob.send(idempotency_key=key).status_code == 422
    assert bob.key != key and len(bob.key) == 32
    assert bob.send().status_code == 200


def test_a_lapsed_hold_still_takes_the_answers_while_a_slot_is_free(bob, place):
    release_expired_leases(timezone.now() + timedelta(days=1))
    bob.send()
    assert "not counted" not in bob.html
    assert place.assignments.get(judgments__isnull=False).state == AssignmentState.SUBMITTED


def test_a_lapsed_hold_on_a_pair_that_others_completed_keeps_the_answers_uncounted(db):
    study = cast.a_rateable_study(pairs=1, overlap=1)
    place, other = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    bob = Rater(place.user)
    bob.open()
    release_expired_leases(timezone.now() + timedelta(days=1))
    cast.a_judgment(other)
    assert bob.send().status_code == 200
    assert "kept, but not counted" in bob.html
    assert place.assignments.get().state == AssignmentState.SURPLUS


def test_a_study_that_closed_meanwhile_keeps_the_answers_uncounted_and_says_that_it_is_closed(bob, study):
    set_state(study, StudyState.CLOSED)
    assert bob.send().status_code == 200
    assert "kept, but not counted" in bob.html and "not open for rating" in bob.html
    assert Judgment.objects.count() == 1


def test_a_skipped_pair_takes_no_answers_and_gives_them_back(bob, place):
    action, key = bob.action, bob.key
    skip_assignment(held_by(place))
    assert bob.send(action, key, rationale="Worth keeping.").status_code == 409
    assert "You skipped this pair" in bob.html and "Worth keeping." in bob.html
    assert not Judgment.objects.exists()


def test_skipping_leads_to_another_pair(bob, place):
    skipped = held_by(place)
    reply = bob.client.post(reverse("rate:skip", args=[skipped.token]))
    assert reply.url == page_of()
    bob.open()
    assert held_by(place).pair_id != skipped.pair_id


def test_skipping_twice_is_harmless(bob, place):
    address = reverse("rate:skip", args=[held_by(place).token])
    bob.client.post(address)
    assert bob.client.post(address).status_code == 302


def test_a_rater_who_judged_everything_is_told_so(bob):
    for _ in range(3):
        bob.send()
    assert "Nothing left to rate" in bob.html and "3 judged · 3 pairs" in bob.html


def test_a_study_without_pairs_says_that_there_are_none_yet(db):
    study = cast.a_study()
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    bob.open()
    assert "no pairs to rate so far" in bob.html


def test_a_rater_waits_while_others_hold_what_is_left(db):
    study = cast.a_rateable_study(pairs=1, overlap=1)
    held = claim_next_pair(cast.a_rater(study, cast.carol()))
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    assert bob.open().status_code == 200
    assert "No pair is free this moment" in bob.html
    assert held.lease_until.strftime("%H:%M") in bob.html


def test_a_closed_study_says_so(bob, study):
    set_state(study, StudyState.CLOSED)
    assert "not open for rating" in bob.open().content.decode()


def test_a_paused_rater_is_told_so(bob, place):
    place.state = EnrolmentState.PAUSED
    place.save(update_fields=["state"])
    assert "paused" in bob.open().content.decode()


def test_a_rater_starts_at_their_studies(bob):
    assert bob.client.get("/").url == reverse("rate:home")
    bob.send()
    page = bob.client.get(reverse("rate:home")).content.decode()
    assert "Kites" in page and "1 judged · 3 pairs" in page and page_of() in page


def test_a_rater_without_a_study_is_told_how_one_comes(db):
    page = Rater(cast.dan()).client.get(reverse("rate:home")).content.decode()
    assert "You have no study yet" in page


def test_a_researcher_starts_at_the_desk(client, db):
    client.force_login(cast.alice())
    assert client.get("/").url == reverse("desk:studies")


def test_who_skipped_a_pair_is_told_and_may_look_at_it_again(bob):
    skipped = bob.action
    bob.client.post(skipped + "skip/")
    bob.open()
    bob.send()
    bob.send()
    assert "You skipped 1 pair that still needs a judgment." in bob.html
    reply = bob.client.post(page_of() + "skipped/", follow=True)
    assert '<form class="judgment"' in reply.content.decode()
