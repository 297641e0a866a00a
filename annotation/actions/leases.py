"""Any kind of batch: claimed by one worker, kept under a lease, queued again when the worker falls silent.

Every step compares and swaps the batch's own columns and no join: see docs/rules/locking.md. Whoever finds
a claim whose lease lapsed may queue the batch again; the old worker, should it still live, then records
nothing.
"""

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from annotation.models.claimed import ClaimedBatch, ClaimedQuerySet
from annotation.vocabulary import BatchState

MOST_ATTEMPTS = 4

SILENT = (
    "The worker stopped without a word {attempts} times while it had this batch. "
    "It may have run out of memory: see the worker's log, then resume."
)

Held = TypeVar("Held", bound=ClaimedBatch)


def claim_first(waiting: ClaimedQuerySet, worker: str, at: datetime | None = None) -> int | None:
    """Give the first batch of `waiting` to `worker`: its primary key, or None when none can be had."""
    at = at or timezone.now()
    for pk in waiting.order_by("number").values_list("pk", flat=True)[:50]:
        claimed = waiting.model._default_manager.filter(pk=pk, state=BatchState.QUEUED).update(
            state=BatchState.CLAIMED,
            claim=uuid.uuid4(),
            worker=worker,
            attempts=F("attempts") + 1,
            lease_until=_lease_end(at),
        )
        if claimed:
            return pk
    return None


def _lease_end(at: datetime) -> datetime:
    return at + timedelta(seconds=settings.BATCH_LEASE_SECONDS)


def renew(batch: ClaimedBatch, at: datetime | None = None) -> bool:
    """Keep the batch for another lease; False when another worker has it now."""
    return _swap(batch, lease_until=_lease_end(at or timezone.now()))


def release(batch: ClaimedBatch) -> bool:
    """Queue the batch again; False when the claim was lost."""
    return _swap(batch, state=BatchState.QUEUED)


def finish(batch: ClaimedBatch) -> bool:
    """Say that the batch is done; False when the claim was lost."""
    return _swap(batch, state=BatchState.DONE, finished_at=timezone.now(), error="")


def fail(batch: ClaimedBatch, reason: str) -> bool:
    """Say why the batch cannot be done now; False when the claim was lost."""
    return _swap(batch, state=BatchState.FAILED, error=reason)


def _swap(batch: ClaimedBatch, **changes) -> bool:
    """Change the row while it is still held by the claim that `batch` was given."""
    held = type(batch)._default_manager.filter(pk=batch.pk, state=BatchState.CLAIMED, claim=batch.claim)
    return bool(held.update(**changes))


def requeue(stale: Iterable[Held], give_up: Callable[[Held, str], object]) -> int:
    """Queue again each of `stale`; says how many.

    A batch that has silenced its worker MOST_ATTEMPTS times is given to `give_up` with the reason instead: it
    would go on forever.
    """
    return sum(_requeue(batch, give_up) for batch in stale)


def _requeue(batch: Held, give_up: Callable[[Held, str], object]) -> bool:
    if not _take_over(batch):
        return False
    if batch.attempts >= MOST_ATTEMPTS:
        give_up(batch, SILENT.format(attempts=batch.attempts))
        return False
    return release(batch)


def _take_over(batch: ClaimedBatch) -> bool:
    """Take the claim from a worker whose lease lapsed; False when it has renewed that since it was read."""
    claim = uuid.uuid4()
    lapsed = type(batch)._default_manager.filter(
        pk=batch.pk, state=BatchState.CLAIMED, claim=batch.claim, lease_until=batch.lease_until
    )
    batch.claim = claim
    return bool(lapsed.update(claim=claim))
