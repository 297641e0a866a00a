"""The plain judgment is answered before Django makes a request of it.

One statement keeps it and claims the next pair. No session, language or cookie has a part in it, since the
token says who it is; so of what middleware does, only what a page needs is left out. Whatever is not plain
goes the long way, untouched: to the middleware and to `api.rating.judge`, which also say what is wrong.
"""

import re
from collections.abc import Callable, Iterable
from io import BytesIO
from time import perf_counter

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from rest_framework.exceptions import ValidationError

from annotation import counters, requests, strict_json
from annotation.actions import short_cut
from annotation.api.rating import JUST_KEPT, LONGEST_KEY, answers_from
from annotation.api.tokens import KEYWORDS
from annotation.requests import ID_HEADER, request_id

ROUTE = "api/v1/assignments/<uuid:token>/judgment"
PATH = re.compile(r"/api/v1/assignments/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/judgment")
JSON = "application/json"
TAKES = (JSON, "*/*", f"{JSON}, */*", f"{JSON}, text/plain, */*")
HEADERS = [
    ("Content-Type", JSON),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", settings.SECURE_REFERRER_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", settings.X_FRAME_OPTIONS),
]
"""What the middleware says of each answer, for one that is never a page."""

NAMED = "HTTP_X_REQUEST_ID"
"""What a proxy calls the request, as WSGI brings it."""


class Straight:
    """The WSGI application `others`, but for judgments that are plain."""

    def __init__(self, others: Callable[[dict, Callable], Iterable[bytes]]):
        self.others = others

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST" or not (found := PATH.fullmatch(environ["PATH_INFO"])):
            return self.others(environ, start_response)
        name = environ[NAMED] = requests.id_of(environ.get(NAMED, ""))  # the long way keeps it
        mark = request_id.set(name)
        try:
            reply = answer(environ, found[1])
        finally:
            request_id.reset(mark)
        if reply is None:
            return self.others(environ, start_response)
        about = [*_of_https(environ), (ID_HEADER, name), ("Content-Length", str(len(reply)))]
        start_response("201 Created", [*HEADERS, *about])
        return [reply]


def answer(environ: dict, hold: str) -> bytes | None:
    """The reply to a plain judgment of this hold, which is kept then; None for all else, which is as it was.

    JUST_KEPT in `environ` says that the judgment is kept and only the next pair is still to be claimed.
    """
    started = perf_counter()
    reply = _judged(environ, hold) if _is_plain(environ) else None
    if reply is not None:
        seconds = perf_counter() - started
        counters.note_request("POST", ROUTE, 201, seconds)
        requests.tell("POST", ROUTE, 201, seconds)
    return reply


def _is_plain(environ: dict) -> bool:
    """Whether it comes to a name of ours, by HTTPS where that is asked for, and brings a key and JSON and
    takes JSON."""
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    return (
        kind == JSON
        and environ.get("HTTP_ACCEPT", "*/*") in TAKES
        and not environ.get("QUERY_STRING")
        and 0 < len(environ.get("HTTP_IDEMPOTENCY_KEY", "")) <= LONGEST_KEY
        and not settings.USE_X_FORWARDED_HOST
        and (_is_https(environ) or not settings.SECURE_SSL_REDIRECT)
        and validate_host(split_domain_port(environ.get("HTTP_HOST", ""))[0], settings.ALLOWED_HOSTS)
    )


def _is_https(environ: dict) -> bool:
    """As a request's `is_secure` finds it."""
    if settings.SECURE_PROXY_SSL_HEADER:
        header, secure = settings.SECURE_PROXY_SSL_HEADER
        if header in environ:
            return environ[header].partition(",")[0].strip() == secure
    return environ.get("wsgi.url_scheme") == "https"


def _of_https(environ: dict) -> list[tuple[str, str]]:
    """What `SecurityMiddleware` adds where HTTPS brought the request."""
    if not settings.SECURE_HSTS_SECONDS or not _is_https(environ):
        return []
    subdomains = "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
    return [("Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}{subdomains}")]


def _judged(environ: dict, hold: str) -> bytes | None:
    word, _, secret = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if word not in KEYWORDS:
        return None
    try:
        body = strict_json.read(_body(environ).decode())
        answers = answers_from(body)
    except (ValueError, ValidationError):
        return None
    if body.get("claim_next") is not True:
        return None
    following = short_cut.judge_and_claim(secret, hold, answers, environ["HTTP_IDEMPOTENCY_KEY"])
    if following == short_cut.KEPT:  # the long way finds them by their key and goes on
        environ[JUST_KEPT] = True
    if following is None or following == short_cut.KEPT:
        return None
    return f'{{"id":"{hold}","revision":1,"surplus":false,"next":{following}}}'.encode()


def _body(environ: dict) -> bytes:
    """All of it, and it can be read again. Raises ValueError where its size is none, or others' to refuse."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if not 0 < size <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise ValueError(size)
    body = environ["wsgi.input"].read(size)
    environ["wsgi.input"] = BytesIO(body)
    return body
