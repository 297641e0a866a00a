"""A freezing is asked for, watched, stopped, and had by one worker."""

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.actions import freezing, leases, snapshots
from annotation.errors import SnapshotRefused
from annotation.models import Freezing, Snapshot
from annotation.reports.freezing import freezing_progress
from annotation.vocabulary import BatchState
from tests.cast import a_rateable_study, alice
from tests.export.studies import a_judged_study

pytestmark = pytest.mark.django_db


def taken(asked: Freezing) -> Freezing:
    claimed = freezing.claim(asked.pk, "wanda")
    assert claimed is not None
    return claimed


def now_of(asked: Freezing) -> Freezing:
    return Freezing.objects.get(pk=asked.pk)


def test_a_worker_freezes_what_was_asked_for_once():
    study = a_judged_study()
    asked, is_new = freezing.ask(study, alice())
    again, is_new_again = freezing.ask(study, alice())
    assert (is_new, is_new_again, again) == (True, False, asked)
    assert freezing.run(taken(asked))
    assert now_of(asked).state == BatchState.DONE and Snapshot.objects.get().created_by == alice()
    assert freezing.claim(asked.pk, "wanda") is None and freezing_progress(study) is None


def test_what_is_expected_is_about_what_is_written(monkeypatch):
    study = a_judged_study()
    asked, _ = freezing.ask(study)
    written = []
    freeze = snapshots.freeze_snapshot
    monkeypatch.setattr(
        freezing,
        "freeze_snapshot",
        lambda *rest, tell, **more: freeze(
            *rest, tell=lambda *told: (written.append(told), tell(*told)), **more
        ),
    )
    freezing.run(taken(asked))
    tables = {name for name, _ in written}
    assert {"judgments.parquet", "judgments.jsonl", "responses.jsonl", "README.md"} <= tables
    assert sum(rows for _, rows in written) == pytest.approx(asked.rows_expected, rel=0.3)


def test_one_that_waits_is_stopped_at_once():
    asked, _ = freezing.ask(a_judged_study())
    freezing.stop(asked, alice())
    assert now_of(asked).state == BatchState.CANCELLED and freezing.claim(asked.pk, "wanda") is None
    with pytest.raises(SnapshotRefused, match="nothing to stop"):
        freezing.stop(asked)


def test_one_that_cannot_be_frozen_says_why():
    study = a_rateable_study()
    asked, _ = freezing.ask(study)
    assert not freezing.run(taken(asked))
    assert "has no judgment yet" in freezing_progress(study).failure
    assert study.events.filter(verb="freeze_snapshot_failed").exists()


def test_a_later_snapshot_makes_a_failure_forgotten():
    study = a_judged_study()
    asked, _ = freezing.ask(study)
    leases.fail(taken(asked), "The disk is full.")
    assert freezing_progress(study).failure == "The disk is full."
    snapshots.freeze_snapshot(study)
    assert freezing_progress(study) is None


def test_a_worker_that_lost_its_claim_keeps_no_snapshot():
    study = a_judged_study()
    asked, _ = freezing.ask(study)
    lost = taken(asked)
    leases.renew(lost, timezone.now() - timedelta(hours=1))
    assert freezing.requeue_stale() == 1
    assert not freezing.run(lost)
    assert not Snapshot.objects.exists() and now_of(asked).state == BatchState.QUEUED
    assert freezing.run(taken(asked)) and Snapshot.objects.count() == 1


def test_a_dead_workers_freezing_that_was_to_be_stopped_ends():
    asked, _ = freezing.ask(a_judged_study())
    dead = taken(asked)
    freezing.stop(asked)
    leases.renew(dead, timezone.now() - timedelta(hours=1))
    assert freezing.requeue_stale() == 0
    assert now_of(asked).state == BatchState.CANCELLED
