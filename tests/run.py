"""``python -m tests.run``: the whole suite on SQLite, then the database's tests again on PostgreSQL.

On each the quick tests run first, in two processes side by side; then, in one process, those that measure
time, kill processes or drive a browser. Exits with 0 only if all ran and all passed. What was skipped is
named at the end, with its reason.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from tests.could_not_run import LIST
from tests.postgres import CannotStart, throwaway_postgres

NO_TESTS_RAN = 5  # pytest's own exit status
PARTS = {
    # A file stays in one process, so that what it sets up once is set up once.
    "quick tests": ["-n", "2", "--dist", "loadfile", "-m", "not slow and not browser"],
    "slow and browser tests": ["-m", "slow or browser"],
}


@dataclass(frozen=True)
class Outcome:
    """How one run of the suite ended; `problem` is empty when everything passed."""

    database: str
    problem: str
    seconds: float
    skipped: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.database:<12} {self.problem or 'passed'}   ({self.seconds:.0f} s)"


def run_suite(database: str, environment: dict[str, str]) -> Outcome:
    started = time.monotonic()
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", prefix="evenhand-skipped-") as skipped:
        ends = [run_part(part, environment | {LIST: skipped.name}) for part in PARTS]
        names = tuple(skipped.read().splitlines())
    return Outcome(database, "; ".join(filter(None, ends)), time.monotonic() - started, names)


def run_part(part: str, environment: dict[str, str]) -> str:
    """Run one part of the suite; the problem as words, empty when all of it passed."""
    command = [sys.executable, "-m", "pytest", "-q", "--durations=5", "-p", "tests.could_not_run"]
    status = subprocess.run([*command, *PARTS[part]], env=environment).returncode
    if status == NO_TESTS_RAN:
        return f"FAILED: no test ran ({part})"
    return f"FAILED (pytest ended with {status}: {part})" if status else ""


def run_on_sqlite() -> Outcome:
    return run_suite("SQLite", {name: value for name, value in os.environ.items() if name != "DATABASE_URL"})


def run_on_postgresql() -> Outcome:
    """A server that cannot be started is a failure, never a skip."""
    try:
        with throwaway_postgres() as url:
            return run_suite("PostgreSQL", os.environ | {"DATABASE_URL": url})
    except CannotStart as error:
        return Outcome("PostgreSQL", f"FAILED: {error}", 0)


def main() -> int:
    outcomes = [run_on_sqlite(), run_on_postgresql()]
    print("\n" + "-" * 60)
    for outcome in outcomes:
        print(outcome)
    for name in dict.fromkeys(name for outcome in outcomes for name in outcome.skipped):
        print(f"could not run: {name}")
    return int(any(outcome.problem for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
