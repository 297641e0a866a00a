"""The pages that bring data in, freeze it, make files of it and train on it, in a real browser."""

import json
import uuid
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from annotation import tasks
from annotation.actions import datasets, freezing
from annotation.actions.imports import jobs, recognise
from annotation.actions.snapshots import freeze_snapshot
from annotation.datasets.recipe import Recipe
from annotation.models import Dataset, FileImport, Freezing, Registration, Training, TrainingMetric
from annotation.vocabulary import BatchState
from tests.cast import alice
from tests.export.studies import a_judged_study
from tests.trainings import a_done_training, a_trainable_study, a_training

pytestmark = [pytest.mark.browser, pytest.mark.once]

ROWS = [
    {"prompt": f"Why does kite {n} fly?", "chosen": f"Wind lifts it, {n}.", "rejected": f"It does not, {n}."}
    for n in range(9)
]
RATE = {"value": 0.75, "low": 0.5, "high": 0.9, "n": 12, "clusters": 4}


@pytest.fixture(autouse=True)
def nobody_works(monkeypatch, settings, tmp_path):
    """Messages go nowhere: what a page shows stays as a test made it."""
    settings.DATASETS, settings.TRAININGS, settings.TRAINS = tmp_path / "d", tmp_path / "t", True
    for task in (
        tasks.import_file,
        tasks.make_dataset,
        tasks.freeze_snapshot,
        tasks.train,
        tasks.register_arm,
    ):
        monkeypatch.setattr(task, "delay", lambda *ids: None)


@pytest.fixture
def study(committed_db):
    """With a snapshot."""
    study = a_judged_study()
    freeze_snapshot(study, alice())
    return study


def desk_of(study, *more: object) -> str:
    return "/".join(["/desk", study.slug, *map(str, more), ""])


def imports(study, folder: Path) -> list[str]:
    """One to be looked at, one under way, one that stopped at a row that it could not take."""
    path = folder / "preferences.jsonl"
    twice = {"prompt": "Why?", "chosen": "the same", "rejected": "the same"}
    path.write_text("".join(json.dumps(row) + "\n" for row in [*ROWS, twice]))
    looked_at, under_way, failed = (jobs.refer_to(study, path, recognise(path), alice()) for _ in range(3))
    changes = {"started_at": timezone.now(), "rows_read": 4, "counts": {"new": 3, "bad": 1}}
    FileImport.objects.filter(pk__in=(under_way.pk, failed.pk)).update(**changes)
    FileImport.objects.filter(pk=under_way.pk).update(
        state=BatchState.CLAIMED, claim=uuid.uuid4(), lease_until=timezone.now()
    )
    FileImport.objects.filter(pk=failed.pk).update(state=BatchState.FAILED, error="The disk is full.")
    failed.problems.create(line=4, reason="The two answers are the same text.")
    pages = [desk_of(study, "import", one.pk) for one in (looked_at, under_way, failed)]
    return [desk_of(study, "import"), *pages]


def frozen(study, folder: Path) -> list[str]:
    """The snapshots while one is being frozen, and the datasets of the first: made, being made, failed."""
    asked, _ = freezing.ask(study, alice())
    Freezing.objects.filter(pk=asked.pk).update(
        state=BatchState.CLAIMED,
        claim=uuid.uuid4(),
        lease_until=timezone.now(),
        table="judgments.parquet",
        rows_written=61_200,
        rows_expected=180_000,
    )
    snapshot = study.snapshots.get()
    for recipe in ("trl_preference", "scalar_reward", "sft"):
        datasets.ask(snapshot, Recipe(recipe, split="none"), alice())
    made, making, failed = Dataset.objects.order_by("pk")
    datasets.make(datasets.claim(made.pk, "worker"))
    Dataset.objects.filter(pk=making.pk).update(
        state=BatchState.CLAIMED,
        claim=uuid.uuid4(),
        lease_until=timezone.now(),
        step="Reading judgments",
        done=3,
        total=9,
    )
    Dataset.objects.filter(pk=failed.pk).update(state=BatchState.FAILED, error="The disk is full.")
    return [desk_of(study, "snapshots"), desk_of(study, "snapshots", 1, "datasets"), desk_of(study, "hub")]


def trained(study, folder: Path) -> list[str]:
    """A training under way with curves, one that is done and becomes an arm, an evaluation, a form."""
    study = a_trainable_study("drums")
    running, done = a_training(study), a_done_training(study)
    for step in range(1, 40):
        told = {"loss": 2.5 / step, "reward": step / 60, "learning_rate": 1e-5}
        for one in (running, done):
            TrainingMetric.objects.create(training=one, step=step, told=told)
    Training.objects.filter(pk=running.pk).update(
        state=BatchState.CLAIMED, claim=uuid.uuid4(), lease_until=timezone.now(), step=39, steps=120
    )
    Training.objects.filter(pk=done.pk).update(step=39, steps=39, result={"rows": 7, "modes": {"refusal": 3}})
    Registration.objects.create(
        training=done,
        number=1,
        name="Tuned",
        state=BatchState.FAILED,
        error="model.safetensors changed since.",
    )
    models = [a_done_training(study, "reward", target=target) for target in ("helpfulness", "safety")]
    evaluation = _an_evaluation(study, models)
    pages = [desk_of(study, "trainings", one.number) for one in (running, done, evaluation)]
    forms = [desk_of(study, "trainings", "new", stage) for stage in ("sft", "rl")]
    return [desk_of(study, "trainings"), *pages, *forms]


def _an_evaluation(study, models: list[Training]) -> Training:
    scores = {name: {**RATE, "value": value} for name, value in (("h", 0.4), ("s", 0.9), ("r", 0.36))}
    target = {"pairwise_accuracy": RATE}
    result = {"helpfulness": target, "safety": {"pairwise_accuracy": None}, "reward": target}
    result |= {
        "split": {"families": 4},
        "models": [{"model": "m", **scores, "by_intent": {"benign": scores}}],
    }
    helpfulness, safety = models
    return Training.objects.create(
        study=study,
        snapshot=study.snapshots.get(),
        number=9,
        stage="evaluate",
        state=BatchState.DONE,
        helpfulness=helpfulness,
        safety=safety,
        result=result,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("pages", [imports, frozen, trained])
def test_the_pages_are_accessible_and_fit(visit, study, tmp_path, pages, scheme):
    alice = visit("alice", color_scheme=scheme)
    for address in pages(study, tmp_path):
        alice.page.goto(address)
        for width in (1280, 390):
            alice.page.set_viewport_size({"width": width, "height": 900})
            _is_sound(alice.page)
    assert alice.errors == []


def _is_sound(page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, f"{page.url}: {found.generate_report()}"
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), page.url


def test_a_freezing_is_watched_and_stopped(visit, study):
    asked, _ = freezing.ask(study, alice())
    window = visit("alice")
    window.page.goto(desk_of(study, "snapshots"))
    window.sees("Waits for a worker.")
    rows = Freezing.objects.filter(pk=asked.pk)
    held = {"state": BatchState.CLAIMED, "claim": uuid.uuid4(), "lease_until": timezone.now()}
    rows.update(**held, table="pairs.parquet", rows_written=5, rows_expected=10)
    window.sees("Writing pairs.parquet: 5 of about 10 rows.")  # without a reload
    window.page.get_by_role("button", name="Stop").click()
    window.sees("Stopping")
    assert rows.get().stop_asked
    rows.update(state=BatchState.CANCELLED, claim=None, lease_until=None)
    window.sees("Nothing of it was kept.")
    expect(window.page.get_by_role("button", name="Freeze a snapshot")).to_be_visible()
    assert window.errors == []
