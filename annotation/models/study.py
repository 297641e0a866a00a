"""A study: one comparison of arms on one set of prompts, with its rules."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now

from annotation.vocabulary import GuidelineCondition, HarmCategory, PairingRule, StudyRole, StudyState


def default_harm_categories() -> list[str]:
    """The harm categories a new study starts with."""
    return list(HarmCategory.values)


def no_categories() -> list[str]:
    return []


def no_questions() -> list[dict]:
    return []


class StudyQuerySet(models.QuerySet):
    def kept(self) -> "StudyQuerySet":
        """Without those that were deleted, of which only the record is left."""
        return self.filter(deleted_at__isnull=True)

    def in_lists(self) -> "StudyQuerySet":
        """Without those that were archived, too."""
        return self.kept().filter(archived_at__isnull=True)

    def for_researcher(self, user) -> "StudyQuerySet":
        """The studies this person may see on the desk, each with their role in it as `my_role`.

        Staff who administer the installation act as an owner of every study.
        """
        if user.is_superuser:
            return self.kept().annotate(my_role=Value(StudyRole.OWNER.value))
        if not user.is_authenticated:
            return self.none()
        return self.kept().filter(memberships__user=user).annotate(my_role=F("memberships__role"))


class Study(models.Model):
    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    question = models.TextField(blank=True, help_text="What the study should answer, in a sentence.")
    state = models.CharField(max_length=10, choices=StudyState.choices, default=StudyState.DRAFT)
    overlap = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="How many raters judge each pair. Applies to pairs made from now on.",
    )
    allow_tie = models.BooleanField(default=True, help_text="Offer “about equal” on the pair questions.")
    matched_sampling = models.BooleanField(
        default=True, help_text="Refuse a run whose arms differ in sampling (temperature, length …)."
    )
    guideline_condition = models.CharField(
        max_length=20, choices=GuidelineCondition.choices, default=GuidelineCondition.POLICY_FREE
    )
    harm_categories = models.JSONField(default=default_harm_categories)
    lease_minutes = models.PositiveSmallIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(7 * 24 * 60)],
        help_text="How long a rater holds a pair before it returns to the queue.",
    )
    overlap_max = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Adaptive overlap: let pairs whose raters leave it open have up to so many. Empty: off.",
    )
    extra_budget = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="The most judgments that adaptive overlap may add in the whole study. Empty: no limit.",
    )
    cap_per_day = models.PositiveIntegerField(
        null=True, blank=True, help_text="The most pairs a rater judges on one day (UTC). Empty: no limit."
    )
    cap_total = models.PositiveIntegerField(
        null=True, blank=True, help_text="The most pairs a rater judges in the study. Empty: no limit."
    )
    gold_percent = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(50)],
        help_text="How many of 100 pairs are gold: their answer is known. Raters cannot tell them apart.",
    )
    repeat_percent = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(50)],
        help_text="How many of 100 pairs a rater meets a second time, with the sides swapped.",
    )
    gold_count = models.PositiveIntegerField(default=0, editable=False)
    practice_needed = models.BooleanField(default=False, help_text="Practice comes before the first pair.")
    quiz_pass_percent = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="How many of 100 quiz pairs must be right before the first pair. Empty: no quiz.",
    )
    quiz_attempts = models.PositiveSmallIntegerField(
        default=2, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    dispute_spread = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(6)],
        help_text="Pair answers so many steps apart are a dispute, as safe against unsafe always is.",
    )
    blurred_categories = models.JSONField(
        default=no_categories,
        blank=True,
        help_text="Harm categories whose prompts and answers are blurred until the rater reveals them.",
    )
    exposure_per_day = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The most pairs of blurred categories that a rater gets within 24 hours. Empty: no limit.",
    )
    break_minutes = models.PositiveSmallIntegerField(
        default=50,
        validators=[MinValueValidator(5), MaxValueValidator(240)],
        help_text="After so many minutes at a stretch the page suggests a break.",
    )
    resources = models.TextField(
        blank=True, help_text="Whom raters can turn to and what helps, in Markdown; raters see it any time."
    )
    seed = models.BigIntegerField(default=20250809, help_text="All of the study's randomness comes from it.")
    pair_count = models.PositiveIntegerField(default=0, editable=False)
    arrivals = models.PositiveIntegerField(
        default=0, editable=False, help_text="How often pairs came in; raters then look from the start again."
    )
    consent_version = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="The consent that raters must have given; 0 asks for none."
    )
    pairing = models.CharField(
        max_length=10,
        choices=PairingRule.choices,
        default=PairingRule.ALL,
        help_text="Which arms meet in pairs. Applies to pairs made from now on.",
    )
    further_questions = models.JSONField(
        default=no_questions,
        blank=True,
        editable=False,
        help_text="Asked under the others: see `annotation.further`. Fixed from the first judgment on.",
    )
    archived_at = models.DateTimeField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    forked_from = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="forks", null=True, editable=False
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = StudyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name_plural = "studies"
        constraints = [
            models.CheckConstraint(condition=Q(overlap__gte=1), name="study_overlap_at_least_one"),
            models.CheckConstraint(condition=Q(lease_minutes__gte=1), name="study_lease_at_least_a_minute"),
            models.CheckConstraint(
                condition=Q(overlap_max__isnull=True) | Q(overlap_max__gte=F("overlap")),
                name="study_overlap_max_at_least_overlap",
            ),
            models.CheckConstraint(
                condition=Q(exposure_per_day__isnull=True) | Q(exposure_per_day__gte=1),
                name="study_exposure_at_least_one",
            ),
            models.CheckConstraint(condition=Q(state__in=StudyState.values), name="study_state_is_known"),
            models.CheckConstraint(
                condition=Q(pairing__in=PairingRule.values), name="study_pairing_is_known"
            ),
            models.CheckConstraint(
                condition=Q(archived_at__isnull=True) | ~Q(state=StudyState.OPEN),
                name="study_archived_is_not_open",
            ),
            models.CheckConstraint(
                condition=Q(gold_percent__lte=50, repeat_percent__lte=50), name="study_most_pairs_are_rated"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def pairs_shown(self) -> int:
        """How many pairs a rater is told of: with gold and repeated ones, as many for every rater.

        About right and no more than that: exact numbers would tell when something was mixed in.
        """
        gold = min(self.gold_count, round(self.pair_count * self.gold_percent / 100))
        return self.pair_count + gold + round(self.pair_count * self.repeat_percent / 100)

    @property
    def is_open(self) -> bool:
        return self.state == StudyState.OPEN

    @property
    def takes_answers(self) -> bool:
        """Whether what raters hold still counts when they send it: a pause only gives out nothing new."""
        return self.state in (StudyState.OPEN, StudyState.PAUSED)

    def allows(self, role: StudyRole) -> bool:
        """Whether the person for whom `for_researcher` found this study may do what `role` may."""
        return getattr(self, "my_role", "") in role.and_above

    @property
    def may_change(self) -> bool:
        """For pages: whether to show whoever looks what changes the study."""
        return self.allows(StudyRole.EDITOR)

    @property
    def may_own(self) -> bool:
        """For pages: whether to show whoever looks what is an owner's."""
        return self.allows(StudyRole.OWNER)


class ExtraSlots(models.Model):
    """How many slots adaptive overlap has opened in a study, never beyond its budget (trigger
    `extra_slots_within_budget`).

    A row of its own, so that a submission that counts one waits for nobody who holds the study.
    """

    study = models.OneToOneField(
        Study, on_delete=models.PROTECT, related_name="extra_slots", primary_key=True
    )
    opened = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.study.slug}: {self.opened} more"


class GuidelineVersion(models.Model):
    """One wording of what raters are asked to do; never edited, only followed by the next."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="guidelines")
    version = models.PositiveSmallIntegerField()
    body = models.TextField(help_text="Markdown.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["study", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["study", "version"], name="guideline_version_once_per_study"),
        ]

    def __str__(self) -> str:
        return f"{self.study.slug} guideline {self.version}"
