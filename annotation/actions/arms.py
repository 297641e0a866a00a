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


def lock_arm(arm: Arm) -> bool:
    """Keep the arm from being edited until the transaction ends.

    False when its row no longer has the settings that `arm` holds in memory: then whatever was made under
    them belongs to no arm.
    """
    row = Arm.objects.select_for_update(no_key=True).get(pk=arm.pk)
    return row.settings == arm.settings


def freeze_arm(arm: Arm) -> None:
    """Keep the arm's settings for good, from its first response on."""
    Arm.objects.filter(pk=arm.pk, frozen_at=None).update(frozen_at=timezone.now())


def holds_imported(arm: Arm) -> bool:
    """Whether the arm only takes imported responses, and has some."""
    return not arm.generates and arm.responses.filter(finish_reason=FinishReason.IMPORTED).exists()
