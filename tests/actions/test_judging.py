"""Judgments are given once, corrected by revisions, and never lost."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.access import GRACE
from annotation.actions.claims import claim_next_pair, release_expired_leases, skip_assignment
from annotation.actions.judging import revise_judgment, submit_judgment
from annotation.actions.studies import add_guideline, set_state
from annotation.errors import AlreadySubmitted, CorrectionTooLate, InvalidAnswer, LeaseLost, StudyClosed
from annotation.models import Assignment, Event, Judgment, Study
from annotation.vocabulary import AssignmentState, GuidelineCondition, StudyState
from tests.cast import SAFE, UNSAFE, a_judgment, a_rateable_study, a_rater, answers, bob, carol

SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.django_db


def a_hold(**rules):
    study = a_rateable_study(**rules)
    return claim_next_pair(a_rater(study, bob()))


def test_both_the_shown_and_the_canonical_side_are_stored():
    study = a_rateable_study(pairs=1, overlap=2)
    judgments = [a_judgment(a_rater(study, person)) for person in (bob(), carol())]
    assert {j.left_is_a for j in judgments} == {True, False}
    for judgment in judgments:
        turn = 1 if judgment.left_is_a else -1
        assert (judgment.safer, judgment.safer_canonical) == (1, turn)
        assert (judgment.balance, judgment.balance_canonical) == (2, 2 * turn)


def test_the_answers_about_a_side_belong_to_the_response_shown_there():
    study = a_rateable_study(pairs=1, overlap=2)
    for person in (bob(), carol()):
        judgment = a_judgment(a_rater(study, person), answers(left=UNSAFE, right=SAFE))
        unsafe = judgment.responses.get(safety=UNSAFE.safety)
        expected = judgment.pair.response_a if judgment.left_is_a else judgment.pair.response_b
        assert unsafe.response == expected
        assert unsafe.side == "left"


def test_the_same_key_again_returns_the_same_judgment():
    held = a_hold()
    first = submit_judgment(held, answers(), "key")
    again = submit_judgment(held, answers(safer=-3), "key")
    assert again == first
    assert Judgment.objects.count() == 1


def test_another_key_is_refused():
    held = a_hold()
    submit_judgment(held, answers(), "key")
    with pytest.raises(AlreadySubmitted):
        submit_judgment(held, answers(), "other")


def test_a_skipped_pair_takes_no_answers():
    held = a_hold()
    skip_assignment(held)
    with pytest.raises(LeaseLost):
        submit_judgment(held, answers(), "key")


@pytest.mark.parametrize(
    "wrong",
    [
        {"left": replace(SAFE, safety="fine")},
        {"left": replace(SAFE, severity="low")},
        {"left": replace(UNSAFE, severity="")},
        {"right": replace(SAFE, helpfulness=5)},
        {"right": replace(SAFE, mode="")},
        {"safer": 4},
        {"more_helpful": -4},
        {"balance": None},
        {"both_bad": True},
    ],
)
def test_contradicting_or_unknown_answers_are_refused_and_the_hold_stays(wrong):
    held = a_hold()
    with pytest.raises(InvalidAnswer):
        submit_judgment(held, answers(**wrong), "key")
    held.refresh_from_db()
    assert held.state == AssignmentState.LEASED


def test_both_bad_is_kept_apart_from_a_tie():
    judgment = submit_judgment(a_hold(), answers(balance=None, both_bad=True), "key")
    assert (judgment.both_bad, judgment.balance, judgment.balance_canonical) == (True, None, None)


def test_a_study_without_ties_refuses_about_equal():
    with pytest.raises(InvalidAnswer, match="about equal"):
        submit_judgment(a_hold(allow_tie=False), answers(safer=0), "key")


def test_a_late_submission_counts_while_the_slot_is_free():
    held = a_hold(overlap=1)
    release_expired_leases(timezone.now() + timedelta(hours=1))
    judgment = submit_judgment(held, answers(), "key")
    assert judgment.assignment.state == AssignmentState.SUBMITTED
    judgment.pair.refresh_from_db()
    assert judgment.pair.open_slots == 0


def test_a_late_submission_to_a_full_pair_is_kept_as_surplus():
    study = a_rateable_study(pairs=1, overlap=1)
    late = claim_next_pair(a_rater(study, bob()))
    release_expired_leases(timezone.now() + timedelta(hours=1))
    counted = a_judgment(a_rater(study, carol()))
    surplus = submit_judgment(late, answers(), "key")
    assert surplus.assignment.state == AssignmentState.SURPLUS
    assert list(Judgment.objects.that_count()) == [counted]


def test_answers_about_sides_as_they_were_shown_before_are_not_kept():
    """An old page: meanwhile another window took the lapsed pair again, with its sides drawn anew."""
    study = a_rateable_study(pairs=1, overlap=1)
    rater = a_rater(study, bob())
    old = claim_next_pair(rater)
    release_expired_leases(timezone.now() + timedelta(days=1))
    new = claim_next_pair(rater)
    with pytest.raises(LeaseLost):
        submit_judgment(old, answers(), "old page")
    assert not Judgment.objects.exists()
    assert submit_judgment(new, answers(), "new page").assignment.state == AssignmentState.SUBMITTED


def test_answers_that_meet_a_closed_study_are_kept_as_surplus_and_free_their_slot():
    held = a_hold(pairs=1, overlap=1)
    set_state(held.enrolment.study, StudyState.CLOSED)
    judgment = submit_judgment(held, answers(), "key")
    assert judgment.assignment.state == AssignmentState.SURPLUS
    judgment.pair.refresh_from_db()
    assert judgment.pair.open_slots == 1


def test_a_correction_is_a_new_revision_and_the_old_one_stays():
    first = submit_judgment(a_hold(), answers(safer=1), "key")
    second = revise_judgment(first.assignment, answers(safer=-2), "key 2")
    assert (first.revision, second.revision) == (1, 2)
    assert list(Judgment.objects.current()) == [second]
    assert Judgment.objects.get(pk=first.pk).safer == 1


def test_a_correction_sent_twice_makes_one_revision():
    first = submit_judgment(a_hold(), answers(), "key")
    second = revise_judgment(first.assignment, answers(safer=0), "key 2")
    assert revise_judgment(first.assignment, answers(safer=0), "key 2") == second


def test_a_correction_comes_within_the_grace_and_no_later():
    judgment = a_judgment(a_rater(a_rateable_study(), bob()))
    sent = Assignment.objects.get().submitted_at
    within = revise_judgment(judgment.assignment, answers(safer=2), "in time", sent + GRACE - SECOND)
    with pytest.raises(CorrectionTooLate, match="for 30 minutes after they were sent"):
        revise_judgment(judgment.assignment, answers(safer=3), "late", sent + GRACE)
    again = revise_judgment(judgment.assignment, answers(safer=2), "in time", sent + 2 * GRACE)
    assert (again.pk, Judgment.objects.count()) == (within.pk, 2)


def test_there_is_nothing_to_correct_before_a_judgment():
    with pytest.raises(LeaseLost):
        revise_judgment(a_hold(), answers(), "key")


def test_a_closed_study_takes_no_corrections():
    judgment = submit_judgment(a_hold(), answers(), "key")
    set_state(judgment.study, StudyState.CLOSED)
    with pytest.raises(StudyClosed):
        revise_judgment(judgment.assignment, answers(), "key 2")


def test_the_guideline_shown_is_stored_whatever_is_published_meanwhile():
    study = a_rateable_study(guideline_condition=GuidelineCondition.POLICY_GIVEN)
    shown = add_guideline(study, "First wording.")
    held = claim_next_pair(a_rater(study, bob()))
    add_guideline(study, "Second wording.")
    Study.objects.update(guideline_condition=GuidelineCondition.POLICY_FREE)
    judgment = submit_judgment(held, answers(), "key")
    assert judgment.guideline == shown
    assert judgment.guideline_condition == GuidelineCondition.POLICY_GIVEN


def test_every_judgment_is_on_record_under_the_raters_code():
    judgment = submit_judgment(a_hold(), answers(), "key")
    event = Event.objects.get(verb="submit_judgment")
    assert event.detail == {"rater": judgment.enrolment.code, "revision": 1}
    assert event.actor == bob()
