"""What a request is called, and its line in the log, whichever way it is answered."""

import logging
import re
import uuid
from contextvars import ContextVar

ID_HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered; each line of the log tells it."""

log = logging.getLogger("annotation.requests")


def id_of(given: str) -> str:
    """What the proxy calls the request, if that is a plain word; else a new id."""
    return given if WELL_FORMED.fullmatch(given) else uuid.uuid4().hex


def tell(method: str, route: str, status: int, seconds: float) -> None:
    """One line about one answer. `route` is a pattern of the address map."""
    told = {"method": method, "route": route, "status": status, "milliseconds": round(seconds * 1000, 1)}
    log.info("answered", extra=told)
