"""A backup is restored into another place, on both databases, and everything is there again."""

import json
import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from annotation.actions import sealing, snapshots
from annotation.actions.backups import databases
from annotation.actions.backups.making import make_backup
from annotation.actions.backups.restoring import restore_backup
from annotation.errors import BackupRefused
from annotation.models import Judgment, Study, User
from tests import cast
from tests.elsewhere import another_place, run_there
from tests.postgres import find_binaries

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def programs(monkeypatch):
    """PostgreSQL's programs of the server that the tests start."""
    choice = os.environ.get("EVENHAND_TEST_POSTGRES", "")
    folder = (find_binaries(choice) / "initdb").resolve().parent
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def installation(committed_db, tmp_path, monkeypatch):
    """A judged study with a frozen snapshot, seals and a training's file, in a folder of its own."""
    var = tmp_path / "var"
    var.mkdir()
    monkeypatch.setattr(settings, "VAR", var)
    monkeypatch.setattr(settings, "SNAPSHOTS", var / "snapshots")
    study = cast.a_rateable_study()
    for person in (cast.bob(), cast.carol()):
        cast.a_judgment(cast.a_rater(study, person))
    snapshots.freeze_snapshot(study, cast.alice())
    sealing.seal_all(settled=-sealing.SETTLED)
    (var / "trainings/kites/1").mkdir(parents=True)
    (var / "trainings/kites/1/log.txt").write_text("step 1\n")
    (var / "secret_key").write_text("a key that was drawn once and is kept")
    return study


def manage(environment: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    return run_there(environment, "manage.py", *words)


def rows_there(environment: dict[str, str]) -> dict[str, int]:
    told = manage(environment, "shell", "-v", "0", "-c", LOOK)
    return json.loads(told.stdout.strip().splitlines()[-1])


LOOK = """
import json
from django.db import IntegrityError, connection, transaction
from annotation.models import Event, Judgment, Snapshot, triggers
refused = 0
for rows in (Event.objects.all(), Judgment.objects.all()):
    try:
        with transaction.atomic():
            rows.update(id=99999999)
    except IntegrityError:
        refused += 1
with connection.cursor() as cursor:
    sqlite = "SELECT count(DISTINCT name) FROM sqlite_master WHERE type = 'trigger'"
    postgresql = "SELECT count(DISTINCT tgname) FROM pg_trigger WHERE NOT tgisinternal"
    cursor.execute(sqlite if connection.vendor == "sqlite" else postgresql)
    installed = cursor.fetchone()[0]
print(json.dumps({
    "judgments": Judgment.objects.count(), "events": Event.objects.count(), "refused": refused,
    "triggers": installed == len(triggers.names()), "folder": Snapshot.objects.get().folder,
}))
"""


def test_everything_is_there_again(installation, tmp_path):
    backup, elsewhere = tmp_path / "backup", tmp_path / "elsewhere"
    contents = make_backup(backup)
    assert contents.tables["annotation_judgment"] == 2 and contents.audit["kites"]["number"] == 1
    assert "files/trainings/kites/1/log.txt" in contents.files and "secret_key" in contents.files
    with another_place(elsewhere) as environment:
        told = manage(environment, "restore", backup)
        assert told.returncode == 0, told.stderr
        assert "The record of every study is as it was sealed." in told.stdout
        found = rows_there(environment)
        assert found["judgments"] == 2 and found["events"] == installation.events.count()
        assert found["refused"] == 2 and found["triggers"]
        assert found["folder"] == str(elsewhere / "snapshots/kites/1")
        assert (elsewhere / "snapshots/kites/1/manifest.json").is_file()
        assert (elsewhere / "trainings/kites/1/log.txt").read_text() == "step 1\n"
        assert (elsewhere / "secret_key").read_text() == (settings.VAR / "secret_key").read_text()
        # A second time: what was there meanwhile is put aside.
        (elsewhere / "trainings/kites/1/log.txt").write_text("later\n")
        replaced = manage(environment, "restore", backup, "--replace")
        assert replaced.returncode == 0, replaced.stderr
        aside = Path(replaced.stdout.split("lies in ")[1].split(".\n")[0])
        assert (aside / "trainings/kites/1/log.txt").read_text() == "later\n"
        assert (elsewhere / "trainings/kites/1/log.txt").read_text() == "step 1\n"
        assert rows_there(environment) == found


def test_a_damaged_backup_changes_nothing(installation, tmp_path):
    backup = tmp_path / "backup"
    make_backup(backup)
    dump = backup / databases.DUMPS[connection.vendor]
    dump.write_bytes(dump.read_bytes()[:-10] + b"0123456789")
    with pytest.raises(BackupRefused, match="is damaged or was changed. Nothing was restored."):
        restore_backup(backup, replace=True)
    assert Judgment.objects.count() == 2


def test_what_fails_half_way_leaves_everything_as_it_was(installation, tmp_path, monkeypatch):
    backup = tmp_path / "backup"
    make_backup(backup)
    told = json.loads((backup / "manifest.json").read_text())
    told["tables"]["annotation_judgment"] = 3
    (backup / "manifest.json").write_text(json.dumps(told))
    Study.objects.update(title="As it is now")
    with pytest.raises(BackupRefused, match="has 2 rows after restoring, and the backup tells of 3"):
        restore_backup(backup, replace=True)
    assert Study.objects.get().title == "As it is now" and Judgment.objects.count() == 2
    assert (settings.VAR / "trainings/kites/1/log.txt").is_file()
    assert (settings.VAR / "snapshots/kites/1/manifest.json").is_file()


def test_it_waits_for_nobody_and_overwrites_nothing(installation, tmp_path):
    make_backup(tmp_path / "backup")
    with pytest.raises(CommandError, match="Name a new folder for each backup"):
        call_command("backup", tmp_path / "backup")
    with pytest.raises(BackupRefused, match="There is something in this database"):
        restore_backup(tmp_path / "backup")


@pytest.mark.once
@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"format": 9}, "no backup of format 1"),
        ({"vendor": "postgresql"}, "The backup is of postgresql, and this is sqlite"),
        ({"migrations": ["annotation.9999_from_the_future"]}, "changed the tables in ways unknown here"),
        ({"files": {"../../etc/x": {"bytes": 1, "sha256": ""}}}, "names files that lie outside"),
        ({"files": []}, "lacks what a backup tells"),
        ({"files": {"files/media/x": {"bytes": 1, "sha256": ""}}}, "The backup lacks “files/media/x”"),
    ],
)
def test_what_is_no_backup_for_this_place_is_refused_in_a_sentence(db, tmp_path, told, why):
    whole = {"format": 1, "evenhand": "9", "made_at": "", "vendor": "sqlite", "migrations": [], "tables": {}}
    (tmp_path / "manifest.json").write_text(
        json.dumps({**whole, "audit": {}, "var": "", "files": {}, **told})
    )
    with pytest.raises(BackupRefused, match=why):
        restore_backup(tmp_path)
    with pytest.raises(BackupRefused, match="holds no backup"):
        restore_backup(tmp_path / "nowhere")


@pytest.mark.postgresql
def test_it_says_which_program_is_missing_and_who_is_at_work(installation, tmp_path, monkeypatch):
    make_backup(tmp_path / "backup")
    with (
        psycopg.connect(
            os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
        ),
        pytest.raises(BackupRefused, match="Others are connected to this database \\(1\\)"),
    ):
        restore_backup(tmp_path / "backup", replace=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupRefused, match="pg_dump is needed, and not on this machine"):
        make_backup(tmp_path / "another")
    assert not (tmp_path / "another").exists() and User.objects.count() == 3
