"""Answers are kept while the rater is still at them."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from annotation.errors import DraftConflict, LeaseLost
from annotation.models import Assignment, Draft
from annotation.vocabulary import AssignmentKind, AssignmentState, PairState, StudyState

STILL_WELCOME = (AssignmentState.LEASED, AssignmentState.EXPIRED)

LATE = timedelta(days=1)
"""A page that lay open for so long is taken to be closed."""
NEVER_SENT = timedelta(days=30)


@transaction.atomic
def keep_draft(
    assignment: Assignment,
    answers: dict[str, object],
    seen: list[str],
    version: int,
    at: datetime | None = None,
) -> int:
    """Replace version `version` (0 for none) of the draft by these answers; says the new version.

    `answers` and `seen` are valid already. Raises DraftConflict when another window was faster, and LeaseLost
    when the pair was judged or given back.
    """
    if assignment.state not in STILL_WELCOME:
        raise LeaseLost("This pair takes no more answers.")
    changed = {"answers": answers, "seen": seen, "updated_at": at or timezone.now()}
    if version == 0:
        Draft.objects.filter(assignment=assignment).exclude(token=assignment.token).delete()
        first = {"assignment": assignment, **changed}
        kept = Draft.objects.get_or_create(token=assignment.token, defaults=first)[1]
    else:
        same = Draft.objects.filter(token=assignment.token, version=version)
        kept = same.update(version=version + 1, **changed)
    if not kept:
        raise DraftConflict(Draft.objects.filter(token=assignment.token).first())
    return version + 1


def drop_drafts(assignment: Assignment) -> None:
    """Forget what was not sent: the pair is judged, or given back."""
    Draft.objects.filter(assignment=assignment).delete()


def drop_left_drafts(at: datetime | None = None) -> int:
    """Forget drafts that nobody can send any more; says how many.

    Their hold was taken again, answered or given back; or it lapsed and the pair takes no more answers, or
    the rater stayed away for NEVER_SENT. What was changed within LATE stays: a page may still be open.
    """
    at = at or timezone.now()
    gone = ~Q(token=F("assignment__token")) | ~Q(assignment__state__in=STILL_WELCOME)
    has_room = Q(assignment__pair__state=PairState.OPEN, assignment__pair__open_slots__gt=0)
    has_room |= ~Q(assignment__kind=AssignmentKind.RATED)
    welcome = has_room & Q(assignment__enrolment__study__state=StudyState.OPEN)
    lapsed = Q(assignment__state=AssignmentState.EXPIRED) & (~welcome | Q(updated_at__lt=at - NEVER_SENT))
    left = Draft.objects.filter(gone | lapsed, updated_at__lt=at - LATE)
    tokens = list(left.order_by().values_list("token", flat=True))
    return Draft.objects.filter(token__in=tokens, updated_at__lt=at - LATE).delete()[0]
