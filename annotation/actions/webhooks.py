"""Addresses are told what happened in a study, signed, and again until they have heard.

The form is that of Standard Webhooks (standardwebhooks.com, version 1): `webhook-id`, `webhook-timestamp` and
`webhook-signature`, an HMAC-SHA256 over them and the body with the address's own secret. What is to be told
is written in the transaction in which it happens; sending is for later, outside of any.
"""

import base64
import hmac
import json
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic

import httpx2 as httpx
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from annotation.actions import events
from annotation.errors import WebhookRefused
from annotation.models import Delivery, Study, User, Webhook
from annotation.models.webhook import LONGEST_URL
from annotation.text import refuse_hidden, storable
from annotation.vocabulary import DeliveryState, WebhookEvent
from models_runtime.addresses import AddressRefused, Allowed, GuardedTransport, refuse_address
from models_runtime.endings import ending_after

PREFIX = "whsec_"
SECRET_BYTES = 32
MOST_WEBHOOKS = 20
HOSTS_VARIABLE = "WEBHOOK_PRIVATE_HOSTS"
WAITS = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1_800, 7_200, 18_000, 36_000))
"""Before the second attempt, the third, and so on: a day in all."""

MOST_ATTEMPTS = len(WAITS) + 1
MOST_FAILURES = 24
"""Attempts that fail in a row, over all deliveries, before an address is switched off."""

SECONDS = 10.0
"""For one step: to connect, to send, to hear something."""

SECONDS_IN_ALL = 20.0
QUICK = 1.0
SHARE = 10
"""An address that takes longer than QUICK has one part in SHARE of a worker's time: others have the rest."""

LONGEST_TOLD = 300
GONE = 410


def make_webhook(study: Study, url: str, told: Collection[str], actor: User | None = None) -> Webhook:
    """An address that is told of these events from now on. Raises WebhookRefused."""
    url = _checked(url)
    told = _known(told)
    if study.webhooks.count() >= MOST_WEBHOOKS:
        raise WebhookRefused(f"A study tells at most {MOST_WEBHOOKS} addresses. Remove one first.")
    secret = PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    try:
        with transaction.atomic():
            made = study.webhooks.create(url=url, events=told, secret=secret, created_by=actor)
            events.record(study, "make_webhook", actor, webhook=made.pk, url=url, events=told)
    except IntegrityError as error:
        raise WebhookRefused("This study tells that address already. Change what it is told.") from error
    return made


@transaction.atomic
def change_webhook(
    webhook: Webhook, told: Collection[str] | None = None, on: bool | None = None, actor: User | None = None
) -> None:
    """Tell the address of other events, switch it off, or on again, which forgets its failures."""
    changes: dict = {} if told is None else {"events": _known(told)}
    if on is not None:
        changes |= {"off_reason": "" if on else "Switched off by a researcher.", "failures": 0}
    if changes:
        Webhook.objects.filter(pk=webhook.pk).update(**changes)
        webhook.refresh_from_db()
        what = {"webhook": webhook.pk, "events": webhook.events, "on": webhook.is_on}
        events.record(webhook.study, "change_webhook", actor, **what)


@transaction.atomic
def remove_webhook(webhook: Webhook, actor: User | None = None) -> None:
    """The address hears nothing more; what it was told is forgotten with it."""
    events.record(webhook.study, "remove_webhook", actor, webhook=webhook.pk, url=webhook.url)
    webhook.delete()


def _known(told: Collection[str]) -> list[str]:
    if not told or not set(told) <= set(WebhookEvent.values):
        raise WebhookRefused(f"Choose one or more events of: {', '.join(WebhookEvent.values)}.")
    return [event for event in WebhookEvent.values if event in told]


def _checked(url: str) -> str:
    """The address, if it is one to be told. What a name leads to is looked at when it is told something."""
    refuse_hidden("The address", url)
    try:
        read = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise WebhookRefused(f"This is no address ({error}). Write it as https://host/path.") from error
    if read.scheme not in ("http", "https") or not read.host or len(url) > LONGEST_URL:
        raise WebhookRefused(f"Write the address as https://host/path, up to {LONGEST_URL} characters.")
    if read.userinfo or read.fragment:
        raise WebhookRefused("Leave names, passwords and “#…” out of the address: it is shown to others.")
    try:
        refuse_address(str(read), allowed())
    except AddressRefused as error:
        raise WebhookRefused(str(error)) from error
    return str(read)


def allowed() -> Allowed:
    """The private hosts that may be told something."""
    return Allowed.read(settings.WEBHOOK_PRIVATE_HOSTS, HOSTS_VARIABLE)


# Sending ---------------------------------------------------------------------------------------------


def send(delivery_id: int, at: datetime | None = None) -> bool | None:
    """Try a delivery once; None when it is not due, or somebody else is at it.

    The next attempt is set before this one begins, so that a worker that dies loses nothing.
    """
    at = at or timezone.now()
    delivery = Delivery.objects.due(at).select_related("webhook").filter(pk=delivery_id).first()
    if delivery is None or not _claimed(delivery, at):
        return None
    began = monotonic()
    status, failure = _posted(delivery, at)
    taken = monotonic() - began
    if failure:
        _note_failure(delivery, status, failure)
    else:
        _note_received(delivery, status)
    if taken > QUICK:
        _let_others_go_first(delivery.webhook, at + timedelta(seconds=taken * SHARE))
    return not failure


def _let_others_go_first(webhook: Webhook, until: datetime) -> None:
    waiting = Delivery.objects.filter(webhook=webhook, state=DeliveryState.WAITING, next_at__lt=until)
    waiting.update(next_at=until)


def _claimed(delivery: Delivery, at: datetime) -> bool:
    wait = WAITS[min(delivery.attempts, len(WAITS) - 1)]
    as_it_was = Delivery.objects.filter(
        pk=delivery.pk, state=DeliveryState.WAITING, attempts=delivery.attempts, next_at=delivery.next_at
    )
    delivery.attempts += 1
    return bool(as_it_was.update(attempts=delivery.attempts, next_at=at + wait))


def _posted(delivery: Delivery, at: datetime) -> tuple[int | None, str]:
    """The status that came back, and why that is no receipt, "" where it is one."""
    body = json.dumps(delivery.body, separators=(",", ":"), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "Evenhand-Webhooks"}
    headers |= signed(delivery.webhook.secret, str(delivery.message), int(at.timestamp()), body)
    try:
        with (
            httpx.Client(transport=GuardedTransport(allowed()), timeout=SECONDS) as client,
            ending_after(SECONDS_IN_ALL) as extensions,
            client.stream(
                "POST", delivery.webhook.url, content=body, headers=headers, extensions=extensions
            ) as reply,
        ):
            return reply.status_code, _why_not(reply.status_code)
    except AddressRefused as error:
        return None, str(error)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return None, f"It did not answer ({type(error).__name__}: {error})."


def _why_not(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"It answered with a redirect ({status}), and redirects are not followed."
    return f"It answered with status {status}."


def signed(secret: str, message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers by which a receiver knows who sent this, when, and that it is whole."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    content = f"{message}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, content, sha256).digest()).decode()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


@transaction.atomic
def _note_received(delivery: Delivery, status: int | None) -> None:
    done = {"state": DeliveryState.DONE, "last_status": status, "last_error": ""}
    Delivery.objects.filter(pk=delivery.pk).update(**done, finished_at=timezone.now())
    Webhook.objects.filter(pk=delivery.webhook_id).update(failures=0)


@transaction.atomic
def _note_failure(delivery: Delivery, status: int | None, failure: str) -> None:
    told = {"last_status": status, "last_error": storable(failure)[:LONGEST_TOLD]}
    if delivery.attempts >= MOST_ATTEMPTS or status == GONE:
        told |= {"state": DeliveryState.FAILED, "finished_at": timezone.now()}
    Delivery.objects.filter(pk=delivery.pk).update(**told)
    Webhook.objects.filter(pk=delivery.webhook_id).update(failures=F("failures") + 1)
    if status == GONE:
        _switch_off(delivery.webhook, "It answered that it is gone (status 410).")
    elif delivery.webhook.failures + 1 >= MOST_FAILURES:
        _switch_off(delivery.webhook, f"{MOST_FAILURES} attempts in a row failed; at last: {failure}")


def _switch_off(webhook: Webhook, reason: str) -> None:
    on = Webhook.objects.filter(pk=webhook.pk, off_reason="")
    if on.update(off_reason=storable(reason)[: 2 * LONGEST_TOLD]):
        events.record(webhook.study, "switch_off_webhook", webhook=webhook.pk, reason=storable(reason))


@transaction.atomic
def resend(delivery: Delivery, actor: User | None = None) -> Delivery:
    """Tell it again, under the same name, as if it had never been tried. Raises WebhookRefused."""
    if not Webhook.objects.filter(pk=delivery.webhook_id, off_reason="").exists():
        raise WebhookRefused("The address is switched off. Switch it on first.")
    again = {"state": DeliveryState.WAITING, "attempts": 0, "next_at": timezone.now(), "finished_at": None}
    Delivery.objects.filter(pk=delivery.pk).update(**again)
    webhook = delivery.webhook
    events.record(webhook.study, "resend_delivery", actor, webhook=webhook.pk, delivery=delivery.pk)
    delivery.refresh_from_db()
    return delivery
