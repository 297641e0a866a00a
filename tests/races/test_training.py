"""A training bears a database that goes away for a while."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.db.models import QuerySet
from django.utils import timezone

from annotation.actions import leases, training
from annotation.models import Training
from annotation.vocabulary import BatchState
from tests.trainings import a_trainable_study, a_training, now_of, stand_in, taken


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.TRAININGS = tmp_path / "trainings"
    settings.TRAINS = True


def falls_silent(monkeypatch, times: int) -> list[int]:
    """Have the next `times` statements that change a training fail as they do while a database restarts."""
    left, update = [times], QuerySet.update

    def updates(rows, **changes):
        if rows.model is Training and left[0]:
            left[0] -= 1
            raise OperationalError("the connection is closed")
        return update(rows, **changes)

    monkeypatch.setattr(QuerySet, "update", updates)
    return left


def test_a_training_goes_on_while_the_database_is_away_for_a_moment(committed_db, monkeypatch, tmp_path):
    found = a_training(a_trainable_study())
    stand_in(monkeypatch, tmp_path)
    claimed = taken(found)
    left = falls_silent(monkeypatch, times=3)
    assert training.train(claimed)
    assert left == [0] and now_of(found).state == BatchState.DONE
    assert now_of(found).metrics.count() == 3


def test_a_training_whose_database_stays_away_is_resumed_and_not_failed(committed_db, monkeypatch, tmp_path):
    found = a_training(a_trainable_study())
    stand_in(monkeypatch, tmp_path)
    claimed = taken(found)
    with monkeypatch.context() as away:
        away.setattr(training, "PATIENCE", 0)
        heard = training.note
        away.setattr(training, "note", lambda *told: (falls_silent(away, times=1), heard(*told))[1])
        with pytest.raises(OperationalError):
            training.train(claimed)
    assert now_of(found).state == BatchState.CLAIMED
    leases.renew(claimed, timezone.now() - timedelta(hours=1))
    assert training.requeue_stale() == 1
    assert training.train(taken(found))
    assert now_of(found).state == BatchState.DONE
