"""Trainings are asked for, taken by a worker of the queue `train`, stopped, resumed, and made arms.

The training itself is a process of its own, `python -m models_runtime.training`, whose lines of JSON are
read: a crash or a full memory there ends no worker, and nothing heavy is loaded here.
"""

import json
import logging
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from annotation.actions import events, leases
from annotation.actions.training_settings import SPLIT, read_settings
from annotation.errors import BadTraining
from annotation.models import Arm, Snapshot, Study, Training, TrainingMetric, User
from annotation.models.training import SCORED_STAGES
from annotation.vocabulary import BatchState, TrainingStage
from models_runtime.training.checkpoints import ANSWERS, FACTS, PROVENANCE, read_provenance
from models_runtime.training.stopping import EXIT_STOPPED

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

INSTALL = (
    "Training is not installed here. Install it with “pip install -r requirements-train.txt” where the "
    "pages, the beat and a worker run, and start Evenhand again."
)
LOOK_EVERY = 1.0
"""Seconds between looks at whether somebody stopped a training, or another worker took it."""

PATIENCE = 120.0
"""Seconds for which a training goes on without an answer from the database, and what it tells is kept."""

PASSING = (OperationalError, InterfaceError)
"""What a database raises that is away for a moment, or was started again."""


CAN_GO_ON = (BatchState.CANCELLED, BatchState.FAILED)


@dataclass(frozen=True)
class Plan:
    """What a training is to start from and with; `start` may be None for an evaluation alone."""

    stage: str
    snapshot: Snapshot
    start: Arm | Training | None = None
    helpfulness: Training | None = None
    safety: Training | None = None
    given: Mapping[str, Any] | None = None


# Asking ------------------------------------------------------------------------------------------------


@transaction.atomic
def start_training(study: Study, plan: Plan, actor: User | None = None) -> Training:
    """Queue a training of this study. Raises BadTraining or BadSetting.

    All rows that `plan` names are the study's own: whoever fetched them saw to it.
    """
    if not settings.TRAINS:
        raise BadTraining(INSTALL)
    if plan.stage not in TrainingStage.values:
        raise BadTraining(f"A training is one of {', '.join(TrainingStage.values)}.")
    arguments = read_settings(plan.stage, plan.given or {})
    _require_start(plan)
    _require_rewards(plan)
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)  # two starts take turns for a number
    training = Training.objects.create(
        study=study,
        snapshot=plan.snapshot,
        number=_next_number(study),
        stage=plan.stage,
        arguments=arguments | _split_of(plan),
        start_arm=plan.start if isinstance(plan.start, Arm) else None,
        start_training=plan.start if isinstance(plan.start, Training) else None,
        helpfulness=plan.helpfulness,
        safety=plan.safety,
        asked_by=actor,
    )
    about = {"training": training.number, "stage": plan.stage, "snapshot": plan.snapshot.number}
    events.record(study, "start_training", actor, **about)
    return training


def _require_start(plan: Plan) -> None:
    start = plan.start
    if start is None:
        if plan.stage != TrainingStage.EVALUATE:
            raise BadTraining("Choose what the training starts from: an arm, or an earlier training.")
    elif isinstance(start, Training):
        if start.state != BatchState.DONE or start.stage not in ANSWERS:
            raise BadTraining(f"Training {start.number} is not done, or its model answers no prompt.")
    elif start.backend != "transformers_local" or start.quantization:
        raise BadTraining(f"“{start.name}” is no local model with whole weights, so it cannot be trained.")
    elif start.adapter and not (Path(start.adapter) / PROVENANCE).is_file():
        raise BadTraining(
            f"“{start.name}” has an adapter that no training of ours made. Start from its base."
        )
    elif plan.stage == TrainingStage.EVALUATE and start.revision and not start.adapter:
        raise BadTraining(f"“{start.name}” names a revision, which an evaluation here cannot choose.")


def _require_rewards(plan: Plan) -> None:
    found = {"helpfulness": plan.helpfulness, "safety": plan.safety}
    if plan.stage not in SCORED_STAGES:
        if any(found.values()):
            raise BadTraining("Only RL and evaluation take reward models.")
        return
    for target, model in found.items():
        if model is None or not scores(model, target):
            raise BadTraining(f"Choose a reward model of {target} whose training is done.")
    if _split_of(plan) != {name: plan.safety.arguments[name] for name in SPLIT}:
        raise BadTraining("The two reward models hold out other prompts. Choose two with the same split.")


def scores(training: Training, target: str) -> bool:
    """Whether this is a finished reward model of this target."""
    is_done = training.stage == TrainingStage.REWARD and training.state == BatchState.DONE
    return is_done and training.arguments["target"] == target


def _split_of(plan: Plan) -> dict[str, Any]:
    return {name: plan.helpfulness.arguments[name] for name in SPLIT} if plan.helpfulness else {}


def _next_number(study: Study) -> int:
    number = (study.trainings.aggregate(last=Max("number"))["last"] or 0) + 1
    # A folder may be left from a database that is gone; it is somebody's work, so step over it.
    while (settings.TRAININGS / study.slug / str(number)).exists():
        number += 1
    return number


# Stopping and going on ------------------------------------------------------------------------------------


@transaction.atomic
def stop(training: Training, actor: User | None = None) -> None:
    """Stop it: at once while it waits, else after its next step, with a checkpoint. Raises BadTraining."""
    rows = Training.objects.filter(pk=training.pk)
    waits = rows.filter(state=BatchState.QUEUED).update(state=BatchState.CANCELLED)
    if not waits and not rows.filter(state=BatchState.CLAIMED).update(stop_asked_at=timezone.now()):
        raise BadTraining(f"Training {training.number} is not under way, so there is nothing to stop.")
    events.record(training.study, "stop_training", actor, training=training.number)


@transaction.atomic
def resume(training: Training, actor: User | None = None) -> None:
    """Queue a stopped or failed training; it goes on from its last checkpoint. Raises BadTraining."""
    ended = Training.objects.filter(pk=training.pk, state__in=CAN_GO_ON)
    changes = {"state": BatchState.QUEUED, "attempts": 0, "error": "", "stop_asked_at": None}
    if not ended.update(**changes):
        raise BadTraining(f"Training {training.number} was neither stopped nor did it fail.")
    events.record(training.study, "resume_training", actor, training=training.number)


CONTROLS = {"stop": stop, "resume": resume}


# Where things lie -----------------------------------------------------------------------------------------


def folder_of(training: Training) -> Path:
    """What belongs to the training; all workers and the pages share it."""
    return settings.TRAININGS / training.study.slug / str(training.number)


def model_folder(training: Training) -> Path:
    """Where the model is when the training is done, and its checkpoints before."""
    return folder_of(training) / "model"


def log_file(training: Training) -> Path:
    return folder_of(training) / "log.txt"


def command(training: Training) -> list[str]:
    """The process that trains; every value stands behind its own name, so none is read as an option."""
    out = "report.json" if training.stage == TrainingStage.EVALUATE else "model"
    named = {
        "data": training.snapshot.folder,
        "out": folder_of(training) / out,
        **_models(training),
        **{name: value for name, value in training.arguments.items() if not isinstance(value, bool)},
    }
    if training.stage == TrainingStage.EVALUATE:
        named = {name: value for name, value in named.items() if name not in SPLIT}
    flags = [name for name, value in training.arguments.items() if value is True]
    return [
        *(sys.executable, "-m", "models_runtime.training", training.stage, "--attached"),
        *(f"--{name.replace('_', '-')}={value}" for name, value in named.items()),
        *(f"--{name.replace('_', '-')}" for name in flags),
    ]


def _models(training: Training) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: model_folder(model)
        for name, model in (("helpfulness", training.helpfulness), ("safety", training.safety))
        if model
    }
    arm = training.start_arm
    if training.start_training:
        found["model"] = model_folder(training.start_training)
    elif arm:
        found["model"] = arm.adapter or arm.model
        if arm.revision and not arm.adapter:
            found["revision"] = arm.revision
    return found


# At work --------------------------------------------------------------------------------------------------


def claim(training_id: int, worker: str) -> Training | None:
    """Give the training to `worker`; None when another has it, or nothing is left to do."""
    pk = leases.claim_first(Training.objects.waiting().filter(pk=training_id), worker)
    return Training.objects.select_related(*NEEDED).get(pk=pk) if pk else None


NEEDED = (
    "study",
    "snapshot",
    "start_arm",
    *("start_training__study", "helpfulness__study", "safety__study"),
)


class _ClaimLost(Exception):
    """Another worker has the training now."""


def train(training: Training) -> bool:
    """Train a claimed training to its end, its stop or its failure; False when the claim was lost.

    The process ends with this one: it is attached to it by its standard input. A database that stays away is
    no failure of the training: its error is raised, and when the lease has lapsed a worker goes on from the
    last checkpoint.
    """
    log = log_file(training)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _keep(training, started_at=timezone.now())
        if (ended := _ended_unnoted(training)) is not None:
            _end(training, 0, False, ended)
            return True
        with log.open("a", encoding="utf-8") as written:
            status, is_stopped, said = _watch(training, written)
        _end(training, status, is_stopped, said)
    except _ClaimLost:
        return False
    except BadTraining as error:
        return leases.fail(training, str(error))
    except PASSING:
        raise
    except Exception:
        leases.fail(training, "Something unexpected went wrong; the worker's log says what.")
        raise
    return True


def _ended_unnoted(training: Training) -> dict | None:
    """What a training said at its end that an earlier worker could not note; None where it is not over."""
    if training.stage == TrainingStage.EVALUATE or not (model_folder(training) / PROVENANCE).is_file():
        return None
    facts = read_provenance(model_folder(training))
    return {name: told for name, told in facts.items() if name not in FACTS}


def _keep(training: Training, **changes: Any) -> None:
    """Change the row while its claim is still ours; raise _ClaimLost."""
    held = Training.objects.filter(pk=training.pk, state=BatchState.CLAIMED, claim=training.claim)
    if not _patiently(lambda: held.update(**changes)):
        raise _ClaimLost


def _patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask the database until it answers, for as long as PATIENCE; the training goes on meanwhile."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except PASSING:
            if time.monotonic() >= ends or connection.in_atomic_block:
                raise
            logger.warning("The database does not answer; asking it again.", exc_info=True)
            connection.close()
            time.sleep(LOOK_EVERY)


def _watch(training: Training, log: IO[str]) -> tuple[int, bool, dict]:
    """(exit status, whether it was asked to stop, its last words that are no step)."""
    process = subprocess.Popen(
        command(training),
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        errors="replace",
        env={**os.environ, "TQDM_DISABLE": "1"},
    )
    try:
        is_stopped, said = _listen(training, process, log)
        return process.wait(), is_stopped, said
    finally:
        process.kill()
        process.wait()


def _listen(training: Training, process: subprocess.Popen, log: IO[str]) -> tuple[bool, dict]:
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    is_stopped, said = False, {}
    while True:
        if not is_stopped and _is_stop_asked(training):
            is_stopped = True
            # An evaluation has no checkpoint to wait for.
            process.kill() if training.stage == TrainingStage.EVALUATE else process.terminate()
        line = _next(lines)
        if line is None:
            return is_stopped, said
        if line:
            log.write(line)
            log.flush()
            said = note(training, line) or said


def _read(stream: Iterable[str], lines: "queue.Queue[str | None]") -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _next(lines: "queue.Queue[str | None]") -> str | None:
    """The next line, "" when none came for a while, None at the end."""
    try:
        return lines.get(timeout=LOOK_EVERY)
    except queue.Empty:
        return ""


def _is_stop_asked(training: Training) -> bool:
    held = Training.objects.filter(pk=training.pk, state=BatchState.CLAIMED, claim=training.claim)
    found = _patiently(lambda: list(held.values_list("stop_asked_at", flat=True)[:1]))
    if not found:
        raise _ClaimLost
    return found[0] is not None


def note(training: Training, line: str) -> dict:
    """Keep what a line tells of a step; return what any other line of JSON says."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    if not isinstance(told, dict):
        return {}
    step, steps = told.get("step"), told.get("of")
    if not (isinstance(step, int) and isinstance(steps, int)):
        return told
    _keep(training, step=max(0, step), steps=max(0, steps))
    metric = TrainingMetric(training=training, step=step, told=_numbers(told))
    _patiently(partial(TrainingMetric.objects.bulk_create, [metric], **NEWEST_COUNTS))
    return {}


NEWEST_COUNTS = {
    "update_conflicts": True,
    "unique_fields": ["training", "step"],
    "update_fields": ["told"],
}
"""A training that went on from a checkpoint tells some steps again."""


def _numbers(told: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers among what was told of a step."""
    return {
        name: value
        for name, value in told.items()
        if name not in ("step", "of") and isinstance(value, int | float) and math.isfinite(value)
    }


def _end(training: Training, status: int, is_stopped: bool, said: dict) -> None:
    """Keep how the process ended; raise _ClaimLost, or BadTraining for a report that cannot be kept."""
    now = timezone.now()
    if status == 0:
        changes = {
            "state": BatchState.DONE,
            "finished_at": now,
            "error": "",
            "result": _result(training, said),
        }
    elif is_stopped:
        changes = {"state": BatchState.CANCELLED, "error": ""}
    elif status == EXIT_STOPPED:
        changes = {"state": BatchState.CANCELLED, "error": "The process was asked to stop from outside."}
    else:
        changes = {"state": BatchState.FAILED, "error": _why(training, status)}
    _keep(training, **changes)


def _result(training: Training, said: dict) -> dict:
    if training.stage != TrainingStage.EVALUATE:
        return {name: value for name, value in said.items() if name not in ("stage", "saved")}
    try:
        report = (folder_of(training) / "report.json").read_text(encoding="utf-8")
        return json.loads(report, parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        raise BadTraining(f"The evaluation's report cannot be kept: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(
        f"a score in it is {name}. A reward model’s training may have diverged: train it anew with a lower "
        "learning rate."
    )


def _why(training: Training, status: int) -> str:
    if status < 0:
        return (
            f"The training's process was ended by signal {-status}; it may have run out of memory. Resuming "
            "goes on from the last checkpoint."
        )
    lines = log_tail(training).splitlines()
    words = [line for line in lines if line.strip() and not line.startswith(("{", " "))]
    return words[-1] if words else f"The training's process ended with status {status} and said nothing."


def log_tail(training: Training, most: int = 8_000) -> str:
    """The last characters of the log; "" where there is none."""
    try:
        with log_file(training).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""


def requeue_stale(at: datetime | None = None) -> int:
    """Queue again what dead workers held, unless somebody stopped it meanwhile; says how many."""
    found = leases.requeue(Training.objects.stale(at or timezone.now()), leases.fail)
    asked = Training.objects.filter(state=BatchState.QUEUED, stop_asked_at__isnull=False)
    asked.update(state=BatchState.CANCELLED)
    return found
