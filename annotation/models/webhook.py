"""Where a study tells that something happened, and what was told."""

import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.study import Study
from annotation.vocabulary import DeliveryState

LONGEST_URL = 1000


class Webhook(models.Model):
    """An address that is told of a study's `events`, each delivery signed with `secret`.

    The secret has to be kept as it is: it signs. `failures` counts attempts that failed in a row, over
    all deliveries; with too many the address is switched off, and `off_reason` says so.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=LONGEST_URL)
    events = models.JSONField(default=list)
    secret = models.CharField(max_length=100, editable=False)
    failures = models.PositiveSmallIntegerField(default=0, editable=False)
    off_reason = models.TextField(blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["study", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["study", "url"], name="webhook_once_per_address"),
            models.CheckConstraint(condition=~Q(events=[]), name="webhook_has_an_event"),
        ]

    def __str__(self) -> str:
        return f"{self.study.slug} webhook {self.url}"

    @property
    def is_on(self) -> bool:
        return not self.off_reason


class DeliveryQuerySet(models.QuerySet):
    def due(self, at: datetime) -> Self:
        """Those to send now; one that was being sent when its worker died is due again."""
        return self.filter(state=DeliveryState.WAITING, next_at__lte=at, webhook__off_reason="")


class Delivery(models.Model):
    """One thing that one address is told. `message` names it to the receiver, the same in every attempt.

    `next_at` is when it is tried next; whoever sends it moves that first, so that one worker sends it.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    message = models.UUIDField(default=uuid.uuid4, editable=False)
    event = models.CharField(max_length=50)
    body = models.JSONField()
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["message"], name="delivery_message_once"),
            models.CheckConstraint(
                condition=Q(state__in=DeliveryState.values), name="delivery_state_is_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"], condition=Q(state=DeliveryState.WAITING), name="delivery_waiting_by_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook.url}"
