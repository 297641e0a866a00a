"""Snapshots over JSON: a small study is frozen at once, a large one by a worker."""

import pytest

from annotation import tasks
from annotation.actions import freezing
from annotation.models import Snapshot
from tests import full_disk
from tests.cast import alice
from tests.export.studies import a_judged_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(settings, tmp_path, client) -> str:
    """The address of the snapshots of a judged study, for Alice who is logged in."""
    settings.SNAPSHOTS = tmp_path / "snapshots"
    client.force_login(alice())
    return f"/api/v1/studies/{a_judged_study().slug}/snapshots/"


def test_a_small_study_is_frozen_at_once(client, home):
    reply = client.post(home)
    assert reply.status_code == 201 and reply.json()["number"] == Snapshot.objects.get().number


def test_a_large_one_is_frozen_by_a_worker_who_is_told_once(client, home, monkeypatch):
    told: list[int] = []
    monkeypatch.setattr(freezing, "AT_ONCE", 1)
    monkeypatch.setattr(tasks.freeze_snapshot, "delay", told.append)
    assert [client.post(home).status_code for _ in range(2)] == [202, 202]
    assert len(told) == 1 and not Snapshot.objects.exists()
    tasks.freeze_snapshot(*told)
    assert client.get(home).json()["results"][0]["number"] == Snapshot.objects.get().number


def test_a_disk_without_room_for_the_zip_is_told_as_a_problem(client, home, monkeypatch):
    client.post(home)
    full_disk.fill(monkeypatch)
    reply = client.get(f"{home}1/files.zip")
    told = reply.json()
    assert (reply.status_code, reply["Content-Type"]) == (507, "application/problem+json")
    assert told["code"] == "no-room" and "one by one" in told["detail"]
