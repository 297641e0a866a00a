"""What every kind of batch has: a row that one worker holds at a time, by a claim with a lease."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.vocabulary import BatchState


class ClaimedQuerySet(models.QuerySet):
    def waiting(self) -> Self:
        """Batches that a worker may claim."""
        return self.filter(state=BatchState.QUEUED)

    def stale(self, at: datetime) -> Self:
        """Claimed batches whose worker has not renewed its lease by `at`."""
        return self.filter(state=BatchState.CLAIMED, lease_until__lt=at)


class ClaimedBatch(models.Model):
    """Requests that one worker takes through one model together; `actions.leases` moves it.

    A batch is waiting because its row says `queued`; they take turns by `number`.
    """

    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=BatchState.choices, default=BatchState.QUEUED)
    worker = models.CharField(max_length=200, blank=True)
    claim = models.UUIDField(null=True, help_text="Names one attempt; a worker that lost it records nothing.")
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)

    objects = ClaimedQuerySet.as_manager()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=Q(state__in=BatchState.values), name="%(class)s_state_is_known"),
            models.CheckConstraint(
                condition=~Q(state=BatchState.CLAIMED) | Q(lease_until__isnull=False, claim__isnull=False),
                name="%(class)s_claimed_has_a_lease",
            ),
        ]
        indexes = [models.Index(fields=["state", "lease_until"], name="%(class)s_by_lease")]


class AskedFor(ClaimedBatch):
    """Work that somebody asked for, and that a worker claims like a batch."""

    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    asked_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(ClaimedBatch.Meta):
        abstract = True
