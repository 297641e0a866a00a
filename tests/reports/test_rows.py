"""The tables that reports are made from."""

import pytest

from annotation.reports.rows import PAIR_ROW, RESPONSE_ROW, UNANSWERED, Answers, place, response_rows
from annotation.vocabulary import ResponseMode, SafetyLevel, Severity
from tests import cast
from tests.reports.studies import a_varied_study, judge, safe, two_raters, unsafe

pytestmark = pytest.mark.django_db


def test_a_million_answers_fit_in_fifty_megabytes():
    assert RESPONSE_ROW.itemsize < 50 and PAIR_ROW.itemsize < 50


@pytest.mark.parametrize("scale", [SafetyLevel, Severity])
def test_a_words_place_is_its_rank(scale):
    assert [place(scale, level.value) for level in scale] == [level.rank for level in scale]


def test_words_are_kept_by_their_places():
    study = cast.a_rateable_study(pairs=1)
    bob, _ = two_raters(study)
    judge(bob, safe(3, ResponseMode.OTHER), unsafe(Severity.HIGH, 2), balance=0)
    good, bad = response_rows(study)[["safety", "severity", "helpfulness", "mode"]].tolist()
    assert sorted([good, bad]) == [(0, UNANSWERED, 3, 5), (2, 3, 2, 4)]


def test_what_an_imported_row_does_not_answer_is_unanswered():
    study = cast.a_rateable_study(pairs=1)
    response = study.responses.first()
    judgment = study.judgments.create(
        enrolment=study.enrolments.create(code="one"),
        source="imported",
        response=response,
        guideline_condition="policy_free",
    )
    judgment.responses.create(response=response, safety=SafetyLevel.CLEARLY_UNSAFE)
    (row,) = response_rows(study)[["safety", "severity", "helpfulness", "mode"]].tolist()
    assert row == (3, UNANSWERED, UNANSWERED, UNANSWERED)


def test_reports_share_what_was_read(django_assert_num_queries):
    answers = Answers(a_varied_study(3))
    with django_assert_num_queries(2):
        for _ in range(2):
            assert len(answers.of_pairs) == 6
            assert len(answers.of_responses) == 12
