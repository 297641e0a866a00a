"""Files on their way into a backup and out of it, each with its digest."""

import shutil
from collections.abc import Iterator
from hashlib import file_digest, sha256
from pathlib import Path

from annotation.actions.backups.contents import Contents
from annotation.errors import BackupRefused

DRAFT = ".draft-"  # what is being made at this moment, and is renamed when it is whole
AT_ONCE = 1024 * 1024


def copy_in(source: Path, target: Path) -> dict[str, dict]:
    """Copy every file below `source`; returns size and SHA-256 by path below it. Links are not followed.

    What goes away meanwhile, such as a training's older checkpoint, is left out.
    """
    copied = {}
    for path in _files(source):
        name = path.relative_to(source)
        try:
            copied[name.as_posix()] = copy_file(path, target / name)
        except FileNotFoundError:
            (target / name).unlink(missing_ok=True)
    return copied


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        drafts = any(part.startswith(DRAFT) for part in path.relative_to(folder).parts)
        if path.is_file() and not path.is_symlink() and not drafts:
            yield path


def copy_file(source: Path, target: Path) -> dict:
    """Copy one file; its size and SHA-256 are those of the bytes that were written."""
    digest, size = sha256(), 0
    with source.open("rb") as read:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with target.open("wb") as written:
            while part := read.read(AT_ONCE):
                digest.update(part)
                size += len(part)
                written.write(part)
    shutil.copystat(source, target)
    return {"bytes": size, "sha256": digest.hexdigest()}


def described(path: Path) -> dict:
    """A file's size and SHA-256."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": file_digest(file, "sha256").hexdigest()}


def refuse_damaged(folder: Path, contents: Contents) -> None:
    """Raises BackupRefused with the first file that is not what the manifest says."""
    for name, told in contents.files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise BackupRefused(f"The backup lacks “{name}”. Nothing was restored.")
        if described(path) != told:
            raise BackupRefused(f"“{name}” of the backup is damaged or was changed. Nothing was restored.")
