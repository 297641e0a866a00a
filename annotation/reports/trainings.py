"""Where a training stands, and the curves of what it told."""

from dataclasses import dataclass

from annotation.models import Study, Training
from annotation.reports.progress import workers
from annotation.reports.stored import missing_worker
from annotation.vocabulary import BatchState, TrainingStage

UNFINISHED = (BatchState.QUEUED, BatchState.CLAIMED)
MOST_POINTS = 400
"""Of a curve; a longer training's points are thinned evenly, first and last kept."""

CURVES = {
    "loss": "Loss",
    "reward": "Mean reward r = h · s",
    "accuracy": "Share of pairs ordered as raters do",
    "entropy": "Entropy of the next token",
    "kl": "Divergence from the start (KL)",
}
CONTROLS = {
    BatchState.QUEUED: ("stop",),
    BatchState.CLAIMED: ("stop",),
    BatchState.CANCELLED: ("resume",),
    BatchState.FAILED: ("resume",),
}


@dataclass(frozen=True)
class Curve:
    """Points (step, value) in the order of steps."""

    name: str
    label: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class TrainingProgress:
    """`controls` as `actions.training.CONTROLS` names them; `missing` says which worker is needed."""

    sentence: str
    step: int
    steps: int
    is_finished: bool
    controls: tuple[str, ...]
    missing: str


def training_progress(training: Training) -> TrainingProgress:
    """Where it stands. At most one query."""
    state = BatchState(training.state)
    is_stopping = state == BatchState.CLAIMED and training.stop_asked_at is not None
    return TrainingProgress(
        sentence=_sentence(training, state, is_stopping),
        step=training.step,
        steps=training.steps,
        is_finished=state not in UNFINISHED,
        controls=() if is_stopping else CONTROLS.get(state, ()),
        missing=missing_trainer() if state == BatchState.QUEUED else "",
    )


def _sentence(training: Training, state: BatchState, is_stopping: bool) -> str:
    at = f"step {training.step} of {training.steps}"
    if is_stopping:
        return "Stopping: the step in hand is finished and a checkpoint written."
    if state == BatchState.QUEUED:
        return "Waits for a worker."
    if state == BatchState.CLAIMED:
        return f"Training: {at}." if training.steps else _beginning(training)
    if state == BatchState.CANCELLED:
        return f"Stopped at {at}. Resuming goes on from there." if training.steps else "Stopped."
    if state == BatchState.FAILED:
        return f"Stopped by a failure at {at}." if training.steps else "Stopped by a failure."
    return "Done." if training.stage == TrainingStage.EVALUATE else f"Done after {training.step} steps."


def _beginning(training: Training) -> str:
    is_evaluation = training.stage == TrainingStage.EVALUATE
    return "Answering and scoring." if is_evaluation else "Loading the model and reading the snapshot."


@dataclass(frozen=True)
class RegistrationProgress:
    """The newest making of an arm from a training; `failure` says why there is none, `missing` as above."""

    name: str
    sentence: str
    is_unfinished: bool
    failure: str
    missing: str


def registration_of(training: Training) -> RegistrationProgress | None:
    """Where the training's newest registration stands; None where nobody asked for one."""
    newest = training.registrations.first()
    if newest is None:
        return None
    state = BatchState(newest.state)
    sentences = {
        BatchState.QUEUED: f"“{newest.name}” waits for a worker to become an arm.",
        BatchState.CLAIMED: f"A worker reads the weights; then “{newest.name}” is an arm.",
        BatchState.DONE: f"“{newest.name}” is an arm. Start a run, and it answers the prompts.",
    }
    return RegistrationProgress(
        name=newest.name,
        sentence=sentences.get(state, f"“{newest.name}” did not become an arm."),
        is_unfinished=state in UNFINISHED,
        failure=newest.error if state == BatchState.FAILED else "",
        missing=missing_worker() if state == BatchState.QUEUED else "",
    )


def missing_trainer() -> str:
    """What is missing for trainings that wait, in a sentence; "" when nothing is."""
    living = workers()
    return "" if "train" in living.alive else "No worker takes work from the queue “train”."


def waits_without_worker(study: Study) -> str:
    """`missing_trainer` where a training of the study waits."""
    waits = study.trainings.filter(state=BatchState.QUEUED).exists()
    return missing_trainer() if waits else ""


def curves_of(training: Training) -> tuple[Curve, ...]:
    """A curve for each figure that was told at two steps or more. One query."""
    rows = list(training.metrics.values_list("step", "told"))
    found = []
    for name, label in CURVES.items():
        points = [(step, float(told[name])) for step, told in rows if name in told]
        if len(points) > 1:
            found.append(Curve(name, label, tuple(thinned(points))))
    return tuple(found)


def thinned(points: list[tuple[int, float]], most: int = MOST_POINTS) -> list[tuple[int, float]]:
    """At most about `most` of the points, evenly, the first and the last among them."""
    every = max(1, -(-len(points) // most))
    kept = points[::every]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]
