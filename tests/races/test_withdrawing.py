"""A rater's work is withdrawn while a researcher drops flagged pairs of it: neither waits for ever."""

import threading
import time

import pytest

from annotation.actions import claims, leaving, quality
from annotation.actions.claims import claim_next_pair, flag_assignment
from annotation.actions.flagging import answer_flags
from annotation.models import Assignment, Enrolment, Pair
from annotation.vocabulary import AssignmentState, FlagReason, PairState
from tests.cast import a_judgment, a_rateable_study, a_rater, bob, carol
from tests.races.test_raters import at_once

pytestmark = pytest.mark.postgresql


def test_withdrawing_and_dropping_take_their_locks_in_one_order(committed_db, monkeypatch):
    study = a_rateable_study(pairs=1, overlap=2)
    rater = a_rater(study, bob())
    a_judgment(rater)
    flag_assignment(claim_next_pair(a_rater(study, carol())), FlagReason.OTHER)
    pair, locked = study.pairs.get(), threading.Event()
    lock_work = leaving.lock_work

    def lock_and_let_the_other_begin(keys):
        found = lock_work(keys)
        locked.set()
        time.sleep(0.5)
        return found

    monkeypatch.setattr(leaving, "lock_work", lock_and_let_the_other_begin)

    def withdraw():
        locked.wait()
        return quality.withdraw_work(rater, "A machine answered.")

    dropped, withdrawn = at_once(
        lambda job: job(), [lambda: answer_flags(study, [pair.pk], "drop"), withdraw]
    )
    assert (dropped.pairs, withdrawn) == ([pair.pk], 0)
    pair.refresh_from_db()
    assert (pair.state, pair.open_slots) == (PairState.DROPPED, pair.overlap)
    assert Assignment.objects.get(enrolment=rater).state == AssignmentState.WITHDRAWN


def test_two_who_withdraw_while_each_rater_holds_a_pair_of_the_other_do_not_wait_for_ever(
    committed_db, monkeypatch
):
    study = a_rateable_study(pairs=2, overlap=2)
    raters = [a_rater(study, bob()), a_rater(study, carol())]
    first, second = study.pairs.order_by("pk")
    for rater, judged, held in ((raters[0], first, second), (raters[1], second, first)):
        for pair in (judged, held):
            Pair.objects.update(place=2)
            Pair.objects.filter(pk=pair.pk).update(place=1)
            Enrolment.objects.filter(pk=rater.pk).update(cursor=-1)
            a_judgment(rater) if pair is judged else claim_next_pair(rater)
    free_slot = claims.free_slot

    def free_and_wait(*given):
        freed = free_slot(*given)
        time.sleep(0.5)
        return freed

    monkeypatch.setattr(claims, "free_slot", free_and_wait)
    assert at_once(lambda rater: quality.withdraw_work(rater, "A machine answered."), raters) == [1, 1]
    assert not Assignment.objects.filter(slot__isnull=False).exists()
