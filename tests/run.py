"""``python -m tests.run``: the whole suite on SQLite, then the database's tests again on PostgreSQL.

Exits with 0 only if both ran and both passed. What was skipped is named at the end, with its reason.
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
    command = [sys.executable, "-m", "pytest", "-q", "--durations=5", "-p", "tests.could_not_run"]
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", prefix="evenhand-skipped-") as skipped:
        status = subprocess.run(command, env=environment | {LIST: skipped.name}).returncode
        names = tuple(skipped.read().splitlines())
    problem = {0: "", NO_TESTS_RAN: "FAILED: no test ran"}.get(status, f"FAILED (pytest ended with {status})")
    return Outcome(database, problem, time.monotonic() - started, names)


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
