"""What a researcher answers to a flag."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.assignment import Assignment
from annotation.vocabulary import FlagDecision


class FlagAnswer(models.Model):
    """The answer to one rater's flag, an assignment given back as broken; there is one at most."""

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, related_name="flag_answer")
    decision = models.CharField(max_length=10, choices=FlagDecision.choices)
    note = models.TextField(blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decision__in=FlagDecision.values), name="flag_answer_decision_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.decision}: {self.assignment}"
