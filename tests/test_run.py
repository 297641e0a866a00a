"""`make test` fails when PostgreSQL cannot be started, and says why."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

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


@pytest.mark.parametrize(
    ("status", "problem"),
    [(0, ""), (1, "FAILED (pytest ended with 1)"), (run.NO_TESTS_RAN, "FAILED: no test ran")],
)
def test_a_database_on_which_no_test_ran_or_one_failed_fails_the_suite(monkeypatch, status, problem):
    ended = lambda command, env: subprocess.CompletedProcess(command, status)  # noqa: E731
    monkeypatch.setattr(run.subprocess, "run", ended)
    assert run.run_suite("SQLite", {}).problem == problem


TWO_PROCESSES = """
import os, subprocess, sys
from django.conf import settings
ASK = "import django; django.setup(); from django.conf import settings; print(settings.VAR)"
def test_it():
    started = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True).stdout.strip()
    assert started == str(settings.VAR)
    with open(os.environ["FOUND"], "a") as found:
        print(settings.VAR, settings.DATABASES["default"]["TEST"]["NAME"], file=found)
"""


@pytest.mark.slow
def test_processes_side_by_side_have_folders_and_databases_of_their_own(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"test_{name}.py").write_text(TWO_PROCESSES)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "-c",
        "/dev/null",
        "-p",
        "pytest_django",
        "-p",
        "xdist",
    ]
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("EVENHAND_", "PYTEST_"))
    }
    here = clean | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "FOUND": str(tmp_path / "found")}
    here |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(settings.BASE_DIR)}
    ended = subprocess.run(
        [*command, "--dist", "loadfile", tmp_path], env=here, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout
    found = (tmp_path / "found").read_text().split()
    assert len(found) == len(set(found)) == 4
    assert not any(os.path.exists(path) for path in found)


@pytest.mark.slow
def test_a_skipped_test_is_noted_with_its_reason(monkeypatch, tmp_path):
    lacking = tmp_path / "test_lacking.py"
    lacking.write_text(
        "from tests.could_not_run import could_not_run\ndef test_it(): could_not_run('no server')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.could_not_run", "-c", "/dev/null", lacking]
    without_ci = {name: value for name, value in os.environ.items() if name != "CI"}
    without_ci["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none is needed, and they take seconds to load
    noted = tmp_path / "noted"
    here = without_ci | {LIST: str(noted)}
    assert subprocess.run(command, env=here, capture_output=True).returncode == 0
    assert noted.read_text().endswith("test_lacking.py::test_it: no server\n")
    in_ci = subprocess.run(command, env=here | {"CI": "true"}, capture_output=True, text=True)
    assert in_ci.returncode == 1
    assert "could not run: no server" in in_ci.stdout
