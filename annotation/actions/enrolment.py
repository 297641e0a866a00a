"""Raters join a study."""

from django.db import transaction

from annotation import draws
from annotation.actions import events
from annotation.models import Enrolment, Study, User


@transaction.atomic
def enrol(study: Study, user: User, actor: User | None = None) -> Enrolment:
    """`user`'s place in the study; enrolling twice changes nothing."""
    enrolment, created = Enrolment.objects.get_or_create(
        study=study, user=user, defaults={"code": _code(study, user)}
    )
    if created:
        events.record(study, "enrol", actor, rater=enrolment.code)
    return enrolment


def _code(study: Study, user: User) -> str:
    """A pseudonym that tells neither the name nor the order of joining."""
    return f"rater-{draws.draw(study.seed, 'code', study.pk, user.pk):016x}"[:14]


def enrol_imported(study: Study, code: str) -> Enrolment:
    """A rater known only from a file: has judgments, cannot log in."""
    return Enrolment.objects.get_or_create(study=study, code=code)[0]
