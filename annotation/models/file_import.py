"""A file that comes in part by part: how it is read, how far it has come, which rows were left out."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from annotation.models.claimed import ClaimedBatch, ClaimedQuerySet
from annotation.models.study import Study
from annotation.vocabulary import BatchState


class FileImport(ClaimedBatch):
    """One file on its way into a study; a worker claims it like a batch (`actions.leases`).

    Cancelled means that it waits for a person: to be started, where `started_at` is empty, or to go on.
    `columns`, `rules` and `constants` are the options of a mapping, as somebody wrote them. `rows_read` rows
    of the file are dealt with; it and `counts` move in the transaction that keeps those rows.
    `last_judgment` is the newest judgment from before the file, so that one given twice in it is told.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="file_imports")
    name = models.CharField(max_length=255, help_text="What the file was called where it came from.")
    path = models.CharField(max_length=500)
    is_uploaded = models.BooleanField(default=True, help_text="The file is ours to remove.")
    size = models.BigIntegerField(help_text="In bytes.")
    sha256 = models.CharField(max_length=64)
    format = models.CharField(max_length=30)
    columns = models.JSONField(default=list)
    rules = models.JSONField(default=list)
    constants = models.JSONField(default=list)
    hide_raters = models.BooleanField(default=False)
    rows_read = models.PositiveBigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    last_judgment = models.BigIntegerField(null=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    uploaded_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True)

    objects = ClaimedQuerySet.as_manager()

    class Meta(ClaimedBatch.Meta):
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.study.slug} import {self.pk}"

    @property
    def file(self) -> Path:
        return Path(self.path)

    @property
    def waits_for_a_person(self) -> bool:
        return self.state in (BatchState.CANCELLED, BatchState.FAILED)

    @property
    def is_under_way(self) -> bool:
        return self.state in (BatchState.QUEUED, BatchState.CLAIMED)


class ImportProblem(models.Model):
    """A row that was left out: `line` as the file counts, and why."""

    file_import = models.ForeignKey(FileImport, on_delete=models.CASCADE, related_name="problems")
    line = models.BigIntegerField()
    reason = models.TextField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.file_import} line {self.line}"
