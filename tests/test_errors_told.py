"""What goes wrong is told with what to do: pages for people, JSON for programs."""

import json

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client, RequestFactory

from annotation.desk import views
from annotation.watch import pages
from tests import cast

pytestmark = pytest.mark.django_db


def test_a_form_that_is_too_large_is_refused_with_413(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    reply = client.post("/accounts/login/", {"username": "x" * 2_000})
    assert reply.status_code == 413 and "longer than this page takes" in reply.content.decode()


def test_a_file_that_nobody_asked_for_does_not_fill_the_disk(client, settings):
    settings.UPLOAD_MOST = 10_000
    reply = client.post("/accounts/login/", {"file": SimpleUploadedFile("x", b"x" * 20_000)})
    assert reply.status_code == 413


def test_the_page_that_takes_data_sets_takes_large_ones(client, settings):
    settings.UPLOAD_MOST = 10
    cast.a_study()
    client.force_login(cast.alice())
    told = client.post("/desk/kites/import/", {"file": SimpleUploadedFile("rows.jsonl", b'{"a": 1}\n' * 100)})
    assert told.status_code != 413


def test_programs_are_told_as_json():
    request = RequestFactory().post("/api/v1/studies/")
    reply = pages.bad_request(request, pages.RequestDataTooBig())
    assert reply.status_code == 413 and b"Send less at once" in reply.content
    told = json.loads(reply.content)
    assert reply["Content-Type"] == "application/problem+json"
    assert told["status"] == 413 and told["code"]


@pytest.mark.parametrize(("error", "status"), [(OperationalError, 503), (ValueError, 500)])
def test_programs_are_told_of_what_went_wrong_here_in_the_same_shape(monkeypatch, error, status):
    def broken(*_):
        raise error("no route to host db-7")

    secret = cast.a_token(cast.alice())
    monkeypatch.setattr("annotation.api.studies.access.studies_for", broken)
    client = Client(raise_request_exception=False, headers={"Authorization": f"Token {secret}"})
    reply = client.get("/api/v1/studies/")
    assert reply["Content-Type"] == "application/problem+json" and b"db-7" not in reply.content
    assert (reply.status_code, reply.json()["status"]) == (status, status) and reply.json()["detail"]


@pytest.mark.parametrize(("error", "status"), [(OperationalError, 503), (ValueError, 500)])
def test_a_database_that_is_away_is_no_error_of_ours(monkeypatch, error, status):
    def broken(*_):
        raise error("no route to host db-7")

    alice = cast.alice()
    monkeypatch.setattr(views.access, "studies_for", broken)
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    reply = client.get("/desk/")
    assert reply.status_code == status and b"db-7" not in reply.content
    assert (reply.get("Retry-After") == "10") == (status == 503)
    assert (b"Back in a moment" in reply.content) == (status == 503)


@pytest.mark.parametrize("page", ["400", "403", "403_csrf", "404", "413", "429", "500", "503"])
def test_every_error_has_a_page_that_says_what_to_do(page):
    told = pages.render_to_string(f"{page}.html")
    assert 'href="/"' in told and told.count("<h1>") == 1 and len(told) > 500


@pytest.mark.parametrize("address", ["/accounts/login/", "/desk/kites/record/", "/desk/kites/results/"])
def test_an_address_of_too_many_parts_is_told_what_to_do(client, address):
    cast.a_study()
    client.force_login(cast.alice())
    reply = client.get(address + "?" + "&".join(f"a{n}=1" for n in range(2_000)))
    page = reply.content.decode()
    assert reply.status_code == 400 and "choose less" in page and "To the start page" in page


def test_a_program_that_sends_too_many_parameters_is_told_what_to_do(client):
    client.force_login(cast.alice())
    reply = client.get("/api/v1/studies/?" + "&".join(f"a{n}=1" for n in range(2_000)))
    assert reply.status_code == 400 and "Send less at once." in reply.json()["detail"]
    assert "settings" not in reply.json()["detail"]


def test_who_asks_for_too_many_new_passwords_gets_the_houses_page(client, settings):
    settings.SENDS_MAIL = True
    cache.clear()
    told = [client.post("/accounts/password/reset/", {"email": "a@example.org"}) for _ in range(25)]
    last = told[-1]
    assert last.status_code == 429
    assert "asked too often" in last.content.decode() and "css/base.css" in last.content.decode()
    cache.clear()
