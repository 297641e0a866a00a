"""Raters join a study."""

from django.db import transaction
from django.utils.crypto import salted_hmac

from annotation.actions import events
from annotation.models import Enrolment, Study, User


@transaction.atomic
def enrol(study: Study, user: User, actor: User | None = None) -> Enrolment:
    """`user`'s place in the study; enrolling twice changes nothing."""
    enrolment, created = Enrolment.objects.get_or_create(
        study=study, user=user, defaults={"code": pseudonym(study, f"user {user.pk}")}
    )
    if created:
        events.record(study, "enrol", actor, rater=enrolment.code)
    return enrolment


def pseudonym(study: Study, name: str) -> str:
    """Always the same for a name in a study; without the installation's secret key nobody can go back."""
    return f"rater-{salted_hmac('rater', f'{study.pk} {name}', algorithm='sha256').hexdigest()[:10]}"


def enrol_imported(study: Study, code: str) -> Enrolment:
    """A rater known only from a file: has judgments, cannot log in."""
    return Enrolment.objects.get_or_create(study=study, code=code)[0]
