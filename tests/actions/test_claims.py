"""Raters get a pair, keep it for a while, give it back."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation import access
from annotation.actions import claims
from annotation.actions.claims import (
    claim_next_pair,
    flag_assignment,
    heartbeat,
    release_expired_leases,
    skip_assignment,
    take_up_skipped,
)
from annotation.actions.flagging import answer_flags
from annotation.actions.judging import submit_judgment
from annotation.actions.personal import opt_out
from annotation.actions.runs import start_run
from annotation.actions.studies import set_state
from annotation.errors import LeaseLost, NothingFree, NothingLeft, NotQualified, StudyClosed
from annotation.models import Assignment, Enrolment, Pair, Prompt
from annotation.models.pair import end_of_queue
from annotation.vocabulary import EnrolmentState, FlagReason, PairState, StudyState
from tests.cast import a_judgment, a_prompt, a_rateable_study, a_rater, an_arm, answers, bob, carol, is_held

pytestmark = pytest.mark.django_db


def later(study, minutes=1):
    return timezone.now() + timedelta(minutes=study.lease_minutes + minutes)


def test_a_rater_who_asks_again_gets_the_same_pair_with_a_fresh_lease():
    study = a_rateable_study()
    rater = a_rater(study, bob())
    first = claim_next_pair(rater)
    again = claim_next_pair(rater, at=timezone.now() + timedelta(minutes=5))
    assert (again.pk, again.token, again.left_is_a) == (first.pk, first.token, first.left_is_a)
    assert again.lease_until > first.lease_until


def test_a_rater_judges_every_pair_once_and_then_nothing_is_left():
    study = a_rateable_study(pairs=5)
    rater = a_rater(study, bob())
    judged = {a_judgment(rater).pair_id for _ in range(5)}
    assert judged == set(study.pairs.values_list("pk", flat=True))
    with pytest.raises(NothingLeft):
        claim_next_pair(rater)


def test_a_pair_takes_no_more_raters_than_its_overlap():
    study = a_rateable_study(pairs=1, overlap=1)
    claim_next_pair(a_rater(study, bob()))
    with pytest.raises(NothingFree):
        claim_next_pair(a_rater(study, carol()))


def test_it_tells_when_the_next_pair_may_be_free():
    study = a_rateable_study(pairs=1, overlap=1)
    held = claim_next_pair(a_rater(study, bob()))
    with pytest.raises(NothingFree) as refusal:
        claim_next_pair(a_rater(study, carol()))
    assert refusal.value.next_free_at == held.lease_until


def test_a_study_that_is_still_generating_has_pairs_coming():
    study = a_rateable_study(pairs=0)
    an_arm(study, "generating")
    a_prompt(study)
    start_run(study)
    with pytest.raises(NothingFree) as refusal:
        claim_next_pair(a_rater(study, bob()))
    assert refusal.value.next_free_at is None


def test_a_lapsed_hold_goes_to_the_next_rater():
    study = a_rateable_study(pairs=1, overlap=1)
    lapsed = claim_next_pair(a_rater(study, bob()))
    taken = claim_next_pair(a_rater(study, carol()), at=later(study))
    assert taken.pair_id == lapsed.pair_id
    assert not is_held(lapsed)


def test_a_rater_may_take_a_lapsed_pair_again_under_a_new_token():
    study = a_rateable_study(pairs=1, overlap=1)
    rater = a_rater(study, bob())
    old = claim_next_pair(rater)
    assert release_expired_leases(later(study)) == 1
    new = claim_next_pair(rater)
    assert new.pk == old.pk
    assert new.token != old.token


def test_releasing_returns_only_lapsed_holds():
    study = a_rateable_study(pairs=2)
    lapsed = claim_next_pair(a_rater(study, bob()))
    fresh = claim_next_pair(a_rater(study, carol()), at=timezone.now() + timedelta(minutes=20))
    assert release_expired_leases(later(study)) == 1
    assert not is_held(lapsed)
    assert is_held(fresh)


def test_a_lease_renewed_while_others_are_released_stays(monkeypatch):
    study = a_rateable_study(pairs=2)
    start = timezone.now() - timedelta(minutes=study.lease_minutes + 1)
    lapsed, renewed = (claim_next_pair(a_rater(study, person), at=start) for person in (bob(), carol()))

    def while_the_first_is_released():
        heartbeat(renewed)
        return end_of_queue()

    monkeypatch.setattr(claims, "end_of_queue", while_the_first_is_released)
    assert release_expired_leases() == 1
    assert not is_held(lapsed)
    assert is_held(renewed)


def test_nobody_waits_for_review_of_what_they_do_not_want_to_get():
    study = a_rateable_study(pairs=1)
    pair = study.pairs.get()
    Prompt.objects.filter(pk=pair.prompt_id).update(harm_category="hate")
    Pair.objects.filter(pk=pair.pk).update(state=PairState.HELD)
    rater = a_rater(study, bob())
    with pytest.raises(NothingFree):
        claim_next_pair(rater)
    opt_out(rater, ["hate"])
    rater.refresh_from_db()
    with pytest.raises(NothingLeft):
        claim_next_pair(rater)


def test_a_skipped_pair_returns_to_the_queue_but_not_to_the_rater():
    study = a_rateable_study(pairs=1, overlap=1)
    rater = a_rater(study, bob())
    skip_assignment(claim_next_pair(rater))
    with pytest.raises(NothingLeft):
        claim_next_pair(rater)
    assert claim_next_pair(a_rater(study, carol()))


def test_a_rater_may_take_up_what_they_skipped():
    study = a_rateable_study(pairs=2)
    rater = a_rater(study, bob())
    skipped = claim_next_pair(rater)
    skip_assignment(skipped)
    a_judgment(rater)
    assert take_up_skipped(rater) == 1
    again = claim_next_pair(rater)
    assert (again.pair_id, again.token != skipped.token) == (skipped.pair_id, True)


def test_a_skipped_pair_that_left_the_study_needs_no_judgment():
    study = a_rateable_study(pairs=1)
    rater = a_rater(study, bob())
    skip_assignment(claim_next_pair(rater))
    assert access.skipped_with_room(rater) == 1
    flag_assignment(claim_next_pair(a_rater(study, carol())), FlagReason.GARBLED)
    answer_flags(study, [study.pairs.get().pk], "drop")
    assert access.skipped_with_room(rater) == 0


def test_a_pair_that_is_not_held_cannot_be_skipped():
    study = a_rateable_study(pairs=1)
    judgment = a_judgment(a_rater(study, bob()))
    with pytest.raises(LeaseLost):
        skip_assignment(judgment.assignment)


def test_a_closed_study_gives_no_pairs():
    study = a_rateable_study()
    rater = a_rater(study, bob())
    set_state(study, StudyState.CLOSED)
    with pytest.raises(StudyClosed):
        claim_next_pair(rater)


def test_a_paused_rater_gets_no_pairs():
    study = a_rateable_study()
    rater = a_rater(study, bob())
    Enrolment.objects.filter(pk=rater.pk).update(state=EnrolmentState.PAUSED)
    with pytest.raises(NotQualified):
        claim_next_pair(rater)


def test_sides_are_balanced_over_the_two_raters_of_every_pair():
    study = a_rateable_study(pairs=20, overlap=2)
    for rater in (a_rater(study, bob()), a_rater(study, carol())):
        for _ in range(20):
            a_judgment(rater)
    for pair in study.pairs.all():
        assert sorted(pair.assignments.values_list("left_is_a", flat=True)) == [False, True]


def test_open_slots_are_what_the_assignments_leave():
    study = a_rateable_study(pairs=4, overlap=2)
    first, second = a_rater(study, bob()), a_rater(study, carol())
    a_judgment(first)
    skip_assignment(claim_next_pair(first))
    a_judgment(second)
    claim_next_pair(second)
    for pair in study.pairs.all():
        occupied = pair.assignments.filter(slot__isnull=False).count()
        assert pair.open_slots == pair.overlap - occupied


@pytest.mark.parametrize("pairs", [3, 60])
def test_claiming_and_submitting_cost_the_same_queries_at_any_size(pairs, django_assert_num_queries):
    study = a_rateable_study(pairs=pairs)
    rater = a_rater(study, bob())
    a_judgment(rater)
    with django_assert_num_queries(9):
        held = claim_next_pair(rater)
    with django_assert_num_queries(8):
        submit_judgment(held, answers(), "key")


@pytest.mark.slow
def test_the_next_pair_is_found_by_its_index_for_a_rater_in_mid_study():
    """Asked of the database itself, about the very statement that the claim sends."""
    study = a_rateable_study(pairs=400)
    rater = a_rater(study, bob())
    for _ in range(40):
        a_judgment(rater)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as sent:
        claim_next_pair(rater)
    (find,) = [q["sql"] for q in sent if q["sql"].startswith('SELECT "annotation_pair"."id"')]
    with connection.cursor() as cursor:
        cursor.execute(("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + find)
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "pair_open_by_place" in plan
    assert "SCAN annotation_pair" not in plan
    assert "Seq Scan on annotation_pair" not in plan


def test_the_counter_of_judged_pairs_follows_the_rows():
    study = a_rateable_study(pairs=2)
    rater = a_rater(study, bob())
    a_judgment(rater)
    rater.refresh_from_db()
    assert rater.judged == 1 == Assignment.objects.filter(enrolment=rater, slot=F("slot")).count()
