"""Results are asked for, made by a worker, and kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation.actions import leases
from annotation.errors import DomainError
from annotation.models import Report, ReportTable, Snapshot, Study, User
from annotation.models.report import UNFINISHED
from annotation.reports.filters import Filters
from annotation.reports.reading import reading_all
from annotation.reports.results import LAYOUT, Results, canonical, results_of_snapshot, results_of_study
from annotation.reports.stored import (
    Kept,
    fingerprint_of,
    fingerprint_of_snapshot,
    kept_results,
    reports_of,
)
from annotation.vocabulary import BatchState

KEPT_REPORTS = 3
"""Of the same filters. The older ones are only there for whoever is reading a file of theirs."""

KEPT_FILTERS = 40
"""In a study; the results of filters that nobody looked at for longest go first."""

REST = timedelta(seconds=20)
REST_IN_MAKINGS = 4
"""While raters work the data move all the time: new results rest at least so long, and so many times as long
as making them took, so that a worker has time for other things."""


@dataclass(frozen=True)
class Looked:
    """What there is, and the report that a worker is to be told of; None where no message is needed."""

    kept: Kept
    asked: Report | None


def look(
    study: Study,
    filters: Filters,
    snapshot: Snapshot | None = None,
    actor: User | None = None,
    *,
    again: bool = False,
    at: datetime | None = None,
) -> Looked:
    """Results as they are kept; new ones are asked for where there are none, or the data moved on.

    With `again`, in any case, also after a failure. Call the edge's hint for `asked` after commit.
    """
    kept = kept_results(study, filters, snapshot)
    if kept.unfinished or not (again or _is_due(kept, at or timezone.now())):
        return Looked(kept, None)
    asked = ask(study, filters, snapshot, actor)
    return Looked(kept_results(study, filters, snapshot), asked)


def _is_due(kept: Kept, at: datetime) -> bool:
    if kept.failure and kept.failed_fingerprint in ("", kept.fingerprint):
        return False  # the same data would fail again
    if kept.report is None:
        return True
    rest = max(REST, REST_IN_MAKINGS * timedelta(seconds=kept.seconds_needed or 0))
    return kept.moved and (kept.age(at) or rest) >= rest


def ask(
    study: Study, filters: Filters, snapshot: Snapshot | None = None, actor: User | None = None
) -> Report | None:
    """A row for a worker to take; None where somebody has asked for the same already."""
    try:
        with transaction.atomic():
            return Report.objects.create(
                study=study,
                snapshot=snapshot,
                filters=filters.as_query(),
                layout=LAYOUT,
                number=1,
                asked_by=actor,
            )
    except IntegrityError:  # report_unfinished_once_per_filter
        return None


def claim(report_id: int, worker: str) -> Report | None:
    """Give the report to `worker`; None when another has it, or nothing is left to do."""
    pk = leases.claim_first(Report.objects.waiting().filter(pk=report_id), worker)
    if pk is None:
        return None
    return Report.objects.select_related("study", "snapshot").get(pk=pk)


def make(report: Report) -> bool:
    """Make the results of a claimed report and keep them; False when the claim was lost meanwhile.

    What cannot be made is told in the report's `error`.
    """
    now = timezone.now()
    # Before the data are read: what changes meanwhile is seen as a change afterwards.
    fingerprint = _fingerprint(report)
    if not _swap(report, started_at=now, fingerprint=fingerprint):
        return False
    try:
        results = _results(report, fingerprint, now)
    except DomainError as error:
        return leases.fail(report, str(error))
    except Exception:
        leases.fail(report, "Something unexpected went wrong; the worker's log says what.")
        raise
    return _keep(report, results)


def _fingerprint(report: Report) -> str:
    return fingerprint_of_snapshot(report.snapshot) if report.snapshot else fingerprint_of(report.study)


def _results(report: Report, fingerprint: str, at: datetime) -> Results:
    filters = Filters.from_text(report.filters)
    if report.snapshot:
        return results_of_snapshot(Path(report.snapshot.folder), filters)
    with reading_all():
        return results_of_study(report.study, filters, fingerprint, at)


class _ClaimLost(Exception):
    """Another worker has the report now."""


def _keep(report: Report, results: Results) -> bool:
    try:
        with transaction.atomic():
            if not _swap(report, about=canonical(results.about)) or not leases.finish(report):
                raise _ClaimLost
            ReportTable.objects.bulk_create(
                ReportTable(
                    report=report,
                    position=position,
                    name=table.name,
                    size=len(table.rows),
                    body=canonical(table.as_json()),
                )
                for position, table in enumerate(results.tables)
            )
    except _ClaimLost:
        return False
    prune(report.study, report)
    return True


def _swap(report: Report, **changes) -> bool:
    """Change the row while its claim is still ours."""
    held = Report.objects.filter(pk=report.pk, state=BatchState.CLAIMED, claim=report.claim)
    return bool(held.update(**changes))


def prune(study: Study, newest: Report) -> None:
    """Let go of older reports: all but the newest few of these filters, and of filters long not looked at."""
    same = reports_of(study, Filters.from_text(newest.filters), newest.snapshot)
    done = [pk for pk in same.exclude(state__in=UNFINISHED).values_list("pk", flat=True)]
    Report.objects.filter(pk__in=done[KEPT_REPORTS:]).delete()
    finished = study.reports.exclude(state__in=UNFINISHED)
    rows = finished.exclude(filters="").order_by("-pk").values_list("filters", "snapshot_id", "pk")
    seen: dict[tuple, list[int]] = {}
    for filters, snapshot, pk in rows:
        seen.setdefault((filters, snapshot), []).append(pk)
    old = [pk for pks in list(seen.values())[KEPT_FILTERS:] for pk in pks]
    Report.objects.filter(pk__in=old).delete()
    finished.exclude(layout=LAYOUT).delete()


def requeue_stale(at: datetime | None = None) -> int:
    """Queue again what dead workers held; says how many."""
    stale = Report.objects.stale(at or timezone.now())
    return leases.requeue(stale, leases.fail)
