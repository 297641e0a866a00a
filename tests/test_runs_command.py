"""`manage.py runs`: the same controls from the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from annotation import tasks
from annotation.actions.runs import cancel_run, claim_batch, fail_batch, start_run
from annotation.models import Run, WorkerHeartbeat
from annotation.vocabulary import RunState
from tests.cast import a_generating_study, a_prompt, a_study, an_arm

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _without_a_queue(hints):
    """No command of these tests sends a message."""


def say(*words) -> str:
    said = StringIO()
    call_command("runs", *words, stdout=said)
    return said.getvalue()


def test_a_run_is_started_paused_resumed_and_cancelled(hints):
    a_generating_study()
    assert "generating, 0 of 1 responses" in say("kites", "start")
    assert "paused" in say("kites", "pause")
    assert "generating" in say("kites", "resume")
    assert "cancelled" in say("kites", "cancel")
    assert len(hints) == 2


def test_a_run_is_named_by_its_number_within_the_study():
    cancel_run(start_run(a_generating_study()))
    study = a_study("boats")
    an_arm(study, "one")
    a_prompt(study)
    assert say("boats", "start").startswith("Run 1: ")


def test_a_refusal_is_said_and_changes_nothing():
    a_generating_study()
    say("kites", "start")
    with pytest.raises(CommandError, match="not finished"):
        say("kites", "start")
    assert Run.objects.count() == 1


def test_a_study_without_a_run_says_how_to_start_one():
    a_study()
    with pytest.raises(CommandError, match="runs kites start"):
        say("kites", "status")


def test_it_waits_until_the_run_is_over(monkeypatch):
    study = a_generating_study()
    monkeypatch.setattr("time.sleep", lambda _: tasks.generate_batch(study.runs.get().pk))
    monkeypatch.setattr(tasks.finish_run, "delay", lambda run: tasks.finish_run(run))
    assert "done, 1 of 1" in say("kites", "start", "--wait").splitlines()[-1]


def test_it_says_that_nobody_is_at_work_and_how_to_change_that():
    study = a_generating_study()
    assert "No worker is alive. `make run` starts" in say("kites", "start")
    WorkerHeartbeat.objects.create(name="gpu0@here", queue="gpu", seen_at=timezone.now())
    assert "worker" not in say("kites", "status")
    cancel_run(study.runs.get())
    WorkerHeartbeat.objects.all().delete()
    assert "worker" not in say("kites", "status")


def test_waiting_for_a_run_that_stops_is_a_failure_with_a_way_on(monkeypatch):
    study = a_generating_study()

    def stop(_):
        Run.objects.update(state=RunState.FAILED, error="No such folder.")

    monkeypatch.setattr("time.sleep", stop)
    with pytest.raises(CommandError, match=f"runs {study.slug} resume --wait"):
        say("kites", "start", "--wait")


def test_it_shows_where_the_arms_differ():
    study = a_generating_study()
    an_arm(study, "two", system_prompt="Help.")
    assert "system_prompt:  | Help." in say("kites", "fairness")


def test_an_unknown_study_names_those_there_are():
    a_study()
    with pytest.raises(CommandError, match="There are: kites"):
        say("nowhere", "status")


def test_a_dry_run_shows_what_the_model_would_be_given_and_generates_nothing():
    study = a_generating_study()
    study.arms.update(system_prompt="Be brief.")
    said = say("kites", "dry-run")
    assert "--- one, prompt-" in said
    assert "Be brief." in said
    assert not Run.objects.exists()


def test_what_a_server_says_plays_no_tricks_on_a_terminal():
    run = start_run(a_generating_study())
    fail_batch(claim_batch(run.pk, "test"), "status 500: \x1b[2Jfine\x07")
    said = say("kites", "status")
    assert "\x1b" not in said and "\x07" not in said and "⟦U+001B⟧[2Jfine" in said


def test_a_dry_run_of_a_text_that_no_record_can_hold_is_kept(monkeypatch):
    a_generating_study()
    monkeypatch.setattr("models_runtime.backends.scripted.ScriptedBackend.render", lambda *_: "a\x00b")
    assert "a\ufffdb" in say("kites", "dry-run")


def test_a_dry_run_finds_the_model_that_does_not_load():
    a_generating_study().arms.update(model="fail:no weights")
    assert "no weights" in say("kites", "dry-run")
