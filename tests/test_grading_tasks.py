"""What workers do with messages about gradings: look at the rows."""

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation import tasks
from annotation.actions import grading
from annotation.models import Grade, GradeBatch, WorkerHeartbeat
from annotation.vocabulary import GradingState
from tests.cast import a_rateable_study
from tests.judging_models import a_judge, teach

pytestmark = pytest.mark.django_db


@pytest.fixture
def eager():
    """Tasks run where they are called, as a worker would run them."""
    tasks.grade_batch.app.conf.task_always_eager = True
    yield
    tasks.grade_batch.app.conf.task_always_eager = False


@pytest.fixture
def sent(monkeypatch):
    """The gradings that were hinted at instead of being graded."""
    gradings = []
    monkeypatch.setattr(
        tasks.grade_batch, "apply_async", lambda args, *rest, **options: gradings.extend(args)
    )
    return gradings


@pytest.fixture
def found(tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "BATCH_SIZE", 2)
    found = grading.start_grading(a_rateable_study(3), a_judge(tmp_path))
    teach(found)
    return found


def test_one_message_is_enough_to_finish_a_grading(eager, found):
    tasks.grade_batch.delay(found.pk)
    found.refresh_from_db()
    assert (found.state, Grade.objects.count()) == (GradingState.DONE, 6)


def test_a_message_delivered_five_times_doubles_nothing(eager, found):
    for _ in range(5):
        tasks.hint_grading(found)
    assert Grade.objects.count() == 6


def test_the_beat_frees_what_a_dead_worker_held_and_sends_lost_messages_again(eager, found):
    grading.claim_batch(found.pk, "dead")
    GradeBatch.objects.filter(worker="dead").update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.requeue_stale.delay()
    found.refresh_from_db()
    assert (found.state, Grade.objects.count()) == (GradingState.DONE, 6)


def test_the_beat_hints_at_gradings_that_wait_and_at_no_others(sent, found):
    tasks.requeue_stale()
    assert sent == [found.pk]
    grading.pause_grading(found)
    tasks.requeue_stale()
    assert sent == [found.pk]


def test_a_worker_passes_the_hint_on_after_its_stint(sent, found, monkeypatch):
    monkeypatch.setattr(tasks, "STINT_SECONDS", 0)
    tasks.grade_batch(found.pk)
    assert (Grade.objects.count(), sent) == (2, [found.pk])


def test_the_lease_of_a_grade_batch_is_renewed_like_any_other(found):
    batch = grading.claim_batch(found.pk, "busy")
    tasks._renew_once(batch, "busy")
    assert GradeBatch.objects.get(pk=batch.pk).lease_until > batch.lease_until
    assert WorkerHeartbeat.objects.get().name == "busy"


def test_grading_is_work_for_the_gpu(settings):
    assert settings.CELERY_TASK_ROUTES[tasks.grade_batch.name] == {"queue": "gpu"}
