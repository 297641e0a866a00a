"""A rater's hold on a pair, with a lease."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.enrolment import Enrolment
from annotation.models.pair import Pair
from annotation.models.study import GuidelineVersion
from annotation.vocabulary import (
    LEARNING_KINDS,
    QUEUE_KINDS,
    AssignmentKind,
    AssignmentState,
    FlagReason,
    GuidelineCondition,
    Side,
)

LIVE_STATES = (AssignmentState.LEASED, AssignmentState.SUBMITTED)


class AssignmentQuerySet(models.QuerySet):
    def leased(self) -> "AssignmentQuerySet":
        return self.filter(state=AssignmentState.LEASED)

    def lapsed(self, at) -> "AssignmentQuerySet":
        """Holds whose lease ended before `at` and that nobody has returned to the queue yet."""
        return self.leased().filter(lease_until__lt=at)

    def in_queue(self) -> "AssignmentQuerySet":
        """What comes to raters one after the other: neither learning nor adjudication."""
        return self.filter(kind__in=QUEUE_KINDS)

    def rated(self) -> "AssignmentQuerySet":
        """Those whose judgments are the study's."""
        return self.filter(kind=AssignmentKind.RATED)

    def skipped(self) -> "AssignmentQuerySet":
        return self.filter(state=AssignmentState.SKIPPED)

    def that_count(self) -> "AssignmentQuerySet":
        """All but lapsed holds: what keeps a pair from being given to the same rater again."""
        return self.exclude(state=AssignmentState.EXPIRED)


class Assignment(models.Model):
    """Occupies `slot` of its pair while leased and once submitted; other states and kinds occupy none.

    Gold, repeated, practice, quiz and adjudicated pairs are holds of other kinds: their judgments are kept
    beside the others and are in no report's count. `attempt` numbers the tries at a quiz.

    `token` is all a rater learns of it: neither its number nor the pair's is ever sent.
    """

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    pair = models.ForeignKey(Pair, on_delete=models.PROTECT, related_name="assignments", db_index=False)
    enrolment = models.ForeignKey(
        Enrolment, on_delete=models.PROTECT, related_name="assignments", db_index=False
    )
    slot = models.PositiveSmallIntegerField(null=True)
    left_is_a = models.BooleanField(help_text="Side order as shown, drawn from the study's seed.")
    guideline_condition = models.CharField(
        max_length=20, choices=GuidelineCondition.choices, default=GuidelineCondition.POLICY_FREE
    )
    guideline = models.ForeignKey(
        GuidelineVersion,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        db_index=False,
        help_text="The version the rater is shown, whatever is published meanwhile.",
    )
    kind = models.CharField(max_length=10, choices=AssignmentKind.choices, default=AssignmentKind.RATED)
    attempt = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=AssignmentState.choices, default=AssignmentState.LEASED)
    claimed_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=20, choices=FlagReason.choices, blank=True)
    note = models.TextField(blank=True, help_text="What a rater who flagged the pair says about it.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["pair", "enrolment", "kind", "attempt"], name="assignment_once_per_rater"
            ),
            models.CheckConstraint(
                condition=Q(attempt=1) | Q(attempt__gte=1, kind__in=LEARNING_KINDS),
                name="assignment_attempts_only_to_learn",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=AssignmentKind.values), name="assignment_kind_is_known"
            ),
            models.UniqueConstraint(
                fields=["pair", "slot"],
                condition=Q(state__in=LIVE_STATES),
                name="assignment_once_per_slot",
            ),
            models.UniqueConstraint(
                fields=["enrolment"],
                condition=Q(state=AssignmentState.LEASED, kind__in=QUEUE_KINDS),
                name="assignment_leased_once_per_rater",
            ),
            models.UniqueConstraint(
                fields=["enrolment"],
                condition=Q(state=AssignmentState.LEASED, kind__in=LEARNING_KINDS),
                name="assignment_learnt_one_by_one",
            ),
            models.UniqueConstraint(
                fields=["enrolment"],
                condition=Q(state=AssignmentState.LEASED, kind=AssignmentKind.SENIOR),
                name="assignment_adjudicated_one_by_one",
            ),
            models.UniqueConstraint(
                fields=["pair"],
                condition=Q(state__in=LIVE_STATES, kind=AssignmentKind.SENIOR),
                name="assignment_adjudicated_once",
            ),
            models.CheckConstraint(
                condition=Q(kind=AssignmentKind.RATED, state__in=LIVE_STATES, slot__isnull=False)
                | (~Q(kind=AssignmentKind.RATED, state__in=LIVE_STATES) & Q(slot__isnull=True)),
                name="assignment_live_has_a_slot",
            ),
            models.CheckConstraint(
                condition=Q(state__in=AssignmentState.values), name="assignment_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state=AssignmentState.FLAGGED, reason__in=FlagReason.values)
                | (~Q(state=AssignmentState.FLAGGED) & Q(reason="", note="")),
                name="assignment_flagged_has_a_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_until"], condition=Q(state=AssignmentState.LEASED), name="assignment_by_lease"
            ),
            models.Index(
                fields=["enrolment"], condition=Q(state=AssignmentState.FLAGGED), name="assignment_flagged"
            ),
            models.Index(fields=["enrolment", "submitted_at"], name="assignment_by_rater_and_time"),
        ]

    def __str__(self) -> str:
        return f"{self.pair} held by {self.enrolment}"

    def response_on(self, side: Side):
        """The response shown on this side."""
        is_a = (side == Side.LEFT) == self.left_is_a
        return self.pair.response_a if is_a else self.pair.response_b

    def text_on(self, side: Side) -> str:
        """What the rater reads on this side."""
        return self.pair.text_of(self.response_on(side))
