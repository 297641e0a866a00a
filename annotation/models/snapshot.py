"""A frozen export, and the freezing that a worker was asked for."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.claimed import AskedFor, ClaimedQuerySet
from annotation.models.study import Study
from annotation.vocabulary import BatchState

UNFINISHED = (BatchState.QUEUED, BatchState.CLAIMED)


class Snapshot(models.Model):
    """`folder` holds the files; `manifest` says what they are, with counts, rules, versions and SHA-256.

    `secret` makes the raters' pseudonyms in its files and stands in none of them; it is "" where the files
    name raters by their codes, as those of formats 1 and 2 do.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="snapshots")
    number = models.PositiveIntegerField()
    folder = models.CharField(max_length=500)
    manifest = models.JSONField()
    secret = models.CharField(max_length=64, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["study", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="snapshot_number_once_per_study"),
        ]

    def __str__(self) -> str:
        return f"{self.study.slug} snapshot {self.number}"


class Freezing(AskedFor):
    """One freezing that somebody asked for, claimed by a worker like a batch (`actions.leases`).

    `table` and `rows_written` say how far it is, of about `rows_expected`. Once `stop_asked` is set the
    worker ends it at the next block of rows, and nothing of it is kept.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="freezings")
    table = models.CharField(max_length=20, blank=True)
    rows_written = models.PositiveBigIntegerField(default=0)
    rows_expected = models.PositiveBigIntegerField(default=0)
    stop_asked = models.BooleanField(default=False)

    objects = ClaimedQuerySet.as_manager()

    class Meta(AskedFor.Meta):
        ordering = ["-pk"]
        constraints = [
            *AskedFor.Meta.constraints,
            models.UniqueConstraint(
                fields=["study"],
                condition=Q(state__in=UNFINISHED),
                name="freezing_unfinished_once_per_study",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study.slug} freezing {self.pk}"
