"""How people come into a study: what they agree to, the links that invite them, and who came by which."""

import hashlib

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from annotation.models.enrolment import Enrolment
from annotation.models.study import Study

LONGEST_ID = 200

IMPORTED = "imported"
"""The cohort of raters who came with an import."""


def cohort(link_label: str | None, is_account: bool) -> str:
    """Which group of a study's raters somebody is in: the label of the link they came by, "" for those whom a
    researcher enrolled, or IMPORTED."""
    if link_label is not None:
        return link_label
    return "" if is_account else IMPORTED


def digest(secret: str) -> str:
    """What is kept of a secret. It is long and random, so one round of SHA-256 cannot be guessed back."""
    return hashlib.sha256(secret.strip().lower().encode()).hexdigest()


class ConsentVersion(models.Model):
    """One wording of what raters agree to; never edited, only followed by the next.

    `Study.consent_version` is the number of the newest, 0 where the study asks for no consent.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="consent_versions")
    version = models.PositiveSmallIntegerField()
    warning = models.TextField(blank=True, help_text="What raters may meet, said before anything. Markdown.")
    body = models.TextField(help_text="What raters agree to. Markdown.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["study", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["study", "version"], name="consent_version_once_per_study"),
            models.CheckConstraint(condition=Q(version__gte=1), name="consent_version_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.study.slug} consent {self.version}"


class Consent(models.Model):
    """That a rater agreed to one version (append-only: trigger `consent_is_append_only`)."""

    enrolment = models.ForeignKey(Enrolment, on_delete=models.PROTECT, related_name="consents")
    version = models.ForeignKey(ConsentVersion, on_delete=models.PROTECT, related_name="consents")
    given_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["enrolment", "version"], name="consent_once_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.enrolment} · {self.version}"


class InvitationLink(models.Model):
    """An address that lets people into a study. Only a digest of its secret is kept.

    Where `person_parameter` is set, the link is for a crowd platform, which adds that parameter to the
    address with its own name for the person; `study_parameter` and `session_parameter` likewise.
    `completion_url` is where people go when they are done, `completion_code` what they give there.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="links")
    label = models.CharField(max_length=100)
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    uses_max = models.PositiveIntegerField(null=True, blank=True)
    uses = models.PositiveIntegerField(default=0, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    person_parameter = models.CharField(max_length=50, blank=True)
    study_parameter = models.CharField(max_length=50, blank=True)
    session_parameter = models.CharField(max_length=50, blank=True)
    platform_study = models.CharField(max_length=LONGEST_ID, blank=True)
    completion_code = models.CharField(max_length=100, blank=True)
    completion_url = models.CharField(max_length=1000, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["study", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(uses_max__isnull=True) | Q(uses__lte=F("uses_max")), name="link_uses_within_most"
            ),
            models.CheckConstraint(
                condition=Q(completion_url="")
                | Q(completion_url__startswith="https://")
                | Q(completion_url__startswith="http://"),
                name="link_completion_url_is_http",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study.slug} link {self.label}"

    @property
    def is_of_platform(self) -> bool:
        return bool(self.person_parameter)

    @property
    def completes(self) -> bool:
        """Whether people who are done get a code or an address."""
        return bool(self.completion_code or self.completion_url)


class Arrival(models.Model):
    """That a person came by a link, and the only table that knows a platform's name for them.

    Reports and exports read the label of the link and nothing else of it. `return_digest` is of the code with
    which the person comes back from another browser: knowing somebody's `person` opens nothing.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="arrivals_by_link")
    link = models.ForeignKey(InvitationLink, on_delete=models.PROTECT, related_name="arrivals")
    enrolment = models.OneToOneField(Enrolment, on_delete=models.PROTECT, related_name="arrival")
    person = models.CharField(max_length=LONGEST_ID, blank=True)
    session = models.CharField(max_length=LONGEST_ID, blank=True)
    return_digest = models.CharField(max_length=64, unique=True)
    completed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "person"], condition=~Q(person=""), name="arrival_once_per_person"
            ),
        ]

    def __str__(self) -> str:
        return f"arrival {self.pk} by {self.link}"
