"""What happened, when, by whom."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.study import Study

OF_JUDGING = ("submit_judgment", "revise_judgment")
"""Verbs of raters, of which there are as many as judgments; the index by verb is for all others."""


class EventQuerySet(models.QuerySet):
    def of_desk(self) -> "EventQuerySet":
        """Without those of judging. Whoever looks for a beginning of verbs says so, for the index by verb."""
        return self.exclude(verb__in=OF_JUDGING)


class Event(models.Model):
    """Append-only (trigger `event_is_append_only`). `verb` is the name of the action that recorded it."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="events", db_index=False)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    verb = models.CharField(max_length=50)
    detail = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["study", "created_at"], name="event_by_study_and_time"),
            models.Index(
                fields=["study", "verb", "-id"],
                condition=~Q(verb__in=OF_JUDGING),
                name="event_of_the_desk_by_verb",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.created_at:%Y-%m-%d %H:%M}"
