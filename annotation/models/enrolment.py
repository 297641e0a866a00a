"""A rater's place in a study."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.study import Study, no_categories
from annotation.vocabulary import EnrolmentRole, EnrolmentState, Qualification


class Enrolment(models.Model):
    """`code` is the rater's pseudonym in the study: reports and exports know raters by it only.

    An imported rater has no user and cannot log in.

    `cursor`: no pair whose place is below it has anything for this rater, so that the next claim does not
    walk past all they have already seen. It holds for the study's first `arrivals_seen` arrivals of pairs.
    `tilt` is how often arm a was shown on the left less how often on the right, without what was given back.
    `opted_out` lists the harm categories that the rater does not want to get; no reason is asked.
    `judged` and `revised` count what this rater submitted in the queue and corrected; nothing lowers them.
    `judged_today` belongs to the day `judged_on` (UTC). A cap of None is the study's.
    `pause_reason` is what a paused rater is told. Where rules paused them, `pause_rules` lists these as
    {"rule", "limit", "found", "n"}, shares in percent, so that each is told in the rater's language.
    `offered` counts the pairs given out in the queue, so that each is drawn anew as rated, gold or repeated.
    `consent_version` is the newest consent that the rater gave, 0 for none.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="enrolments")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="enrolments", null=True, blank=True
    )
    code = models.CharField(max_length=100)
    state = models.CharField(max_length=10, choices=EnrolmentState.choices, default=EnrolmentState.ACTIVE)
    cursor = models.BigIntegerField(default=-1, editable=False)
    arrivals_seen = models.PositiveIntegerField(default=0, editable=False)
    judged = models.PositiveIntegerField(default=0, editable=False)
    revised = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    judged_today = models.PositiveIntegerField(default=0, editable=False)
    judged_on = models.DateField(null=True, editable=False)
    tilt = models.IntegerField(default=0, editable=False)
    cap_per_day = models.PositiveIntegerField(
        null=True, blank=True, help_text="Instead of the study's cap for one day (UTC). Empty: the study's."
    )
    cap_total = models.PositiveIntegerField(
        null=True, blank=True, help_text="Instead of the study's cap in all. Empty: the study's."
    )
    role = models.CharField(max_length=10, choices=EnrolmentRole.choices, default=EnrolmentRole.RATER)
    pause_reason = models.TextField(blank=True, editable=False)
    pause_rules = models.JSONField(default=list, editable=False)
    is_exempt = models.BooleanField(
        default=False, editable=False, help_text="No rule of quality pauses this rater."
    )
    offered = models.PositiveIntegerField(default=0, editable=False)
    practised_at = models.DateTimeField(null=True, editable=False)
    qualification = models.CharField(max_length=10, choices=Qualification.choices, blank=True, editable=False)
    consent_version = models.PositiveSmallIntegerField(default=0, editable=False)
    opted_out = models.JSONField(default=no_categories, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["study", "code"]
        constraints = [
            models.UniqueConstraint(fields=["study", "user"], name="enrolment_once_per_user"),
            models.UniqueConstraint(fields=["study", "code"], name="enrolment_code_once_per_study"),
            models.CheckConstraint(condition=~Q(code=""), name="enrolment_code_is_not_empty"),
            models.CheckConstraint(
                condition=Q(role__in=EnrolmentRole.values), name="enrolment_role_is_known"
            ),
            models.CheckConstraint(
                condition=Q(qualification__in=["", *Qualification.values]),
                name="enrolment_qualification_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.code
