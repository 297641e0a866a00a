"""Pairs whose answer is known."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.pair import Pair
from annotation.models.study import Study
from annotation.vocabulary import GoldUse


class Gold(models.Model):
    """What a pair's answers should be; the pair itself has left the pairs that the study rates.

    `expected` names some of the questions: "safer", "more_helpful" and "balance" from −3 (response a) to +3
    (response b), "a_unsafe" and "b_unsafe" as true or false. A pair answer is right within `tolerance` steps.
    `place` is where raters begin and go on in the round of gold pairs.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="gold")
    pair = models.OneToOneField(Pair, on_delete=models.PROTECT, related_name="gold")
    use = models.CharField(max_length=10, choices=GoldUse.choices, default=GoldUse.CHECK)
    expected = models.JSONField()
    tolerance = models.PositiveSmallIntegerField(default=1)
    explanation = models.TextField(blank=True, help_text="Why; raters read it in practice. Markdown.")
    place = models.BigIntegerField()
    retired_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["study", "pk"]
        verbose_name_plural = "gold"
        constraints = [
            models.CheckConstraint(condition=Q(use__in=GoldUse.values), name="gold_use_is_known"),
            models.CheckConstraint(condition=Q(tolerance__lte=6), name="gold_tolerance_on_scale"),
        ]
        indexes = [models.Index(fields=["study", "use", "place"], name="gold_by_place")]

    def __str__(self) -> str:
        return f"gold {self.pair}"
