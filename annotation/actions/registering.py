"""A finished training becomes an arm, by a worker: all its weights are read for their digests first."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from annotation.actions import events, leases
from annotation.actions.arms import free_name, register_checkpoint
from annotation.actions.training import model_folder
from annotation.errors import BadTraining, DomainError
from annotation.models import Arm, Registration, Study, Training, User
from annotation.vocabulary import BatchState
from models_runtime.training.checkpoints import ANSWERS


class _ClaimLost(Exception):
    """Another worker has the registration now."""


def ask(training: Training, name: str = "", actor: User | None = None) -> Registration:
    """Queue the making of an arm. Raises BadTraining, and ArmRefused for a name that cannot be."""
    if training.state != BatchState.DONE or training.stage not in ANSWERS:
        raise BadTraining("Only a finished fine-tuning or RL becomes an arm.")
    name = free_name(training.study, name or f"{training.get_stage_display()} {training.number}")
    try:
        with transaction.atomic():
            # The lock makes two who ask take turns for a number.
            Study.objects.select_for_update(no_key=True).get(pk=training.study_id)
            last = training.registrations.aggregate(last=Max("number"))["last"] or 0
            asked = Registration.objects.create(training=training, number=last + 1, name=name, asked_by=actor)
            events.record(training.study, "register_arm_asked", actor, training=training.number, arm=name)
            return asked
    except IntegrityError as error:  # registration_unfinished_once_per_training
        raise BadTraining(f"Training {training.number} is being made an arm already.") from error


def claim(registration_id: int, worker: str) -> Registration | None:
    """Give the registration to `worker`; None when another has it, or nothing is left to do."""
    pk = leases.claim_first(Registration.objects.waiting().filter(pk=registration_id), worker)
    return Registration.objects.select_related("training__study", "asked_by").get(pk=pk) if pk else None


def run(registration: Registration) -> bool:
    """Make the arm; False when it was refused, as the row's `error` says then, or the claim was lost."""

    def keep(arm: Arm) -> None:
        held = Registration.objects.filter(pk=registration.pk, claim=registration.claim)
        if not held.filter(state=BatchState.CLAIMED).update(arm=arm) or not leases.finish(registration):
            raise _ClaimLost

    training = registration.training
    try:
        folder = model_folder(training)
        register_checkpoint(training.study, folder, registration.name, registration.asked_by, keep)
    except _ClaimLost:
        return False
    except DomainError as error:
        leases.fail(registration, str(error))
        return False
    except OSError as error:
        leases.fail(registration, f"The weights cannot be read: {error.strerror or error}.")
        return False
    except Exception:
        leases.fail(registration, "Something unexpected went wrong; the worker's log says what.")
        raise
    return True


def requeue_stale(at: datetime | None = None) -> int:
    """Queue again what dead workers held; says how many."""
    return leases.requeue(Registration.objects.stale(at or timezone.now()), leases.fail)
