"""A throwaway installation with real Celery workers, for the benchmarks that need one.

Importing this module makes it: a fresh folder with an SQLite database and a filesystem queue, removed at the
end. It never uses the database or the broker that the environment names.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(tempfile.mkdtemp(prefix="evenhand-benchmark-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

sys.path.insert(0, str(ROOT))
for name in ("DATABASE_URL", "CELERY_BROKER_URL"):
    os.environ.pop(name, None)
os.environ |= {"EVENHAND_VAR": str(FOLDER), "DJANGO_SETTINGS_MODULE": "annotation.settings"}
os.environ["BATCH_LEASE_SECONDS"] = "4"  # short, so that a killed worker's batch is free again soon

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402

from annotation.models import Run  # noqa: E402
from annotation.vocabulary import RunState  # noqa: E402

call_command("migrate", verbosity=0)

OPTIONS = ["--pool", "prefork", "--concurrency", "1", "--loglevel", "WARNING"]
OPTIONS += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
LIMIT = 600  # seconds


@contextmanager
def celery(*arguments: str, **environment: str) -> Iterator[subprocess.Popen]:
    """A Celery process in a group of its own, killed at the end."""
    with open(FOLDER / "celery.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "annotation", *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill(process)


@contextmanager
def worker(name: str, queue: str = "gpu", **environment: str) -> Iterator[subprocess.Popen]:
    """A worker for one queue, with the options of `make run`."""
    with celery("worker", "-Q", queue, "-n", f"{name}@%h", *OPTIONS, **environment) as process:
        yield process


@contextmanager
def beat() -> Iterator[subprocess.Popen]:
    with celery("beat", "--loglevel", "WARNING", "--pidfile=") as process:
        yield process


def kill(process: subprocess.Popen) -> None:
    """SIGKILL to the process and its pool; one that is gone already is fine."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Look every 20 ms; ends the benchmark with the log when it takes longer than LIMIT."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} took too long:\n{(FOLDER / 'celery.log').read_text()[-3000:]}")
        time.sleep(0.02)


def wait_for(run: Run) -> None:
    """Return when the run is done; ends the benchmark when it failed."""

    def is_over() -> bool:
        run.refresh_from_db()
        if run.state == RunState.FAILED:
            raise SystemExit(f"The run failed: {run.error}")
        return run.state == RunState.DONE

    wait_until(is_over, "The run")
