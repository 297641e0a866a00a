"""`make test` fails when PostgreSQL cannot be started, and says why."""

import os
import subprocess
import sys

import pytest

from tests import postgres, run
from tests.could_not_run import LIST

pytestmark = pytest.mark.once


def test_a_missing_postgresql_fails_the_suite_and_says_why(monkeypatch, capsys):
    monkeypatch.setattr(postgres, "installed_binaries", lambda: None)
    monkeypatch.setattr(postgres, "wheel_binaries", lambda: None)
    monkeypatch.delenv("EVENHAND_TEST_POSTGRES", raising=False)
    monkeypatch.setattr(run, "run_on_sqlite", lambda: run.Outcome("SQLite", "", 1))
    assert run.main() == 1
    assert "FAILED: No PostgreSQL server was found" in capsys.readouterr().out


@pytest.mark.parametrize(("first", "second"), [("FAILED", ""), ("", "FAILED")])
def test_it_fails_when_either_database_fails(monkeypatch, first, second):
    monkeypatch.setattr(run, "run_on_sqlite", lambda: run.Outcome("SQLite", first, 1))
    monkeypatch.setattr(run, "run_on_postgresql", lambda: run.Outcome("PostgreSQL", second, 1))
    assert run.main() == 1


def test_what_could_not_run_is_named_once_at_the_end(monkeypatch, capsys):
    skipped = ("tests/test_a.py::test_b: no server",)
    monkeypatch.setattr(run, "run_on_sqlite", lambda: run.Outcome("SQLite", "", 1, skipped))
    monkeypatch.setattr(run, "run_on_postgresql", lambda: run.Outcome("PostgreSQL", "", 1, skipped))
    assert run.main() == 0
    assert capsys.readouterr().out.rstrip().endswith("passed   (1 s)\ncould not run: " + skipped[0])


def test_a_skipped_test_is_noted_with_its_reason(monkeypatch, tmp_path):
    lacking = tmp_path / "test_lacking.py"
    lacking.write_text(
        "from tests.could_not_run import could_not_run\ndef test_it(): could_not_run('no server')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.could_not_run", "-c", "/dev/null", lacking]
    without_ci = {name: value for name, value in os.environ.items() if name != "CI"}
    noted = tmp_path / "noted"
    here = without_ci | {LIST: str(noted)}
    assert subprocess.run(command, env=here, capture_output=True).returncode == 0
    assert noted.read_text().endswith("test_lacking.py::test_it: no server\n")
    in_ci = subprocess.run(command, env=here | {"CI": "true"}, capture_output=True, text=True)
    assert in_ci.returncode == 1
    assert "could not run: no server" in in_ci.stdout
