"""When to suggest a break.

Since when somebody is at work stands in a cookie of their own browser and nowhere else: it is for them,
nobody looks at it, and the rating path writes no row for it.
"""

import re
import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse

COOKIE = "at_work"
REST = 10 * 60
"""Seconds without a page after which somebody has rested."""


def is_due(request: HttpRequest, minutes: int) -> bool:
    """Whether the person has been at work for so many minutes at a stretch."""
    return time.time() - _since(request) >= 60 * minutes


def note_work(request: HttpRequest, reply: HttpResponse) -> None:
    """Remember that the person is at work now."""
    reply.set_cookie(
        COOKIE,
        f"{_since(request)}.{int(time.time())}",
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )


def start_anew(reply: HttpResponse) -> None:
    """Count from the next page on."""
    reply.delete_cookie(COOKIE, samesite="Lax")


def _since(request: HttpRequest) -> int:
    """When the person began, in seconds; now, where they rested or the cookie says nothing sensible."""
    now = int(time.time())
    found = re.fullmatch(r"(\d{1,12})\.(\d{1,12})", request.COOKIES.get(COOKIE, ""))
    since, last = map(int, found.groups()) if found else (now, now)
    return since if since <= last <= now and now - last < REST else now
