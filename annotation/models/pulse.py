"""What is counted about a study from time to time, so that its pages need not count."""

from django.db import models

from annotation.models.enrolment import Enrolment
from annotation.models.study import Study


class Pulse(models.Model):
    """The study's numbers as they were at `taken_at`; `body` is `reports.running.Counted` as JSON text.

    One row a study, written anew: of a large study the numbers take seconds to count, and a page must not
    wait for them.
    """

    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="pulse", primary_key=True)
    taken_at = models.DateTimeField()
    seconds = models.FloatField(help_text="How long the counting took.")
    body = models.TextField()
    signals_at = models.DateTimeField(null=True, help_text="When the raters' signals were last counted.")
    signals_seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"pulse of {self.study.slug}"


class RaterPulse(models.Model):
    """A rater's signals as they were counted last, as JSON text: see `reports.quality.signals_as_json`."""

    enrolment = models.OneToOneField(
        Enrolment, on_delete=models.CASCADE, related_name="pulse", primary_key=True
    )
    body = models.TextField()

    def __str__(self) -> str:
        return f"pulse of {self.enrolment}"
