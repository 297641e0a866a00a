"""`manage.py grade`: the grader from the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from kombu.exceptions import OperationalError

from annotation import tasks
from annotation.models import Grade, Grading
from annotation.vocabulary import GradingState
from tests.cast import a_rateable_study
from tests.judging_models import a_judge, teach

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hinted(monkeypatch):
    """The gradings that workers were told of."""
    told = []
    monkeypatch.setattr(tasks, "hint_grading", told.append)
    return told


def say(*words) -> str:
    said, complaints = StringIO(), StringIO()
    call_command("grade", "kites", *words, stdout=said, stderr=complaints)
    return said.getvalue() + complaints.getvalue()


def test_a_grading_is_started_with_its_settings_and_waited_for(monkeypatch, tmp_path, hinted):
    a_rateable_study(1)
    model = a_judge(tmp_path).model

    def work(seconds):
        teach(Grading.objects.get())
        tasks.grade_batch(Grading.objects.get().pk)

    monkeypatch.setattr("time.sleep", work)
    said = say(*f"--backend scripted --model {model} --repeats 2 --keep mean --wait".split())
    assert "grading, 0 of 4 grades" in said and "done, 4 of 4 grades, 0 without" in said
    found = Grading.objects.get()
    assert (found.repeats, found.keep, hinted) == (2, "mean", [found])
    assert Grade.objects.count() == 4


def test_it_says_that_nobody_is_at_work():
    a_rateable_study(1)
    assert "No worker is alive." in say("--backend", "scripted", "--model", "echo")


def test_a_stopped_grading_is_resumed():
    a_rateable_study(1)
    say("--backend", "scripted", "--model", "echo")
    Grading.objects.update(state=GradingState.FAILED)
    assert "grading, 0 of 2" in say("--resume")


def test_waiting_for_a_grading_that_stops_is_a_failure_with_a_way_on(monkeypatch):
    a_rateable_study(1)

    def stop(_):
        Grading.objects.update(state=GradingState.FAILED, error="No such folder.")

    monkeypatch.setattr("time.sleep", stop)
    with pytest.raises(CommandError, match="grade kites --resume --wait"):
        say("--backend", "scripted", "--model", "echo", "--wait")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--resume"], "no grading yet"),
        (["--backend", "oracle", "--model", "x"], "no backend named 'oracle'"),
        (["--policy-given", "--model", "x"], "no guideline"),
        (["--sampling", "warm"], "Not valid JSON"),
        (["--sampling", "[1]"], "an object"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(words, message):
    a_rateable_study(1)
    with pytest.raises(CommandError, match=message):
        say(*words)
    assert not Grading.objects.exists()


def test_a_queue_that_is_down_only_delays(monkeypatch):
    def down(found):
        raise OperationalError("no broker")

    a_rateable_study(1)
    monkeypatch.setattr(tasks, "hint_grading", down)
    assert "by itself when it is back" in say("--backend", "scripted", "--model", "echo")
    assert Grading.objects.get().state == GradingState.RUNNING
