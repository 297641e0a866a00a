"""Celery: ids in, one action out. A message is a hint that somebody should look at the rows."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from celery import current_task, shared_task
from django.conf import settings
from django.core.cache import cache
from django.db import Error as AnyDatabaseError
from django.db import connection
from django.utils import timezone
from kombu.exceptions import KombuError

from annotation.actions import (
    claims,
    datasets,
    drafts,
    enrolment,
    freezing,
    generating,
    grading,
    hub,
    printing,
    pulse,
    quality,
    registering,
    reporting,
    reviewing,
    runs,
    sealing,
    studies,
    tokens,
    training,
    webhooks,
)
from annotation.actions.imports import jobs
from annotation.errors import DomainError
from annotation.models import (
    Arm,
    Batch,
    Dataset,
    Delivery,
    Event,
    FileImport,
    Freezing,
    GradeBatch,
    Grading,
    Registration,
    Report,
    Run,
    Snapshot,
    Study,
    Training,
    User,
)
from annotation.models.claimed import ClaimedBatch
from annotation.printing.sections import sections_of
from annotation.reports.filters import Filters
from annotation.reports.progress import reports_asked
from annotation.reports.quality import RaterQuality, kept_quality, quality_report
from annotation.reports.running import Counted, is_small, kept_counted
from annotation.reports.stored import Kept, read_results
from annotation.vocabulary import BatchState, RunState, StudyState
from models_runtime.worker import BackendCache

logger = logging.getLogger(__name__)

BROKER_FAILURES = (KombuError, OSError)
"""What sending a message raises while the broker is away. Rows are the queue, so nothing is lost by it."""

STINT_SECONDS = 60
ASKED_JUST_NOW = timedelta(minutes=5)  # a report takes less where a worker is there at all
DELIVERIES_AT_ONCE = 20  # a beat; an address that hangs holds a worker for seconds
HINTS = 4  # messages under way for a run; more workers than this join at the beat's next hint

backends = BackendCache()  # one loaded model per worker process


def sent(message: Callable[..., object], *arguments: object) -> bool:
    """Whether the queue took the message, such as `hint` or a task's `delay`."""
    try:
        message(*arguments)
    except BROKER_FAILURES:
        return False
    return True


def hint(run: Run) -> None:
    """Tell workers that `run` has batches, or only its pairs to make. Call it after commit."""
    if run.state == RunState.GENERATED:
        finish_run.delay(run.pk)
        return
    for _ in range(HINTS):
        generate_batch.delay(run.pk)


@shared_task
def generate_batch(run_id: int) -> None:
    """Generate batches of the run for a while, then pass the hint on.

    For a while, because the model is loaded: with two runs under way, a batch at a time would load both
    models over and over. Not for longer, because the other run waits, and so does whoever stops the worker.
    """
    if not _for_a_stint(lambda: generate_next(run_id, worker_name(), backends)):
        return
    if Batch.objects.waiting().filter(run=run_id).exists():
        generate_batch.delay(run_id)
    elif Run.objects.filter(pk=run_id, state=RunState.GENERATED).exists():
        finish_run.delay(run_id)


def _for_a_stint(do_next: Callable[[], bool]) -> bool:
    """Do one thing after another until the stint ends or none is left; False when there was none at all."""
    stint_ends = time.monotonic() + STINT_SECONDS
    if not do_next():
        return False
    while time.monotonic() < stint_ends and do_next():
        pass
    return True


def generate_next(run_id: int, worker: str, backends: BackendCache) -> bool:
    """Claim one batch of the run and generate it under a kept lease; False when none was waiting."""
    batch = runs.claim_batch(run_id, worker)
    if batch is None:
        return False
    with keeping_lease(batch, worker):
        generating.generate(batch, backends)
    return True


@shared_task
def finish_run(run_id: int) -> None:
    """Pair what a generated run brought."""
    runs.finish_run(Run.objects.select_related("study").get(pk=run_id))


def hint_grading(found: Grading) -> None:
    """Tell workers that `found` has batches. Call it after commit."""
    for _ in range(HINTS):
        grade_batch.delay(found.pk)


@shared_task
def grade_batch(grading_id: int) -> None:
    """Have the judge look at batches of the grading for a while, then pass the hint on."""
    if not _for_a_stint(lambda: grade_next(grading_id, worker_name(), backends)):
        return
    if GradeBatch.objects.waiting().filter(grading=grading_id).exists():
        grade_batch.delay(grading_id)


def grade_next(grading_id: int, worker: str, backends: BackendCache) -> bool:
    """Claim one batch of the grading and grade it under a kept lease; False when none was waiting."""
    batch = grading.claim_batch(grading_id, worker)
    if batch is None:
        return False
    with keeping_lease(batch, worker):
        grading.grade(batch, backends)
    return True


@shared_task
def register_arm(registration_id: int) -> None:
    """Make a tuned model an arm, if nobody else has it in hand."""
    found = registering.claim(registration_id, worker_name())
    if found is not None:
        with keeping_lease(found, worker_name(), queue="default"):
            registering.run(found)


def hint_training(found: Training) -> None:
    """Tell the workers that train of `found`. Call it after commit."""
    train.delay(found.pk)


@shared_task
def train(training_id: int) -> None:
    """Train what somebody asked for, if nobody else has it in hand."""
    found = training.claim(training_id, worker_name())
    if found is not None:
        with keeping_lease(found, worker_name(), queue="train"):
            training.train(found)


@shared_task
def freeze_snapshot(freezing_id: int) -> None:
    """Freeze what somebody asked for, if nobody else has it in hand."""
    found = freezing.claim(freezing_id, worker_name())
    if found is not None:
        with keeping_lease(found, worker_name(), queue="default"):
            freezing.run(found)


def look_at_results(
    study: Study,
    filters: Filters,
    snapshot: Snapshot | None = None,
    actor: User | None = None,
    *,
    again: bool = False,
) -> tuple[Kept, bool]:
    """`reporting.look`, with workers told of what was asked for; False where the queue did not take it, so
    that the beat will tell them later."""
    looked = reporting.look(study, filters, snapshot, actor, again=again)
    return looked.kept, looked.asked is None or sent(make_report.delay, looked.asked.pk)


@shared_task
def make_report(report_id: int) -> None:
    """Make the results that somebody asked for, if nobody else has them in hand."""
    report = reporting.claim(report_id, worker_name())
    if report is not None:
        with keeping_lease(report, worker_name(), queue="default"):
            reporting.make(report)
            draw_figures(report_id)


def look_at_pulse(study: Study) -> Counted | None:
    """What was counted of the study: now where it is small; else the last pulse, and a worker takes the next.

    None where a large study has had no pulse yet.
    """
    if is_small(study):
        return pulse.count_now(study)
    if pulse.is_due(study) and cache.add(f"pulse-{study.pk}", True, timeout=10):
        sent(take_pulse.delay, study.pk)
    return kept_counted(study)


@shared_task
def take_pulse(study_id: int) -> None:
    """Count a large study's numbers for its pages, unless somebody has just done so."""
    study = Study.objects.get(pk=study_id)
    if pulse.is_due(study):
        pulse.take_pulse(study)


def look_at_signals(study: Study, raters: Sequence[int]) -> tuple[RaterQuality, ...]:
    """The signals of these raters: counted now in a small study; else those kept, while a worker counts."""
    if is_small(study):
        return quality_report(study, raters)
    look_at_pulse(study)
    if pulse.signals_are_due(study) and cache.add(f"signals-{study.pk}", True, timeout=60):
        sent(take_signals.delay, study.pk)
    return kept_quality(study, raters)


@shared_task
def take_signals(study_id: int) -> None:
    """Count the signals of a large study's raters, unless somebody has just done so."""
    study = Study.objects.get(pk=study_id)
    if pulse.signals_are_due(study):
        pulse.take_signals(study)


def draw_figures(report_id: int) -> None:
    """Draw the figures of a report that was made, here, where nobody waits; its page then finds them."""
    made = Report.objects.filter(pk=report_id, state=BatchState.DONE).first()
    if made is not None:
        sections_of(read_results(made).tables)


def ask_for_report(snapshot: Snapshot, user: User) -> bool:
    """Have a worker make the snapshot's report, unless one was asked for it just now; False where the queue
    does not answer."""
    under_way = reports_asked(snapshot.study).get(snapshot.number)
    if under_way and under_way.asked and under_way.asked.created_at > timezone.now() - ASKED_JUST_NOW:
        return True
    printing.note_asked(snapshot, user)
    if sent(print_report.delay, snapshot.pk, user.pk):
        return True
    printing.note_failure(snapshot, user, "The queue does not answer. Try again later.")
    return False


@shared_task
def make_dataset(dataset_id: int) -> None:
    """Make the dataset that somebody asked for, if nobody else has it in hand."""
    dataset = datasets.claim(dataset_id, worker_name())
    if dataset is not None:
        with keeping_lease(dataset, worker_name(), queue="default"):
            datasets.make(dataset)


@shared_task
def print_report(snapshot_id: int, user_id: int) -> None:
    """Make the report of a snapshot; a failure is told on its study's page."""
    snapshot = Snapshot.objects.select_related("study").get(pk=snapshot_id)
    user = User.objects.get(pk=user_id)
    try:
        printing.make_report(snapshot, user)
    except DomainError as error:
        printing.note_failure(snapshot, user, str(error))
    except Exception:
        printing.note_failure(snapshot, user, "Something unexpected went wrong; the worker's log says what.")
        raise


@shared_task
def import_file(job_id: int) -> None:
    """Bring in what is left of a file, if nobody else has it in hand."""
    job = jobs.claim(job_id, worker_name())
    if job is not None:
        with keeping_lease(job, worker_name(), queue="default"):
            jobs.run(job)


def ask_for_push(snapshot: Snapshot, repository: str, user: User) -> Event:
    """Have a worker push a snapshot; what is on record of it, a failure where the queue does not answer."""
    asked = hub.note_asked(snapshot, repository, user)
    if sent(push_to_hub.delay, snapshot.pk, repository, user.pk):
        return asked
    return hub.note_failure(snapshot, repository, user, "The queue does not answer. Try again later.")


@shared_task
def push_to_hub(snapshot_id: int, repository: str, user_id: int) -> None:
    """Push a snapshot; a failure is told on its study's page."""
    snapshot = Snapshot.objects.select_related("study").get(pk=snapshot_id)
    user = User.objects.get(pk=user_id)
    try:
        hub.push_snapshot(snapshot, repository, user)
    except DomainError as error:
        hub.note_failure(snapshot, repository, user, str(error))
    except Exception:
        reason = "Something unexpected went wrong; the worker's log says what."
        hub.note_failure(snapshot, repository, user, reason)
        raise


@shared_task
def dry_run(study_id: int, user_id: int) -> None:
    """Render a study's first prompts where its models can be loaded."""
    generating.dry_run(Study.objects.get(pk=study_id), backends, actor=User.objects.get(pk=user_id))


@shared_task
def try_arm(arm_id: int, asked: str, user_id: int) -> None:
    """Have an arm answer something where its model can be loaded."""
    arm = Arm.objects.select_related("study").get(pk=arm_id)
    generating.try_arm(arm, asked, backends, actor=User.objects.get(pk=user_id))


@shared_task
def rescan(study_id: int, user_id: int) -> None:
    """Look again at a study with more pairs than somebody waits for."""
    reviewing.rescan(Study.objects.get(pk=study_id), User.objects.get(pk=user_id))


@shared_task
def requeue_stale() -> None:
    """The beat's round: free what dead workers held, and hint at everything that waits."""
    runs.requeue_stale()
    for run in Run.objects.filter(state=RunState.RUNNING, batches__in=Batch.objects.waiting()).distinct():
        generate_batch.apply_async([run.pk], expires=settings.HINT_EXPIRES_SECONDS)
    for run in Run.objects.filter(state=RunState.GENERATED):
        finish_run.apply_async([run.pk], expires=settings.HINT_EXPIRES_SECONDS)
    grading.requeue_stale()
    for pk in GradeBatch.objects.waiting().order_by().values_list("grading", flat=True).distinct():
        grade_batch.apply_async([pk], expires=settings.HINT_EXPIRES_SECONDS)
    jobs.requeue_stale()
    for pk in FileImport.objects.waiting().order_by("pk").values_list("pk", flat=True):
        import_file.apply_async([pk], expires=settings.HINT_EXPIRES_SECONDS)
    reporting.requeue_stale()
    for pk in Report.objects.waiting().order_by("pk").values_list("pk", flat=True):
        make_report.apply_async([pk], expires=settings.HINT_EXPIRES_SECONDS)
    freezing.requeue_stale()
    for pk in Freezing.objects.waiting().order_by("pk").values_list("pk", flat=True):
        freeze_snapshot.apply_async([pk], expires=settings.HINT_EXPIRES_SECONDS)
    datasets.requeue_stale()
    for pk in Dataset.objects.waiting().order_by("pk").values_list("pk", flat=True):
        make_dataset.apply_async([pk], expires=settings.HINT_EXPIRES_SECONDS)
    training.requeue_stale()
    for pk in Training.objects.waiting().order_by("pk").values_list("pk", flat=True):
        train.apply_async([pk], expires=settings.HINT_EXPIRES_SECONDS)
    registering.requeue_stale()
    for pk in Registration.objects.waiting().order_by("pk").values_list("pk", flat=True):
        register_arm.apply_async([pk], expires=settings.HINT_EXPIRES_SECONDS)


@shared_task
def release_expired_leases() -> None:
    """Return pairs whose raters left to the queue, and forget drafts that nobody can send any more."""
    claims.release_expired_leases()
    drafts.drop_left_drafts()


@shared_task
def apply_quality_rules() -> None:
    """Pause raters who break their study's rules beyond doubt, and those who came to see its arms."""
    enrolment.pause_researchers()
    quality.apply_all_rules()


@shared_task
def seal_events() -> None:
    """Seal what happened in all studies, so that nobody can rewrite it unseen."""
    sealing.seal_all()


@shared_task
def send_deliveries() -> None:
    """The beat's round of webhooks: note what is complete, and have what is due sent, one by one."""
    for study in Study.objects.filter(state=StudyState.OPEN):
        studies.note_complete(study)
    due = Delivery.objects.due(timezone.now()).order_by("next_at")
    for pk in due.values_list("pk", flat=True)[:DELIVERIES_AT_ONCE]:
        send_delivery.apply_async([pk], expires=settings.HINT_EXPIRES_SECONDS)


@shared_task
def send_delivery(delivery_id: int) -> None:
    """Tell one address one thing, if it is still to be told."""
    webhooks.send(delivery_id)


@shared_task
def drop_old_replies() -> None:
    """Forget what writes under idempotency keys were answered long ago."""
    tokens.drop_old_replies()


@shared_task
def note_worker(queue: str) -> None:
    """The worker that got this message lives."""
    runs.note_worker(worker_name(), queue)


def worker_name() -> str:
    """The Celery node that runs the current task, or "local" outside a worker."""
    request = getattr(current_task, "request", None)
    return getattr(request, "hostname", None) or "local"


@contextmanager
def keeping_lease(batch: ClaimedBatch, worker: str, queue: str = "gpu") -> Iterator[None]:
    """Renew the batch's lease, and say that the worker lives, as long as the block runs."""
    done = threading.Event()
    thread = threading.Thread(target=_renew_until, args=(done, batch, worker, queue), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _renew_until(done: threading.Event, batch: ClaimedBatch, worker: str, queue: str) -> None:
    try:
        while not done.wait(settings.BATCH_LEASE_SECONDS / 4):
            _renew_once(batch, worker, queue)
    finally:
        connection.close()  # the thread's own connection


def _renew_once(batch: ClaimedBatch, worker: str, queue: str = "gpu") -> None:
    try:
        runs.renew_lease(batch)
        runs.note_worker(worker, queue)
    except AnyDatabaseError:  # a closed connection raises InterfaceError, which is no DatabaseError
        # One bad moment of the database must not end the renewing: three more tries fit into a lease.
        logger.exception("The lease of %s could not be renewed; trying again.", batch)
        connection.close_if_unusable_or_obsolete()
