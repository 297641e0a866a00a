"""Arms are defined, and frozen once they have generated."""

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from annotation.models import Arm, Study
from annotation.text import refuse_hidden
from annotation.vocabulary import FinishReason


@transaction.atomic
def add_arm(study: Study, name: str, **settings) -> Arm:
    """The study's next arm in canonical order. Without `backend` it only takes imported responses."""
    refuse_hidden("The name", name)
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)  # two new arms take turns for a position
    last = study.arms.aggregate(last=Max("position"))["last"]
    return study.arms.create(name=name, position=0 if last is None else last + 1, **settings)


@transaction.atomic
def freeze_arm(arm: Arm) -> bool:
    """Keep the settings that `arm` holds in memory, from its first response on.

    False when the row says otherwise by now: then whatever was made under them belongs to no arm.
    """
    row = Arm.objects.select_for_update(no_key=True).get(pk=arm.pk)
    if row.settings != arm.settings:
        return False
    Arm.objects.filter(pk=arm.pk, frozen_at=None).update(frozen_at=timezone.now())
    return True


def holds_imported(arm: Arm) -> bool:
    """Whether the arm only takes imported responses, and has some."""
    return not arm.generates and arm.responses.filter(finish_reason=FinishReason.IMPORTED).exists()
