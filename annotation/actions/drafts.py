"""Answers are kept while the rater is still at them."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from annotation.errors import DraftConflict, LeaseLost
from annotation.models import Assignment, Draft
from annotation.vocabulary import AssignmentState

STILL_WELCOME = (AssignmentState.LEASED, AssignmentState.EXPIRED)


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
