"""What a senior rater found about a pair that raters dispute."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.assignment import Assignment
from annotation.models.pair import Pair
from annotation.vocabulary import DisputeCause


class Adjudication(models.Model):
    """One ruling for each disputed pair. The senior's own answers are the judgment of `assignment`; the
    raters' judgments stay as they are."""

    pair = models.OneToOneField(Pair, on_delete=models.PROTECT, related_name="adjudication")
    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, related_name="adjudication")
    cause = models.CharField(max_length=20, choices=DisputeCause.choices)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(cause__in=DisputeCause.values), name="adjudication_cause_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pair}: {self.get_cause_display()}"
