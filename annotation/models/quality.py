"""When a rater is paused, and what they say to it."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.enrolment import Enrolment
from annotation.models.study import Study
from annotation.vocabulary import AppealState

PERCENT = [MinValueValidator(0), MaxValueValidator(100)]


class QualityRules(models.Model):
    """A study's rules. Each is off while empty, and none acts on fewer than `least` answers.

    A rule acts when the whole 95 % interval lies beyond its limit: bad luck alone seldom pauses anyone.
    """

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="quality_rules")
    least = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(5), MaxValueValidator(1000)]
    )
    gold_at_least = models.PositiveSmallIntegerField(null=True, blank=True, validators=PERCENT)
    consistent_at_least = models.PositiveSmallIntegerField(null=True, blank=True, validators=PERCENT)
    agreeing_at_least = models.PositiveSmallIntegerField(null=True, blank=True, validators=PERCENT)
    hasty_at_most = models.PositiveSmallIntegerField(null=True, blank=True, validators=PERCENT)
    one_side_at_most = models.PositiveSmallIntegerField(null=True, blank=True, validators=PERCENT)

    class Meta:
        verbose_name_plural = "quality rules"

    def __str__(self) -> str:
        return f"{self.study.slug} rules"


class Appeal(models.Model):
    """A paused rater's words to the researcher, and the answer."""

    enrolment = models.ForeignKey(Enrolment, on_delete=models.PROTECT, related_name="appeals")
    pause_reason = models.TextField(help_text="What it is about, as the rater was told.")
    text = models.TextField()
    state = models.CharField(max_length=10, choices=AppealState.choices, default=AppealState.OPEN)
    answer = models.TextField(blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    decided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["enrolment"], condition=Q(state=AppealState.OPEN), name="appeal_open_once_per_rater"
            ),
            models.CheckConstraint(condition=Q(state__in=AppealState.values), name="appeal_state_is_known"),
        ]

    def __str__(self) -> str:
        return f"appeal {self.pk} of {self.enrolment}"
