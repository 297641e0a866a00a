"""Answers that a rater has not sent yet."""

from django.db import models
from django.db.models import Q

from annotation.models.assignment import Assignment


class Draft(models.Model):
    """Kept under the token of the hold: a pair taken again may have its sides swapped, and begins anew.

    `answers` maps the names of the form's fields to what was chosen; `seen` lists the sides that were read to
    their end. `version` counts the changes, so that of two windows none overwrites the other unnoticed.
    """

    token = models.UUIDField(primary_key=True, editable=False)
    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="drafts")
    answers = models.JSONField(default=dict)
    seen = models.JSONField(default=list)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-updated_at"]
        constraints = [
            models.CheckConstraint(condition=Q(version__gte=1), name="draft_version_counts_from_one"),
        ]

    def __str__(self) -> str:
        return f"draft {self.version} of {self.assignment}"
