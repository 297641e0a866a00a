"""Trainings over JSON."""

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from annotation import tasks
from annotation.models import Training
from annotation.vocabulary import BatchState
from tests.cast import alice, bob, mallory
from tests.trainings import a_done_training, a_trainable_study, a_training

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path, monkeypatch):
    settings.TRAININGS = tmp_path / "trainings"
    settings.TRAINS = True
    monkeypatch.setattr(tasks, "hint_training", lambda found: None)


@pytest.fixture
def study():
    return a_trainable_study()


def client_of(person) -> APIClient:
    client = APIClient()
    client.force_authenticate(person)
    return client


def address(name: str = "trainings", *arguments) -> str:
    return reverse(f"api:{name}", args=["kites", *arguments])


def test_a_training_is_started_looked_at_stopped_and_resumed(study):
    client = client_of(alice())
    body = {"stage": "sft", "snapshot": 1, "start_arm": "start", "settings": {"epochs": 2, "full": True}}
    made = client.post(address(), body, format="json")
    assert made.status_code == 201 and made.json()["number"] == 1
    assert made.json()["settings"]["epochs"] == 2.0 and made.json()["settings"]["full"] is True
    found = client.get(address("training", 1)).json()
    assert (found["state"], found["start_arm"], found["metrics"]) == ("queued", "start", [])
    assert client.post(address("control_training", 1, "stop")).json()["state"] == "cancelled"
    assert client.post(address("control_training", 1, "stop")).status_code == 409
    assert client.post(address("control_training", 1, "resume")).json()["state"] == "queued"
    assert client.post(address("control_training", 1, "explode")).status_code == 404
    assert client.get(address()).json()["results"][0]["stage"] == "sft"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"settings": {"out": "/etc"}}, 422),
        ({"settings": {"epochs": "2"}}, 422),
        ({"settings": {"batch": 10**400}}, 422),
        ({"settings": ["--full"]}, 400),
        ({"out": "/etc"}, 400),
        ({"stage": "destroy"}, 400),
        ({"snapshot": 9}, 404),
        ({"start_arm": "nobody"}, 404),
        ({"start_arm": "a\0b"}, 400),
        ({"start_training": 1}, 400),
        ({"helpfulness": 10**30}, 404),
    ],
    ids=str,
)
def test_odd_bodies_start_nothing(study, change, status):
    body = {"stage": "sft", "snapshot": 1, "start_arm": "start"} | change
    assert client_of(alice()).post(address(), body, format="json").status_code == status
    assert not Training.objects.exists()


def test_rl_names_its_reward_models_by_number(study):
    for target in ("helpfulness", "safety"):
        a_done_training(study, "reward", target=target)
    body = {"stage": "rl", "snapshot": 1, "start_arm": "start", "helpfulness": 2, "safety": 1}
    client = client_of(alice())
    assert client.post(address(), body, format="json").status_code == 409
    made = client.post(address(), body | {"helpfulness": 1, "safety": 2}, format="json").json()
    assert (made["helpfulness"], made["safety"]) == (1, 2)


def test_only_a_checkpoint_becomes_an_arm(study, monkeypatch):
    monkeypatch.setattr(tasks.register_arm, "delay", tasks.register_arm)
    a_done_training(study)
    client = client_of(alice())
    assert client.get(address("training_arm", 1)).status_code == 404
    assert client.post(address("training_arm", 1), {"name": "Tuned"}, format="json").status_code == 202
    told = client.get(address("training_arm", 1)).json()
    assert (told["name"], told["state"], told["position"]) == ("Tuned", "failed", None)
    assert "is no checkpoint" in told["error"]


def test_nobody_else_finds_any_of_it(study):
    a_training(study)
    for person, status in ((bob(), 403), (mallory(), 404)):
        client = client_of(person)
        assert client.get(address()).status_code == status
        assert client.get(address("training", 1)).status_code == status
        assert client.post(address("control_training", 1, "stop")).status_code == status
        assert client.post(address("training_arm", 1)).status_code == status
    assert study.trainings.get().state == BatchState.QUEUED
