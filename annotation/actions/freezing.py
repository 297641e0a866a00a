"""Freezings that a worker was asked for: claimed, watched while it writes, stopped."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from annotation.actions import events, leases
from annotation.actions.snapshots import freeze_snapshot
from annotation.errors import DomainError, SnapshotRefused
from annotation.models import Freezing, Grade, Snapshot, Study, User
from annotation.models.snapshot import UNFINISHED
from annotation.vocabulary import BatchState

AT_ONCE = 20_000
"""Judgments. A larger study is frozen by a worker, because whoever asks would be kept waiting."""

LOOK_EVERY = 1.0
"""Seconds between two notes of how far a freezing is, and two looks at whether somebody stopped it."""

FILES_PER_TABLE = 2  # Parquet, and JSON Lines from it


class _Stopped(Exception):
    """Somebody stopped the freezing, or another worker has it now."""


def ask(study: Study, actor: User | None = None) -> tuple[Freezing, bool]:
    """The study's freezing that is not over, and whether it is new."""
    try:
        with transaction.atomic():
            # The lock makes two who ask take turns for a number.
            Study.objects.select_for_update(no_key=True).get(pk=study.pk)
            last = study.freezings.aggregate(last=Max("number"))["last"] or 0
            asked = Freezing.objects.create(
                study=study, number=last + 1, rows_expected=_rows_expected(study), asked_by=actor
            )
            events.record(study, "freeze_snapshot_asked", actor, freezing=asked.number)
            return asked, True
    except IntegrityError:  # freezing_unfinished_once_per_study
        return study.freezings.get(state__in=UNFINISHED), False


def _rows_expected(study: Study) -> int:
    """About: judgments may be judged meanwhile, and preferences are at most as many as pairs."""
    pairs, responses = study.pairs.count(), study.responses.count()
    grades = Grade.objects.filter(grading__study=study).count()
    return FILES_PER_TABLE * (study.judgments.count() + 2 * pairs + responses + grades)


def stop(freezing: Freezing, actor: User | None = None) -> None:
    """Stop it: at once while it waits, else after the rows in hand. Raises SnapshotRefused."""
    rows = Freezing.objects.filter(pk=freezing.pk)
    with transaction.atomic():
        waits = rows.filter(state=BatchState.QUEUED).update(state=BatchState.CANCELLED)
        if not waits and not rows.filter(state=BatchState.CLAIMED).update(stop_asked=True):
            raise SnapshotRefused("This snapshot is not being frozen, so there is nothing to stop.")
        events.record(freezing.study, "freeze_snapshot_stopped", actor, freezing=freezing.number)


def claim(freezing_id: int, worker: str) -> Freezing | None:
    """Give the freezing to `worker`; None when another has it, or nothing is left to do."""
    pk = leases.claim_first(Freezing.objects.waiting().filter(pk=freezing_id), worker)
    return None if pk is None else Freezing.objects.select_related("study", "asked_by").get(pk=pk)


def run(freezing: Freezing) -> bool:
    """Freeze what was claimed; False when it was stopped or failed, or the claim was lost.

    Why it failed is told in the row's `error`. Nothing of a snapshot is left then.
    """
    try:
        _freeze(freezing)
    except _Stopped:
        _swap(freezing, state=BatchState.CANCELLED)
        return False
    except DomainError as error:
        return _fail(freezing, str(error))
    except Exception:
        _fail(freezing, "Something unexpected went wrong; the worker's log says what.")
        raise
    return True


def _freeze(freezing: Freezing) -> None:
    def keep(snapshot: Snapshot) -> None:
        if not leases.finish(freezing):
            raise _Stopped

    with _watched(freezing) as watch:
        freeze_snapshot(freezing.study, freezing.asked_by, tell=watch, on_keep=keep)


class _Watch:
    """Counts rows; a thread notes them in the freezing's row, and hears there that it shall end.

    A thread, because the tables are read in a transaction that may not write.
    """

    def __init__(self, freezing: Freezing):
        self._freezing, self._table, self._rows = freezing, "", 0
        self.is_over, self._must_end = threading.Event(), threading.Event()

    def __call__(self, table: str, rows: int) -> None:
        self._table, self._rows = table, self._rows + rows
        if self._must_end.is_set():
            raise _Stopped

    def note_until_over(self) -> None:
        try:
            while not self.is_over.wait(LOOK_EVERY):
                self._note()
        finally:
            connection.close()  # the thread's own

    def _note(self) -> None:
        try:
            held = _swap(self._freezing, table=self._table, rows_written=self._rows)
            stop_asked = Freezing.objects.filter(pk=self._freezing.pk, stop_asked=True).exists()
        except AnyDatabaseError:  # one bad moment: the next look is soon
            connection.close_if_unusable_or_obsolete()
        else:
            if stop_asked or not held:
                self._must_end.set()


@contextmanager
def _watched(freezing: Freezing) -> Iterator[_Watch]:
    watch = _Watch(freezing)
    thread = threading.Thread(target=watch.note_until_over, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.is_over.set()
        thread.join()


def _fail(freezing: Freezing, reason: str) -> bool:
    """Say why there is no snapshot; always False."""
    if leases.fail(freezing, reason):
        events.record(freezing.study, "freeze_snapshot_failed", freezing.asked_by, reason=reason)
    return False


def _swap(freezing: Freezing, **changes: object) -> bool:
    """Change the row while its claim is still ours."""
    held = Freezing.objects.filter(pk=freezing.pk, state=BatchState.CLAIMED, claim=freezing.claim)
    return bool(held.update(**changes))


def requeue_stale(at: datetime | None = None) -> int:
    """Queue again what dead workers held, and end what was to be stopped; says how many go on."""
    stale = Freezing.objects.stale(at or timezone.now())
    stale.filter(stop_asked=True).update(state=BatchState.CANCELLED)
    return leases.requeue(stale.filter(stop_asked=False), _fail)
