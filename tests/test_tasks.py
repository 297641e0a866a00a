"""What workers do with messages: look at the rows."""

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError
from django.urls import reverse
from django.utils import timezone

from annotation import tasks
from annotation.actions import freezing, runs
from annotation.actions.claims import claim_next_pair
from annotation.models import Batch, Response, WorkerHeartbeat
from annotation.vocabulary import RunState
from tests.cast import (
    a_judgment,
    a_prompt,
    a_rateable_study,
    a_rater,
    a_study,
    alice,
    an_arm,
    bob,
    is_held,
)
from tests.export.studies import a_judged_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def eager(settings):
    """Tasks run where they are called, as a worker would run them."""
    tasks.generate_batch.app.conf.task_always_eager = True
    yield
    tasks.generate_batch.app.conf.task_always_eager = False


@pytest.fixture
def sent(monkeypatch):
    """The messages that were sent instead of being delivered: (task, run id)."""
    messages = []
    for task in (tasks.generate_batch, tasks.finish_run):
        monkeypatch.setattr(
            task, "apply_async", lambda args, kwargs=None, t=task, **options: messages.append((t.name, *args))
        )
    return messages


def a_run(prompts=3):
    study = a_study()
    for name in ("one", "two"):
        an_arm(study, name)
    for _ in range(prompts):
        a_prompt(study)
    return runs.start_run(study, batch_size=2)


def test_one_message_is_enough_to_bring_a_run_to_its_pairs(eager):
    run = a_run(prompts=3)
    tasks.generate_batch.delay(run.pk)
    run.refresh_from_db()
    assert run.state == RunState.DONE
    assert (Response.objects.count(), run.study.pairs.count()) == (6, 3)


def test_a_message_delivered_twice_doubles_nothing(eager):
    run = a_run()
    for _ in range(5):
        tasks.generate_batch.delay(run.pk)
        tasks.finish_run.delay(run.pk)
    assert Response.objects.count() == 6


def test_a_lost_message_is_sent_again_by_the_beat(eager):
    run = a_run()
    tasks.requeue_stale.delay()
    run.refresh_from_db()
    assert run.state == RunState.DONE


def test_the_beat_hints_at_waiting_runs_only(sent):
    run = a_run()
    tasks.requeue_stale()
    while runs.claim_batch(run.pk, "test"):
        pass
    tasks.requeue_stale()
    assert sent == [(tasks.generate_batch.name, run.pk)]


def test_the_beat_frees_what_a_dead_worker_held(sent):
    run = a_run()
    lost = runs.claim_batch(run.pk, "dead")
    Batch.objects.filter(pk=lost.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.requeue_stale()
    assert runs.claim_batch(run.pk, "living").pk == lost.pk


def test_the_beat_pairs_a_run_whose_last_message_was_lost(eager):
    run = a_run()
    run.batches.update(state="done")
    type(run).objects.filter(pk=run.pk).update(state=RunState.GENERATED)
    tasks.requeue_stale.delay()
    run.refresh_from_db()
    assert run.state == RunState.DONE


def test_a_worker_stays_with_a_run_for_a_stint_and_then_passes_the_hint_on(sent, monkeypatch):
    run = a_run(prompts=8)
    monkeypatch.setattr(tasks, "STINT_SECONDS", 0)
    tasks.generate_batch(run.pk)
    assert run.batches.filter(state="done").count() == 1
    monkeypatch.setattr(tasks, "STINT_SECONDS", 60)
    tasks.generate_batch(run.pk)
    assert not run.batches.exclude(state="done").exists()
    assert sent == [(tasks.generate_batch.name, run.pk), (tasks.finish_run.name, run.pk)]


@pytest.mark.parametrize(
    "failure", [OperationalError("database is locked"), InterfaceError("connection already closed")]
)
def test_one_failure_of_the_database_does_not_end_the_renewing(monkeypatch, caplog, failure):
    def fails(batch):
        raise failure

    batch = runs.claim_batch(a_run().pk, "busy")
    monkeypatch.setattr(runs, "renew_lease", fails)
    tasks._renew_once(batch, "busy")
    assert "could not be renewed" in caplog.text


def test_a_run_with_only_pairs_to_make_is_hinted_as_such(sent):
    run = a_run()
    run.state = RunState.GENERATED
    tasks.hint(run)
    assert sent == [(tasks.finish_run.name, run.pk)]


def test_a_failed_run_gets_no_hints(sent):
    run = a_run()
    runs.fail_batch(runs.claim_batch(run.pk, "test"), "no model")
    tasks.requeue_stale()
    assert sent == []


def test_a_worker_says_that_it_lives(eager):
    tasks.note_worker.delay("gpu")
    assert WorkerHeartbeat.objects.get().queue == "gpu"


def test_lapsed_leases_are_released_by_the_beat(eager):
    study = a_rateable_study()
    held = claim_next_pair(a_rater(study, bob()), at=timezone.now() - timedelta(hours=2))
    tasks.release_expired_leases.delay()
    assert not is_held(held)


def test_a_snapshot_that_a_worker_cannot_freeze_is_told_on_its_page(client):
    study = a_rateable_study()
    tasks.freeze_snapshot(freezing.ask(study, alice())[0].pk)
    client.force_login(alice())
    address = reverse("desk:snapshots", args=[study.slug])
    assert "has no judgment yet" in client.get(address).content.decode()
    a_judgment(a_rater(study, bob()))
    tasks.freeze_snapshot(freezing.ask(study, alice())[0].pk)
    assert "has no judgment yet" not in client.get(address).content.decode()


def test_a_snapshot_that_fails_unexpectedly_is_told_too(client, monkeypatch):
    def fails(*args, **more):
        raise MemoryError

    study = a_rateable_study()
    monkeypatch.setattr(freezing, "freeze_snapshot", fails)
    with pytest.raises(MemoryError):
        tasks.freeze_snapshot(freezing.ask(study, alice())[0].pk)
    client.force_login(alice())
    page = client.get(reverse("desk:snapshots", args=[study.slug])).content.decode()
    assert "Something unexpected went wrong" in page


def test_the_beat_finds_what_nobody_was_told_of(eager):
    study = a_judged_study()
    freezing.ask(study, alice())
    tasks.requeue_stale()
    assert study.snapshots.count() == 1
