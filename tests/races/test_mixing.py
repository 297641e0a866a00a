"""Many raters at once while gold and repeated pairs are mixed in."""

import uuid

import pytest
from django.db.models import Count

from annotation.actions.claims import claim_next_pair
from annotation.actions.gold import make_gold
from annotation.actions.judging import submit_and_claim
from annotation.errors import NothingFree, NothingLeft
from annotation.models import Assignment, Judgment, Study
from annotation.vocabulary import AssignmentKind
from tests.cast import a_rateable_study, a_rater, answers, person
from tests.races.test_raters import RATERS, at_once


def judge_all(rater):
    """Judge until nothing is left, a pair and the next in one transaction."""
    held = None
    while True:
        try:
            held = held or claim_next_pair(rater)
        except NothingLeft:
            return
        except NothingFree:
            continue
        _, held, _ = submit_and_claim(held, answers(), uuid.uuid4().hex)


@pytest.mark.slow
def test_raters_at_once_get_gold_once_each_and_fill_every_pair_exactly(committed_db, monkeypatch):
    # Eight raters judge some nine pairs each: with the real gap there would hardly be a repeat to look at.
    monkeypatch.setattr("annotation.actions.mixing.REPEAT_GAP", 2)
    study = a_rateable_study(pairs=30, overlap=3)
    for pair in study.pairs.order_by("pk")[:6]:
        make_gold(pair, {"balance": 2})
    Study.objects.filter(pk=study.pk).update(gold_percent=25, repeat_percent=25)
    at_once(judge_all, [a_rater(study, person(f"rater {number}")) for number in range(RATERS)])
    rated = study.pairs.exclude(state="gold").annotate(raters=Count("assignments__slot", distinct=True))
    assert set(rated.values_list("raters", "open_slots")) == {(3, 0)}
    assert Judgment.objects.that_count().count() == 24 * 3
    for kind in (AssignmentKind.GOLD, AssignmentKind.REPEAT):
        of_kind = Assignment.objects.filter(kind=kind)
        assert of_kind.exists() and not of_kind.filter(slot__isnull=False).exists()
        twice = of_kind.values("enrolment", "pair").annotate(n=Count("pk")).filter(n__gt=1)
        assert not twice.exists()


def test_one_rater_in_many_windows_draws_once(committed_db):
    study = a_rateable_study(pairs=12)
    for pair in study.pairs.order_by("pk")[:6]:
        make_gold(pair, {"balance": 2})
    Study.objects.filter(pk=study.pk).update(gold_percent=50)
    rater = a_rater(study, person("one"))
    assert len(set(at_once(lambda rater: claim_next_pair(rater).pk, [rater] * RATERS))) == 1
    rater.refresh_from_db()
    assert rater.offered == 1
