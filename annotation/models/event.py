"""What happened, when, by whom; and the seals that prove that nobody rewrote it."""

from datetime import UTC, datetime

from django.conf import settings
from django.db import connections, models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.study import Study

OF_JUDGING = ("submit_judgment", "revise_judgment")
"""The verbs of raters at work: nearly all events of a large study."""

OF_NO_RESULT = (
    *("freeze_snapshot", "freeze_snapshot_asked", "freeze_snapshot_stopped", "freeze_snapshot_failed"),
    *("dataset_asked", "dataset_made", "dataset_stopped", "report_asked", "report_made", "report_failed"),
    *(
        "push_to_hub",
        "push_to_hub_asked",
        "push_to_hub_failed",
        "rehearse",
        "dry_run",
        "ask_trial",
        "try_arm",
    ),
    *("start_training", "stop_training", "resume_training", "fork_study"),
    *("add_member", "set_role", "remove_member", "invite_member", "accept_invitation", "withdraw_invitation"),
    *("make_webhook", "change_webhook", "remove_webhook", "switch_off_webhook", "resend_delivery"),
)
"""The verbs that leave every number of the results as it was: they take data out, or concern other things."""


class EventQuerySet(models.QuerySet):
    """Events have one order: by time and number. On SQLite, which lets one write at a time and keeps fewer
    digits of a time than it is asked with, by number alone."""

    def in_order(self) -> "EventQuerySet":
        """Oldest first, as they are sealed."""
        return self.order_by(*self._order)

    def newest_first(self) -> "EventQuerySet":
        return self.order_by(*(f"-{name}" for name in self._order))

    def after(self, at: datetime, pk: int) -> "EventQuerySet":
        """Those behind this place of the order."""
        if len(self._order) == 1:
            return self.filter(pk__gt=pk)
        # The first condition says nothing new, but an index finds by it.
        return self.filter(created_at__gte=at).filter(Q(created_at__gt=at) | Q(pk__gt=pk))

    def before(self, at: datetime, pk: int) -> "EventQuerySet":
        """Those in front of this place of the order."""
        if len(self._order) == 1:
            return self.filter(pk__lt=pk)
        return self.filter(created_at__lte=at).filter(Q(created_at__lt=at) | Q(pk__lt=pk))

    def up_to(self, at: datetime, pk: int) -> "EventQuerySet":
        """Those in front of this place of the order, and the one there."""
        return self.before(at, pk + 1)

    @property
    def _order(self) -> tuple[str, ...]:
        return ("pk",) if connections[self.db].vendor == "sqlite" else ("created_at", "pk")

    def of_no_result(self) -> "EventQuerySet":
        """What the results do not hang on. Quick by the index by verb."""
        return self.without_judging().filter(verb__in=OF_NO_RESULT)

    def without_judging(self) -> "EventQuerySet":
        """What changed the study, without the raters' work in it. Whoever looks for the beginning of a verb
        says so, too, for the index by verb."""
        return self.exclude(verb__in=OF_JUDGING)


class Event(models.Model):
    """Append-only (trigger `event_is_append_only`). `verb` is the name of the action that recorded it."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="events", db_index=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, db_index=False
    )
    verb = models.CharField(max_length=50)
    detail = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["study", "created_at"], name="event_by_study_and_time"),
            # A judgment writes nothing into these; the record of a large study is found by the first, and its
            # last event of a kind by the second.
            models.Index(
                fields=["study", "created_at", "id"],
                condition=~Q(verb__in=OF_JUDGING),
                name="event_without_judging",
            ),
            models.Index(
                fields=["study", "verb", "-id"],
                condition=~Q(verb__in=OF_JUDGING),
                name="event_of_the_desk_by_verb",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.created_at:%Y-%m-%d %H:%M}"

    def sealed_form(self) -> dict:
        """What of an event is sealed: all of it."""
        return {
            "id": self.pk,
            "study": self.study_id,
            "actor": self.actor_id,
            "verb": self.verb,
            "detail": self.detail,
            "at": self.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
        }


class Seal(models.Model):
    """The state of a study's chain of events after one more part of it (docs/decisions/audit.md).

    Append-only (trigger `seal_is_append_only`). It covers the events behind the seal before it, up to
    `through_at` and `through_event`, in the order of `EventQuerySet.in_order`. `digest` is the hash of the
    last of them; `marks` holds the first bytes of the hash of each.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="seals", db_index=False)
    number = models.PositiveIntegerField()
    events = models.PositiveIntegerField()
    through_at = models.DateTimeField()
    through_event = models.BigIntegerField()
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    marks = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["study", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="seal_number_once_per_study"),
            models.CheckConstraint(condition=Q(number__gte=1, events__gte=1), name="seal_covers_something"),
        ]

    def __str__(self) -> str:
        return f"seal {self.number}"
