"""A senior rater looks at what raters dispute: first alone, then at what the others said."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation import draws
from annotation.actions import claims, events
from annotation.errors import NotQualified, QualityRefused
from annotation.models import Adjudication, Assignment, Enrolment, Pair, User
from annotation.reports.disputes import ready_pairs, waiting_disputes
from annotation.vocabulary import AssignmentKind, AssignmentState, DisputeCause, EnrolmentRole

LONGEST_NOTE = 5_000


@transaction.atomic
def set_role(enrolment: Enrolment, role: EnrolmentRole, actor: User | None = None) -> bool:
    """Make somebody a senior rater, or a rater again; False when they are."""
    changed = Enrolment.objects.filter(pk=enrolment.pk).exclude(role=role).update(role=role)
    enrolment.role = role
    if changed:
        events.record(enrolment.study, "set_role", actor, rater=enrolment.code, role=role)
    return bool(changed)


def unruled(enrolment: Enrolment) -> Assignment | None:
    """The dispute that this senior has judged and not yet ruled on."""
    judged = enrolment.assignments.filter(kind=AssignmentKind.SENIOR, state=AssignmentState.SUBMITTED)
    return judged.filter(adjudication=None).first()


def claim_dispute(enrolment: Enrolment, at: datetime | None = None) -> Assignment | None:
    """The next disputed pair for a senior rater, whom alone it is held for; None when none waits.

    Never a pair that they have judged themselves. Raises StudyClosed or NotQualified.
    """
    at = at or timezone.now()
    if held := _claim(enrolment, [], at):
        return held
    ready = ready_pairs(enrolment.study).not_taken_by(enrolment).outside(enrolment.opted_out)
    ready = ready.exclude(pk__in=_at_work(enrolment)).order_by("position")
    claims_of_some = (_claim(enrolment, some, at) for some in waiting_disputes(ready, enrolment.study))
    return next(filter(None, claims_of_some), None)


@transaction.atomic
def _claim(enrolment: Enrolment, waiting: list[int], at: datetime) -> Assignment | None:
    senior = claims.lock_rater(enrolment.pk)
    claims.refuse_unless_rating(senior)
    if senior.role != EnrolmentRole.SENIOR:
        raise NotQualified("Disputes are for senior raters.")
    held = senior.assignments.leased().filter(kind=AssignmentKind.SENIOR)
    if renewed := claims.renew(senior, held, at):
        return renewed
    claimed = _first_free(senior, waiting, at)
    claims.keep_progress(senior)
    return claimed


def _first_free(senior: Enrolment, waiting: list[int], at: datetime) -> Assignment | None:
    pairs = Pair.objects.filter(pk__in=waiting).not_taken_by(senior)
    for pair in pairs.exclude(pk__in=_at_work(senior)).order_by("position"):
        lapsed = senior.assignments.filter(
            pair=pair, kind=AssignmentKind.SENIOR, state=AssignmentState.EXPIRED
        )
        left_is_a = draws.draw(senior.study.seed, "senior side", pair.position, senior.code) % 2 == 0
        which = {"kind": AssignmentKind.SENIOR, "left_is_a": left_is_a}
        try:
            with transaction.atomic():
                return claims.hold(senior, pair, at, lapsed.values_list("pk", flat=True).first(), **which)
        except IntegrityError:  # another senior took it this instant
            continue
    return None


def _at_work(senior: Enrolment):
    """Pairs that a senior holds or has judged."""
    of_study = Assignment.objects.filter(pair__study=senior.study_id, kind=AssignmentKind.SENIOR)
    states = (AssignmentState.LEASED, AssignmentState.SUBMITTED)
    return of_study.filter(state__in=states).values("pair")


@transaction.atomic
def rule(assignment: Assignment, cause: str, note: str = "") -> Adjudication:
    """Keep why raters differed. Raises QualityRefused before the senior's own answers, for a cause that is
    not on the list, or where the dispute has a ruling."""
    if assignment.kind != AssignmentKind.SENIOR or assignment.state != AssignmentState.SUBMITTED:
        raise QualityRefused("Judge the pair yourself first.")
    if cause not in DisputeCause.values:
        raise QualityRefused("Choose one of the causes.")
    if len(note) > LONGEST_NOTE:
        raise QualityRefused(f"A note has up to {LONGEST_NOTE} characters.")
    try:
        with transaction.atomic():
            made = Adjudication.objects.create(
                pair=assignment.pair, assignment=assignment, cause=cause, note=note.strip()
            )
    except IntegrityError as error:
        raise QualityRefused("This dispute has a ruling already.") from error
    events.record_by_rater(assignment.enrolment, "rule", pair=assignment.pair_id, cause=cause)
    return made
