"""Runs generate what is missing: started, claimed batch by batch, recorded, resumed.

A worker holds a batch by a claim with a lease (`actions.leases`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone

from annotation import draws
from annotation.actions import events, leases
from annotation.actions.arms import freeze_arm, lock_arm
from annotation.actions.pairing import lacks_pairs, make_pairs
from annotation.errors import RunRefused
from annotation.models import Arm, Batch, BatchItem, Prompt, Response, Run, Study, User, WorkerHeartbeat
from annotation.models.claimed import ClaimedBatch
from annotation.reports.fairness import Difference, sampling_differences
from annotation.text import storable
from annotation.vocabulary import BatchState, RunState
from models_runtime.errors import InvalidSampling
from models_runtime.types import Completion, FailedRequest, Outcome, Sampling

BATCH_SIZE = 32
MOST_SAMPLES = 8
MOST_ATTEMPTS = leases.MOST_ATTEMPTS

Part = tuple[Arm, list[tuple[Prompt, int]]]
"""The requests (prompt, sample) of one batch, and their arm."""


@transaction.atomic
def start_run(study: Study, samples: int = 1, actor: User | None = None, batch_size: int = BATCH_SIZE) -> Run:
    """Queue batches for every response that generating arms still lack. Raises RunRefused.

    Where no response is lacking but pairs are, as after a cancelled run, the run has only those to make.
    """
    if not 1 <= samples <= MOST_SAMPLES:
        raise RunRefused(f"An arm can answer each prompt 1 to {MOST_SAMPLES} times, not {samples}.")
    # The lock on the study makes two starts take turns; the second finds the first's run.
    study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    arms = [arm for arm in study.arms.all() if arm.generates]
    _refuse_start(study, arms)
    batches = [part for arm in arms for part in _parts(arm, samples, batch_size)]
    if not batches and not lacks_pairs(study):
        raise RunRefused("Every arm has answered every prompt already. Add prompts, or ask for more samples.")
    state = RunState.RUNNING if batches else RunState.GENERATED
    run = Run.objects.create(study=study, state=state, samples=samples, seed=_seed(study))
    _queue(run, batches)
    _record(run, "start_run", actor, batches=len(batches), samples=samples)
    return run


def start_follow_up(
    study: Study, requests: Iterable[tuple[Arm, Prompt, int]], actor: User | None = None
) -> Run:
    """Queue these (arm, prompt, sample) in a run of its own with another seed. The study is locked.

    None of them has a response, and no run of the study is unfinished.
    """
    run = Run.objects.create(study=study, seed=_another_seed(study))
    by_arm = sorted(requests, key=lambda request: request[0].position)
    parts: list[Part] = []
    for _, group in groupby(by_arm, key=lambda request: request[0].position):
        wanted = list(group)
        parts += _cut(wanted[0][0], [(prompt, sample) for _, prompt, sample in wanted], BATCH_SIZE)
    _queue(run, parts)
    _record(run, "start_follow_up", actor, batches=len(parts), items=len(by_arm))
    return run


def _record(run: Run, verb: str, actor: User | None = None, **detail) -> None:
    events.record(run.study, verb, actor, run=run.pk, run_number=run.number, **detail)


def _seed(study: Study) -> int:
    """The study's; another where that would only bring back answers that were replaced."""
    current = Response.objects.current().filter(
        prompt=OuterRef("prompt"), arm=OuterRef("arm"), sample=OuterRef("sample")
    )
    replaced = study.responses.filter(replaced_at__isnull=False)
    return _another_seed(study) if replaced.exclude(Exists(current)).exists() else study.seed


def _another_seed(study: Study) -> int:
    return draws.draw(study.seed, "follow-up", study.runs.count())


def _queue(run: Run, parts: list[Part]) -> None:
    batches = Batch.objects.bulk_create(
        [Batch(run=run, arm=arm, number=number) for number, (arm, _) in enumerate(parts)]
    )
    items = (
        BatchItem(batch=batch, prompt=prompt, sample=sample)
        for batch, (_, requests) in zip(batches, parts, strict=True)
        for prompt, sample in requests
    )
    BatchItem.objects.bulk_create(items, batch_size=1_000)


def _refuse_start(study: Study, arms: list[Arm]) -> None:
    if study.runs.unfinished().exists():
        raise RunRefused("A run of this study is not finished. Wait for it, or resume it.")
    if not arms:
        raise RunRefused("No arm of this study names a backend. Add one, or import responses.")
    if not study.prompts.exists():
        raise RunRefused("This study has no prompts. Add or import some first.")
    for arm in arms:
        try:
            Sampling.from_dict(arm.sampling)
        except InvalidSampling as error:
            raise RunRefused(f"The sampling of arm “{arm.name}” is not valid: {error}") from error
    if study.matched_sampling and (differences := sampling_differences(arms)):
        words = "; ".join(_difference(arms, row) for row in differences)
        raise RunRefused(
            f"The arms are not sampled alike: {words}. Make them equal, or switch off "
            "“matched sampling” in the study's settings if the difference is meant."
        )


def _difference(arms: list[Arm], row: Difference) -> str:
    """A setting and what it is in each arm; the values of a difference are in the order of the arms."""
    values = ", ".join(f"{value} in “{arm.name}”" for arm, value in zip(arms, row.values, strict=True))
    return f"{row.setting} is {values}"


def _parts(arm: Arm, samples: int, size: int) -> list[Part]:
    """The arm's missing (prompt, sample) in batches; prompts of like length together waste no padding."""
    have = set(arm.responses.current().values_list("prompt_id", "sample"))
    prompts = sorted(arm.study.prompts.all(), key=lambda prompt: len(str(prompt.messages)))
    missing = [(p, s) for s in range(samples) for p in prompts if (p.pk, s) not in have]
    return _cut(arm, missing, size)


def _cut(arm: Arm, requests: list[tuple[Prompt, int]], size: int) -> list[Part]:
    return [(arm, requests[start : start + size]) for start in range(0, len(requests), size)]


def claim_batch(run_id: int, worker: str, at: datetime | None = None) -> Batch | None:
    """The next waiting batch of the run, held by `worker`; None when nothing waits."""
    pk = leases.claim_first(Batch.objects.waiting().filter(run=run_id), worker, at)
    return pk and Batch.objects.select_related("run__study", "arm").get(pk=pk)


def _lock_run(pk: int) -> Run:
    return Run.objects.select_for_update(no_key=True).get(pk=pk)


def renew_lease(batch: ClaimedBatch, at: datetime | None = None) -> bool:
    """Keep a batch of any kind for another lease; False when another worker has it now."""
    return leases.renew(batch, at)


@transaction.atomic
def record_completions(batch: Batch, outcomes: Sequence[Outcome], provenance: dict) -> bool:
    """Store what the batch brought, once; False when nothing was stored.

    That is when the claim was lost, or when the arm was edited while the batch ran: then the batch is
    queued again, since its completions are not what the arm says.

    `outcomes` are in the order of the batch's items, with each item's primary key as `key`.
    """
    # Lock the run first: of two last batches finishing together, one must see the other as done.
    run = _lock_run(batch.run_id)
    if not lock_arm(batch.arm):
        leases.release(batch)
        _cancel_what_is_over(timezone.now())
        return False
    if not leases.finish(batch):
        return False
    _keep(batch, outcomes, provenance)
    _close_if_generated(run)
    return True


def _keep(batch: Batch, outcomes: Sequence[Outcome], provenance: dict) -> None:
    items = {str(item.pk): item for item in batch.items.all()}
    completions = [outcome for outcome in outcomes if isinstance(outcome, Completion)]
    rows = [_response(batch, items[c.key], c, provenance) for c in completions]
    # A response that is there already (an import, an earlier sample) stays: once per sample is the promise.
    Response.objects.bulk_create(rows, ignore_conflicts=True)
    if rows:
        freeze_arm(batch.arm)
    for outcome in outcomes:
        if isinstance(outcome, FailedRequest):
            BatchItem.objects.filter(pk=items[outcome.key].pk).update(failure=storable(outcome.reason))


def _response(batch: Batch, item: BatchItem, completion: Completion, provenance: dict) -> Response:
    return Response(
        study_id=batch.run.study_id,
        prompt_id=item.prompt_id,
        arm=batch.arm,
        sample=item.sample,
        batch=batch,
        text=storable(completion.text),
        reasoning=storable(completion.reasoning),
        finish_reason=completion.finish_reason,
        prompt_tokens=completion.prompt_tokens,
        output_tokens=completion.output_tokens,
        seconds=completion.seconds,
        seed=completion.seed,
        provenance=provenance,
    )


@transaction.atomic
def fail_batch(batch: Batch, reason: str) -> bool:
    """Stop the run at this batch and say why; the rest stays queued until `resume_run`."""
    reason = storable(reason)
    _lock_run(batch.run_id)  # before the batch, like everybody: a resume must see both or neither
    if not leases.fail(batch, reason):
        return False
    failed = Run.objects.filter(pk=batch.run_id, state=RunState.RUNNING)
    if failed.update(state=RunState.FAILED, error=reason):
        _record(batch.run, "fail_batch", batch=batch.number, reason=reason)
    return True


@transaction.atomic
def pause_run(run: Run, actor: User | None = None) -> None:
    """Start no further batch; those under way are finished and kept. Raises RunRefused."""
    _move(run, [RunState.RUNNING], RunState.PAUSED, "Only a run that is generating can be paused.")
    _record(run, "pause_run", actor)


@transaction.atomic
def resume_run(run: Run, actor: User | None = None) -> None:
    """Let a paused or failed run go on where it stopped. Raises RunRefused."""
    stopped = [RunState.PAUSED, RunState.FAILED]
    _move(run, stopped, RunState.RUNNING, "Only a run that is paused or stopped by a failure can be resumed.")
    run.batches.filter(state=BatchState.FAILED).update(state=BatchState.QUEUED, attempts=0, error="")
    _close_if_generated(run)
    _record(run, "resume_run", actor)


@transaction.atomic
def cancel_run(run: Run, actor: User | None = None) -> None:
    """End the run with what it has; a later run generates the rest. Raises RunRefused.

    Batches under way are still recorded: they are paid for, and their responses count like any other.
    """
    going = [RunState.RUNNING, RunState.PAUSED, RunState.FAILED]
    _move(run, going, RunState.CANCELLED, "This run is over already.", finished_at=timezone.now())
    waiting = run.batches.filter(state__in=[BatchState.QUEUED, BatchState.FAILED])
    waiting.update(state=BatchState.CANCELLED)
    _record(run, "cancel_run", actor)


@transaction.atomic
def retry_failed(run: Run, actor: User | None = None) -> int:
    """Ask again what a finished run could not answer, nor any later one; says how many. Raises RunRefused."""
    # The lock on the study makes retries and starts take turns.
    study = Study.objects.select_for_update(no_key=True).get(pk=run.study_id)
    others = study.runs.unfinished().exclude(pk=run.pk)
    if others.exists():
        raise RunRefused("Another run of this study is not finished. Wait for it, or cancel it.")
    _move(run, [RunState.DONE], RunState.RUNNING, "Only a run that is done can be retried.", finished_at=None)
    failed = list(BatchItem.objects.filter(batch__run=run).unanswered().select_related("batch"))
    if not failed:
        raise RunRefused("Every request of this run was answered, by it or by a later one.")
    _move_to_new_batches(run, failed)
    reasons = sorted({item.failure for item in failed})
    _record(run, "retry_failed", actor, items=len(failed), reasons=reasons[:20])
    return len(failed)


def _move_to_new_batches(run: Run, items: list[BatchItem]) -> None:
    number = run.batches.aggregate(last=Max("number"))["last"]
    by_arm = sorted(items, key=lambda item: item.batch.arm_id)
    for arm, group in groupby(by_arm, key=lambda item: item.batch.arm_id):
        pks = [item.pk for item in group]
        for start in range(0, len(pks), BATCH_SIZE):
            number += 1
            batch = Batch.objects.create(run=run, arm_id=arm, number=number)
            BatchItem.objects.filter(pk__in=pks[start : start + BATCH_SIZE]).update(batch=batch, failure="")


def _move(run: Run, states: list[RunState], to: RunState, refusal: str, **changes) -> None:
    """Compare and swap the run's state under its lock; RunRefused when it is in none of `states`."""
    _lock_run(run.pk)
    changes.setdefault("error", "")
    if not Run.objects.filter(pk=run.pk, state__in=states).update(state=to, **changes):
        raise RunRefused(refusal)


def _close_if_generated(run: Run) -> None:
    """Move a running run on to its pairs once no batch is left. The run is locked."""
    if not run.batches.exclude(state__in=[BatchState.DONE, BatchState.CANCELLED]).exists():
        Run.objects.filter(pk=run.pk, state=RunState.RUNNING).update(state=RunState.GENERATED)


def finish_run(run: Run) -> bool:
    """Pair what the run brought and close it; False when it is not ready or already closed.

    A database that fails may be back when the beat asks again. Anything else would fail every time, so it
    stops the run with the reason, and is raised again for the log.
    """
    if not Run.objects.filter(pk=run.pk, state=RunState.GENERATED).exists():
        return False
    try:
        make_pairs(run.study)
    except Exception as error:
        if not isinstance(error, AnyDatabaseError):
            _fail_pairing(run, f"The pairs could not be made ({type(error).__name__}: {error}).")
        raise
    return _close(run)


@transaction.atomic
def _close(run: Run) -> bool:
    generated = Run.objects.filter(pk=run.pk, state=RunState.GENERATED)
    if not generated.update(state=RunState.DONE, finished_at=timezone.now()):
        return False
    _record(run, "finish_run")
    return True


@transaction.atomic
def _fail_pairing(run: Run, reason: str) -> None:
    generated = Run.objects.filter(pk=run.pk, state=RunState.GENERATED)
    if generated.update(state=RunState.FAILED, error=storable(reason)):
        _record(run, "fail_pairing", reason=storable(reason))


def requeue_stale(at: datetime | None = None) -> int:
    """Queue again every batch whose worker fell silent; says how many.

    A batch that has silenced its worker MOST_ATTEMPTS times stops its run instead: it would go on forever.
    Those of a cancelled run are cancelled.
    """
    at = at or timezone.now()
    _cancel_what_is_over(at)
    return leases.requeue(Batch.objects.stale(at).select_related("run__study"), give_up=fail_batch)


def _cancel_what_is_over(at: datetime) -> None:
    """Cancel what was queued again, failed or fell silent after its run was cancelled.

    The run's state may be asked beside the batch's own, because no run comes back from being cancelled.
    """
    over = Batch.objects.filter(run__in=Run.objects.filter(state=RunState.CANCELLED))
    over.filter(state__in=[BatchState.QUEUED, BatchState.FAILED]).update(state=BatchState.CANCELLED)
    over.stale(at).update(state=BatchState.CANCELLED)


def note_worker(name: str, queue: str, at: datetime | None = None) -> None:
    """A worker process says that it takes work from `queue`."""
    WorkerHeartbeat.objects.update_or_create(
        name=name, queue=queue, defaults={"seen_at": at or timezone.now()}
    )


def request_seed(batch: Batch, item: BatchItem) -> int:
    """The seed of one request: the same for all arms."""
    return draws.request_seed(batch.run.seed, item.prompt.key, item.sample)


CONTROLS = {"pause": pause_run, "resume": resume_run, "cancel": cancel_run, "retry": retry_failed}
"""What can be done with a run, by the word that the desk, the API and the command line use."""

GOES_ON = {"resume", "retry"}
"""The controls after which workers have something to do again."""
