"""Raters get a pair to judge, keep it for a while, give it back."""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Min, QuerySet
from django.utils import timezone

from annotation import draws
from annotation.actions.studies import current_guideline
from annotation.errors import LeaseLost, NothingFree, NothingLeft, NotQualified, StudyClosed
from annotation.models import Assignment, Enrolment, Pair
from annotation.models.assignment import LIVE_STATES
from annotation.vocabulary import AssignmentState, EnrolmentState

RELEASE_AT_ONCE = 20


def claim_next_pair(enrolment: Enrolment, at: datetime | None = None) -> Assignment:
    """The pair this rater judges next, held for the study's lease.

    A rater who already holds one gets the same again with a fresh lease. Raises StudyClosed,
    NotQualified, NothingFree (others hold what is left) or NothingLeft.
    """
    at = at or timezone.now()
    _release_of_others(enrolment, at)
    with transaction.atomic():
        rater = lock_rater(enrolment.pk)
        refuse_unless_rating(rater)
        if renewed := _renew(rater, at):
            return renewed
        pair = _next_pair(rater)
        if pair is None:
            raise _why_nothing(rater, at)
        return _take(rater, pair, at)


def _release_of_others(enrolment: Enrolment, at: datetime) -> None:
    """Free what others let lapse, a few at a time. Not inside the claim: see docs/rules/locking.md."""
    lapsed = Assignment.objects.lapsed(at).filter(enrolment__study=enrolment.study_id)
    _release(lapsed.exclude(enrolment=enrolment)[:RELEASE_AT_ONCE])


def lock_rater(pk: int) -> Enrolment:
    """The rater with its study; two windows of one rater take turns. Belongs in a transaction."""
    locked = Enrolment.objects.select_for_update(of=("self",), no_key=True)
    return locked.select_related("study", "user").get(pk=pk)


def refuse_unless_rating(rater: Enrolment) -> None:
    """Raises StudyClosed or NotQualified when this rater cannot judge at the moment."""
    if not rater.study.is_open:
        raise StudyClosed("This study is not open for rating at the moment.")
    if rater.state != EnrolmentState.ACTIVE:
        raise NotQualified("Your place in this study is paused. Ask the study's researcher about it.")


def _lease_end(rater: Enrolment, at: datetime) -> datetime:
    return at + timedelta(minutes=rater.study.lease_minutes)


def _renew(rater: Enrolment, at: datetime) -> Assignment | None:
    """The rater's hold with a fresh lease; None when there is none, or it was released this instant."""
    held = rater.assignments.leased().first()
    if held is None:
        return None
    held.lease_until = _lease_end(rater, at)
    renewed = Assignment.objects.leased().filter(pk=held.pk).update(lease_until=held.lease_until)
    return held if renewed else None


def _next_pair(rater: Enrolment) -> Pair | None:
    """The first open pair behind the rater's cursor, or from the start again.

    On PostgreSQL pairs that another claim is taking this instant are stepped over; only when there is
    no other does this one wait for them.
    """
    free = Pair.objects.filter(study=rater.study).with_open_slot().not_taken_by(rater).order_by("position")
    stepping_over = free.select_for_update(skip_locked=True, no_key=True)
    return (
        stepping_over.filter(position__gt=rater.cursor).first()
        or stepping_over.filter(position__lte=rater.cursor).first()
        or free.select_for_update(no_key=True).first()
    )


def _take(rater: Enrolment, pair: Pair, at: datetime) -> Assignment:
    slot = take_slot(pair)
    hold = {
        # A new token even for a pair taken again: the sides may have changed since the old page.
        "token": uuid.uuid4(),
        "slot": slot,
        "left_is_a": draws.left_is_a(rater.study.seed, pair.position, slot),
        "state": AssignmentState.LEASED,
        "guideline_condition": rater.study.guideline_condition,
        "guideline": current_guideline(rater.study),
        "claimed_at": at,
        "lease_until": _lease_end(rater, at),
    }
    Enrolment.objects.filter(pk=rater.pk).update(cursor=pair.position)
    lapsed = Assignment.objects.filter(pair=pair, enrolment=rater, state=AssignmentState.EXPIRED)
    if lapsed.update(**hold):
        return Assignment.objects.get(pair=pair, enrolment=rater)
    return Assignment.objects.create(pair=pair, enrolment=rater, **hold)


def take_slot(pair: Pair) -> int | None:
    """The lowest free slot of a pair, now occupied; None when it is full. Belongs in a transaction."""
    if not Pair.objects.with_open_slot().filter(pk=pair.pk).update(open_slots=F("open_slots") - 1):
        return None
    taken = set(pair.assignments.filter(state__in=LIVE_STATES).values_list("slot", flat=True))
    return min(set(range(pair.overlap)) - taken)


def free_slot(assignment: Assignment, state: AssignmentState) -> bool:
    """Take the hold off the pair; False when it was not held any more. Belongs in a transaction."""
    freed = Assignment.objects.leased().filter(pk=assignment.pk).update(state=state, slot=None)
    if freed:
        Pair.objects.filter(pk=assignment.pair_id).update(open_slots=F("open_slots") + 1)
    return bool(freed)


def _why_nothing(rater: Enrolment, at: datetime) -> NothingFree | NothingLeft:
    pairs = Pair.objects.filter(study=rater.study).not_taken_by(rater)
    held = Assignment.objects.leased().filter(pair__in=pairs)
    next_free_at = held.aggregate(first=Min("lease_until"))["first"]
    if next_free_at is not None:
        return NothingFree(max(next_free_at, at))
    if rater.study.runs.unfinished().exists() or pairs.held().exists():
        return NothingFree(None)
    return NothingLeft("You have judged every pair that needed you.")


def release_expired_leases(at: datetime | None = None) -> int:
    """Return every lapsed hold to the queue; says how many."""
    return _release(Assignment.objects.lapsed(at or timezone.now()))


def _release(lapsed: QuerySet[Assignment]) -> int:
    released = 0
    for assignment in lapsed:
        with transaction.atomic():
            released += free_slot(assignment, AssignmentState.EXPIRED)
    return released


@transaction.atomic
def take_up_skipped(enrolment: Enrolment) -> int:
    """Let the rater get again what they skipped, wherever it still has room; says how many pairs."""
    rater = lock_rater(enrolment.pk)
    refuse_unless_rating(rater)
    return rater.assignments.filter(state=AssignmentState.SKIPPED).update(state=AssignmentState.EXPIRED)


@transaction.atomic
def skip_pair(assignment: Assignment) -> None:
    """Give the pair back to others; this rater does not get it again. Raises LeaseLost."""
    if not free_slot(assignment, AssignmentState.SKIPPED):
        raise LeaseLost("You no longer hold this pair.")
