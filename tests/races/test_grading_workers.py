"""Real workers that are killed in the middle of a grading."""

import pytest

from annotation.actions import grading
from annotation.models import Grade, GradeBatch, Grading
from annotation.vocabulary import BatchState, GradingState
from tests.cast import a_rateable_study
from tests.races.test_workers import a_broker, a_worker, kill, until


@pytest.mark.slow
def test_a_grading_survives_workers_that_are_killed_in_the_middle(committed_db, tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "BATCH_SIZE", 2)
    found = grading.start_grading(a_rateable_study(8), grading.Judge("scripted", "slow:0.1"))
    batches = GradeBatch.objects.filter(grading=found)

    def is_busy():
        return {BatchState.DONE, BatchState.CLAIMED} <= set(batches.values_list("state", flat=True))

    def is_done():
        return Grading.objects.filter(pk=found.pk, state=GradingState.DONE).exists()

    with a_broker("filesystem", tmp_path) as url:
        with a_worker(tmp_path, url) as first:
            until(is_busy)
            kill(first)
        assert not is_done()
        with a_worker(tmp_path, url):
            until(is_done)
    assert Grade.objects.count() == Grade.objects.values("response", "repeat").distinct().count() == 16
