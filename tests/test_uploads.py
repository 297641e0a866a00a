"""Only the page that takes files keeps what is uploaded."""

import pytest
from django.core.files import uploadhandler
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from rest_framework.authtoken.models import Token

from tests.cast import a_rateable_study, a_rater, bob

LARGE = 3_000_000  # bytes: more than Django keeps in memory


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of uploads for which a file was made."""
    found: list[str] = []

    class Noted(uploadhandler.TemporaryUploadedFile):
        def __init__(self, name: str, *args, **kwargs):
            found.append(name)
            super().__init__(name, *args, **kwargs)

    monkeypatch.setattr(uploadhandler, "TemporaryUploadedFile", Noted)
    return found


def test_a_page_that_takes_no_files_reads_the_form_and_passes_over_them(written):
    file = SimpleUploadedFile("a.bin", bytes(LARGE))
    request = RequestFactory().post("/", {"before": "1", "file": file, "word": "kept"})
    assert request.POST.dict() == {"before": "1", "word": "kept"}
    assert not request.FILES and not written


@pytest.mark.django_db
def test_nobody_fills_the_disk_without_having_logged_in(written):
    client = Client(enforce_csrf_checks=True)
    client.get("/accounts/login/")  # without its cookie the body is not even read
    file = SimpleUploadedFile("a.bin", bytes(LARGE))
    assert client.post("/accounts/login/", {"username": "x", "file": file}).status_code == 403
    assert not written


@pytest.mark.django_db
def test_nor_does_a_program_that_rates(written):
    a_rater(a_rateable_study(), bob())
    key = Token.objects.create(user=bob()).key
    file = SimpleUploadedFile("a.bin", bytes(LARGE))
    sent = {"reason": "other", "file": file}
    reply = Client().post(
        "/api/v1/assignments/00000000-0000-0000-0000-000000000000/flag",
        sent,
        HTTP_AUTHORIZATION=f"Token {key}",
    )
    assert reply.status_code == 404
    assert not written
