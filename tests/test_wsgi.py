"""The entry point answers whatever a client sends."""

import os
from io import BytesIO
from wsgiref.util import setup_testing_defaults

import pytest

from annotation import wsgi
from annotation.wsgi import application

pytestmark = pytest.mark.django_db


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
