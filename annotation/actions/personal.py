"""Raters choose how they work and what they do not want to get."""

from django.db import transaction

from annotation.actions.claims import lock_rater
from annotation.models import Enrolment, RaterSettings, User


def set_preferences(user: User, **changed: object) -> RaterSettings:
    """Change fields of the person's `RaterSettings`; `keys` are valid already."""
    return RaterSettings.objects.update_or_create(user=user, defaults=changed)[0]


@transaction.atomic
def opt_out(enrolment: Enrolment, categories: list[str]) -> None:
    """Give the rater no more pairs of these harm categories of the study, and of no others than these.

    No event is recorded: what somebody does not want to read is nobody's business. What they passed over so
    far is looked at again, because a category may be welcome now that was not before.
    """
    rater = lock_rater(enrolment.pk)
    known = [name for name in rater.study.harm_categories if name in categories]
    Enrolment.objects.filter(pk=rater.pk).update(opted_out=known, cursor=-1)
