"""Results that were kept: how old they are, whether the data moved on, what stands in the way of new ones."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet, Sum

from annotation.errors import NotFound
from annotation.models import Grade, Report, ReportTable, Snapshot, Study
from annotation.reports.filters import Filters
from annotation.reports.progress import workers
from annotation.reports.results import LAYOUT, Results, versions
from annotation.reports.tables import Table
from annotation.vocabulary import BatchState

QUEUE = "default"
MOST_ROWS_SHOWN = 2_000
"""Longer tables are for files and not read for a page."""


@dataclass(frozen=True)
class Kept:
    """What is known of some results. `report` is the newest that were made, `unfinished` a making under way.

    `moved` says that the data are no longer those of `report`; `failure` why the last making brought nothing,
    "" unless it is newer than `report`; `missing_worker` what keeps `unfinished` waiting, "" for nothing.
    """

    report: Report | None
    unfinished: Report | None
    failure: str
    failed_fingerprint: str
    fingerprint: str
    missing_worker: str

    @property
    def moved(self) -> bool:
        return self.report is not None and self.report.fingerprint != self.fingerprint

    @property
    def seconds_needed(self) -> float | None:
        """How long the last making took; None where there was none."""
        if self.report is None or self.report.started_at is None or self.report.finished_at is None:
            return None
        return (self.report.finished_at - self.report.started_at).total_seconds()

    def age(self, at: datetime) -> timedelta | None:
        """How long ago the results were made."""
        return at - self.report.finished_at if self.report and self.report.finished_at else None


def reports_of(study: Study, filters: Filters, snapshot: Snapshot | None = None) -> QuerySet[Report]:
    """All makings of these results in this layout, newest first; texts are not read."""
    rows = Report.objects.filter(study=study, filters=filters.as_query(), snapshot=snapshot, layout=LAYOUT)
    return rows.order_by("-pk")


def kept_results(study: Study, filters: Filters, snapshot: Snapshot | None = None) -> Kept:
    """Ten queries at most, none of which reads or counts judgments."""
    rows = reports_of(study, filters, snapshot)
    made = rows.filter(state=BatchState.DONE).first()
    unfinished = rows.filter(state__in=(BatchState.QUEUED, BatchState.CLAIMED)).first()
    failed = rows.filter(state=BatchState.FAILED, pk__gt=made.pk if made else 0).first()
    waits = unfinished is not None and unfinished.state == BatchState.QUEUED
    return Kept(
        report=made,
        unfinished=unfinished,
        failure=failed.error if failed else "",
        failed_fingerprint=failed.fingerprint if failed else "",
        fingerprint=fingerprint_of_snapshot(snapshot) if snapshot else fingerprint_of(study),
        missing_worker=missing_worker() if waits else "",
    )


def fingerprint_of(study: Study) -> str:
    """Changes whenever anything changes that results are made from.

    Judgments, events and grades are only ever added, so their numbers tell; every change of what counts that
    is not one of them (a withdrawal, a link, a prompt's labels) records an event. Events of verbs that no
    result hangs on, as of a freezing, are left out. A large study's judgments and their events are not
    counted: whoever submits, corrects or imports one moves a sum of a few rows in the same transaction.
    """
    gradings = list(study.gradings.order_by("pk").values_list("pk", "state", "keep"))
    told = (
        LAYOUT,
        versions(),
        (study.state, study.pair_count),  # what is still to come says which interval decides
        study.enrolments.aggregate(n=Count("pk"), judged=Sum("judged"), revised=Sum("revised")),
        study.file_imports.aggregate(read=Sum("rows_read")),
        study.events.without_judging().count() - study.events.of_no_result().count(),
        Grade.objects.filter(grading__in=[pk for pk, _, _ in gradings]).count() if gradings else 0,
        gradings,
        list(study.arms.order_by("position").values_list("pk", "name")),
    )
    return _digest(told)


def fingerprint_of_snapshot(snapshot: Snapshot) -> str:
    """A snapshot's files never change."""
    return _digest((LAYOUT, versions(), snapshot.manifest))


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def missing_worker() -> str:
    """What keeps a report from being made, in a sentence; "" for nothing."""
    living = workers()
    if QUEUE in living.alive:
        return ""
    return living.sentence or f"No worker takes work from the queue “{QUEUE}”."


def read_results(report: Report, *, most_rows: int | None = MOST_ROWS_SHOWN) -> Results:
    """The results that a report holds, without tables of more than `most_rows` rows."""
    rows = report.tables.order_by("position")
    shown = rows if most_rows is None else rows.filter(size__lte=most_rows)
    tables = tuple(Table.from_json(json.loads(body)) for body in shown.values_list("body", flat=True))
    return Results(json.loads(report.about), tables)


def long_tables(report: Report) -> dict[str, int]:
    """Tables that `read_results` leaves out, with their numbers of rows."""
    rows = report.tables.filter(size__gt=MOST_ROWS_SHOWN).order_by("position")
    return dict(rows.values_list("name", "size"))


def table_in(report: Report, name: str) -> Table:
    """One table of a report. Raises NotFound."""
    found = ReportTable.objects.filter(report=report, name=name).values_list("body", flat=True).first()
    if found is None:
        raise NotFound(f"The results have no table “{name}”.")
    return Table.from_json(json.loads(found))
