"""Gradings have a judge model look at responses: started, claimed batch by batch, recorded, resumed.

Rows, claims and leases are as in `actions.runs`, whose promises hold here too: a grade is made once, and a
worker that dies or lost its claim leaves nothing behind. Locks: the study to start, the grading for the rest.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Length
from django.utils import timezone

from annotation import draws
from annotation.actions import events, leases, rubric
from annotation.actions.generating import through_model
from annotation.errors import GradingRefused, NotAVerdict
from annotation.models import Grade, GradeBatch, GradeItem, Grading, Study, User
from annotation.models.model_settings import MODEL_SETTINGS
from annotation.text import refuse_hidden, storable
from annotation.vocabulary import BatchState, FinishReason, GradingState, GuidelineCondition, KeepRule
from models_runtime.errors import InvalidSampling, RuntimeFailure
from models_runtime.registry import check_spec
from models_runtime.types import Completion, GenerationRequest, ModelSpec, Outcome, Sampling
from models_runtime.worker import BackendCache

BATCH_SIZE = 32
MOST_REPEATS = 16
VERDICT_TOKENS = 512


@dataclass(frozen=True)
class Judge(ModelSpec):
    """Which model grades and how. `sampling` {} chooses: greedy for one look, temperature 1 for several."""

    sampling: dict[str, Any] = field(default_factory=dict)


@transaction.atomic
def start_grading(
    study: Study,
    judge: Judge,
    policy_given: bool = False,
    repeats: int = 1,
    keep: str = KeepRule.MIN,
    actor: User | None = None,
) -> Grading:
    """Queue every look at a response that is still missing under these settings. Raises GradingRefused.

    The same settings are the same grading: it goes on with new responses, or with more repeats. New responses
    are looked at as often as the others, even where fewer repeats are asked for: of more looks the lowest is
    lower, so that arms would not be graded alike.
    """
    # The lock on the study makes two starts take turns; the second finds the first's grading.
    study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    _refuse_judge(judge, repeats, keep)
    # Locked, so that no worker stops it between the look at its state and the change.
    grading = _lock(_grading(study, judge, policy_given, repeats).pk)
    repeats = max(repeats, grading.repeats)
    missing = _missing(grading, repeats)
    _refuse_start(grading, bool(missing))
    _queue(grading, missing)
    changes = {"state": GradingState.RUNNING, "error": "", "finished_at": None, "keep": keep}
    Grading.objects.filter(pk=grading.pk).update(repeats=repeats, **changes)
    grading.refresh_from_db()
    _record(grading, "start_grading", actor, looks=len(missing), repeats=repeats)
    return grading


def _record(grading: Grading, verb: str, actor: User | None = None, **detail) -> None:
    number = {"grading_number": grading.number}
    events.record(grading.study, verb, actor, grading=grading.pk, **number, **detail)


def _refuse_judge(judge: Judge, repeats: int, keep: str) -> None:
    if not judge.model.strip():
        raise GradingRefused("Name the model that is to grade.")
    _refuse_words(judge)
    try:
        check_spec(judge)
    except RuntimeFailure as error:
        raise GradingRefused(str(error)) from error
    if not 1 <= repeats <= MOST_REPEATS:
        raise GradingRefused(f"A response can be graded 1 to {MOST_REPEATS} times, not {repeats}.")
    if keep not in KeepRule.values:
        raise GradingRefused(f"What is kept is {' or '.join(KeepRule.values)}, not “{keep}”.")
    if repeats > 1 and _sampling(judge, repeats).temperature == 0:
        raise GradingRefused(
            "At temperature 0 every repeat would be a copy of the first. Raise it, or grade once."
        )


def _refuse_words(judge: Judge) -> None:
    for name in set(MODEL_SETTINGS) - {"chat_template"}:
        refuse_hidden(f"The judge's {name}", getattr(judge, name))
        longest = Grading._meta.get_field(name).max_length
        if len(getattr(judge, name)) > longest:
            raise GradingRefused(f"The judge's {name} has more than {longest} characters.")


def _refuse_start(grading: Grading, lacks_any: bool) -> None:
    if grading.state in (GradingState.PAUSED, GradingState.FAILED):
        raise GradingRefused(
            f"Grading {grading.number} has these settings and stands still. Resume that one."
        )
    if lacks_any:
        return
    if not grading.batches.exists():
        raise GradingRefused("This study has no responses to grade. Generate or import some first.")
    if grading.state == GradingState.RUNNING:
        raise GradingRefused(f"Grading {grading.number} has these settings and is under way.")
    raise GradingRefused("Every response has been graded under these settings already.")


def _sampling(judge: Judge, repeats: int) -> Sampling:
    chosen = {
        "temperature": 1.0 if repeats > 1 else 0.0,
        "max_new_tokens": VERDICT_TOKENS,
        **judge.sampling,
    }
    try:
        return Sampling.from_dict(chosen)
    except InvalidSampling as error:
        raise GradingRefused(f"The sampling of the judge is not valid: {error}") from error


def _grading(study: Study, judge: Judge, policy_given: bool, repeats: int) -> Grading:
    guideline = study.guidelines.order_by("-version").first() if policy_given else None
    if policy_given and guideline is None:
        raise GradingRefused("This study has no guideline to give. Add one, or grade policy-free.")
    condition = GuidelineCondition.POLICY_GIVEN if policy_given else GuidelineCondition.POLICY_FREE
    settings = {
        **asdict(judge),
        "sampling": _sampling(judge, repeats).to_dict(),
        "guideline_condition": condition.value,
        "rubric_version": rubric.VERSION,
        "rubric_sha256": rubric.RUBRIC_SHA256,
    }
    named = json.dumps({**settings, "guideline": guideline and guideline.version}, sort_keys=True)
    grading, _ = Grading.objects.get_or_create(
        study=study,
        settings_sha256=sha256(named.encode()).hexdigest(),
        defaults={**settings, "guideline": guideline, "seed": study.seed, "repeats": repeats},
    )
    return grading


def _missing(grading: Grading, repeats: int) -> list[tuple[int, int]]:
    """(response, repeat) that no batch of the grading holds yet; responses of like length together."""
    have = set(GradeItem.objects.filter(batch__grading=grading).values_list("response_id", "repeat"))
    responses = grading.study.responses.current().order_by(Length("text"), "pk")
    ordered = list(responses.values_list("pk", flat=True))
    return [(pk, repeat) for repeat in range(repeats) for pk in ordered if (pk, repeat) not in have]


def _queue(grading: Grading, looks: list[tuple[int, int]]) -> None:
    last = grading.batches.aggregate(last=Max("number"))["last"]
    first = 0 if last is None else last + 1
    parts = [looks[start : start + BATCH_SIZE] for start in range(0, len(looks), BATCH_SIZE)]
    batches = GradeBatch.objects.bulk_create(
        [GradeBatch(grading=grading, number=first + number) for number in range(len(parts))]
    )
    items = (
        GradeItem(batch=batch, response_id=response, repeat=repeat)
        for batch, part in zip(batches, parts, strict=True)
        for response, repeat in part
    )
    GradeItem.objects.bulk_create(items, batch_size=1_000)


# One batch -------------------------------------------------------------------------------------------


def claim_batch(grading_id: int, worker: str, at: datetime | None = None) -> GradeBatch | None:
    """The next waiting batch of the grading, held by `worker`; None when nothing waits."""
    waiting = GradeBatch.objects.waiting().filter(grading=grading_id)
    pk = leases.claim_first(waiting, worker, at)
    return pk and GradeBatch.objects.select_related("grading__study", "grading__guideline").get(pk=pk)


def grade(batch: GradeBatch, backends: BackendCache) -> bool:
    """Have the judge look at a claimed batch and record it; False when it failed or the claim was lost.

    Any failure of the model or its environment stops the grading with the reason, and leaves it resumable.
    """
    items = list(batch.items.select_related("response__prompt"))

    def work() -> tuple[list[Outcome], dict]:
        backend = backends.get(batch.grading.spec)
        sampling = Sampling.from_dict(batch.grading.sampling)
        outcomes = backend.generate([request_of(batch.grading, item) for item in items], sampling)
        return outcomes, _provenance(batch, backend.describe(), len(items))

    brought = through_model(work, backends, give_up=partial(fail_batch, batch))
    return brought is not None and record_grades(batch, items, *brought)


def request_of(grading: Grading, item: GradeItem) -> GenerationRequest:
    """What the judge is asked: the prompt and the final answer, and nothing of the arm."""
    response, prompt = item.response, item.response.prompt
    policy = grading.guideline.body if grading.guideline else ""
    return GenerationRequest(
        key=str(item.pk),
        messages=rubric.questions(_key(grading, item), prompt.messages, response.text, policy),
        seed=draws.grade_seed(grading.seed, prompt.key, response.sample, item.repeat),
    )


def _key(grading: Grading, item: GradeItem) -> str:
    return rubric.boundary(grading.secret, item.response_id, item.repeat)


def _provenance(batch: GradeBatch, description: dict, rows: int) -> dict:
    grading = batch.grading
    return {
        **description,
        "sampling": grading.sampling,
        "rubric_version": grading.rubric_version,
        "rubric_sha256": grading.rubric_sha256,
        "guideline_version": grading.guideline and grading.guideline.version,
        "worker": batch.worker,
        "attempt": batch.attempts,
        "batch_rows": rows,
    }


@transaction.atomic
def record_grades(
    batch: GradeBatch, items: Sequence[GradeItem], outcomes: Sequence[Outcome], provenance: dict
) -> bool:
    """Store what the judge wrote about the batch's items, once; False when the claim was lost."""
    # Lock the grading first: of two last batches finishing together, one must see the other as done.
    grading = _lock(batch.grading_id)
    if not leases.finish(batch):
        return False
    by_key = {str(item.pk): item for item in items}
    rows = [_grade(batch, by_key[outcome.key], outcome, provenance) for outcome in outcomes]
    Grade.objects.bulk_create(rows)
    _close_if_done(grading)
    return True


def _grade(batch: GradeBatch, item: GradeItem, outcome: Outcome, provenance: dict) -> Grade:
    row = Grade(
        grading=batch.grading,
        batch=batch,
        response_id=item.response_id,
        repeat=item.repeat,
        provenance={**provenance, "response_sha256": sha256(item.response.text.encode()).hexdigest()},
    )
    if isinstance(outcome, Completion):
        _read_into(row, outcome, _key(batch.grading, item))
    else:
        row.failure = storable(outcome.reason)
    return row


def _read_into(row: Grade, completion: Completion, key: str) -> None:
    """The judge's text as it is, and the verdict in it or why there is none."""
    row.raw_text, row.reasoning = storable(completion.text), storable(completion.reasoning)
    for name in ("finish_reason", "prompt_tokens", "output_tokens", "seconds", "seed"):
        setattr(row, name, getattr(completion, name))
    try:
        found = rubric.verdict(completion.text, key)
    except NotAVerdict as error:
        cut = " Its text was cut at the token limit." if row.finish_reason == FinishReason.LENGTH else ""
        row.failure = storable(f"{error}{cut}")
        return
    for name, value in asdict(found).items():
        setattr(row, name, storable(value) if isinstance(value, str) else value)


@transaction.atomic
def fail_batch(batch: GradeBatch, reason: str) -> bool:
    """Stop the grading at this batch and say why; the rest stays queued until it is resumed."""
    reason = storable(reason)
    _lock(batch.grading_id)
    if not leases.fail(batch, reason):
        return False
    running = Grading.objects.filter(pk=batch.grading_id, state=GradingState.RUNNING)
    if running.update(state=GradingState.FAILED, error=reason):
        _record(batch.grading, "fail_grading", batch=batch.number, reason=reason)
    return True


def requeue_stale(at: datetime | None = None) -> int:
    """Queue again every batch whose worker fell silent; says how many."""
    stale = GradeBatch.objects.stale(at or timezone.now()).select_related("grading__study")
    return leases.requeue(stale, give_up=fail_batch)


# Control ---------------------------------------------------------------------------------------------


@transaction.atomic
def pause_grading(grading: Grading, actor: User | None = None) -> None:
    """Start no further batch; those under way are finished and kept. Raises GradingRefused."""
    _move(grading, [GradingState.RUNNING], GradingState.PAUSED, "Only a grading under way can be paused.")
    _record(grading, "pause_grading", actor)


@transaction.atomic
def resume_grading(grading: Grading, actor: User | None = None) -> None:
    """Let a paused or failed grading go on where it stopped. Raises GradingRefused."""
    stopped = [GradingState.PAUSED, GradingState.FAILED]
    refusal = "Only a grading that is paused or stopped by a failure can be resumed."
    _move(grading, stopped, GradingState.RUNNING, refusal)
    failed = grading.batches.filter(state=BatchState.FAILED)
    failed.update(state=BatchState.QUEUED, attempts=0, error="")
    _close_if_done(grading)
    _record(grading, "resume_grading", actor)


@transaction.atomic
def discard_grading(grading: Grading, actor: User | None = None) -> None:
    """Remove a grading that stands still without a grade, as of a misspelt model. Raises GradingRefused."""
    grading = _lock(grading.pk)
    if grading.state not in (GradingState.PAUSED, GradingState.FAILED):
        raise GradingRefused("Only a grading that is paused or stopped by a failure can be discarded.")
    if grading.grades.exists():
        raise GradingRefused("This grading has grades, which are kept, so it cannot be discarded.")
    # Locked, so that no worker that saw it running still claims one.
    batches = list(grading.batches.select_for_update(no_key=True))
    if any(batch.state == BatchState.CLAIMED for batch in batches):
        raise GradingRefused("A worker is still at this grading. Discard it when that is done.")
    named = {"backend": grading.backend, "model": grading.model}
    _record(grading, "discard_grading", actor, **named)
    GradeItem.objects.filter(batch__in=batches).delete()
    grading.batches.all().delete()
    grading.delete()


def _lock(pk: int) -> Grading:
    return Grading.objects.select_for_update(no_key=True).get(pk=pk)


def _move(grading: Grading, states: list[GradingState], to: GradingState, refusal: str) -> None:
    """Compare and swap the state under its lock; GradingRefused when it is in none of `states`."""
    _lock(grading.pk)
    if not Grading.objects.filter(pk=grading.pk, state__in=states).update(state=to, error=""):
        raise GradingRefused(refusal)


def _close_if_done(grading: Grading) -> None:
    """Close a running grading once no batch is left. The grading is locked."""
    if not grading.batches.exclude(state=BatchState.DONE).exists():
        running = Grading.objects.filter(pk=grading.pk, state=GradingState.RUNNING)
        running.update(state=GradingState.DONE, finished_at=timezone.now())


CONTROLS: dict[str, Callable[..., None]] = {
    "pause": pause_grading,
    "resume": resume_grading,
    "discard": discard_grading,
}
"""What can be done with a grading, by the word that the desk, the API and the command line use."""
