"""The tables that reports are made from."""

import pytest

from annotation.reports.rows import PAIR_ROW, RESPONSE_ROW, UNANSWERED, Answers, place
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
    good, bad = Answers.of_study(study).of_responses[["safety", "severity", "helpfulness", "mode"]].tolist()
    assert [good, bad] == [(0, UNANSWERED, 3, 5), (2, 3, 2, 4)]


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
    rows = Answers.of_study(study).of_responses
    assert rows[["safety", "severity", "helpfulness", "mode", "facilitation"]].tolist() == [
        (3, UNANSWERED, UNANSWERED, UNANSWERED, UNANSWERED)
    ]


@pytest.mark.parametrize("pairs", [1, 6])
def test_reading_costs_the_same_queries_at_any_size(pairs, django_assert_num_queries):
    study = a_varied_study(pairs)
    with django_assert_num_queries(8):  # and one for grades, where a grading is finished
        answers = Answers.of_study(study)
    assert (len(answers.of_pairs), len(answers.of_responses)) == (2 * pairs, 4 * pairs)
    with django_assert_num_queries(6):
        assert len(Answers.of_pairs_alone(study).of_pairs) == 2 * pairs
