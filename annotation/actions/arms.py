"""Arms are defined, and frozen once they have generated."""

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from annotation.models import Arm, Study


@transaction.atomic
def add_arm(study: Study, name: str, **settings) -> Arm:
    """The study's next arm in canonical order. Without `backend` it only takes imported responses."""
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)  # two new arms take turns for a position
    last = study.arms.aggregate(last=Max("position"))["last"]
    return study.arms.create(name=name, position=0 if last is None else last + 1, **settings)


def freeze_arm(arm: Arm) -> bool:
    """From the first response on, the settings stay what they were; False when already frozen."""
    return bool(Arm.objects.filter(pk=arm.pk, frozen_at=None).update(frozen_at=timezone.now()))
