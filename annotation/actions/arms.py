"""Arms are defined, and frozen once they have generated."""

from collections.abc import Callable
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from annotation.actions import events
from annotation.errors import ArmRefused, StudyMoved
from annotation.models import Arm, Study, User
from annotation.models.arm import SETTINGS
from annotation.text import refuse_hidden
from annotation.vocabulary import FinishReason
from models_runtime.errors import TrainingRefused
from models_runtime.training.checkpoints import (
    Source,
    read_provenance,
    require_answering,
    require_unchanged,
    source_of,
)

LONGEST_NAME = Arm._meta.get_field("name").max_length


@transaction.atomic
def add_arm(study: Study, name: str, **settings) -> Arm:
    """The study's next arm in canonical order. Without `backend` it only takes imported responses."""
    refuse_hidden("The name", name)
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)  # two new arms take turns for a position
    last = study.arms.aggregate(last=Max("position"))["last"]
    return study.arms.create(name=name, position=0 if last is None else last + 1, **settings)


def define_arm(study: Study, name: str, actor: User | None = None, **settings) -> Arm:
    """`add_arm` of a name that is free, with its event. Raises ArmRefused."""
    name = _name_of(name)
    try:
        with transaction.atomic():
            arm = add_arm(study, name, **settings)
            events.record(study, "add_arm", actor, arm=arm.name)
    except IntegrityError as error:
        raise ArmRefused(f"The study has an arm “{name}” already. Choose another name.") from error
    return arm


def nothing_more(arm: Arm) -> None:
    """For whoever has nothing to say when an arm is kept."""


def register_checkpoint(
    study: Study,
    folder: Path,
    name: str = "",
    actor: User | None = None,
    on_keep: Callable[[Arm], None] = nothing_more,
) -> Arm:
    """A tuned model becomes the study's next arm, with what it was made from in the event. Raises ArmRefused.

    The arm runs under the system prompt that the model was trained with, usually none, and is sampled as the
    study's first arm that generates. Reads all weights for their digests: minutes where they are large.
    `on_keep` is called inside the transaction that keeps the arm; what it raises undoes that.
    """
    try:
        facts = read_provenance(folder)
        require_answering(str(folder))
        require_unchanged(folder, facts)
        source = source_of(str(folder))
    except TrainingRefused as error:
        raise ArmRefused(str(error)) from error
    name = free_name(study, name or f"{facts['stage']} {folder.resolve().name}"[:LONGEST_NAME])
    return _add_registered(study, name, source, facts, actor, on_keep)


def free_name(study: Study, name: str) -> str:
    """The name without blanks around it; raise ArmRefused for one that is nothing else, too long or taken."""
    name = _name_of(name)
    if study.arms.filter(name=name).exists():
        raise ArmRefused(f"“{study.title}” has an arm “{name}” already. Choose another name.")
    return name


def _name_of(name: str) -> str:
    name = name.strip()
    if not name:
        raise ArmRefused(
            "The arm’s name is blank. Give it one that tells it from the others, or none at all."
        )
    if len(name) > LONGEST_NAME:
        raise ArmRefused(f"The arm’s name has {len(name)} characters; it may have {LONGEST_NAME}.")
    return name


@transaction.atomic
def _add_registered(
    study: Study, name: str, source: Source, facts: dict, actor: User | None, on_keep: Callable[[Arm], None]
) -> Arm:
    first = next((arm for arm in study.arms.all() if arm.generates), None)
    settings = {"sampling": first.sampling} if first else {}
    arm = add_arm(
        study,
        name,
        backend="transformers_local",
        model=source.base,
        revision=source.revision,
        adapter=source.adapter,
        system_prompt=facts["arguments"]["system_prompt"],
        **settings,
    )
    events.record(study, "register_arm", actor, arm=name, provenance=facts)
    on_keep(arm)
    return arm


@transaction.atomic
def change_arm(
    arm: Arm, actor: User | None = None, as_read: Callable[[Arm], bool] | None = None, **changes
) -> bool:
    """Set the arm's name and settings; False when nothing changed.

    Raises ArmRefused once it answered, or where it left the study; StudyMoved where `as_read` denies that
    the locked row is as the person read it.
    """
    row = Arm.objects.select_for_update(no_key=True).filter(pk=arm.pk).first()
    if row is None:
        raise ArmRefused("Somebody took this arm out of the study meanwhile.")
    if as_read and not as_read(row):
        raise StudyMoved("Somebody has changed the arm meanwhile. Read it again, then change it.")
    changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not changed:
        return False
    if "name" in changed:
        refuse_hidden("The name", changed["name"])
        changed["name"] = _name_of(changed["name"])
        if arm.study.arms.exclude(pk=arm.pk).filter(name=changed["name"]).exists():
            raise ArmRefused(f"The study has an arm “{changed['name']}” already. Choose another name.")
    try:
        with transaction.atomic():
            Arm.objects.filter(pk=arm.pk).update(**changed)
    except IntegrityError as error:
        raise ArmRefused(
            "This arm has answered already, so it stays as it answered. Add another arm, or fork the study."
        ) from error
    for name, value in changed.items():
        setattr(arm, name, value)
    kept = {name: changed[name] for name in changed if name in (*SETTINGS, "name")}
    events.record(arm.study, "change_arm", actor, arm=arm.name, changed=kept)
    return True


@transaction.atomic
def remove_arm(arm: Arm, actor: User | None = None) -> None:
    """Take an arm without answers out of the study. Raises ArmRefused otherwise."""
    if Arm.objects.select_for_update().filter(pk=arm.pk).first() is None:
        raise ArmRefused("Somebody took this arm out of the study meanwhile.")
    if arm.responses.exists() or arm.batches.exists():
        raise ArmRefused("This arm has answered already, so it stays in the study.")
    events.record(arm.study, "remove_arm", actor, arm=arm.name)
    try:
        with transaction.atomic():
            Arm.objects.filter(pk=arm.pk).delete()
    except IntegrityError as error:
        raise ArmRefused("A training began with this arm, so it stays in the study.") from error


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
