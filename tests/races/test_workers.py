"""Real Celery workers as processes of their own: renewed leases, sudden death, and nothing doubled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from annotation import tasks
from annotation.actions import runs
from annotation.models import Batch, Response, Run, WorkerHeartbeat
from annotation.vocabulary import BatchState, RunState
from tests import brokers
from tests.cast import a_prompt, a_study, an_arm

PROMPTS = 10


def a_run(model="slow:0.05", batch_size=2):
    study = a_study()
    for name in ("one", "two"):
        an_arm(study, name, model=model)
    for _ in range(PROMPTS):
        a_prompt(study)
    return runs.start_run(study, batch_size=batch_size)


def until(condition, seconds=60):
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


@pytest.fixture(params=brokers.BROKERS)
def broker(request, tmp_path):
    """The address of a real broker, one after the other."""
    if reason := brokers.missing(request.param):
        assert "CI" not in os.environ, reason
        pytest.skip(f"could not run: {reason}")
    folder = tmp_path / "broker"
    folder.mkdir()
    with brokers.BROKERS[request.param](folder) as url:
        yield url


@contextmanager
def a_worker(folder, broker="filesystem://") -> Iterator[subprocess.Popen]:
    """A Celery worker with beat, on the test's database; the filesystem queue lies in `folder`."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.worker_settings",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "TEST_BROKER_FOLDER": str(folder),
        "CELERY_BROKER_URL": broker,
    }
    name = f"test-{time.monotonic_ns()}"
    command = [sys.executable, "-m", "celery", "-A", "annotation", "worker", "-Q", "gpu,default"]
    command += ["-n", f"{name}@%h", "--pool", "prefork", "--concurrency", "1", "--beat"]
    command += ["--schedule", str(folder / name), "--without-gossip", "--without-mingle"]
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
    assert Response.objects.count() == 2 * PROMPTS
    assert Response.objects.values("prompt", "arm", "sample").distinct().count() == 2 * PROMPTS
    assert run.study.pairs.count() == PROMPTS


@pytest.mark.slow
@pytest.mark.parametrize("deaths", [1, 3])
def test_a_run_survives_workers_that_are_killed_in_the_middle(committed_db, tmp_path, broker, deaths):
    run = a_run()
    for death in range(deaths):
        with a_worker(tmp_path, broker):
            until(lambda done=death: is_busy(run, done))
    with a_worker(tmp_path, broker):
        until(lambda: is_done(run), seconds=90)
    assert_every_response_exactly_once(run)
    assert run.batches.filter(attempts__gt=1).exists()


@pytest.mark.slow
def test_two_workers_share_a_run_and_double_nothing(committed_db, tmp_path, broker):
    run = a_run(model="slow:0.1")
    with a_worker(tmp_path, broker), a_worker(tmp_path, broker):
        until(lambda: is_done(run), seconds=90)
    assert_every_response_exactly_once(run)
    assert len(set(run.batches.values_list("worker", flat=True))) == 2
    assert set(run.batches.values_list("attempts", flat=True)) == {1}


@pytest.mark.slow
def test_a_broker_that_goes_away_only_delays_a_run(committed_db, tmp_path):
    if reason := brokers.missing("redis"):
        assert "CI" not in os.environ, reason
        pytest.skip(f"could not run: {reason}")
    run = a_run(model="slow:0.2")
    (port,) = brokers.free_ports(1)
    with brokers.redis(tmp_path, port) as url, a_worker(tmp_path, url):
        until(lambda: is_busy(run, 0))
    with a_worker(tmp_path, url):
        time.sleep(3)  # nobody answers at the broker's address
        with brokers.redis(tmp_path, port):
            until(lambda: is_done(run), seconds=90)
    assert_every_response_exactly_once(run)


@pytest.mark.slow
def test_a_living_worker_is_on_record(committed_db, tmp_path, broker):
    with a_worker(tmp_path, broker):
        until(WorkerHeartbeat.objects.exists)
    assert WorkerHeartbeat.objects.first().seen_at > timezone.now() - timedelta(minutes=2)
