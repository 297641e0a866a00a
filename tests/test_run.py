"""`make test` fails when PostgreSQL cannot be started, and says why."""

import pytest

from tests import postgres, run

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
