"""The entry point answers whatever a client sends."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from io import BytesIO
from wsgiref.util import setup_testing_defaults

import pytest
from django.db import connection

from annotation import wsgi
from annotation.actions.claims import claim_next_pair
from annotation.models import Judgment
from annotation.requests import request_id
from annotation.watch.logs import Who
from annotation.wsgi import application
from tests.cast import a_rateable_study, a_rater, a_token, bob

pytestmark = pytest.mark.django_db
HOLD = "00000000-0000-4000-8000-000000000000"


def test_what_servers_counted_that_are_gone_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(wsgi.tempfile, "gettempdir", lambda: str(tmp_path))
    for number in (os.getpid(), 99_999_999, "else"):
        (tmp_path / f"{wsgi.FOLDER}{number}").mkdir()
    wsgi.forget_the_dead()
    assert {path.name.removeprefix(wsgi.FOLDER) for path in tmp_path.iterdir()} == {str(os.getpid()), "else"}


CHARSETS = ("zlib", "hex", "rot13", "undefined", "idna", "utf-16", "nonsense", "\xff")


def status_of(method: str, path: str, **header: str) -> int:
    environ: dict = {}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "next=%2Fdesk%2F"}
    environ |= {"CONTENT_LENGTH": "3", "wsgi.input": BytesIO(b"a=1"), "HTTP_HOST": "localhost", **header}
    said: list[str] = []
    reply = application(environ, lambda status, *rest: said.append(status))
    b"".join(reply)
    reply.close()
    return int(said[0].split()[0])


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("form", ["charset={}", "x*={}'en'%41"])
def test_a_character_set_that_is_none_is_no_error_of_ours(charset, form):
    kind = f"application/x-www-form-urlencoded; {form.format(charset)}"
    assert status_of("GET", "/accounts/login/", CONTENT_TYPE=kind) == 200
    assert status_of("POST", "/accounts/login/", CONTENT_TYPE=kind) == 403
    assert status_of("POST", "/api/v1/studies/", CONTENT_TYPE=kind) == 401


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_plain_judgment_is_answered_over_a_connection_of_the_pool():
    rater = a_rater(a_rateable_study(pairs=3), bob())
    held, secret = claim_next_pair(rater), a_token(rater.user)
    connection.close()
    answered, head, body = asked(held.token, secret)
    assert answered == "201 Created" and json.loads(body)["next"]["id"]
    assert head["Content-Length"] == str(len(body)) and head["Cache-Control"] == "no-store"
    assert connection.connection is None, "Django opened nothing for it"
    assert Judgment.objects.get().idempotency_key == "key"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_left_in_a_transaction_is_none_for_the_short_cut():
    rater = a_rater(a_rateable_study(pairs=3), bob())
    held, secret = claim_next_pair(rater), a_token(rater.user)
    connection.connection.autocommit = False
    connection.close()
    assert asked(held.token, secret)[0] == "201 Created"
    assert Judgment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgresql
@pytest.mark.parametrize("host", ["evil.example", "", "localhost, evil.example"])
def test_a_judgment_under_another_host_is_refused(host):
    rater = a_rater(a_rateable_study(pairs=3), bob())
    held, secret = claim_next_pair(rater), a_token(rater.user)
    assert asked(held.token, secret, HTTP_HOST=host)[0] == "400 Bad Request"
    assert not Judgment.objects.exists()


@pytest.fixture
def kept(monkeypatch) -> list:
    """What the short cut is asked to keep, on any database."""
    found: list = []
    monkeypatch.setattr(
        "annotation.api.straight.short_cut.judge_and_claim", lambda *given: found.append(given) or "{}"
    )
    return found


def test_a_judgment_that_comes_in_the_clear_is_kept_only_where_it_may(settings, kept):
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 600
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    for proto in ("http", ""):
        assert asked(HOLD, "secret", HTTP_X_FORWARDED_PROTO=proto)[0] != "201 Created" and not kept
    status, head, _ = asked(HOLD, "secret", HTTP_X_FORWARDED_PROTO="https")
    assert status == "201 Created" and len(kept) == 1
    assert head["Strict-Transport-Security"] == "max-age=600; includeSubDomains"


@pytest.fixture
def lines(caplog) -> Iterator[Callable[[], list]]:
    """What lists the lines of the log about requests."""
    who = Who()
    caplog.handler.addFilter(who)
    with caplog.at_level(logging.INFO, "annotation.requests"):
        yield lambda: [line for line in caplog.records if line.name == "annotation.requests"]
    caplog.handler.removeFilter(who)


@pytest.mark.parametrize("way", ["short", "long"])
def test_either_way_a_judgment_has_a_name_and_one_line_in_the_log(way, request, lines):
    if way == "short":
        request.getfixturevalue("kept")
    status, head, _ = asked(HOLD, "", HTTP_X_REQUEST_ID="from-the-proxy")
    (line,) = lines()
    assert (status, head["X-Request-ID"]) == (f"{line.status} {status[4:]}", "from-the-proxy")
    assert (line.message, line.request_id) == ("answered", "from-the-proxy")
    assert (line.method, line.route) == ("POST", "api/v1/assignments/<uuid:token>/judgment")
    assert line.status == (201 if way == "short" else 401) and line.milliseconds >= 0
    assert not request_id.get()


def test_a_name_that_is_no_plain_word_is_replaced_on_the_short_way_too(kept):
    _, head, _ = asked(HOLD, "secret", HTTP_X_REQUEST_ID="two\nlines-of-it")
    assert len(head["X-Request-ID"]) == 32 and len(kept) == 1


def asked(hold, secret: str, **header: str) -> tuple[str, dict, bytes]:
    """Status, headers and body of what answers a plain judgment."""
    part = {"safety": "clearly_safe", "helpfulness": 3, "mode": "direct_answer"}
    pair = {"safer": 1, "more_helpful": -1, "balance": 2}
    sent = json.dumps({"left": part, "right": part, "pair": pair, "claim_next": True}).encode()
    environ: dict = {}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": f"/api/v1/assignments/{hold}/judgment"}
    environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(sent))}
    environ |= {"wsgi.input": BytesIO(sent), "HTTP_HOST": "localhost", "HTTP_IDEMPOTENCY_KEY": "key"}
    environ |= {"HTTP_AUTHORIZATION": f"Token {secret}", **header}
    said: list = []
    body = b"".join(application(environ, lambda *head: said.extend(head)))
    return said[0], dict(said[1]), body
