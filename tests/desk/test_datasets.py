"""The pages of datasets: the form, the preview, the list, stopping, downloads, and who may see them."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from django.urls import reverse

from annotation import tasks
from annotation.actions import datasets
from annotation.actions.snapshots import freeze_snapshot
from annotation.datasets.recipe import Recipe
from annotation.models import Dataset, Snapshot
from tests import full_disk
from tests.cast import alice, mallory
from tests.export.studies import a_judged_study

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_works(monkeypatch):
    """Messages are only counted: a test makes what waits itself."""
    sent = []
    monkeypatch.setattr(tasks.make_dataset, "delay", sent.append)
    return sent


@pytest.fixture
def snapshot(settings, tmp_path) -> Snapshot:
    settings.SNAPSHOTS, settings.DATASETS = tmp_path / "snapshots", tmp_path / "datasets"
    return freeze_snapshot(a_judged_study(), alice())


def page_of(snapshot: Snapshot) -> str:
    return reverse("desk:datasets", args=[snapshot.study.slug, snapshot.number])


def rules(**more) -> dict:
    """What the form holds when nothing in it was touched."""
    told = Recipe("trl_preference").as_dict()
    return {**told, "cohorts": "", "leave_out_raters": "", "split": "none", **more}


def make_what_waits() -> None:
    for pk in Dataset.objects.waiting().values_list("pk", flat=True):
        datasets.make(datasets.claim(pk, "worker"))


def test_a_preview_tells_counts_and_rows_and_makes_nothing(client, snapshot):
    client.force_login(alice())
    page = client.post(page_of(snapshot), rules(look="")).content.decode()
    assert "9 of 9 judgments are used; of 5 judged pairs 3 become rows." in page
    assert "1 all both bad, 1 tie" in page and page.count("<dt>pair_key</dt>") == 3
    assert not Dataset.objects.exists()


def test_a_dataset_is_made_listed_and_fetched(client, snapshot, nobody_works):
    client.force_login(alice())
    client.post(page_of(snapshot), rules(make="", files=["jsonl", "csv"]))
    assert nobody_works == [Dataset.objects.get().pk]
    assert "Waits for a worker." in client.get(page_of(snapshot)).content.decode()
    make_what_waits()
    page = client.get(page_of(snapshot)).content.decode()
    assert "3 rows: 3 train." in page and "hx-trigger" not in page
    name = reverse("desk:dataset_file", args=[snapshot.study.slug, snapshot.number, 1, "train.jsonl"])
    lines = b"".join(client.get(name).streaming_content).decode().splitlines()
    assert sorted(json.loads(line)["margin"] for line in lines) == [1.5, 1.5, 3.0]


def test_all_files_of_a_dataset_come_as_one_zip_which_goes_on_where_it_broke_off(client, snapshot):
    client.force_login(alice())
    datasets.ask(snapshot, Recipe("trl_preference", split="none", files=("jsonl", "csv")), alice())
    address = reverse("desk:dataset_archive", args=[snapshot.study.slug, snapshot.number, 1])
    assert client.get(address).status_code == 404  # not made yet
    assert address not in client.get(page_of(snapshot)).content.decode()
    make_what_waits()
    assert f'href="{address}">' in client.get(page_of(snapshot)).content.decode()
    whole = client.get(address)
    content = b"".join(whole.streaming_content)
    name = f"{snapshot.study.slug}-snapshot-1-dataset-1"
    assert f'filename="{name}.zip"' in whole["Content-Disposition"]
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert {f"{name}/{file}" for file in ("manifest.json", "train.jsonl", "train.csv")} <= set(names)
    rest = client.get(address, headers={"Range": "bytes=100-", "If-Range": whole["ETag"]})
    assert (rest.status_code, b"".join(rest.streaming_content)) == (206, content[100:])
    shutil.rmtree(Dataset.objects.get().folder)
    assert client.get(address).status_code == 404


def test_a_zip_for_which_the_disk_has_no_room_is_told_with_what_to_do(client, snapshot, monkeypatch):
    client.force_login(alice())
    datasets.ask(snapshot, Recipe("trl_preference", split="none"), alice())
    make_what_waits()
    full_disk.fill(monkeypatch)
    reply = client.get(reverse("desk:dataset_archive", args=[snapshot.study.slug, snapshot.number, 1]))
    page = reply.content.decode()
    assert reply.status_code == 507 and "disk is full" in page and "one by one" in page
    assert f'href="{page_of(snapshot)}">' in page


def test_the_same_rules_make_nothing_twice(client, snapshot, nobody_works):
    client.force_login(alice())
    for _ in range(2):
        answer = client.post(page_of(snapshot), rules(make=""), follow=True)
    assert Dataset.objects.count() == 1 == len(nobody_works)
    assert "Dataset 1 has these rules already." in answer.content.decode()


def test_a_making_is_stopped_and_started_again(client, snapshot, nobody_works):
    client.force_login(alice())
    client.post(page_of(snapshot), rules(make=""))
    for control, state in (("stop", "cancelled"), ("again", "queued")):
        client.post(f"{page_of(snapshot)}1/{control}/")
        assert Dataset.objects.get().state == state
    assert len(nobody_works) == 2
    assert client.post(f"{page_of(snapshot)}1/explode/").status_code == 404


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"format": "trl_unpaired", "ties": "soft"}, "has no place for ties"),
        ({"min_agreement": "nan"}, "number"),
        ({"min_judgments": "9" * 30}, "whole number"),
        ({"split": "family", "test_share": "0.9", "validation_share": "0.9"}, "together below 1"),
        ({"min_judgments": "99"}, "No row is left"),
    ],
)
def test_odd_rules_are_told_in_a_sentence(client, snapshot, odd, said):
    client.force_login(alice())
    assert said in client.post(page_of(snapshot), rules(look="", **odd)).content.decode()


def test_a_snapshot_whose_files_are_gone_is_told(client, snapshot):
    client.force_login(alice())
    folder = Path(snapshot.folder)
    folder.rename(folder.with_name("gone"))
    page = client.post(page_of(snapshot), rules(look="")).content.decode()
    assert "holds no readable manifest" in page


def test_others_find_nothing(client, snapshot):
    datasets.ask(snapshot, Recipe("trl_preference", split="none"), alice())
    make_what_waits()
    client.force_login(mallory())
    file = f"{page_of(snapshot)}1/files/train.jsonl"
    assert {client.get(page_of(snapshot)).status_code, client.get(file).status_code} == {404}
    assert client.post(f"{page_of(snapshot)}1/stop/").status_code == 404
    client.force_login(alice())
    for name in ("..%2Fmanifest.json", "test.jsonl", "%2Fetc%2Fpasswd"):
        assert client.get(f"{page_of(snapshot)}1/files/{name}").status_code == 404
