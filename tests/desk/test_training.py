"""The pages of trainings: started with a form, watched, stopped, and closed to everybody else."""

import json
import re

import pytest
from django.test import Client
from django.urls import reverse

from annotation import tasks
from annotation.actions.training import log_file
from annotation.models import Training, TrainingMetric
from annotation.vocabulary import BatchState
from tests.cast import alice, bob, mallory
from tests.trainings import a_done_training, a_trainable_study, a_training

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.TRAININGS = tmp_path / "trainings"
    settings.TRAINS = True


@pytest.fixture
def study():
    return a_trainable_study()


def desk(person=None) -> Client:
    client = Client()
    client.force_login(person or alice())
    return client


def address(name: str, *arguments) -> str:
    return reverse(f"desk:{name}", args=["kites", *arguments])


def filled_in(page: str, **changes) -> dict[str, str]:
    """What a browser would send of the page's form when nobody touches it, with `changes`."""
    found = dict(re.findall(r'<input type="(?:number|text)" name="(\w+)" value="([^"]*)"', page))
    for name, options in re.findall(r'<select name="(\w+)".*?>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        found[name] = (chosen or re.search(r'<option value="([^"]*)"', options)).group(1)
    return found | changes


@pytest.mark.parametrize("stage", ["reward", "sft", "rl", "evaluate"])
def test_each_stage_starts_with_what_its_page_suggests(study, stage):
    for target in ("helpfulness", "safety"):
        a_done_training(study, "reward", target=target)
    page = desk().get(address("new_training", stage)).content.decode()
    answer = desk().post(address("new_training", stage), filled_in(page))
    found = Training.objects.filter(state=BatchState.QUEUED).get()
    assert answer.url == address("training", found.number)
    assert (found.stage, found.number, found.asked_by) == (stage, 3, alice())
    assert "Waits for a worker." in desk().get(answer.url).content.decode()


def test_an_odd_setting_is_told_in_the_form_and_nothing_starts(study):
    url = address("new_training", "sft")
    given = filled_in(desk().get(url).content.decode(), epochs="-1", batch="many", start="arm-0")
    page = desk().post(url, given).content.decode()
    assert page.count("errorlist") >= 3 and not study.trainings.exists()


def test_what_is_missing_for_a_stage_is_said(study):
    assert (
        "Train a reward model of helpfulness first"
        in desk().get(address("new_training", "rl")).content.decode()
    )
    study.snapshots.all().delete()
    assert "Freeze a snapshot first" in desk().get(address("new_training", "sft")).content.decode()


def test_where_training_is_not_installed_the_page_says_what_to_install(study, settings):
    settings.TRAINS = False
    for name in (address("trainings"), address("new_training", "sft")):
        assert "requirements-train.txt" in desk().get(name).content.decode()


def test_the_page_shows_curves_and_keeps_itself_up_to_date(study):
    found = a_training(study)
    Training.objects.filter(pk=found.pk).update(step=2, steps=9)
    for step, loss in ((1, 2.5), (2, -0.5)):
        TrainingMetric.objects.create(training=found, step=step, told={"loss": loss, "learning_rate": 1e-5})
    page = desk().get(address("training", 1)).content.decode()
    assert (
        "Loss: 2.5 at step 1, −0.5 at step 2" in page
        and "<polyline" in page
        and 'hx-trigger="every 2s"' in page
    )
    part = desk().get(address("training", 1), headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="training"') and "<html" not in part
    Training.objects.filter(pk=found.pk).update(state=BatchState.DONE)
    assert "hx-trigger" not in desk().get(address("training", 1)).content.decode()


def test_a_training_is_stopped_and_resumed_with_buttons(study):
    a_training(study)
    desk().post(address("control_training", 1, "stop"))
    assert study.trainings.get().state == BatchState.CANCELLED
    desk().post(address("control_training", 1, "resume"))
    assert study.trainings.get().state == BatchState.QUEUED
    assert desk().post(address("control_training", 1, "explode")).status_code == 404


def test_the_log_is_shown_as_text_and_given_as_a_file(study):
    found = a_training(study)
    assert desk().get(address("training_log", 1)).status_code == 404
    log_file(found).parent.mkdir(parents=True)
    log_file(found).write_text("<script>alert(1)</script>\n")
    page = desk().get(address("training", 1)).content.decode()
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    answer = desk().get(address("training_log", 1))
    assert b"".join(answer.streaming_content) == b"<script>alert(1)</script>\n"
    assert 'filename="kites-training-1.txt"' in answer["Content-Disposition"]


def test_a_tuned_model_that_cannot_be_an_arm_says_why(study, monkeypatch):
    queued = []
    monkeypatch.setattr(tasks.register_arm, "delay", queued.append)
    found = a_done_training(study)
    page = desk().post(address("make_arm", 1), {"name": "Tuned"}, follow=True).content.decode()
    assert "“Tuned” waits for a worker" in page and "Name of the arm" not in page and "hx-trigger" in page
    assert queued == [found.registrations.get().pk]
    tasks.register_arm(*queued)
    page = desk().get(address("training", 1)).content.decode()
    assert "is no checkpoint of a training of ours" in page and study.arms.count() == 1
    assert "Name of the arm" in page and "hx-trigger" not in page


def test_a_name_that_is_taken_is_told_in_the_form(study):
    a_done_training(study)
    page = desk().post(address("make_arm", 1), {"name": study.arms.get().name}).content.decode()
    assert "already. Choose another name." in page


def test_an_evaluation_shows_its_report(study):
    for target in ("helpfulness", "safety"):
        a_done_training(study, "reward", target=target)
    page = desk().get(address("new_training", "evaluate")).content.decode()
    desk().post(address("new_training", "evaluate"), filled_in(page, start=f"arm-{study.arms.get().pk}"))
    rate = {"value": 0.75, "low": 0.5, "high": 0.9, "n": 12, "clusters": 4}
    scores = {name: {**rate, "value": value} for name, value in (("h", 0.4), ("s", 0.9), ("r", 0.36))}
    target = {"pairwise_accuracy": rate}
    result = {"helpfulness": target, "safety": {"pairwise_accuracy": None}, "reward": target}
    result |= {
        "split": {"families": 4},
        "models": [{"model": "m", **scores, "by_intent": {"dual_use": scores}}],
    }
    study.trainings.filter(stage="evaluate").update(
        state=BatchState.DONE, result=json.loads(json.dumps(result))
    )
    page = desk().get(address("training", 3)).content.decode()
    assert "on 4 families" in page and "0.36" in page and "Dual use" in page


def test_nobody_else_finds_any_of_it(study):
    a_training(study)
    pages = [
        address("trainings"),
        address("new_training", "sft"),
        address("training", 1),
        address("training_log", 1),
    ]
    posts = [address("new_training", "sft"), address("control_training", 1, "stop"), address("make_arm", 1)]
    for person in (bob(), mallory()):
        client = desk(person)
        assert {client.get(page).status_code for page in pages} == {404}
        assert {client.post(page).status_code for page in posts} == {404}
    assert study.trainings.get().state == BatchState.QUEUED


def test_another_studys_rows_are_not_among_the_choices(study):
    other = a_trainable_study("drums")
    url = address("new_training", "sft")
    given = filled_in(desk().get(url).content.decode(), start=f"arm-{other.arms.get().pk}")
    desk().post(url, given)
    assert not Training.objects.exists()
