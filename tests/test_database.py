"""The databases are set up as promised, and so is the fixture that commits."""

import os
import stat
import subprocess
import sys
import threading

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from annotation.models import Event, Study, User


def settings_with(**environment: str) -> subprocess.CompletedProcess[str]:
    command = "from annotation import settings as s; print(s.DATABASES['default']); print(s.SECRET_KEY)"
    return subprocess.run(
        [sys.executable, "-c", command],
        cwd=settings.BASE_DIR,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.once
@pytest.mark.django_db
def test_sqlite_keeps_a_write_ahead_log_and_foreign_keys():
    with connection.cursor() as cursor:
        pragmas = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 20_000}


@pytest.mark.parametrize("url", ["nonsense", "mysql://a/b", "postgres://host", "postgres://u:p#x@h/x"])
def test_it_refuses_a_malformed_database_url_in_a_sentence(url):
    said = settings_with(DATABASE_URL=url)
    assert said.returncode != 0
    assert "Write it as postgres://USER:PASSWORD@HOST:PORT/NAME" in said.stderr


def test_a_database_url_gives_postgresql_with_a_pool():
    said = settings_with(DATABASE_URL="postgres://u:p@db.example:5433/study").stdout
    assert "'NAME': 'study'" in said and "'PORT': 5433" in said and "'pool': {" in said


def test_the_secret_key_is_made_once_and_private(tmp_path):
    first, second = (settings_with(EVENHAND_VAR=str(tmp_path)).stdout.split()[-1] for _ in range(2))
    assert first == second and len(first) >= 50
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_a_secret_key_from_the_environment_wins(tmp_path):
    assert settings_with(EVENHAND_VAR=str(tmp_path), SECRET_KEY="given").stdout.split()[-1] == "given"
    assert not (tmp_path / "secret_key").exists()


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_committed_rows_are_seen_by_other_threads_and_gone_afterwards(committed_db, name):
    assert not User.objects.exists()
    User.objects.create_user(name)
    seen = []

    def look():
        seen.extend(User.objects.values_list("username", flat=True))
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [name]


@pytest.mark.parametrize("time", ["first", "second"])
def test_the_append_only_triggers_survive_the_emptying_of_the_tables(committed_db, time):
    study = Study.objects.create(slug="s", title=time)
    event = Event.objects.create(study=study, verb="start")
    with pytest.raises(IntegrityError, match="event_is_append_only"), transaction.atomic():
        event.delete()
