"""The grader over JSON."""

import json

import pytest
from django.urls import reverse
from kombu.exceptions import OperationalError
from rest_framework.test import APIClient

from annotation import tasks
from annotation.actions import grading
from annotation.models import Grading
from models_runtime.worker import BackendCache
from tests import cast
from tests.judging_models import a_judge, teach

pytestmark = pytest.mark.django_db


def client_of(person) -> APIClient:
    client = APIClient()
    client.force_authenticate(person)
    return client


@pytest.fixture
def alice() -> APIClient:
    return client_of(cast.alice())


@pytest.fixture(autouse=True)
def hinted(monkeypatch):
    """The gradings that workers were told of."""
    told: list[Grading] = []
    monkeypatch.setattr(tasks, "hint_grading", told.append)
    return told


def address(name, *args) -> str:
    return reverse(f"api:{name}", args=["kites", *args])


def test_a_grading_is_started_read_paused_and_resumed(alice, hinted):
    cast.a_rateable_study(1)
    made = alice.post(address("gradings"), {"backend": "scripted", "model": "echo"}, format="json")
    assert made.status_code == 201
    pk = made.json()["id"]
    assert made.json()["progress"]["total"] == 2
    assert alice.get(address("gradings")).json()["results"][0]["id"] == pk
    assert alice.post(address("control_grading", pk, "pause")).json()["state"] == "paused"
    assert alice.post(address("control_grading", pk, "resume")).json()["state"] == "running"
    assert alice.post(address("control_grading", pk, "resume")).status_code == 409
    assert alice.post(address("control_grading", pk, "burn")).status_code == 404
    alice.post(address("control_grading", pk, "pause"))
    assert alice.post(address("control_grading", pk, "discard")).status_code == 204
    assert alice.post(address("control_grading", pk, "discard")).status_code == 404
    assert len(hinted) == 2


def test_the_secret_of_a_grading_stays_inside(alice):
    study = cast.a_rateable_study(1)
    found = grading.start_grading(study, grading.Judge("scripted", "echo"))
    for name, args in (("gradings", []), ("grading", [found.pk]), ("grades", [found.pk])):
        assert found.secret not in alice.get(address(name, *args)).content.decode()


def test_the_report_is_read_by_either_rule(alice, tmp_path):
    found = grading.start_grading(cast.a_rateable_study(1), a_judge(tmp_path), repeats=2)
    teach(found, lambda _, repeat: {"helpfulness": 1 if repeat else 4})
    grading.grade(grading.claim_batch(found.pk, "test"), BackendCache())

    def helpfulness(query):
        rows = alice.get(address("grades", found.pk) + query).json()["rows"]
        return {row["h"]["value"] for row in rows if row["h"]["n"]}

    assert (helpfulness(""), helpfulness("?keep=mean")) == ({0}, {0.5})
    assert alice.get(address("grades", found.pk) + "?keep=most").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"backend": "scripted", "model": "echo", "repeats": 99}, 400),
        ({"backend": "oracle", "model": "echo"}, 409),
        ({"backend": "scripted", "model": "echo", "policy_given": True}, 409),
        ({"backend": "scripted", "model": "echo", "sampling": {"warmth": 1}}, 409),
    ],
)
def test_what_cannot_be_done_is_said_and_starts_nothing(alice, body, status):
    cast.a_rateable_study(1)
    assert alice.post(address("gradings"), body, format="json").status_code == status
    assert not Grading.objects.exists()


def test_a_queue_that_is_down_only_delays(alice, monkeypatch):
    def down(found):
        raise OperationalError("no broker")

    cast.a_rateable_study(1)
    monkeypatch.setattr(tasks, "hint_grading", down)
    made = alice.post(address("gradings"), {"backend": "scripted", "model": "echo"}, format="json")
    assert "by itself" in made.json()["detail"] and made.status_code == 201


def test_others_find_nothing():
    found = grading.start_grading(cast.a_rateable_study(1), grading.Judge("scripted", "echo"))
    for person, status in ((cast.bob(), 403), (cast.mallory(), 404)):
        client = client_of(person)
        assert client.get(address("gradings")).status_code == status
        assert client.get(address("grades", found.pk)).status_code == status
        assert client.post(address("control_grading", found.pk, "pause")).status_code == status


@pytest.mark.parametrize(
    "field",
    [
        {"repeat": 3},
        {"keep": "\ud800"},
        {"sampling": {"\ud800": 1}},
        {"sampling": {"stop": ["\0"]}},
        {"sampling": {"temperature": 10**400}},
        {"model": "m" * 501},
        {"revision": "r" * 201},
        {"model": "ec\u202eho"},
        {"dtype": "d" * 21},
        {"device": "d" * 51},
    ],
)
def test_a_judge_that_no_table_could_hold_is_refused(alice, field):
    cast.a_rateable_study(1)
    body = json.dumps({"backend": "scripted", "model": "echo", **field})
    answer = alice.post(address("gradings"), body, content_type="application/json")
    assert answer.status_code in (400, 409) and answer.json()
    assert not Grading.objects.exists()
