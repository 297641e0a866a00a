"""Deliveries of webhooks: whether they come from Evenhand, and are whole and recent."""

import base64
import hmac
import json
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

TOLERANCE = 300.0
"""Seconds that clocks may differ; an older delivery may be one that somebody has kept and sends again."""


class BadSignature(Exception):
    """The delivery was not signed with this secret, was changed, or is too old."""


def read_delivery(
    secret: str, headers: Mapping[str, str], body: bytes, now: float | None = None
) -> dict[str, Any]:
    """What is told, with `type`, `timestamp` and `data`. Raises BadSignature.

    `headers` by lower-case names. The `webhook-id` stays the same when a delivery comes again: remember it.
    """
    try:
        message, stamp, given = (headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        age = abs((time.time() if now is None else now) - int(stamp))
    except (KeyError, ValueError) as error:
        raise BadSignature("The three headers of a signed delivery are not there.") from error
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, f"{message}.{stamp}.".encode() + body, sha256).digest())
    signatures = [part.removeprefix("v1,").encode() for part in given.split(" ") if part.startswith("v1,")]
    if not any(hmac.compare_digest(expected, signature) for signature in signatures):
        raise BadSignature("The signature is not of this body and secret.")
    if age > TOLERANCE:
        raise BadSignature("The delivery is too old.")
    told: dict[str, Any] = json.loads(body)
    return told
