"""A training is queued, taken by one worker, heard, stopped, resumed, and made an arm."""

import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation import tasks
from annotation.actions import leases, training
from annotation.actions.training import Plan, resume, start_training, stop
from annotation.actions.training_settings import read_settings
from annotation.errors import BadSetting, BadTraining
from annotation.models import Training
from annotation.vocabulary import BatchState
from tests.actions.test_registering import checkpoint
from tests.cast import alice, an_arm
from tests.trainings import (
    a_done_training,
    a_trainable_study,
    a_training,
    now_of,
    plan_for,
    stand_in,
    taken,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.TRAININGS = tmp_path / "trainings"
    settings.TRAINS = True


def test_a_worker_hears_each_step_and_keeps_the_result(monkeypatch, tmp_path):
    found = a_training(a_trainable_study())
    stand_in(monkeypatch, tmp_path)
    tasks.train(found.pk)
    done = now_of(found)
    assert (done.state, done.step, done.steps, done.error) == (BatchState.DONE, 3, 3, "")
    assert list(done.metrics.values_list("step", "told")) == [
        (1, {"loss": 1.0}),
        (2, {"loss": 0.5}),
        (3, {"loss": pytest.approx(1 / 3)}),
    ]
    assert done.result == {"rows": 7, "modes": {"direct_answer": 4}}
    log = training.log_tail(done)
    assert "a warning of some library" in log and '"step": 3' in log
    assert training.claim(found.pk, "tess") is None


def test_a_training_that_fails_says_why_and_goes_on_where_it_was(monkeypatch, tmp_path):
    found = a_training(a_trainable_study())
    stand_in(monkeypatch, tmp_path, ending='sys.exit("The disk is full.")')
    tasks.train(found.pk)
    failed = now_of(found)
    assert (failed.state, failed.error) == (BatchState.FAILED, "The disk is full.")
    resume(failed, alice())
    stand_in(monkeypatch, tmp_path, steps=4)
    tasks.train(found.pk)
    done = now_of(found)
    assert (done.state, done.step, done.error) == (BatchState.DONE, 4, "")
    assert done.metrics.count() == 4


def test_a_process_that_is_killed_is_told_of(monkeypatch, tmp_path):
    found = a_training(a_trainable_study())
    stand_in(monkeypatch, tmp_path, ending="os.kill(os.getpid(), 9)")
    tasks.train(found.pk)
    assert now_of(found).state == BatchState.FAILED and "ended by signal 9" in now_of(found).error


@pytest.mark.parametrize(("report", "why"), [('{"r": NaN}', "diverged"), ("{", "cannot be kept")])
def test_a_report_that_cannot_be_kept_fails_at_once_and_says_why(monkeypatch, tmp_path, report, why):
    study = a_trainable_study()
    rewards = {name: a_done_training(study, "reward", target=name) for name in ("helpfulness", "safety")}
    found = start_training(study, Plan("evaluate", study.snapshots.get(), **rewards), alice())
    written = f"import shutil; shutil.rmtree(out); out.write_text({report!r}); sys.exit(0)"
    stand_in(monkeypatch, tmp_path, ending=written)
    tasks.train(found.pk)
    assert now_of(found).state == BatchState.FAILED and why in now_of(found).error


def test_a_training_that_is_stopped_at_work_ends_after_its_step_and_resumes(monkeypatch, tmp_path):
    found = a_training(a_trainable_study())
    stand_in(monkeypatch, tmp_path, steps=400, pause=0.05)
    claimed, heard = taken(found), training.note

    def stop_at_the_second(row, line):
        said = heard(row, line)
        if now_of(found).step == 2:
            stop(now_of(found), alice())
        return said

    monkeypatch.setattr(training, "note", stop_at_the_second)
    assert training.train(claimed)
    stopped = now_of(found)
    assert stopped.state == BatchState.CANCELLED and 2 <= stopped.step < 100
    monkeypatch.undo()
    stand_in(monkeypatch, tmp_path, steps=stopped.step + 2)
    resume(stopped, alice())
    tasks.train(found.pk)
    assert now_of(found).state == BatchState.DONE
    assert list(now_of(found).metrics.values_list("step", flat=True)) == list(range(1, stopped.step + 3))
    verbs = found.study.events.filter(verb__endswith="_training").order_by("pk")
    assert [event.verb for event in verbs] == ["start_training", "stop_training", "resume_training"]


def test_a_training_that_waits_is_stopped_at_once():
    found = a_training(a_trainable_study())
    stop(found, alice())
    assert now_of(found).state == BatchState.CANCELLED and training.claim(found.pk, "tess") is None
    with pytest.raises(BadTraining, match="nothing to stop"):
        stop(found, alice())


def test_what_is_done_is_not_resumed():
    with pytest.raises(BadTraining, match="neither stopped nor did it fail"):
        resume(a_done_training(a_trainable_study()), alice())


def test_a_worker_that_lost_its_claim_ends_the_process_and_records_nothing(monkeypatch, tmp_path):
    found = a_training(a_trainable_study())
    stand_in(monkeypatch, tmp_path, steps=400, pause=0.05)
    claimed = taken(found)
    lapsed = timezone.now() - timedelta(seconds=1)
    Training.objects.filter(pk=found.pk).update(lease_until=lapsed)
    assert training.requeue_stale() == 1
    assert not training.train(claimed)
    assert now_of(found).state == BatchState.QUEUED and not now_of(found).metrics.exists()


def test_a_dead_workers_training_waits_again_unless_it_was_stopped():
    study = a_trainable_study()
    first, second = a_training(study), a_training(study)
    for found in (first, second):
        leases.renew(taken(found), timezone.now() - timedelta(hours=1))
    stop(second, alice())
    training.requeue_stale()
    assert [now_of(one).state for one in (first, second)] == [BatchState.QUEUED, BatchState.CANCELLED]


# What may be asked -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"out": "/etc"}, "No such setting"),
        ({"model": "x"}, "No such setting"),
        ({"epochs": 0}, "from 0.01 to 100"),
        ({"epochs": float("nan")}, "from 0.01 to 100"),
        ({"epochs": "3; rm"}, "is a number"),
        ({"batch": 2.5}, "whole number"),
        ({"batch": True}, "is a number"),
        ({"full": "yes"}, "yes or no"),
        ({"device": "cuda:1"}, "one of auto, cpu"),
        ({"system_prompt": "a\0b"}, "NUL"),
        ({"system_prompt": "x" * 10_001}, "at most 10000"),
        ({"test_share": 0.6, "calibration_share": 0.5}, "must leave some"),
    ],
    ids=str,
)
def test_odd_settings_are_refused_in_a_sentence(given, sentence):
    with pytest.raises(BadSetting, match=sentence):
        read_settings("sft", given)
    study = a_trainable_study()
    with pytest.raises(BadSetting):
        start_training(study, plan_for(study, given=given))
    assert not study.trainings.exists()


def test_no_value_can_become_an_option_of_the_command():
    study = a_trainable_study(model="--out=/etc/passwd")
    found = a_training(study, system_prompt="--full --out=/etc", full=False)
    words = training.command(found)
    assert words[:5] == [sys.executable, "-m", "models_runtime.training", "sft", "--attached"]
    assert "--system-prompt=--full --out=/etc" in words and "--model=--out=/etc/passwd" in words
    assert [word for word in words if word.startswith("--out=")] == [f"--out={training.model_folder(found)}"]
    assert "--full" not in words


def test_rl_takes_two_done_reward_models_and_their_split():
    study = a_trainable_study()
    helpfulness = a_done_training(study, "reward", target="helpfulness", split_seed=5)
    safety = a_done_training(study, "reward", target="safety", split_seed=5)
    other = a_done_training(study, "reward", target="safety", split_seed=6)
    waiting = a_training(study, "reward", target="safety", split_seed=5)
    for wrong in (None, waiting, helpfulness):
        with pytest.raises(BadTraining, match="reward model of safety whose training is done"):
            start_training(study, plan_for(study, "rl", helpfulness=helpfulness, safety=wrong))
    with pytest.raises(BadTraining, match="same split"):
        start_training(study, plan_for(study, "rl", helpfulness=helpfulness, safety=other))
    found = start_training(study, plan_for(study, "rl", helpfulness=helpfulness, safety=safety))
    assert "--split-seed=5" in training.command(training.claim(found.pk, "tess"))


def test_only_local_models_and_tuned_models_are_started_from():
    study = a_trainable_study()
    arm, scripted = study.arms.get(), an_arm(study, "scripted")
    reward = start_training(study, plan_for(study, "reward", arm))
    Training.objects.filter(pk=reward.pk).update(state=BatchState.DONE)
    waiting = start_training(study, plan_for(study, start=arm))
    for start in (scripted, now_of(reward), waiting):
        with pytest.raises(BadTraining, match="local model|answers no prompt"):
            start_training(study, plan_for(study, start=start))
    adapter = an_arm(study, "hub", backend="transformers_local", model="org/m", adapter="org/adapter")
    with pytest.raises(BadTraining, match="no training of ours made"):
        start_training(study, plan_for(study, start=adapter))


def test_where_training_is_not_installed_nothing_starts(settings):
    settings.TRAINS = False
    with pytest.raises(BadTraining, match="requirements-train.txt"):
        a_training(a_trainable_study())


def test_a_training_that_ended_while_nobody_could_note_it_is_done(monkeypatch, tmp_path):
    study = a_trainable_study()
    found = a_training(study)
    folder = training.model_folder(found)
    folder.parent.mkdir(parents=True)
    checkpoint(folder, "sft", step=3, rows=7)
    monkeypatch.setattr(training, "command", lambda row: pytest.fail("It must not be trained again."))
    assert training.train(taken(found))
    assert (now_of(found).state, now_of(found).result) == (BatchState.DONE, {"rows": 7})
