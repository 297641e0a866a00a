"""All files of a snapshot, or of a dataset, as one ZIP."""

import errno
import hashlib
import os
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from annotation.errors import NoRoom, NotFound
from annotation.models import Dataset, Snapshot

KEPT = 7 * 24 * 3600  # seconds
FULL = (errno.ENOSPC, errno.EDQUOT)
NO_ROOM = (
    "The server's disk is full, so the ZIP was not made, and nothing half-written was kept. Fetch the files "
    "one by one, which needs no room there; or have room freed on the server, and ask for the ZIP again."
)


@dataclass(frozen=True)
class Archive:
    """A ZIP as `downloads.download` takes it: where it lies, what it is called, what names its very bytes."""

    path: Path
    called: str
    digest: str


def archive_of(made: Snapshot | Dataset) -> Archive:
    """The files as one ZIP, made where it is not kept from an earlier download.

    Raises NotFound where there are no files, NoRoom where the disk is full, and OSError. Kept, because a
    download that goes on must meet the same bytes; one that nobody fetched for KEPT is removed.
    """
    name, manifest = _name_of(made), Path(made.folder) / "manifest.json"
    if not made.folder or not manifest.is_file():
        where = "not where they were put" if made.folder else "not made yet"
        raise NotFound(f"The files of {made._meta.verbose_name} {made.number} are {where}.")
    digest = hashlib.sha256(name.encode() + manifest.read_bytes()).hexdigest()
    path = settings.ARCHIVES / f"{digest}.zip"
    if not _is_kept(path):
        _remove_old()
        with _told_if_full():
            _write(manifest.parent, name, path)
    # Made anew, an archive may differ in its bytes, though not in what it holds.
    return Archive(path, f"{name}.zip", f"{digest}-{path.stat().st_mtime_ns:x}")


def _name_of(made: Snapshot | Dataset) -> str:
    if isinstance(made, Snapshot):
        return f"{made.study.slug}-snapshot-{made.number}"
    return f"{_name_of(made.snapshot)}-dataset-{made.number}"


def _is_kept(path: Path) -> bool:
    """Whether it is there, for KEPT from now on: another request may be about to remove it."""
    try:
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _told_if_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise NoRoom(NO_ROOM) from error


def _write(folder: Path, name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".draft-{uuid.uuid4().hex}")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(file for file in folder.rglob("*") if file.is_file()):
                archive.write(file, f"{name}/{file.relative_to(folder)}")
        if not _is_kept(path):  # of one that was made meanwhile, parts are with somebody already
            os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _remove_old() -> None:
    oldest = time.time() - KEPT
    for path in settings.ARCHIVES.glob("*"):
        with suppress(FileNotFoundError):  # another request's draft, which has its name by now, or removed
            if path.stat().st_atime < oldest:
                path.unlink()
