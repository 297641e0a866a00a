"""Raters get a pair to judge, keep it for a while, give it back.

docs/decisions/order-of-pairs.md says how the next pair is found, docs/rules/locking.md who locks what.
"""

import uuid
from datetime import UTC, datetime, time, timedelta

from django.db import transaction
from django.db.models import F, Min, OuterRef, QuerySet, Subquery
from django.utils import timezone

from annotation import draws
from annotation.actions import events, mixing
from annotation.actions.studies import current_guideline
from annotation.errors import (
    CapReached,
    ExposureReached,
    LeaseLost,
    NothingFree,
    NothingLeft,
    NotQualified,
    NotReady,
    StudyClosed,
)
from annotation.models import Assignment, Enrolment, Pair
from annotation.models.assignment import LIVE_STATES
from annotation.models.pair import RETURNED, end_of_queue
from annotation.reports.exposure import beyond_exposure, exposure_again_at
from annotation.vocabulary import (
    AssignmentKind,
    AssignmentState,
    EnrolmentState,
    FlagReason,
    PairState,
    Qualification,
)

RELEASE_AT_ONCE = 20
LONGEST_HOLD = 8
"""A page that is only left open, or only opened again, keeps its pair for so many leases and no longer: half
a working day with the usual lease of half an hour. Who works on a pair for longer loses nothing by it."""

HELD_LONG = (
    "You have held this pair for as long as one may, so it can go to others now. Your answers are kept: send "
    "them, or take the pair again if it is still free."
)

PAUSED = "Your place in this study is paused. Ask the study's researcher about it."

UNSETTLED = 60_000_000
"""Microseconds. A place at the end of the queue may become visible so much later than its moment: a
transaction takes a while to commit, and two machines' clocks differ. Raters look back that far."""

SHOWN = (
    *("study_id", "position", "place", "overlap", "open_slots", "state", "shown_a", "shown_b"),
    *("prompt__messages", "response_a__text", "response_b__text"),
)
"""What is fetched of a pair that is claimed: enough to show it, so that showing it asks for nothing more."""

PROGRESS = ("cursor", "arrivals_seen", "judged", "judged_today", "judged_on", "tilt", "offered")


def claim_next_pair(enrolment: Enrolment, at: datetime | None = None) -> Assignment:
    """The pair this rater judges next, held for the study's lease.

    A rater who already holds one gets the same again with a fresh lease. Raises StudyClosed,
    NotQualified, CapReached, NothingFree (others hold what is left) or NothingLeft.
    """
    at = at or timezone.now()
    if claimed := _claim(enrolment.pk, at):
        return claimed
    # What others let lapse is looked for only now that it is needed: the beat frees it too.
    if _release_of_others(enrolment, at) and (claimed := _claim(enrolment.pk, at)):
        return claimed
    raise _why_nothing(enrolment, at)


@transaction.atomic
def _claim(rater_pk: int, at: datetime) -> Assignment | None:
    rater = lock_rater(rater_pk)
    refuse_unless_rating(rater)
    if renewed := renew(rater, rater.assignments.leased().in_queue(), at):
        return renewed
    refuse_unless_ready(rater)
    refuse_over_cap(rater, at)
    claimed = take_next(rater, at, wait=True)
    keep_progress(rater)
    return claimed


def lock_rater(pk: int) -> Enrolment:
    """The rater with its study; two windows of one rater take turns. Belongs in a transaction."""
    locked = Enrolment.objects.select_for_update(of=("self",), no_key=True)
    return locked.select_related("study").get(pk=pk)


def keep_progress(rater: Enrolment) -> None:
    """Write what changed on a locked rater: nobody else can have changed it meanwhile."""
    Enrolment.objects.filter(pk=rater.pk).update(**{name: getattr(rater, name) for name in PROGRESS})


def refuse_unless_rating(rater: Enrolment) -> None:
    """Raises StudyClosed or NotQualified when this rater cannot judge at the moment."""
    if not rater.study.is_open:
        raise StudyClosed("This study is not open for rating at the moment.")
    if rater.state != EnrolmentState.ACTIVE:
        raise NotQualified(rater.pause_reason or PAUSED)


def refuse_unless_ready(rater: Enrolment) -> None:
    """Raises NotReady while something comes before the rater's next pair. Asks the database nothing."""
    if rater.consent_version != rater.study.consent_version:
        raise NotReady("Before the first pair you are asked for your consent.", "consent")
    if rater.study.practice_needed and rater.practised_at is None:
        raise NotReady("Before the first pair you practise.", "practice")
    if rater.study.quiz_pass_percent is None or rater.qualification == Qualification.PASSED:
        return
    if rater.qualification == Qualification.FAILED:
        raise NotQualified("You did not pass this study's quiz, so you get no pairs here.")
    raise NotReady("Before the first pair there is a quiz.", "quiz")


def refuse_over_cap(rater: Enrolment, at: datetime) -> None:
    """Raises CapReached when the rater has judged as many pairs as they may, in all or today (UTC)."""
    in_all = _cap(rater, "cap_total")
    if in_all is not None and rater.judged >= in_all:
        raise CapReached(f"You have judged {rater.judged} pairs, as many as one person may in this study.")
    per_day, today = _cap(rater, "cap_per_day"), at.astimezone(UTC).date()
    judged_today = rater.judged_today if rater.judged_on == today else 0
    if per_day is not None and judged_today >= per_day:
        tomorrow = datetime.combine(today + timedelta(days=1), time(), UTC)
        raise CapReached(f"You have judged {judged_today} pairs today, as many as a day allows.", tomorrow)


def _cap(rater: Enrolment, name: str) -> int | None:
    own = getattr(rater, name)
    return getattr(rater.study, name) if own is None else own


def _lease_end(rater: Enrolment, at: datetime) -> datetime:
    return at + timedelta(minutes=rater.study.lease_minutes)


def longest_end(held: Assignment, rater: Enrolment) -> datetime:
    """When this hold ends at the latest, however often its page is opened or sends that somebody is there."""
    return held.claimed_at + LONGEST_HOLD * timedelta(minutes=rater.study.lease_minutes)


def _renewed_end(held: Assignment, rater: Enrolment, at: datetime) -> datetime:
    return max(min(_lease_end(rater, at), longest_end(held, rater)), held.lease_until)


def renew(rater: Enrolment, holds: QuerySet[Assignment], at: datetime) -> Assignment | None:
    """The rater's one of `holds` with a fresh lease; None when there is none, or it was released this
    instant.

    Once it has been held for LONGEST_HOLD leases it comes as it is: the rater has it until others are given
    it, and may then claim it anew where it is free.
    """
    held = holds.first()
    if held is None:
        return None
    held.lease_until = _renewed_end(held, rater, at)
    renewed = Assignment.objects.leased().filter(pk=held.pk).update(lease_until=held.lease_until)
    return held if renewed else None


def is_whole(claimed: Assignment) -> bool:
    """Whether the claim has fetched all that is shown of the pair."""
    return "pair" in claimed._state.fields_cache


def is_with_another(lapsed: Assignment) -> bool:
    """Whether a dispute that lapsed went to another senior rater meanwhile."""
    if lapsed.kind != AssignmentKind.SENIOR:
        return False
    others = Assignment.objects.filter(pair=lapsed.pair_id, kind=AssignmentKind.SENIOR)
    return others.filter(state__in=LIVE_STATES).exclude(pk=lapsed.pk).exists()


def heartbeat(assignment: Assignment, at: datetime | None = None) -> datetime:
    """Keep the pair while its page is being worked on; says until when the lease lasts now.

    Neither a heartbeat nor many hold a pair for longer than LONGEST_HOLD leases after it was claimed. Raises
    LeaseLost then, and when the rater no longer holds it: what they answer is still welcome, see
    `submit_judgment`.
    """
    at = at or timezone.now()
    rater = assignment.enrolment
    if at >= longest_end(assignment, rater):
        raise LeaseLost(HELD_LONG)
    until = _renewed_end(assignment, rater, at)
    if not _hold_of(assignment).update(lease_until=until):
        raise LeaseLost("You no longer hold this pair.")
    return until


# Finding and taking a pair ---------------------------------------------------------------------------


def take_next(rater: Enrolment, at: datetime, wait: bool) -> Assignment | None:
    """The next pair for a locked rater who holds none; None when there is none.

    Without `wait`, pairs that another claim is taking this instant are not waited for. Changes the rater's
    progress in memory: `keep_progress` writes it. Belongs in a transaction.
    """
    if extra := mixing.draw_extra(rater, at, SHOWN):
        return _take_extra(rater, extra, at)
    pair = _next_pair(rater, at, wait)
    return _take(rater, pair, at) if pair else None


def _next_pair(rater: Enrolment, at: datetime, wait: bool) -> Pair | None:
    """The first open pair at or behind the rater's cursor, locked; moves the cursor.

    On PostgreSQL pairs that another claim is taking this instant are stepped over; the cursor stays at the
    first of them, so that none is missed. Only when there is no other does this claim wait for them. It stays
    likewise at what only the day's exposure keeps from the rater.
    """
    first = Subquery(_free_for(rater).values("place")[:1])
    whole = _free_for(rater).select_related("prompt", "response_a", "response_b").only(*SHOWN)
    whole = whole.outside(beyond_exposure(rater, at))
    free, locked = whole.annotate(had_before=_lapsed_hold(rater)), {"of": ("self",), "no_key": True}
    free = free.annotate(first_place=first)
    pair = free.select_for_update(**locked, skip_locked=True).first()
    if pair is None and wait:
        pair = free.select_for_update(**locked).first()
    if pair is not None:
        rater.cursor = pair.place if pair.first_place is None else min(pair.first_place, pair.place)
    return pair


def _lapsed_hold(rater: Enrolment) -> Subquery:
    """The rater's own lapsed hold on a pair, which is taken up again."""
    lapsed = rater.assignments.rated().filter(pair=OuterRef("pk"), state=AssignmentState.EXPIRED)
    return Subquery(lapsed.values("pk")[:1])


def _free_for(rater: Enrolment) -> QuerySet[Pair]:
    """The open pairs that this rater may get, in the order in which raters walk."""
    if rater.arrivals_seen != rater.study.arrivals:
        rater.cursor, rater.arrivals_seen = -1, rater.study.arrivals
    place = max(RETURNED, rater.cursor - UNSETTLED) if rater.cursor >= RETURNED else rater.cursor
    open_pairs = Pair.objects.filter(study=rater.study_id, place__gte=place).with_open_slot()
    return open_pairs.not_taken_by(rater).outside(rater.opted_out).order_by("place")


def _take(rater: Enrolment, pair: Pair, at: datetime) -> Assignment:
    taken = _live_places(pair)
    Pair.objects.filter(pk=pair.pk).update(open_slots=F("open_slots") - 1)  # locked, and seen to be open
    left_is_a = draws.left_is_a(
        rater.study.seed, pair.position, rater.code, [left for _, left in taken], rater.tilt
    )
    return hold(rater, pair, at, pair.had_before, slot=_lowest_free(pair, taken), left_is_a=left_is_a)


def _take_extra(rater: Enrolment, extra: mixing.Extra, at: datetime) -> Assignment:
    """A gold or repeated pair: a hold like any other, but for the slot, which it does not take."""
    left_is_a = extra.left_is_a
    if left_is_a is None:
        left_is_a = draws.left_is_a(rater.study.seed, extra.pair.position, rater.code, [], rater.tilt)
    return hold(rater, extra.pair, at, extra.had_before, kind=extra.kind, left_is_a=left_is_a)


def hold(rater: Enrolment, pair: Pair, at: datetime, had_before: int | None, **which) -> Assignment:
    """The rater's hold on the pair: their own lapsed one again, or a new one.

    Changes the rater's progress in memory: `keep_progress` writes it.
    """
    rater.tilt += 1 if which["left_is_a"] else -1
    rater.offered += 1
    hold = {
        **which,
        # A new token even for a pair taken again: the sides may have changed since the old page.
        "token": uuid.uuid4(),
        "state": AssignmentState.LEASED,
        "guideline_condition": rater.study.guideline_condition,
        "guideline": current_guideline(rater.study),
        "claimed_at": at,
        "lease_until": _lease_end(rater, at),
    }
    if had_before:
        Assignment.objects.filter(pk=had_before, state=AssignmentState.EXPIRED).update(**hold)
        return Assignment(pk=had_before, pair=pair, enrolment=rater, **hold)
    return Assignment.objects.create(pair=pair, enrolment=rater, **hold)


def _live_places(pair: Pair) -> list[tuple[int, bool]]:
    """(slot, whether arm a is on the left) of all who hold or have judged the pair."""
    return list(pair.assignments.rated().filter(state__in=LIVE_STATES).values_list("slot", "left_is_a"))


def _lowest_free(pair: Pair, taken: list[tuple[int, bool]]) -> int:
    return min(set(range(pair.overlap)) - {slot for slot, _ in taken})


def take_slot(pair: Pair) -> int | None:
    """The lowest free slot of a pair, now occupied; None when it is full. Belongs in a transaction."""
    if not Pair.objects.with_open_slot().filter(pk=pair.pk).update(open_slots=F("open_slots") - 1):
        return None
    return _lowest_free(pair, _live_places(pair))


# Giving it back --------------------------------------------------------------------------------------


def free_slot(assignment: Assignment, state: AssignmentState, **why: str) -> bool:
    """Take the hold off the pair, which goes to the end of the queue; False when it was not held any more.

    A hold without a slot, on a gold pair for example, gives none back.
    Belongs in a transaction.
    """
    return _free(_hold_of(assignment), assignment, state, **why)


def _hold_of(assignment: Assignment) -> QuerySet[Assignment]:
    """The hold that `assignment` shows, while it lasts; the same pair taken again is another hold."""
    return Assignment.objects.leased().filter(pk=assignment.pk, token=assignment.token)


def _free(held: QuerySet[Assignment], assignment: Assignment, state: AssignmentState, **why: str) -> bool:
    freed = held.update(state=state, slot=None, **why)
    if freed and assignment.kind == AssignmentKind.RATED:
        back = {"open_slots": F("open_slots") + 1, "place": end_of_queue()}
        Pair.objects.filter(pk=assignment.pair_id).update(**back)
    return bool(freed)


def skip_assignment(assignment: Assignment) -> None:
    """Give the pair back to others; this rater does not get it again unless they ask for what they skipped.

    Raises LeaseLost.
    """
    _give_back(assignment, AssignmentState.SKIPPED)


def decline_assignment(assignment: Assignment) -> None:
    """Give the pair back because of its content. It never comes back to this rater; others still get it.

    Nothing counts against the rater: no cap, no report and no signal of quality looks at declined pairs.
    Raises LeaseLost.
    """
    _give_back(assignment, AssignmentState.DECLINED)


def flag_assignment(assignment: Assignment, reason: FlagReason, note: str = "") -> None:
    """Give the pair back because something is broken, and tell the desk (`reports.flags`).

    It never comes back to this rater; others still get it until a researcher has decided. Raises LeaseLost.
    """
    _give_back(assignment, AssignmentState.FLAGGED, reason=FlagReason(reason).value, note=note.strip())


@transaction.atomic
def _give_back(assignment: Assignment, state: AssignmentState, **why: str) -> None:
    rater = lock_rater(assignment.enrolment_id)
    if not free_slot(assignment, state, **why):
        raise LeaseLost("You no longer hold this pair.")
    rater.tilt -= 1 if assignment.left_is_a else -1
    keep_progress(rater)
    if state == AssignmentState.FLAGGED:
        events.record_by_rater(rater, "flag_assignment", pair=assignment.pair_id, reason=why["reason"])


@transaction.atomic
def take_up_skipped(enrolment: Enrolment) -> int:
    """Let the rater get again what they skipped, wherever it still has room; says how many pairs."""
    rater = lock_rater(enrolment.pk)
    refuse_unless_rating(rater)
    skipped = rater.assignments.rated().filter(state=AssignmentState.SKIPPED)
    pairs = list(skipped.values_list("pair_id", flat=True))
    taken_up = skipped.update(state=AssignmentState.EXPIRED)
    for pair in sorted(pairs):  # always in this order, so that two who do it do not wait for each other
        Pair.objects.filter(pk=pair).update(place=end_of_queue())
    return taken_up


def release_expired_leases(at: datetime | None = None) -> int:
    """Return every lapsed hold to the queue; says how many."""
    return _release(Assignment.objects.lapsed(at or timezone.now()))


def _release_of_others(enrolment: Enrolment, at: datetime) -> int:
    """Free what others let lapse, a few at a time. Not inside the claim: see docs/rules/locking.md."""
    lapsed = Assignment.objects.lapsed(at).filter(enrolment__study=enrolment.study_id)
    return _release(lapsed.exclude(enrolment=enrolment)[:RELEASE_AT_ONCE])


def _release(lapsed: QuerySet[Assignment]) -> int:
    released = 0
    for assignment in lapsed:
        with transaction.atomic():
            # Whoever has renewed the lease since it was found keeps the pair.
            still = _hold_of(assignment).filter(lease_until=assignment.lease_until)
            released += _free(still, assignment, AssignmentState.EXPIRED)
    return released


def _why_nothing(rater: Enrolment, at: datetime) -> NothingFree | NothingLeft | CapReached:
    held = Assignment.objects.leased().rated()
    held = held.filter(pair__study=rater.study_id, enrolment__study=rater.study_id)
    wanted = Pair.objects.filter(state=PairState.OPEN).not_taken_by(rater).outside(rater.opted_out)
    free_for_rater = held.filter(pair__in=wanted.outside(beyond_exposure(rater, at)))
    next_free_at = free_for_rater.aggregate(first=Min("lease_until"))["first"]
    if next_free_at is not None:
        return NothingFree(max(next_free_at, at))
    in_review = Pair.objects.held().filter(study=rater.study_id).not_taken_by(rater).outside(rater.opted_out)
    if rater.study.runs.unfinished().exists() or in_review.exists():
        return NothingFree(None)
    again_at = exposure_again_at(rater, at)
    if again_at and wanted.filter(study=rater.study_id).with_open_slot().exists():
        return ExposureReached("You have met as much sensitive content as one day allows.", again_at)
    return NothingLeft("You have judged every pair that needed you.")
