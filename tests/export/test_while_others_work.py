"""Snapshots are whole while raters judge and others freeze: real threads on committed data."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from annotation.actions import snapshots
from annotation.actions.snapshots import freeze_snapshot
from annotation.export import queries
from annotation.export.reading import one_moment
from annotation.models import Enrolment
from tests.cast import carol
from tests.export.studies import a_judged_study, judge, read


def in_a_thread(work):
    """Run `work` with a connection of its own, to the end."""

    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("while_reading", ["judgments_of", "preferred_of", "responses_of"])
def test_a_judgment_given_meanwhile_is_in_all_files_or_in_none(
    committed_db, tmp_path, monkeypatch, while_reading
):
    study = a_judged_study()
    carols = Enrolment.objects.get(user=carol())
    made, query_of = [], getattr(queries, while_reading)

    def judged_meanwhile(study):
        in_a_thread(lambda: made.append(judge(carols, 3).pk))
        return query_of(study)

    monkeypatch.setattr(queries, while_reading, judged_meanwhile)
    snapshot = freeze_snapshot(study, out=tmp_path / "out")
    assert made and study.judgments.count() == 10
    assert len(read(tmp_path / "out", "judgments")) == 9
    assert [row["n_judgments"] for row in read(tmp_path / "out", "preferences")] == [2, 2, 1]
    assert snapshot.manifest["counts"]["votes"] == 9


def test_raters_judge_while_a_snapshot_reads(committed_db):
    """Reading takes no lock: on SQLite, too, where it would be the one that writers need."""
    study = a_judged_study()
    carols = Enrolment.objects.get(user=carol())
    with one_moment():
        assert study.judgments.count() == 9
        in_a_thread(lambda: judge(carols, 3))
        assert study.judgments.count() == 9
    assert study.judgments.count() == 10


@pytest.mark.slow
def test_freezes_at_once_get_different_numbers(committed_db, settings, tmp_path):
    settings.SNAPSHOTS = tmp_path
    study = a_judged_study()

    def freeze(_):
        try:
            return freeze_snapshot(study).number
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(freeze, range(8))) == list(range(1, 9))
    assert sorted(os.listdir(tmp_path / "kites")) == sorted(str(number) for number in range(1, 9))


def test_asking_for_versions_locks_nobody_out(committed_db, tmp_path, monkeypatch):
    """Git may take seconds to answer, and on SQLite a transaction would hold the one write lock meanwhile."""
    locked = []
    asked = snapshots.versions
    monkeypatch.setattr(snapshots, "versions", lambda: locked.append(connection.in_atomic_block) or asked())
    freeze_snapshot(a_judged_study(), out=tmp_path / "out")
    assert locked == [False]
