"""Put an installation back as a backup has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import F, Value
from django.db.models.functions import Concat, Length, Substr

from annotation.actions.backups import databases
from annotation.actions.backups.contents import FILES, KEPT, SECRET_KEY, Contents, read_contents
from annotation.actions.backups.folders import copy_file, refuse_damaged
from annotation.actions.backups.making import count_rows
from annotation.errors import BackupRefused
from annotation.models import Arm, Dataset, FileImport, Snapshot

PATHS = ((Snapshot, "folder"), (Dataset, "folder"), (FileImport, "path"))


@dataclass(frozen=True)
class Restored:
    """`aside` holds what was there before, if anything was."""

    contents: Contents
    aside: Path | None


def restore_backup(folder: Path, replace: bool = False) -> Restored:
    """Database and files as they were, checked before and after. The tables are as old as the backup:
    whoever calls this migrates, and then calls `settle_paths`.

    Raises BackupRefused, and then everything is as it was: for a damaged backup, one of another kind of
    database or of a newer Evenhand, for a place that is not empty (unless `replace`), and while others work.
    """
    contents = read_contents(folder)
    refuse_damaged(folder, contents)
    _refuse_other_kind(contents)
    if not replace and not (databases.is_empty() and not _folders_in_use()):
        raise BackupRefused(
            f"There is something in this database or in {settings.VAR} already. Nothing was restored. "
            "With --replace the backup takes its place."
        )
    databases.refuse_while_others_work()
    aside = settings.VAR / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    with databases.restored(folder, aside), _files_restored(folder, contents, aside):
        _refuse_other_counts(contents)
    return Restored(contents, aside if aside.exists() else None)


def _refuse_other_kind(contents: Contents) -> None:
    if contents.vendor != connection.vendor:
        raise BackupRefused(
            f"The backup is of {contents.vendor}, and this is {connection.vendor}. "
            "Set DATABASE_URL for PostgreSQL, or leave it out for SQLite."
        )
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if unknown := sorted(set(contents.migrations) - known):
        raise BackupRefused(
            f"The backup is of Evenhand {contents.evenhand}, which changed the tables in ways unknown "
            f"here ({unknown[0]}). Install that version, or a newer one, and try again."
        )


def _folders_in_use() -> list[str]:
    return [name for name in KEPT if any((settings.VAR / name).glob("*"))]


@contextmanager
def _files_restored(folder: Path, contents: Contents, aside: Path) -> Iterator[None]:
    """The files of the backup in place; if the block fails, those that were there before."""
    moved, brought = [], {name.split("/")[1] for name in contents.files if name.startswith(f"{FILES}/")}
    try:
        for name in _folders_in_use():
            aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            (settings.VAR / name).rename(aside / name)
            moved.append(name)
        for name in contents.files:
            if name.startswith(f"{FILES}/"):
                copy_file(folder / name, settings.VAR / name.removeprefix(f"{FILES}/"))
        yield
    except BaseException:
        for name in brought - set(moved):
            _put_away(settings.VAR / name, aside)
        for name in moved:
            _put_away(settings.VAR / name, aside)
            (aside / name).rename(settings.VAR / name)
        raise
    for name in KEPT:
        (settings.VAR / name).mkdir(mode=0o700, exist_ok=True)
    if SECRET_KEY in contents.files:
        if aside.exists():
            (settings.VAR / SECRET_KEY).rename(aside / SECRET_KEY)
        copy_file(folder / SECRET_KEY, settings.VAR / SECRET_KEY)


def _put_away(path: Path, aside: Path) -> None:
    if path.exists():
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.rename(aside / f"{path.name}.not-restored")


def _refuse_other_counts(contents: Contents) -> None:
    found = count_rows()
    for table, rows in contents.tables.items():
        if found.get(table) != rows:
            raise BackupRefused(
                f"“{table}” has {found.get(table, 0):,} rows after restoring, and the backup tells of "
                f"{rows:,}. Everything is as it was before."
            )


def settle_paths(contents: Contents) -> list[str]:
    """Rows name files by their whole path, so where EVENHAND_VAR has another name here, they are told so.

    Returns the arms whose models lie in the old folder: an arm's settings stay what generated.
    """
    before = Path(contents.var)
    if before == settings.VAR:
        return []
    start, here = f"{before}/", f"{settings.VAR}/"
    for model, column in PATHS:
        rest = Substr(F(column), len(start) + 1, Length(F(column)))
        model.objects.filter(**{f"{column}__startswith": start}).update(**{column: Concat(Value(here), rest)})
    arms = Arm.objects.filter(model__startswith=start).select_related("study").order_by("pk")
    return [f"{arm.study.slug}: {arm.name} ({arm.model})" for arm in arms]
