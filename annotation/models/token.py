"""Keys to the API, and what its writes were answered."""

from datetime import datetime
from hashlib import sha256
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from annotation.vocabulary import TokenScope

SHOWN = 8
"""Characters of a token that are kept, so that its owner tells it from others."""


def token_digest(secret: str) -> str:
    """What is kept of a token. It is long and random, so one round of SHA-256 cannot be guessed back."""
    return sha256(secret.encode()).hexdigest()


class TokenQuerySet(models.QuerySet):
    def valid(self, at: datetime) -> Self:
        """Those that open something at that moment."""
        lasting = Q(expires_at__isnull=True) | Q(expires_at__gt=at)
        return self.filter(lasting, revoked_at__isnull=True, user__is_active=True)


class ApiToken(models.Model):
    """What a program sends to be let in as a person, for some `scopes` and until `expires_at`.

    Only a digest is kept, and the first characters. `used_at` is kept to the hour.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    start = models.CharField(max_length=SHOWN, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = TokenQuerySet.as_manager()

    class Meta:
        ordering = ["user", "-pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(scopes=[]), name="token_has_a_scope"),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")),
                name="token_expires_after_it_was_made",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} token {self.name}"

    def may(self, scope: str) -> bool:
        """Whether the token was made for this, too."""
        return scope in self.scopes

    @property
    def scope_labels(self) -> list[str]:
        return [str(TokenScope(scope).label) for scope in self.scopes]


class KeptReply(models.Model):
    """What a write under an idempotency key was answered, so that the same is answered again.

    `status` is null while the write is under way. `asked` is a digest of the request.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    asked = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="reply_once_per_key"),
        ]
        indexes = [models.Index(fields=["created_at"], name="reply_by_age")]

    def __str__(self) -> str:
        return f"{self.user} reply {self.key}"
