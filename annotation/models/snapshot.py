"""A frozen export."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from annotation.models.study import Study


class Snapshot(models.Model):
    """`folder` holds the files; `manifest` says what they are, with counts, rules, versions and SHA-256."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="snapshots")
    number = models.PositiveIntegerField()
    folder = models.CharField(max_length=500)
    manifest = models.JSONField()
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
