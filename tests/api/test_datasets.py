"""Datasets over JSON: asked for, looked at, stopped, fetched; only by the study's researchers."""

import json
from io import BytesIO
from zipfile import ZipFile

import pytest

from annotation import tasks
from annotation.actions.snapshots import freeze_snapshot
from annotation.models import Snapshot
from tests.cast import alice, bob, mallory
from tests.export.studies import a_judged_study

pytestmark = pytest.mark.django_db

RECIPE = {"format": "trl_preference", "split": "none", "files": ["jsonl"]}


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """Tasks run where they are called."""
    monkeypatch.setattr(tasks.make_dataset, "delay", tasks.make_dataset)


@pytest.fixture
def home(settings, tmp_path, client) -> str:
    """The address of a snapshot's datasets, for Alice who is logged in."""
    settings.SNAPSHOTS, settings.DATASETS = tmp_path / "snapshots", tmp_path / "datasets"
    snapshot: Snapshot = freeze_snapshot(a_judged_study(), alice())
    client.force_login(alice())
    return f"/api/v1/studies/{snapshot.study.slug}/snapshots/{snapshot.number}/datasets/"


def post(client, address: str, body: object):
    return client.post(address, json.dumps(body), content_type="application/json")


def test_a_dataset_is_asked_for_and_fetched(client, home):
    assert post(client, home, RECIPE).status_code == 201
    assert post(client, home, RECIPE).status_code == 200
    (told,) = client.get(home).json()["results"]
    assert (told["state"], told["counts"]["rows"]) == ("done", 3)
    file = client.get(f"{home}1/files/train.jsonl")
    assert len(b"".join(file.streaming_content).splitlines()) == 3
    assert client.get(f"{home}1/").json() == told
    assert client.get(f"{home}1/files/../../x").status_code == 404


def test_all_files_come_as_one_zip_or_as_a_part_of_it(client, home):
    post(client, home, RECIPE)
    for address in (f"{home}1/files.zip", home.replace("datasets/", "files.zip")):
        whole = client.get(address)
        content = b"".join(whole.streaming_content)
        assert any(name.endswith("/manifest.json") for name in ZipFile(BytesIO(content)).namelist())
        rest = client.get(address, headers={"Range": "bytes=100-", "If-Range": whole["ETag"]})
        assert (rest.status_code, b"".join(rest.streaming_content)) == (206, content[100:])
    assert client.get(f"{home}2/files.zip").status_code == 404


def test_a_preview_makes_nothing(client, home):
    told = post(client, f"{home}preview/", RECIPE).json()
    assert told["items"]["kept"] == 3 == len(told["rows"]) and told["judgments"]["read"] == 9
    assert client.get(home).json()["results"] == []


@pytest.mark.parametrize("body", [{}, [], "x", None, {"format": "odd"}, {**RECIPE, "split_seed": -1}])
def test_a_recipe_that_cannot_be_is_refused_in_a_sentence(client, home, body):
    for address in (home, f"{home}preview/"):
        answer = post(client, address, body)
        assert answer.status_code == 422 and answer.json()["detail"].endswith(".")


def test_what_is_made_can_neither_be_stopped_nor_started_again(client, home):
    post(client, home, RECIPE)
    assert {client.post(f"{home}1/{control}/").status_code for control in ("stop", "again")} == {409}
    assert client.post(f"{home}1/explode/").status_code == 404


def test_others_find_nothing(client, home):
    post(client, home, RECIPE)
    for person, status in ((mallory(), 404), (bob(), 403)):
        client.force_login(person)
        for address in (home, f"{home}1/", f"{home}1/files/train.jsonl", f"{home}1/files.zip"):
            assert client.get(address).status_code == status
        assert post(client, home, RECIPE).status_code == status
