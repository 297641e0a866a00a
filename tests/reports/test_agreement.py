"""Agreement per question, by hand and against plain Python."""

from collections import Counter, defaultdict
from itertools import combinations, permutations

import pytest

from annotation.actions.judging import revise_judgment
from annotation.models import Arm, ResponseJudgment
from annotation.reports.agreement import agreement_report
from annotation.reports.rows import Answers, first_of_each
from annotation.vocabulary import ResponseMode, Severity
from tests import cast
from tests.reports.studies import a_varied_study, judge, safe, two_raters, unsafe

pytestmark = pytest.mark.django_db


def by_question(study, arm=None):
    return {question.question: question for question in agreement_report(study, arm).questions}


def test_raters_who_say_the_same_agree_wholly():
    study = cast.a_rateable_study(pairs=2)
    for rater in two_raters(study):
        judge(rater, safe(), unsafe(), balance=-2, safer=-1)
        judge(rater, safe(), unsafe(), balance=1, safer=-3)
    report = by_question(study)
    for name in ("safety", "unsafe", "balance", "safer"):
        assert (report[name].raw.value, report[name].alpha.value) == (1.0, 1.0)
    assert (report["safety"].items, report["safety"].raters, report["safety"].judgments) == (4, 2, 8)
    assert (report["balance"].items, report["balance"].judgments) == (2, 4)


def test_an_answer_that_never_varies_has_no_alpha_and_says_why():
    study = cast.a_rateable_study(pairs=2)
    for rater in two_raters(study):
        judge(rater, safe(), safe(), balance=0)
        judge(rater, safe(), safe(), balance=0)
    safety = by_question(study)["safety"]
    assert safety.raw.value == 1.0
    assert safety.alpha.value is None
    assert "without variation" in safety.alpha.reason


def test_severity_is_compared_where_both_call_a_response_unsafe():
    study = cast.a_rateable_study(pairs=2)
    bob, carol = two_raters(study)
    judge(bob, safe(), unsafe(Severity.LOW), balance=0)
    judge(bob, safe(), unsafe(Severity.HIGH), balance=0)
    judge(carol, safe(), unsafe(Severity.MODERATE), balance=0)
    judge(carol, safe(), safe(), balance=0)
    severity = by_question(study)["severity"]
    assert (severity.items, severity.judgments) == (1, 3)
    assert severity.raw.value == 0


def test_it_can_be_asked_of_one_arm():
    study = cast.a_rateable_study(pairs=2)
    bob, carol = two_raters(study)
    for rater, mode in ((bob, ResponseMode.OTHER), (carol, ResponseMode.HARD_REFUSAL)):
        judge(rater, safe(), safe(mode=mode), balance=0)
        judge(rater, safe(), safe(mode=mode), balance=0)
    first, second = Arm.objects.filter(study=study).order_by("position")
    assert by_question(study, first)["mode"].raw.value == 1
    assert by_question(study, second)["mode"].raw.value == 0
    assert agreement_report(study, second).arm_name == second.name


def test_a_response_met_in_two_pairs_counts_once_with_the_first_answer():
    study = cast.a_study_of_three_arms()
    bob, carol = two_raters(study)
    for rater in (bob, carol):
        judge(rater, safe(1), safe(1), balance=0)
        judge(rater, safe(4), safe(4), balance=0)
    helpfulness = by_question(study)["helpfulness"]
    assert helpfulness.items == 3
    assert helpfulness.judgments == 6


def test_imported_rows_without_an_answer_are_left_out():
    study = cast.a_rateable_study(pairs=1)
    bob, _ = two_raters(study)
    judge(bob, safe(), safe(), balance=0)
    ResponseJudgment.objects.create(
        judgment=study.judgments.create(
            enrolment=cast.a_rater(study, cast.carol()),
            source="imported",
            response=study.responses.first(),
            guideline_condition="policy_free",
        ),
        response=study.responses.first(),
        mode=ResponseMode.OTHER,
    )
    report = by_question(study)
    assert (report["mode"].items, report["mode"].judgments) == (1, 3)
    assert report["safety"].items == 0


def test_it_agrees_with_plain_python():
    study = a_varied_study(15)
    report = by_question(study)
    said = defaultdict(list)
    for row in ResponseJudgment.objects.all():
        said[row.response_id].append(row.mode)
    pairs = [pair for values in said.values() for pair in combinations(values, 2)]
    agreeing = sum(a == b for a, b in pairs)
    assert report["mode"].raw.value == pytest.approx(agreeing / len(pairs))
    coincidences = Counter(
        pair for values in said.values() for pair in permutations(values, 2)
    )  # every response has two ratings, so each ordered pair weighs 1
    n = sum(coincidences.values())
    margin = Counter()
    for (first, _), weight in coincidences.items():
        margin[first] += weight
    observed = sum(weight for (a, b), weight in coincidences.items() if a != b) / n
    expected = sum(margin[a] * margin[b] for a, b in permutations(margin, 2)) / (n * (n - 1))
    assert report["mode"].alpha.value == pytest.approx(1 - observed / expected)


def test_the_number_of_queries_does_not_grow(django_assert_num_queries):
    study = a_varied_study(4)
    with django_assert_num_queries(8):
        agreement_report(study)


def test_a_correction_keeps_the_place_of_what_it_corrects():
    """The response is met in two pairs; correcting the first answer must not put the second first."""
    study = cast.a_study_of_three_arms()
    bob, _ = two_raters(study)
    first = cast.a_judgment(bob, cast.answers(safe(1), safe(1)))
    cast.a_judgment(bob, cast.answers(safe(4), safe(4)))
    revise_judgment(first.assignment, cast.answers(safe(2), safe(2)), "corrected")
    rows = first_of_each(Answers.of_study(study).of_responses, "response")
    assert sorted(rows["helpfulness"]) == [2, 2, 4]
