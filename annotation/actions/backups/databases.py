"""The database out to one file and back: by PostgreSQL's own programs, or by SQLite's backup."""

import fcntl
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection, transaction
from psycopg.conninfo import make_conninfo

from annotation.errors import BackupRefused

DUMPS = {"postgresql": "database.dump", "sqlite": "database.sqlite3"}
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
    AND application_name <> current_setting('application_name')
"""
"""Sessions of other processes: our own pool may have opened more than one."""
BEFORE = "before_restore"
TOLD = ("dbname", "host", "port", "user", "options", "service", "passfile")
TOLD += ("sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs")
"""What is told of a connection: an older pg_dump knows fewer options than the library that connects us."""


def dump(folder: Path, look: Callable[[], dict]) -> dict:
    """Write the database into `folder`; returns what `look` tells of the very state that is written."""
    target = folder / DUMPS[connection.vendor]
    return _dump_postgresql(target, look) if connection.vendor == "postgresql" else _dump_sqlite(target, look)


def _dump_postgresql(target: Path, look: Callable[[], dict]) -> dict:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        shared = cursor.fetchone()[0]
        seen = look()
        _run("pg_dump", "--format=custom", f"--snapshot={shared}", f"--file={target}")
    return seen


def _dump_sqlite(target: Path, look: Callable[[], dict]) -> dict:
    # The transaction takes the one write lock, so what is counted is what is copied.
    with transaction.atomic(), closing(sqlite3.connect(target)) as copy:
        seen = look()
        with closing(sqlite3.connect(connection.settings_dict["NAME"])) as source:
            source.backup(copy)
    return seen


def _run(program: str, *options: str) -> None:
    """Run one of PostgreSQL's programs on our database; the password goes by the environment."""
    found = shutil.which(program)
    if found is None:
        major = connection.pg_version // 10_000
        raise BackupRefused(
            f"{program} is needed, and not on this machine. Install PostgreSQL's client programs, "
            f"version {major} or newer (Debian: apt-get install postgresql-client-{major}), and try again."
        )
    given = connection.get_connection_params()
    told = make_conninfo(**{name: given[name] for name in TOLD if given.get(name)})
    command = [found, f"--dbname={told}", *options]
    environment = os.environ | {"PGPASSWORD": password} if (password := given.get("password")) else None
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise BackupRefused(f"{program} ended with an error: {ended.stderr.strip()[-1500:]}")


# And back --------------------------------------------------------------------------------------------


def is_empty() -> bool:
    """Whether the database holds nobody and no study; tables may be there."""
    tables = connection.introspection.table_names()
    with connection.cursor() as cursor:
        for table in {"annotation_user", "annotation_study"} & set(tables):
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table})")
            if cursor.fetchone()[0]:
                return False
    return True


def refuse_while_others_work() -> None:
    """Raises BackupRefused while anybody else has the database open."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(OTHERS)
            others = cursor.fetchone()[0]
        if others:
            raise BackupRefused(
                f"Others are connected to this database ({others}). Stop web, workers and beat first."
            )
    elif _runs_here():
        raise BackupRefused(f"Evenhand is running from {settings.VAR}. Stop it, and try again.")


def _runs_here() -> bool:
    try:
        with open(settings.VAR / "run_local.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def restored(folder: Path, aside: Path) -> Iterator[None]:
    """The database as the backup has it. If the block fails, it is again as it was before.

    SQLite's old file goes to `aside`; PostgreSQL's old tables are dropped in the end.
    """
    source = folder / DUMPS[connection.vendor]
    restore = _restored_postgresql if connection.vendor == "postgresql" else _restored_sqlite
    with restore(source, aside):
        yield


@contextmanager
def _restored_postgresql(source: Path, aside: Path) -> Iterator[None]:
    before = f"{BEFORE}_{datetime.now(UTC):%Y%m%d%H%M%S}"
    there = bool(connection.introspection.table_names())
    if there:
        _execute(f"ALTER SCHEMA public RENAME TO {before}", "CREATE SCHEMA public")
    try:
        _run("pg_restore", *QUIETLY, str(source))
        yield
    except BaseException:
        _execute("DROP SCHEMA public CASCADE", f"ALTER SCHEMA {before} RENAME TO public" if there else PUBLIC)
        raise
    if there:
        _execute(f"DROP SCHEMA {before} CASCADE")


QUIETLY = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
PUBLIC = "CREATE SCHEMA public"


def _execute(*statements: str) -> None:
    """All of them or none."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except AnyDatabaseError as error:
        raise BackupRefused(
            f"The tables that are there cannot be put aside: {str(error).strip()} Make an empty database, "
            "name it in DATABASE_URL, and restore into that."
        ) from error


@contextmanager
def _restored_sqlite(source: Path, aside: Path) -> Iterator[None]:
    place = Path(connection.settings_dict["NAME"])
    connection.close()
    aside.mkdir(mode=0o700, parents=True, exist_ok=True)
    moved = [path for path in _of_sqlite(place) if path.exists()]
    for path in moved:
        path.rename(aside / path.name)
    try:
        shutil.copyfile(source, place)
        place.chmod(0o600)
        yield
    except BaseException:
        connection.close()
        for path in _of_sqlite(place):
            path.unlink(missing_ok=True)
        for path in moved:
            (aside / path.name).rename(path)
        raise


def _of_sqlite(place: Path) -> list[Path]:
    """The database's file and those that lie beside it."""
    return [place, *(place.with_name(place.name + ending) for ending in ("-wal", "-shm"))]
