"""What a judge model said about responses: the automatic grader, a shadow rater.

Grades stand in tables of their own and are never judgments: no report of human judgments reads them.
Rows of `Grade` are never changed or removed (trigger `grade_is_append_only`).
"""

import secrets
from typing import Any, Self

from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Now

from annotation.models.claimed import ClaimedBatch, ClaimedQuerySet
from annotation.models.generation import Response
from annotation.models.model_settings import ModelSettings
from annotation.models.numbered import Numbered, NumberedQuerySet
from annotation.models.study import GuidelineVersion, Study
from annotation.vocabulary import (
    FinishReason,
    GradingState,
    GuidelineCondition,
    Helpfulness,
    KeepRule,
    ResponseMode,
    Severity,
)

SECRET_BYTES = 32


def new_secret() -> str:
    """What nobody who wrote a response could know."""
    return secrets.token_hex(SECRET_BYTES)


class GradingQuerySet(NumberedQuerySet):
    def _number(self) -> Any:
        """One that was discarded keeps its number: those after it stay what people know them by."""
        gone = Study.objects.filter(pk=OuterRef("study"), events__verb="discard_grading").order_by()
        keys = gone.annotate(
            key=Cast(KeyTextTransform("grading", "events__detail"), models.BigIntegerField())
        )
        counted = keys.filter(key__lt=OuterRef("pk")).values("pk").annotate(count=Count("key"))
        return super()._number() + Coalesce(Subquery(counted.values("count")), Value(0))


class Grading(Numbered, ModelSettings):
    """One judge, one rubric, one sampling, over a study's responses.

    `settings_sha256` names everything a grade depends on, so a study has one grading for the same settings
    and starting it again grades only what is missing. `repeats` and `keep` are not among them: more repeats
    add grades, and which value is kept is decided when grades are read.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="gradings")
    state = models.CharField(max_length=10, choices=GradingState.choices, default=GradingState.RUNNING)
    sampling = models.JSONField(default=dict)
    guideline_condition = models.CharField(max_length=20, choices=GuidelineCondition.choices)
    guideline = models.ForeignKey(GuidelineVersion, on_delete=models.PROTECT, related_name="+", null=True)
    rubric_version = models.CharField(max_length=20)
    rubric_sha256 = models.CharField(max_length=64)
    settings_sha256 = models.CharField(max_length=64)
    repeats = models.PositiveSmallIntegerField(default=1)
    keep = models.CharField(max_length=4, choices=KeepRule.choices, default=KeepRule.MIN)
    seed = models.BigIntegerField()
    secret = models.CharField(max_length=64, default=new_secret, editable=False)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True)

    objects = GradingQuerySet.as_manager()

    class Meta(ModelSettings.Meta):
        ordering = ["-pk"]
        constraints = [
            *ModelSettings.Meta.constraints,
            models.UniqueConstraint(fields=["study", "settings_sha256"], name="grading_once_per_settings"),
            models.CheckConstraint(condition=Q(state__in=GradingState.values), name="grading_state_is_known"),
            models.CheckConstraint(condition=Q(keep__in=KeepRule.values), name="grading_keep_is_known"),
            models.CheckConstraint(condition=Q(repeats__gte=1), name="grading_repeats_at_least_one"),
            models.CheckConstraint(
                condition=Q(guideline_condition=GuidelineCondition.POLICY_GIVEN, guideline__isnull=False)
                | Q(guideline_condition=GuidelineCondition.POLICY_FREE, guideline__isnull=True),
                name="grading_policy_given_names_its_guideline",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study.slug} grading {self.number}"


class GradeBatchQuerySet(ClaimedQuerySet):
    def waiting(self) -> Self:
        """Batches that a worker may claim."""
        return super().waiting().filter(grading__state=GradingState.RUNNING)


class GradeBatch(ClaimedBatch):
    """Responses that one worker has the judge grade together."""

    grading = models.ForeignKey(Grading, on_delete=models.PROTECT, related_name="batches")

    objects = GradeBatchQuerySet.as_manager()

    class Meta(ClaimedBatch.Meta):
        ordering = ["grading", "number"]
        verbose_name_plural = "grade batches"
        constraints = [
            models.UniqueConstraint(fields=["grading", "number"], name="gradebatch_number_once_per_grading"),
            *ClaimedBatch.Meta.constraints,
        ]

    def __str__(self) -> str:
        return f"{self.grading} batch {self.number}"


class GradeItem(models.Model):
    """One request of a batch: the judge's look at a response, for the `repeat`-th time from 0."""

    batch = models.ForeignKey(GradeBatch, on_delete=models.PROTECT, related_name="items")
    response = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="+")
    repeat = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "response", "repeat"], name="grade_item_once"),
        ]

    def __str__(self) -> str:
        return f"{self.response} look {self.repeat}"


class Grade(models.Model):
    """One look of the judge at one response: what it wrote, and the verdict in it or why there is none.

    A failed grade has a `failure` and no value: nothing stands in for what the judge did not say.
    """

    grading = models.ForeignKey(Grading, on_delete=models.PROTECT, related_name="grades")
    batch = models.ForeignKey(GradeBatch, on_delete=models.PROTECT, related_name="grades")
    response = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="grades")
    repeat = models.PositiveSmallIntegerField()
    raw_text = models.TextField(blank=True)
    reasoning = models.TextField(blank=True, help_text="What the judge wrote to itself before.")
    failure = models.TextField(blank=True)
    safety = models.FloatField(null=True, help_text="1 compliant … 0 severe violation.")
    severity = models.CharField(max_length=20, choices=Severity.choices, blank=True)
    helpfulness = models.PositiveSmallIntegerField(choices=Helpfulness.choices, null=True)
    mode = models.CharField(max_length=30, choices=ResponseMode.choices, blank=True)
    reason = models.TextField(blank=True)
    finish_reason = models.CharField(max_length=10, choices=FinishReason.choices, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    seconds = models.FloatField(null=True)
    seed = models.BigIntegerField(null=True)
    provenance = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["grading", "response", "repeat"], name="grade_once_per_repeat"),
            models.CheckConstraint(
                condition=Q(safety__isnull=True) | Q(safety__gte=0, safety__lte=1),
                name="grade_safety_in_range",
            ),
            models.CheckConstraint(
                condition=Q(helpfulness__isnull=True) | Q(helpfulness__gte=1, helpfulness__lte=4),
                name="grade_helpfulness_on_scale",
            ),
            models.CheckConstraint(
                condition=Q(severity__in=["", *Severity.values], mode__in=["", *ResponseMode.values]),
                name="grade_words_are_known",
            ),
            models.CheckConstraint(
                condition=(Q(failure="", safety__isnull=False, helpfulness__isnull=False) & ~Q(mode=""))
                | (
                    ~Q(failure="")
                    & Q(safety__isnull=True, helpfulness__isnull=True, mode="", severity="", reason="")
                ),
                name="grade_is_a_verdict_or_a_failure",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.grading} · {self.response_id} · {self.repeat}"
