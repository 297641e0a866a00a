"""Results as they were made: kept, so that a page shows them at once and says how old they are."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.claimed import ClaimedBatch, ClaimedQuerySet
from annotation.models.snapshot import Snapshot
from annotation.models.study import Study
from annotation.vocabulary import BatchState

LONGEST_FILTER = 2_000
UNFINISHED = (BatchState.QUEUED, BatchState.CLAIMED)


class Report(ClaimedBatch):
    """One making of a study's results, asked for and claimed like a batch (`actions.leases`).

    `filters` is the canonical query of `reports.filters.Filters`. Made from the live data, or from a
    `snapshot`. `fingerprint` names the data that it was, or would have been, made from. `about` is what the
    results say of themselves, as JSON text: text, because the same results must give the same bytes, and a
    JSON column of PostgreSQL orders keys and writes numbers anew.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="reports")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="reports", null=True)
    filters = models.CharField(max_length=LONGEST_FILTER, blank=True)
    layout = models.PositiveSmallIntegerField(help_text="The version of the results' shape.")
    fingerprint = models.CharField(max_length=64, blank=True)
    about = models.TextField(blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True)

    objects = ClaimedQuerySet.as_manager()

    class Meta(ClaimedBatch.Meta):
        ordering = ["-pk"]
        constraints = [
            *ClaimedBatch.Meta.constraints,
            models.UniqueConstraint(
                fields=["study", "filters"],
                condition=Q(state__in=UNFINISHED, snapshot__isnull=True),
                name="report_unfinished_once_per_filter",
            ),
            models.UniqueConstraint(
                fields=["snapshot", "filters"],
                condition=Q(state__in=UNFINISHED, snapshot__isnull=False),
                name="report_unfinished_once_per_snapshot_and_filter",
            ),
        ]
        indexes = [
            *ClaimedBatch.Meta.indexes,
            models.Index(fields=["study", "filters", "-id"], name="report_by_filter"),
        ]

    def __str__(self) -> str:
        return f"{self.study.slug} report {self.pk}"


class ReportTable(models.Model):
    """One table of a report: `body` is the JSON text of `reports.tables.Table`, `size` its number of rows."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="tables")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=60)
    size = models.PositiveIntegerField()
    body = models.TextField()

    class Meta:
        ordering = ["report", "position"]
        constraints = [
            models.UniqueConstraint(fields=["report", "name"], name="report_table_once_per_name"),
        ]

    def __str__(self) -> str:
        return f"{self.report} {self.name}"
