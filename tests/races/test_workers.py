"""Real Celery workers as processes of their own: renewed leases, sudden death, and nothing doubled."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from kombu import Connection

from annotation import tasks
from annotation.actions import runs
from annotation.models import Batch, Response, Run, WorkerHeartbeat
from annotation.settings import broker_options
from annotation.vocabulary import BatchState, RunState
from tests import brokers
from tests.cast import a_prompt, a_study, an_arm
from tests.could_not_run import could_not_run

PROMPTS = 10


def a_run(model="slow:0.05", batch_size=2, slug="kites"):
    study = a_study(slug)
    for name in ("one", "two"):
        an_arm(study, name, model=model)
    for _ in range(PROMPTS):
        a_prompt(study)
    return runs.start_run(study, batch_size=batch_size)


def until(condition, seconds=180):
    """Wait for `condition` and return what it returned; fail when it stays false."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"After {seconds} seconds still not: {condition.__name__}")


def test_the_lease_is_renewed_while_a_batch_runs(committed_db, settings):
    settings.BATCH_LEASE_SECONDS = 0.2
    batch = runs.claim_batch(a_run().pk, "busy")
    with tasks.keeping_lease(batch, "busy"):
        until(WorkerHeartbeat.objects.exists)
    renewed = Batch.objects.get(pk=batch.pk)
    assert renewed.lease_until > batch.lease_until
    assert WorkerHeartbeat.objects.get().name == "busy"


def a_broker(name, folder, port=0):
    """A real broker as a context manager that gives its address; ends the test where it is not installed."""
    if reason := brokers.missing(name):
        could_not_run(reason)
    for part in ("broker", "messages", "control"):  # the last two are the filesystem's
        (folder / part).mkdir(exist_ok=True)
    return brokers.BROKERS[name](folder / "broker", port)


SERVED = [pytest.param(name, marks=pytest.mark.postgresql) for name in ("redis", "rabbitmq")]
"""Who runs a broker's server runs PostgreSQL, too."""


@pytest.fixture(params=["filesystem", *SERVED])
def broker(request, tmp_path):
    """The address of each real broker, one after the other."""
    with a_broker(request.param, tmp_path) as url:
        yield url


def send(run, url, folder, name, times=1):
    """Put the same message about the run into the broker so many times."""
    with Connection(url, transport_options=broker_options(url, folder)) as line:
        for _ in range(times):
            tasks.generate_batch.apply_async([run.pk], task_id=name, connection=line)


def received(name, folder):
    """How often workers were given the message of this name."""
    return (folder / "worker.log").read_text().count(f"generate_batch[{name}] received")


@contextmanager
def a_worker(folder, broker, **options) -> Iterator[subprocess.Popen]:
    """A Celery worker with beat, on the test's database; the filesystem queue lies in `folder`.

    `options` are further options of the broker's transport.
    """
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.worker_settings",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "TEST_BROKER_FOLDER": str(folder),
        "TEST_BROKER_OPTIONS": json.dumps(options),
        "CELERY_BROKER_URL": broker,
    }
    name = f"test-{time.monotonic_ns()}"
    command = [sys.executable, "-m", "celery", "-A", "annotation", "worker", "-Q", "gpu,default"]
    command += ["-n", f"{name}@%h", "--pool", "prefork", "--concurrency", "1", "--beat"]
    command += ["--schedule", str(folder / name), "--without-gossip", "--without-mingle"]
    command += ["--loglevel", "INFO"]
    with open(folder / "worker.log", "ab") as log:
        worker = subprocess.Popen(
            command, env=environment, cwd=settings.BASE_DIR, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield worker
    finally:
        kill(worker)


def kill(worker: subprocess.Popen) -> None:
    """SIGKILL to the worker and its pool: nothing gets a chance to clean up."""
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def is_busy(run, done):
    """Whether more than `done` batches are done and another is being generated."""
    batches = run.batches
    return (
        batches.filter(state=BatchState.DONE).count() > done
        and batches.filter(state=BatchState.CLAIMED).exists()
    )


def is_done(run):
    return Run.objects.filter(pk=run.pk, state=RunState.DONE).exists()


def assert_every_response_exactly_once(run):
    responses = Response.objects.filter(study=run.study)
    assert responses.count() == 2 * PROMPTS
    assert responses.values("prompt", "arm", "sample").distinct().count() == 2 * PROMPTS
    assert run.study.pairs.count() == PROMPTS


def assert_every_batch_generated_once(run):
    assert set(run.batches.values_list("attempts", flat=True)) == {1}


@pytest.mark.slow
def test_a_run_survives_workers_that_are_killed_in_the_middle(committed_db, tmp_path, broker):
    run = a_run()
    for death in range(3):
        with a_worker(tmp_path, broker):
            until(lambda done=death: is_busy(run, done))
    with a_worker(tmp_path, broker):
        until(lambda: is_done(run))
    assert_every_response_exactly_once(run)
    assert run.batches.filter(attempts__gt=1).exists()


@pytest.mark.slow
def test_two_workers_share_a_run_and_double_nothing(committed_db, tmp_path, broker):
    run = a_run(model="slow:0.1")
    with a_worker(tmp_path, broker), a_worker(tmp_path, broker):
        until(lambda: is_done(run))
    assert_every_response_exactly_once(run)
    assert len(set(run.batches.values_list("worker", flat=True))) == 2
    assert_every_batch_generated_once(run)


@pytest.mark.slow
def test_a_message_delivered_twice_doubles_nothing(committed_db, tmp_path, broker):
    run = a_run(model="slow:0.1", batch_size=PROMPTS)
    with a_worker(tmp_path, broker), a_worker(tmp_path, broker):
        send(run, broker, tmp_path, "same", times=2)
        until(lambda: is_done(run))
        until(lambda: received("same", tmp_path) == 2)
    assert_every_response_exactly_once(run)
    assert_every_batch_generated_once(run)


@pytest.mark.slow
@pytest.mark.postgresql
def test_redis_delivers_the_message_of_a_long_batch_again_and_nothing_is_doubled(committed_db, tmp_path):
    impatient = {"visibility_timeout": 1, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
    run = a_run(model="slow:0.5", batch_size=PROMPTS)  # a batch takes 5 seconds
    with a_broker("redis", tmp_path) as url:
        send(run, url, tmp_path, "long")
        with a_worker(tmp_path, url, **impatient), a_worker(tmp_path, url, **impatient):
            until(lambda: is_done(run))
    assert received("long", tmp_path) > 1
    assert_every_response_exactly_once(run)
    assert_every_batch_generated_once(run)


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVED)
def test_a_broker_that_goes_away_only_delays_runs(committed_db, tmp_path, name):
    under_way, (port,) = a_run(model="slow:0.2"), brokers.free_ports(1)
    with ExitStack() as outlives:
        with a_broker(name, tmp_path, port) as url:
            outlives.enter_context(a_worker(tmp_path, url))
            until(lambda: is_busy(under_way, 0))
        started_meanwhile = a_run(slug="balloons")
        time.sleep(3)  # the worker has lost its broker, and finishes what it holds
        assert not started_meanwhile.batches.exclude(state=BatchState.QUEUED).exists()
        with a_broker(name, tmp_path, port):
            until(lambda: is_done(under_way) and is_done(started_meanwhile))
    assert_every_response_exactly_once(under_way)
    assert_every_response_exactly_once(started_meanwhile)


@pytest.mark.slow
def test_a_living_worker_is_on_record(committed_db, tmp_path, broker):
    with a_worker(tmp_path, broker):
        until(WorkerHeartbeat.objects.exists)
    assert WorkerHeartbeat.objects.first().seen_at > timezone.now() - timedelta(minutes=2)
