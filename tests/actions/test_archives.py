"""The files of a snapshot or a dataset as one ZIP, kept for a while and made again."""

import errno
import os
import time
import zipfile
from pathlib import Path

import pytest
from django.conf import settings

from annotation.actions import archives
from annotation.actions.snapshots import freeze_snapshot
from annotation.errors import NoRoom
from annotation.models import Snapshot
from tests import full_disk
from tests.reports.studies import a_varied_study

pytestmark = pytest.mark.django_db

LONG_AGO = time.time() - 2 * archives.KEPT


@pytest.fixture
def snapshot(tmp_path) -> Snapshot:
    return freeze_snapshot(a_varied_study(2))


def left_behind(name: str) -> Path:
    """A file among the archives that nobody has fetched for long."""
    settings.ARCHIVES.mkdir(parents=True, exist_ok=True)
    path = settings.ARCHIVES / name
    path.write_bytes(b"")
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def test_what_nobody_fetched_for_long_is_removed_when_another_is_made(snapshot):
    old = left_behind("old.zip")
    assert archives.archive_of(snapshot).path.is_file() and not old.exists()


def test_what_others_take_away_at_the_same_moment_is_no_failure(snapshot, monkeypatch):
    """Another request finishes its draft, or removes what is old, between the list and the look."""
    listed, gone = settings.ARCHIVES, left_behind("old.zip")
    gone.unlink()
    monkeypatch.setattr(Path, "glob", lambda folder, _: iter([gone] if folder == listed else []))
    assert archives.archive_of(snapshot).path.is_file()


def test_an_archive_that_is_removed_while_it_is_looked_for_is_made_again(snapshot, monkeypatch):
    path, touch = archives.archive_of(snapshot).path, os.utime

    def too_late(*given, **more):
        path.unlink()
        touch(*given, **more)

    monkeypatch.setattr(os, "utime", too_late)
    assert archives.archive_of(snapshot).path.is_file()


def test_of_two_that_are_made_at_once_the_first_stays(snapshot, monkeypatch):
    """Its name is with somebody, whose download goes on only with that."""
    write, first = archives._write, []

    def slowly(*given):
        monkeypatch.setattr(archives, "_write", write)
        first.append(archives.archive_of(snapshot))  # another request, which is quicker
        write(*given)

    monkeypatch.setattr(archives, "_write", slowly)
    assert [archives.archive_of(snapshot)] == first
    assert [path.name for path in settings.ARCHIVES.iterdir()] == [first[0].path.name]


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_leaves_nothing_half(snapshot, monkeypatch, full):
    full_disk.fill(monkeypatch, full)
    with pytest.raises(NoRoom, match="disk is full.* one by one"):
        archives.archive_of(snapshot)
    assert not list(settings.ARCHIVES.iterdir())
    monkeypatch.undo()
    assert zipfile.ZipFile(archives.archive_of(snapshot).path).testzip() is None


def test_a_disk_without_room_for_the_folder_is_told_too(snapshot, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(NoRoom):
        archives.archive_of(snapshot)


def test_what_else_goes_wrong_with_a_disk_is_no_lack_of_room(snapshot, monkeypatch):
    full_disk.fill(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        archives.archive_of(snapshot)
