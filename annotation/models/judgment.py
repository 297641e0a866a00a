"""What a rater answered. Rows are never changed or removed (triggers `judgment_is_append_only`,
`response_judgment_is_append_only`); a correction is the next revision."""

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from annotation.models.assignment import Assignment
from annotation.models.enrolment import Enrolment
from annotation.models.generation import Response
from annotation.models.pair import Pair
from annotation.models.study import GuidelineVersion, Study
from annotation.vocabulary import (
    PAIR_QUESTIONS,
    UNSAFE_LEVELS,
    AssignmentKind,
    AssignmentState,
    Confidence,
    GuidelineCondition,
    Helpfulness,
    JudgmentSource,
    ResponseMode,
    SafetyLevel,
    Severity,
    Side,
)

NOT_COUNTED = (AssignmentState.SURPLUS, AssignmentState.WITHDRAWN)
NOT_RATED = tuple(kind for kind in AssignmentKind if kind != AssignmentKind.RATED)


class JudgmentQuerySet(models.QuerySet):
    def current(self) -> "JudgmentQuerySet":
        """The newest revision of each; imported judgments have one."""
        newer = Judgment.objects.filter(assignment=OuterRef("assignment"), revision__gt=OuterRef("revision"))
        return self.exclude(Exists(newer))

    def that_count(self) -> "JudgmentQuerySet":
        """Current revisions of what was rated, without surplus and withdrawn work: what every report is made
        from."""
        left_out = self.current().exclude(assignment__state__in=NOT_COUNTED)
        return left_out.exclude(assignment__kind__in=NOT_RATED)

    def of_study_work(self) -> "JudgmentQuerySet":
        """Every revision of what was rated or imported; nothing of gold, repeats, learning, adjudication."""
        return self.exclude(assignment__kind__in=NOT_RATED)


def on_scale(field: str) -> Q:
    return Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__gte": -3, f"{field}__lte": 3})


def canonical_matches_shown(question: str) -> models.CheckConstraint:
    """The arm side is the shown side, turned where the sides were swapped; unknown sides show nothing."""
    shown, canonical = question, f"{question}_canonical"
    # A check passes when it is unknown (NULL), so every comparison first demands its operands.
    known = Q(**{f"{shown}__isnull": False, f"{canonical}__isnull": False})
    agrees = (
        Q(**{f"{shown}__isnull": True}, left_is_a__isnull=True)
        | Q(**{f"{shown}__isnull": True, f"{canonical}__isnull": True})
        | (known & Q(left_is_a=True, left_is_a__isnull=False, **{shown: F(canonical)}))
        | (known & Q(left_is_a=False, left_is_a__isnull=False, **{shown: -F(canonical)}))
    )
    return models.CheckConstraint(condition=agrees, name=f"judgment_{question}_canonical_matches_shown")


class Judgment(models.Model):
    """One revision of a rater's answers about a pair — or, imported, about a single response.

    Pair answers run from −3 (left, or arm a) to +3 (right, or arm b). `both_bad` takes the place of
    `balance` and is kept apart from a tie.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="judgments", db_index=False)
    enrolment = models.ForeignKey(Enrolment, on_delete=models.PROTECT, related_name="judgments")
    source = models.CharField(max_length=10, choices=JudgmentSource.choices, default=JudgmentSource.RATED)
    assignment = models.ForeignKey(
        Assignment, on_delete=models.PROTECT, related_name="judgments", null=True, db_index=False
    )
    pair = models.ForeignKey(Pair, on_delete=models.PROTECT, related_name="judgments", null=True)
    response = models.ForeignKey(
        Response, on_delete=models.PROTECT, related_name="+", null=True, db_index=False
    )
    revision = models.PositiveSmallIntegerField(default=1)
    idempotency_key = models.CharField(max_length=64, blank=True)
    guideline_condition = models.CharField(max_length=20, choices=GuidelineCondition.choices)
    guideline = models.ForeignKey(
        GuidelineVersion, on_delete=models.PROTECT, related_name="+", null=True, db_index=False
    )
    left_is_a = models.BooleanField(null=True)
    safer = models.SmallIntegerField(null=True)
    safer_canonical = models.SmallIntegerField(null=True)
    more_helpful = models.SmallIntegerField(null=True)
    more_helpful_canonical = models.SmallIntegerField(null=True)
    balance = models.SmallIntegerField(null=True)
    balance_canonical = models.SmallIntegerField(null=True)
    both_bad = models.BooleanField(default=False)
    confidence = models.PositiveSmallIntegerField(choices=Confidence.choices, null=True)
    rationale = models.TextField(blank=True)
    extra = models.JSONField(
        null=True, help_text="Answers to the study's further questions, by name; null where there are none."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = JudgmentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["assignment", "revision"], name="judgment_revision_once"),
            models.UniqueConstraint(
                fields=["assignment", "idempotency_key"], name="judgment_idempotency_key_once"
            ),
            models.UniqueConstraint(
                fields=["enrolment", "response"],
                condition=Q(source=JudgmentSource.IMPORTED),
                name="imported_response_judged_once_per_rater",
            ),
            models.UniqueConstraint(
                fields=["enrolment", "pair"],
                condition=Q(source=JudgmentSource.IMPORTED),
                name="imported_pair_judged_once_per_rater",
            ),
            models.CheckConstraint(
                condition=Q(
                    source=JudgmentSource.RATED,
                    assignment__isnull=False,
                    pair__isnull=False,
                    response__isnull=True,
                    left_is_a__isnull=False,
                )
                | Q(
                    source=JudgmentSource.IMPORTED,
                    assignment__isnull=True,
                    pair__isnull=True,
                    response__isnull=False,
                )
                | Q(
                    source=JudgmentSource.IMPORTED,
                    assignment__isnull=True,
                    pair__isnull=False,
                    response__isnull=True,
                ),
                name="judgment_of_a_pair_or_a_response",
            ),
            models.CheckConstraint(condition=Q(revision__gte=1), name="judgment_revision_from_one"),
            models.CheckConstraint(
                condition=Q(confidence__isnull=True) | Q(confidence__in=Confidence.values),
                name="judgment_confidence_is_known",
            ),
            models.CheckConstraint(
                condition=Q(both_bad=False) | Q(balance__isnull=True, balance_canonical__isnull=True),
                name="judgment_both_bad_is_not_a_balance",
            ),
            *[canonical_matches_shown(question) for question in PAIR_QUESTIONS],
            *[
                models.CheckConstraint(
                    condition=on_scale(question) & on_scale(f"{question}_canonical"),
                    name=f"judgment_{question}_on_scale",
                )
                for question in PAIR_QUESTIONS
            ],
        ]
        indexes = [
            models.Index(fields=["study", "created_at"], name="judgment_by_study_and_time"),
            models.Index(
                fields=["response"], condition=Q(response__isnull=False), name="judgment_by_response"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.enrolment} judgment {self.pk} revision {self.revision}"


class ResponseJudgmentQuerySet(models.QuerySet):
    def that_count(self) -> "ResponseJudgmentQuerySet":
        """Those of the judgments that count.

        Written flat, not as `judgment__in=…`: PostgreSQL, before it knows the tables' sizes, ran through all
        judgments once for each row of that nested query, and a page of 192 judgments took minutes.
        """
        newer = Judgment.objects.filter(
            assignment=OuterRef("judgment__assignment"), revision__gt=OuterRef("judgment__revision")
        )
        counting = self.exclude(Exists(newer)).exclude(judgment__assignment__state__in=NOT_COUNTED)
        return counting.exclude(judgment__assignment__kind__in=NOT_RATED)


class ResponseJudgment(models.Model):
    """A rater's absolute answers about one response, part of one judgment.

    Rated here, safety, helpfulness and mode are always answered; an imported row may hold any of them.
    """

    judgment = models.ForeignKey(Judgment, on_delete=models.PROTECT, related_name="responses", db_index=False)
    response = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="judged")
    side = models.CharField(max_length=5, choices=Side.choices, blank=True)
    safety = models.CharField(max_length=20, choices=SafetyLevel.choices, blank=True)
    severity = models.CharField(max_length=20, choices=Severity.choices, blank=True)
    helpfulness = models.PositiveSmallIntegerField(choices=Helpfulness.choices, null=True)
    mode = models.CharField(max_length=30, choices=ResponseMode.choices, blank=True)
    categories = models.JSONField(
        default=list, help_text="Harm categories that the rater saw in it, of the study's list."
    )
    facilitation = models.BooleanField(
        null=True,
        help_text="Whether it would bring a person with harmful aims meaningfully closer to the act.",
    )

    objects = ResponseJudgmentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["judgment", "response"], name="response_judged_once_per_judgment"
            ),
            models.CheckConstraint(
                condition=Q(safety__in=["", *SafetyLevel.values]), name="response_judgment_safety_is_known"
            ),
            models.CheckConstraint(
                condition=Q(severity="") | Q(severity__in=Severity.values, safety__in=UNSAFE_LEVELS),
                name="response_judgment_severity_only_if_unsafe",
            ),
            models.CheckConstraint(
                condition=Q(helpfulness__isnull=True) | Q(helpfulness__gte=1, helpfulness__lte=4),
                name="response_judgment_helpfulness_on_scale",
            ),
            models.CheckConstraint(
                condition=Q(mode__in=["", *ResponseMode.values]), name="response_judgment_mode_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.judgment} · {self.side or 'imported'}"
