"""Events are sealed a little after they happened: docs/decisions/audit.md says why not at once."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from annotation import chain
from annotation.models import Event, Seal, Study

EVENTS_A_SEAL = 1_000
SEALS_A_ROUND = 500  # of one study; a study with more events to seal goes on in the next round
SETTLED = timedelta(seconds=10)
"""After so long an event is seen by everybody, unless its transaction still runs."""

OLDEST_AT_WORK = """
SELECT min(xact_start) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def seal_all(settled: timedelta = SETTLED) -> int:
    """Seal what has happened in all studies; says how many seals were made."""
    return sum(seal_study(study, settled) for study in Study.objects.order_by("pk"))


def seal_study(study: Study, settled: timedelta = SETTLED) -> int:
    """Seal the study's events that nothing can come before any more; says how many seals were made."""
    made = 0
    while made < SEALS_A_ROUND and _seal_once(study, settled):
        made += 1
    return made


@transaction.atomic
def _seal_once(study: Study, settled: timedelta) -> bool:
    # Two sealers take turns; raters and researchers do not wait for this lock.
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    last, before = study.seals.first(), _horizon(settled)
    rows = list(_to_seal(study, last, before))
    if not rows:
        return False
    previous = last.digest if last else chain.START.hex()
    made = list(chain.hashes(bytes.fromhex(previous), (row.sealed_form() for row in rows)))
    Seal.objects.create(
        study=study,
        number=last.number + 1 if last else 1,
        events=len(rows),
        through_at=rows[-1].created_at,
        through_event=rows[-1].pk,
        previous=previous,
        digest=made[-1].hex(),
        marks=b"".join(one[: chain.MARK] for one in made),
    )
    return True


def _to_seal(study: Study, last: Seal | None, before: datetime) -> Iterator[Event]:
    events = study.events.in_order().filter(created_at__lt=before)
    if last:
        events = events.after(last.through_at, last.through_event)
    return events[:EVENTS_A_SEAL].iterator()


def _horizon(settled: timedelta) -> datetime:
    """The moment before which no event can appear any more.

    An event carries the time of its statement, which is not before its transaction began: so whatever is
    older than the oldest transaction at work is there to be seen. SQLite lets one write at a time.
    """
    settles = timezone.now() - settled
    if connection.vendor != "postgresql":
        return settles
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT statement_timestamp() - %s, ({OLDEST_AT_WORK})", [settled])
        settles, oldest = cursor.fetchone()
    return min(settles, oldest or settles)
