"""Datasets are made once, by one worker, whole or not at all."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from annotation import tasks
from annotation.actions import datasets
from annotation.actions.snapshots import freeze_snapshot
from annotation.datasets import making
from annotation.datasets.recipe import Format, Recipe
from annotation.errors import DatasetRefused
from annotation.models import Dataset, Snapshot
from annotation.reports.labels import label_tables
from annotation.reports.rows import Answers
from annotation.vocabulary import BatchState
from tests.cast import alice
from tests.datasets.written import read
from tests.export.studies import a_judged_study

pytestmark = pytest.mark.django_db

RECIPE = Recipe("trl_preference", split="none", files=("jsonl",))


@pytest.fixture
def snapshot(settings, tmp_path) -> Snapshot:
    settings.SNAPSHOTS, settings.DATASETS = tmp_path / "snapshots", tmp_path / "datasets"
    return freeze_snapshot(a_judged_study(), alice())


def claimed(snapshot: Snapshot, recipe: Recipe = RECIPE, worker: str = "worker") -> Dataset:
    asked, _ = datasets.ask(snapshot, recipe, alice())
    return datasets.claim(asked.pk, worker)


def left_in(snapshot: Snapshot, settings) -> list[str]:
    """The names of what stands where the snapshot's datasets are."""
    home = settings.DATASETS / snapshot.study.slug / str(snapshot.number)
    return sorted(path.name for path in home.iterdir()) if home.exists() else []


def test_a_dataset_of_a_frozen_study_has_its_preferences(snapshot, settings):
    assert datasets.make(claimed(snapshot))
    made = Dataset.objects.get()
    frozen = read_preferences(snapshot)
    rows = {row["pair_key"]: row for row in read(Path(made.folder))}
    assert rows.keys() == frozen.keys()
    for key, row in rows.items():
        same = ("chosen", "rejected", "margin", "prompt", "n_judgments", "prompt_key", "family")
        assert {name: row[name] for name in same} == {name: frozen[key][name] for name in same}
    assert (made.state, left_in(snapshot, settings)) == (BatchState.DONE, ["1"])
    told = [event.verb for event in snapshot.study.events.filter(verb__startswith="dataset").order_by("pk")]
    assert told == ["dataset_asked", "dataset_made"]


def read_preferences(snapshot: Snapshot) -> dict[str, dict]:
    """What the freezing itself made of the judgments, by pair."""
    lines = (Path(snapshot.folder) / "preferences.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["pair_key"]: row for row in map(json.loads, lines)}


def test_every_format_is_made_of_a_frozen_study(snapshot, tmp_path):
    for format in Format.values:
        datasets.write_dataset(snapshot, Recipe(format), tmp_path / format)
        assert read(tmp_path / format), format


def test_labels_are_those_of_the_results(snapshot, tmp_path):
    tables = {table.name: table for table in label_tables(Answers.of_snapshot(Path(snapshot.folder)))}
    table = tables["label_posteriors"]
    told = [dict(zip(table.names, row, strict=True)) for row in table.rows]
    for method in ("majority", "weighted", "dawid_skene", "mace"):
        recipe = Recipe("soft_labels", aggregation=method, files=("jsonl",))
        datasets.write_dataset(snapshot, recipe, tmp_path / method)
        rows = {row["prompt_key"]: row for row in read(tmp_path / method) if row["question"] == "safer"}
        expected = {row["prompt"]: row[f"{method}_posterior"] for row in told if row["question"] == "safer"}
        assert {key: max(row["probabilities"]) for key, row in rows.items()} == pytest.approx(expected)


def test_the_same_is_asked_for_once(snapshot):
    first, is_new = datasets.ask(snapshot, RECIPE, alice())
    again, is_new_again = datasets.ask(snapshot, RECIPE, alice())
    other, _ = datasets.ask(snapshot, Recipe("sft"), alice())
    assert (first, is_new, is_new_again) == (again, True, False)
    assert (first.number, other.number) == (1, 2)


def test_asking_for_what_is_stopped_at_that_moment_makes_another(snapshot, monkeypatch):
    first, _ = datasets.ask(snapshot, RECIPE, alice())
    same = datasets._same

    def stopped_before_it_is_found(*asked):
        Dataset.objects.update(state=BatchState.CANCELLED)
        return same(*asked)

    monkeypatch.setattr(datasets, "_same", stopped_before_it_is_found)
    again, is_new = datasets.ask(snapshot, RECIPE, alice())
    assert is_new and (first.number, again.number) == (1, 2)


def test_a_dataset_started_again_tells_nothing_of_the_files_that_are_gone(snapshot):
    datasets.make(claimed(snapshot))
    made = Dataset.objects.get()
    Path(made.folder).rename(Path(made.folder).with_name("away"))
    datasets.start_again(made, alice())
    again = Dataset.objects.get()
    assert (again.manifest, again.folder, again.finished_at) == (None, "", None)


def test_a_dataset_is_claimed_by_one_worker(snapshot):
    asked = claimed(snapshot)
    assert datasets.claim(asked.pk, "another") is None


def test_a_stopped_making_keeps_nothing_and_can_be_started_again(snapshot, settings, monkeypatch):
    held = claimed(snapshot)

    def stopped_meanwhile(folder, recipe, out, tell):
        (out / "train.jsonl").write_text("half")
        datasets.stop(held, alice())
        return making.make_dataset(folder, recipe, out, tell)

    monkeypatch.setattr(datasets, "make_dataset", stopped_meanwhile)
    assert not datasets.make(held)
    assert (Dataset.objects.get().state, left_in(snapshot, settings)) == (BatchState.CANCELLED, [])
    monkeypatch.undo()
    with pytest.raises(DatasetRefused):
        datasets.stop(held, alice())
    datasets.start_again(held, alice())
    assert datasets.make(datasets.claim(held.pk, "worker"))


def test_what_a_killed_worker_left_is_taken_over_and_cleared_away(snapshot, settings):
    lost = claimed(snapshot, worker="dead")
    home = settings.DATASETS / snapshot.study.slug / str(snapshot.number)
    (home / ".draft-1-left").mkdir(parents=True)
    (home / ".draft-1-left" / "train.jsonl").write_text("half")
    (home / "1").mkdir()
    Dataset.objects.filter(pk=lost.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert datasets.requeue_stale() == 1
    assert datasets.make(datasets.claim(lost.pk, "living"))
    assert left_in(snapshot, settings) == ["1"]
    assert not datasets.make(lost)  # the dead one, should it wake up
    assert len(read(Path(Dataset.objects.get().folder))) == 3 and left_in(snapshot, settings) == ["1"]


def test_the_beat_finds_what_nobody_was_told_of(snapshot, monkeypatch):
    asked, _ = datasets.ask(snapshot, RECIPE, alice())
    monkeypatch.setattr(tasks.make_dataset, "apply_async", lambda args, **more: tasks.make_dataset(*args))
    tasks.requeue_stale()
    assert Dataset.objects.get(pk=asked.pk).state == BatchState.DONE


def test_a_failure_is_told_and_leaves_nothing(snapshot, settings):
    held = claimed(snapshot, Recipe("trl_preference", min_judgments=50))
    assert datasets.make(held)
    failed = Dataset.objects.get()
    assert failed.state == BatchState.FAILED and "no row is left" in failed.error
    assert left_in(snapshot, settings) == []


def test_a_folder_in_use_or_impossible_is_refused(snapshot, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "file").write_text("")
    for name in ("full", "file", "file/below", "nul\0"):
        with pytest.raises(DatasetRefused):
            datasets.write_dataset(snapshot, RECIPE, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full", "snapshots"]


def test_making_again_where_the_files_are_gone_gives_the_same_bytes(snapshot):
    datasets.make(claimed(snapshot))
    made = Dataset.objects.get()
    with pytest.raises(DatasetRefused):
        datasets.start_again(made, alice())
    folder = Path(made.folder)
    kept = folder.rename(folder.with_name("kept"))
    datasets.start_again(made, alice())
    datasets.make(datasets.claim(made.pk, "worker"))
    for path in kept.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()
