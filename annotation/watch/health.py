"""Whether what this process needs is there: the database with the tables of this code, queue and folder."""

import os
from dataclasses import dataclass
from time import monotonic

from celery import current_app
from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import KombuError

FINE = "fine"
KEPT_SECONDS = 2.0  # however often somebody asks, the database and the queue are asked so often at most
BROKER_SECONDS = 2
QUEUES = ("default", "gpu", "train")


@dataclass(frozen=True)
class Readiness:
    """A word on each part. Without the queue pages are answered all the same, and work waits in its rows."""

    database: str
    migrations: str
    folder: str
    queue: str

    @property
    def is_ready(self) -> bool:
        return {self.database, self.migrations, self.folder} == {FINE}


_kept: tuple[float, Readiness] | None = None
_migrated = False


def readiness() -> Readiness:
    """As it is now, or was KEPT_SECONDS ago at most."""
    global _kept
    now = monotonic()
    if _kept is None or now - _kept[0] > KEPT_SECONDS:
        _kept = (now, _look())
    return _kept[1]


def _look() -> Readiness:
    database = _database()
    return Readiness(
        database=database,
        migrations=_migrations() if database == FINE else "unknown",
        folder=FINE if os.access(settings.VAR, os.W_OK | os.X_OK) else "not writable",
        queue=_queue(),
    )


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except AnyDatabaseError:
        return "does not answer"
    return FINE


def _migrations() -> str:
    """What was applied once stays applied, so it is asked for until then only."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return FINE if _migrated else "not all applied: manage.py migrate"


def _queue() -> str:
    try:
        with current_app.connection_for_write(connect_timeout=BROKER_SECONDS) as found:
            found.ensure_connection(max_retries=1, timeout=BROKER_SECONDS, interval_start=0)
            found.channel().close()
    except (KombuError, OSError):
        return "does not answer"
    return FINE


def messages_waiting() -> dict[str, int]:
    """By queue, how many hints wait in it; {} while the queue does not answer."""
    try:
        with current_app.connection_for_write(connect_timeout=BROKER_SECONDS) as found:
            found.ensure_connection(max_retries=1, timeout=BROKER_SECONDS, interval_start=0)
            return {name: _waiting_in(found, name) for name in QUEUES}
    except (KombuError, OSError):
        return {}


def _waiting_in(found, name: str) -> int:
    try:
        with found.channel() as channel:
            return channel.queue_declare(name, passive=True).message_count
    except found.channel_errors:  # nobody has used it yet
        return 0
