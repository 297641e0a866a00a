"""Tokens for the API are made, used and revoked; writes under an idempotency key are answered once."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from annotation.errors import KeyInUse, TokenRefused
from annotation.models import ApiToken, KeptReply, User
from annotation.models.token import SHOWN, token_digest
from annotation.text import refuse_hidden
from annotation.vocabulary import TokenScope

PREFIX = "eh_"
SECRET_BYTES = 32
MOST_TOKENS = 50
USED_TO_THE = timedelta(hours=1)
KEPT_FOR = timedelta(hours=24)


def make_token(
    user: User, name: str, scopes: Collection[str], expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new token and its secret, which is nowhere kept. `expires_at` None is for ever.

    Raises TokenRefused for scopes that are none, a time that is over, and too many tokens at once.
    """
    refuse_hidden("The name", name)
    if not name.strip():
        raise TokenRefused("Give the token a name that says where it is used.")
    if not scopes or not set(scopes) <= set(TokenScope.values):
        raise TokenRefused(f"A token is for one or more of: {', '.join(TokenScope.values)}.")
    if expires_at is not None and expires_at <= timezone.now():
        raise TokenRefused("The token would be over before it begins. Choose a later time.")
    if ApiToken.objects.valid(timezone.now()).filter(user=user).count() >= MOST_TOKENS:
        raise TokenRefused(f"You have {MOST_TOKENS} tokens. Revoke those that are not used.")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    known = [scope for scope in TokenScope.values if scope in scopes]
    kept = {"digest": token_digest(secret), "start": secret[:SHOWN]}
    made = ApiToken.objects.create(user=user, name=name.strip(), scopes=known, expires_at=expires_at, **kept)
    return made, secret


def note_use(token: ApiToken, at: datetime | None = None) -> bool:
    """Keep when the token was used, to the hour: nobody waits for a write at every request."""
    at = at or timezone.now()
    if token.used_at and at - token.used_at < USED_TO_THE:
        return False
    long_ago = Q(used_at__isnull=True) | Q(used_at__lte=at - USED_TO_THE)
    return bool(ApiToken.objects.filter(long_ago, pk=token.pk).update(used_at=at))


def revoke_token(token: ApiToken, at: datetime | None = None) -> bool:
    """The token opens nothing from now on; False when it was revoked before."""
    lasting = ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True)
    return bool(lasting.update(revoked_at=at or timezone.now()))


# Replies ---------------------------------------------------------------------------------------------


def begin_reply(user: User, key: str, asked: str, at: datetime | None = None) -> tuple[KeptReply, bool]:
    """The reply kept under this key, and whether the write is still to be done by the caller.

    Raises KeyInUse where the key was sent with another request, or its write has not ended.
    """
    at = at or timezone.now()
    KeptReply.objects.filter(user=user, key=key, created_at__lt=at - KEPT_FOR).delete()
    try:
        with transaction.atomic():
            return KeptReply.objects.create(user=user, key=key, asked=asked), True
    except IntegrityError:
        kept = KeptReply.objects.filter(user=user, key=key).first()
    if kept is not None and kept.asked != asked:
        raise KeyInUse("This Idempotency-Key was sent with another request. Use a new one for each write.")
    if kept is None or kept.status is None:
        raise KeyInUse(
            "The write under this Idempotency-Key is under way, or was cut off. Look whether it was done "
            "before you send it again with another key."
        )
    return kept, False


def keep_reply(reply: KeptReply, status: int, body: str) -> None:
    """What the same request is answered again."""
    KeptReply.objects.filter(pk=reply.pk).update(status=status, body=body)


def forget_reply(reply: KeptReply) -> None:
    """The write was refused: the key may be used again."""
    KeptReply.objects.filter(pk=reply.pk, status=None).delete()


def drop_old_replies(at: datetime | None = None) -> int:
    """Forget what nobody asks for again; says how many."""
    gone, _ = KeptReply.objects.filter(created_at__lt=(at or timezone.now()) - KEPT_FOR).delete()
    return gone
