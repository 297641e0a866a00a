"""Make a backup while everything runs."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from annotation.actions.backups import databases
from annotation.actions.backups.contents import (
    FILES,
    FORMAT,
    KEPT,
    SECRET_KEY,
    Contents,
    write_contents,
)
from annotation.actions.backups.folders import copy_file, copy_in, described
from annotation.errors import BackupRefused
from annotation.models import Seal
from annotation.version import evenhand_version


def make_backup(folder: Path) -> Contents:
    """Write database and files into `folder`, which is new or empty; it is there whole or not at all.

    The database comes first: what a row refers to was there before the row, so it is among the files that are
    copied afterwards. Raises BackupRefused.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupRefused(f"“{folder}” is there and not empty. Name a new folder for each backup.")
    draft = folder.with_name(f".{folder.name}.draft")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        contents = _write(draft)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    except OSError as error:
        raise BackupRefused(f"The backup could not be written: {error}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return contents


def _write(draft: Path) -> Contents:
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    seen = databases.dump(draft, _look)
    dump = databases.DUMPS[connection.vendor]
    files = {dump: described(draft / dump)}
    for name in KEPT:
        found = copy_in(settings.VAR / name, draft / FILES / name)
        files |= {f"{FILES}/{name}/{path}": told for path, told in found.items()}
    if not settings.SECRET_KEY_WAS_GIVEN and (settings.VAR / SECRET_KEY).exists():
        files[SECRET_KEY] = copy_file(settings.VAR / SECRET_KEY, draft / SECRET_KEY)
    contents = Contents(
        format=FORMAT,
        evenhand=evenhand_version(),
        made_at=made_at,
        vendor=connection.vendor,
        var=str(settings.VAR),
        files=files,
        **seen,
    )
    write_contents(draft, contents)
    return contents


def _look() -> dict:
    """What the database holds, read in the moment of the dump."""
    applied = MigrationRecorder(connection).applied_migrations()
    heads = Seal.objects.order_by("study__slug", "-number").values_list("study__slug", "number", "digest")
    newest: dict[str, dict] = {}
    for slug, number, digest in heads:
        newest.setdefault(slug, {"number": number, "digest": digest})
    return {
        "migrations": sorted(f"{app}.{name}" for app, name in applied),
        "tables": count_rows(),
        "audit": newest,
    }


def count_rows() -> dict[str, int]:
    """The rows of every table of the database."""
    counted = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
            counted[table] = cursor.fetchone()[0]
    return counted
