"""``python -m tests.run``: the whole suite on SQLite, then the database's tests again on PostgreSQL.

Two processes share the files of tests. Exits with 0 only if all ran and all passed. What was skipped is named
at the end, with its reason.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import psycopg

from tests.could_not_run import LIST
from tests.postgres import CannotStart, throwaway_postgres

NO_TESTS_RAN = 5  # pytest's own exit status
# A file stays in one process, so that what it sets up once is set up once. Those that take long come first.
SIDE_BY_SIDE = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]


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
    command = [sys.executable, "-m", "pytest", "-q", "--durations=20", "-p", "tests.could_not_run"]
    started = time.monotonic()
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", prefix="evenhand-skipped-") as skipped:
        here = environment | {LIST: skipped.name}
        status = subprocess.run([*command, *SIDE_BY_SIDE], env=here).returncode
        names = tuple(skipped.read().splitlines())
    return Outcome(database, problem_of(status), time.monotonic() - started, names)


def problem_of(status: int) -> str:
    """What pytest's exit status says, in words; empty when all passed."""
    if status == NO_TESTS_RAN:
        return "FAILED: no test ran"
    return f"FAILED (pytest ended with {status})" if status else ""


def run_on_sqlite() -> Outcome:
    return run_suite("SQLite", {name: value for name, value in os.environ.items() if name != "DATABASE_URL"})


def run_on_postgresql() -> Outcome:
    """A server that cannot be started is a failure, never a skip."""
    try:
        with throwaway_postgres() as url:
            keep_from_counting(url)
            return run_suite("PostgreSQL", os.environ | {"DATABASE_URL": url})
    except CannotStart as error:
        return Outcome("PostgreSQL", f"FAILED: {error}", 0)


def keep_from_counting(url: str) -> None:
    """Have the server vacuum nothing by itself.

    Most tests take back what they wrote. A vacuum then finds pages full of dead rows, notes that a table
    holds none, and the next test's query is planned for one row: it took minutes instead of moments.
    """
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("ALTER SYSTEM SET autovacuum = off")
        server.execute("SELECT pg_reload_conf()")


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
