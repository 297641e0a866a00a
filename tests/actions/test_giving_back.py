"""What a rater can do with a pair other than judge it, and what they may do in a day."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from annotation.actions.claims import (
    LONGEST_HOLD,
    claim_next_pair,
    decline_assignment,
    flag_assignment,
    heartbeat,
    release_expired_leases,
    skip_assignment,
    take_up_skipped,
)
from annotation.actions.drafts import keep_draft
from annotation.actions.judging import submit_and_claim, submit_judgment
from annotation.errors import CapReached, LeaseLost, NothingLeft
from annotation.models import Draft, Enrolment, Event
from annotation.reports.flags import flags_report
from annotation.vocabulary import FlagReason
from tests.cast import a_judgment, a_rateable_study, a_rater, answers, bob, carol, is_held

pytestmark = pytest.mark.django_db
GIVE_BACK = {
    "skip": skip_assignment,
    "decline": decline_assignment,
    "flag": lambda held: flag_assignment(held, FlagReason.GARBLED, "It ends half-way."),
}


@pytest.mark.parametrize("how", GIVE_BACK)
def test_a_pair_given_back_goes_to_others_and_not_to_the_rater(how):
    study = a_rateable_study(pairs=1, overlap=1)
    rater = a_rater(study, bob())
    held = claim_next_pair(rater)
    GIVE_BACK[how](held)
    with pytest.raises(NothingLeft):
        claim_next_pair(rater)
    assert claim_next_pair(a_rater(study, carol())).pair_id == held.pair_id


@pytest.mark.parametrize("how", GIVE_BACK)
def test_a_pair_given_back_takes_no_answers_from_the_rater(how):
    held = claim_next_pair(a_rater(a_rateable_study(), bob()))
    GIVE_BACK[how](held)
    with pytest.raises(LeaseLost):
        submit_judgment(held, answers(), "key")


@pytest.mark.parametrize("how", GIVE_BACK)
def test_a_pair_that_is_not_held_cannot_be_given_back(how):
    judgment = a_judgment(a_rater(a_rateable_study(), bob()))
    with pytest.raises(LeaseLost):
        GIVE_BACK[how](judgment.assignment)


@pytest.mark.parametrize("how", ["decline", "flag"])
def test_what_was_declined_or_flagged_never_comes_back_to_the_rater(how):
    study = a_rateable_study(pairs=1, overlap=1)
    rater = a_rater(study, bob())
    GIVE_BACK[how](claim_next_pair(rater))
    assert take_up_skipped(rater) == 0
    with pytest.raises(NothingLeft):
        claim_next_pair(rater)


@pytest.mark.parametrize("how", GIVE_BACK)
def test_giving_back_counts_against_nobody(how):
    rater = a_rater(a_rateable_study(pairs=3, cap_total=2), bob())
    GIVE_BACK[how](claim_next_pair(rater))
    rater.refresh_from_db()
    assert (rater.judged, rater.judged_today, rater.tilt) == (0, 0, 0)
    a_judgment(rater)
    assert claim_next_pair(rater)


def test_a_flag_stands_on_the_desks_list_with_its_reason():
    study = a_rateable_study(pairs=1)
    rater = a_rater(study, bob())
    held = claim_next_pair(rater)
    flag_assignment(held, FlagReason.LANGUAGE, "  All in Latin. ")
    report = flags_report(study)
    (flag,) = report.flags
    assert (report.count, flag.pair, flag.rater) == (1, held.pair_id, rater.code)
    assert (flag.reason, flag.note, flag.still_open) == ("In the wrong language", "All in Latin.", True)
    assert Event.objects.get(verb="flag_assignment").detail["reason"] == "language"


def test_another_studys_flags_are_not_listed():
    flag_assignment(claim_next_pair(a_rater(a_rateable_study(), bob())), FlagReason.OTHER)
    assert flags_report(a_rateable_study(slug="boats")).flags == ()


def test_an_unknown_reason_flags_nothing():
    held = claim_next_pair(a_rater(a_rateable_study(), bob()))
    with pytest.raises(ValueError, match="nonsense"):
        flag_assignment(held, "nonsense")


@pytest.mark.parametrize("how", GIVE_BACK)
def test_an_old_page_does_not_give_back_the_new_hold(how):
    rater = a_rater(a_rateable_study(pairs=1), bob())
    old = claim_next_pair(rater)
    release_expired_leases(timezone.now() + timedelta(days=1))
    new = claim_next_pair(rater)
    with pytest.raises(LeaseLost):
        GIVE_BACK[how](old)
    assert is_held(new)


# Heartbeats ------------------------------------------------------------------------------------------


def test_a_heartbeat_keeps_the_pair():
    study = a_rateable_study(pairs=1, overlap=1)
    start = timezone.now()
    held = claim_next_pair(a_rater(study, bob()), at=start)
    until = heartbeat(held, at=start + timedelta(minutes=20))
    assert until == start + timedelta(minutes=20 + study.lease_minutes)
    assert release_expired_leases(start + timedelta(minutes=study.lease_minutes + 1)) == 0


def test_a_heartbeat_never_shortens_a_lease():
    start = timezone.now()
    held = claim_next_pair(a_rater(a_rateable_study(), bob()), at=start)
    assert heartbeat(held, at=start - timedelta(minutes=5)) == held.lease_until


def test_heartbeats_do_not_keep_a_pair_for_ever():
    study = a_rateable_study(pairs=1)
    start = timezone.now()
    held = claim_next_pair(a_rater(study, bob()), at=start)
    most = start + LONGEST_HOLD * timedelta(minutes=study.lease_minutes)
    assert heartbeat(held, at=most - timedelta(minutes=1)) == most


def test_a_heartbeat_is_refused_kindly_after_the_longest_hold_and_the_answers_are_kept():
    study = a_rateable_study(pairs=1)
    start = timezone.now()
    held = claim_next_pair(a_rater(study, bob()), at=start)
    keep_draft(held, {"safer": "1"}, ["left"], version=0)
    late = start + LONGEST_HOLD * timedelta(minutes=study.lease_minutes)
    with pytest.raises(LeaseLost, match="answers are kept"):
        heartbeat(held, at=late)
    assert release_expired_leases(late) == 1
    assert Draft.objects.get().answers == {"safer": "1"}
    held.refresh_from_db()
    assert submit_judgment(held, answers(), "key", late).assignment.state == "submitted"


def test_opening_a_pair_again_and_again_does_not_keep_it_for_ever():
    study = a_rateable_study(pairs=1, overlap=1)
    start, lease = timezone.now(), timedelta(minutes=study.lease_minutes)
    rater, other = a_rater(study, bob()), a_rater(study, carol())
    first = claim_next_pair(rater, at=start)
    for number in range(1, 2 * LONGEST_HOLD):
        again = claim_next_pair(rater, at=start + number * lease / 2)
        assert again.token == first.token
    assert again.lease_until == start + LONGEST_HOLD * lease
    late = start + LONGEST_HOLD * lease + timedelta(seconds=1)
    assert claim_next_pair(rater, at=late).token == first.token, "nobody else wants it yet"
    assert claim_next_pair(other, at=late).pair == first.pair


def test_who_held_a_pair_for_long_may_claim_it_again_where_it_is_free():
    study = a_rateable_study(pairs=1, overlap=1)
    rater = a_rater(study, bob())
    first = claim_next_pair(rater)
    late = first.claimed_at + (LONGEST_HOLD + 1) * timedelta(minutes=study.lease_minutes)
    release_expired_leases(late)
    again = claim_next_pair(rater, at=late)
    assert (again.pair, again.claimed_at) == (first.pair, late) and again.token != first.token
    assert heartbeat(again, at=late) > late


def test_a_heartbeat_of_a_lost_pair_says_so():
    study = a_rateable_study(pairs=1)
    held = claim_next_pair(a_rater(study, bob()))
    release_expired_leases(timezone.now() + timedelta(days=1))
    with pytest.raises(LeaseLost):
        heartbeat(held)


def test_a_heartbeat_of_an_old_page_does_not_keep_the_new_hold():
    rater = a_rater(a_rateable_study(pairs=1), bob())
    old = claim_next_pair(rater)
    release_expired_leases(timezone.now() + timedelta(days=1))
    claim_next_pair(rater)
    with pytest.raises(LeaseLost):
        heartbeat(old)


# Caps ------------------------------------------------------------------------------------------------

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def judged_at(rater, at):
    return submit_judgment(claim_next_pair(rater, at=at), answers(), "key", at=at)


def test_a_cap_in_all_ends_a_raters_work():
    rater = a_rater(a_rateable_study(cap_total=2), bob())
    a_judgment(rater)
    a_judgment(rater)
    with pytest.raises(CapReached) as refusal:
        claim_next_pair(rater)
    assert refusal.value.again_at is None
    assert "2 pairs" in str(refusal.value)


def test_a_cap_per_day_says_when_to_go_on():
    rater = a_rater(a_rateable_study(cap_per_day=1), bob())
    judged_at(rater, NOON)
    with pytest.raises(CapReached) as refusal:
        claim_next_pair(rater, at=NOON + timedelta(hours=11))
    assert refusal.value.again_at == NOON + timedelta(hours=12)
    assert claim_next_pair(rater, at=NOON + timedelta(hours=12))


def test_a_raters_own_cap_takes_the_place_of_the_studys():
    study = a_rateable_study(cap_total=1, cap_per_day=1)
    rater = a_rater(study, bob())
    Enrolment.objects.filter(pk=rater.pk).update(cap_total=2, cap_per_day=2)
    judged_at(rater, NOON)
    judged_at(rater, NOON)
    with pytest.raises(CapReached):
        claim_next_pair(rater, at=NOON)


def test_a_cap_of_zero_lets_nobody_begin():
    rater = a_rater(a_rateable_study(cap_total=0), bob())
    with pytest.raises(CapReached):
        claim_next_pair(rater)


def test_a_pair_in_hand_is_shown_and_judged_whatever_the_cap():
    study = a_rateable_study()
    rater = a_rater(study, bob())
    held = claim_next_pair(rater)
    type(study).objects.filter(pk=study.pk).update(cap_total=0)
    assert claim_next_pair(rater) == held
    assert submit_judgment(held, answers(), "key").assignment.state == "submitted"


def test_the_cap_holds_for_a_pair_claimed_with_the_answers_to_the_last():
    rater = a_rater(a_rateable_study(cap_total=1), bob())
    _, claimed, _ = submit_and_claim(claim_next_pair(rater), answers(), "key")
    assert claimed is None
