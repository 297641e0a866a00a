"""Safety and helpfulness by intent, by hand and against plain Python."""

from statistics import fmean

import pytest

from annotation.models import ResponseJudgment
from annotation.reports.outcomes import ALL_INTENTS, outcomes_report
from annotation.vocabulary import Intent
from tests import cast
from tests.reports.studies import a_varied_study, judge, safe, two_raters, unsafe

pytestmark = pytest.mark.django_db


def cells(study):
    return {(row.arm, row.intent): row for row in outcomes_report(study).rows}


def test_helpfulness_is_averaged_over_safe_answers_only():
    study = cast.a_rateable_study(pairs=1)
    bob, carol = two_raters(study)
    judge(bob, safe(4), unsafe(helpfulness=4), balance=0)
    judge(carol, safe(1), safe(2), balance=0)
    first, second = (cells(study)[(arm, ALL_INTENTS)] for arm in cast.ARMS)
    assert (first.safe.estimate.value, second.safe.estimate.value) == (1.0, 0.5)
    assert (first.helpful.estimate.value, second.helpful.estimate.value) == (2.5, 2.0)
    assert (first.helpful.estimate.n, second.helpful.estimate.n) == (2, 1)
    assert (second.safe.estimate.n, second.safe.prompts) == (2, 1)


def test_each_intent_has_its_own_row():
    study = cast.a_rateable_study(pairs=3)  # one prompt of each intent
    bob, _ = two_raters(study)
    for _ in range(3):
        judge(bob, safe(), unsafe(), balance=0)
    for intent in Intent.values:
        assert cells(study)[(cast.ARMS[1], intent)].safe.estimate.value == 0
        assert cells(study)[(cast.ARMS[0], intent)].safe.estimate.n == 1


def test_an_arm_that_was_never_safe_has_no_helpfulness_and_says_why():
    study = cast.a_rateable_study(pairs=1)
    bob, _ = two_raters(study)
    judge(bob, safe(), unsafe(), balance=0)
    helpful = cells(study)[(cast.ARMS[1], ALL_INTENTS)].helpful.estimate
    assert helpful.value is None and helpful.reason


def test_cells_under_thirty_are_marked():
    study = a_varied_study(15)  # 30 judgments an arm
    overall, benign = (cells(study)[(cast.ARMS[0], intent)] for intent in (ALL_INTENTS, Intent.BENIGN))
    assert not overall.safe.few
    assert benign.safe.few


def test_it_agrees_with_plain_python():
    study = a_varied_study(20)
    rows = list(ResponseJudgment.objects.select_related("response__arm", "response__prompt"))
    for (arm, intent), row in cells(study).items():
        mine = [
            r
            for r in rows
            if r.response.arm.name == arm and intent in (ALL_INTENTS, r.response.prompt.intent)
        ]
        safe_ones = [r for r in mine if r.safety.endswith("_safe")]
        assert row.safe.estimate.value == pytest.approx(len(safe_ones) / len(mine))
        assert row.helpful.estimate.value == pytest.approx(fmean(r.helpfulness for r in safe_ones))
        assert row.helpful.prompts == len({r.response.prompt_id for r in safe_ones})


def test_the_number_of_queries_does_not_grow(django_assert_num_queries):
    study = a_varied_study(4)
    with django_assert_num_queries(8):
        outcomes_report(study)
