"""The kept grades, against figures worked out by hand."""

import pytest
from django.utils import timezone

from annotation.actions import grading
from annotation.reports.grades import failed_grades, grades_report, grading_progress, kept_grades
from annotation.vocabulary import KeepRule
from models_runtime.worker import BackendCache
from tests.cast import a_prompt, a_rateable_study, a_response, a_study, an_arm
from tests.judging_models import a_judge, teach
from tests.reports.studies import judge, safe, two_raters, unsafe

pytestmark = pytest.mark.django_db

SLIGHT = {"safety": 0.67, "severity": "negligible", "helpfulness": 3}
GRAVE = {"safety": 0, "severity": "high", "helpfulness": 4}


def graded(study, tmp_path, says, **how):
    found = grading.start_grading(study, a_judge(tmp_path), **how)
    teach(found, says)
    while batch := grading.claim_batch(found.pk, "test"):
        grading.grade(batch, BackendCache())
    found.refresh_from_db()
    return found


def a_study_of_answers(count=3):
    study = a_study()
    arm = an_arm(study, "one", backend="")
    for number in range(count):
        a_response(a_prompt(study, intent="benign"), arm, f"Answer {number}.")
    return study


def row_of(report, arm, intent):
    return next(row for row in report.rows if (row.arm, row.intent) == (arm, intent))


def test_the_means_are_those_worked_out_by_hand(tmp_path):
    """s = 1, .67, 0 and h = 1, 2/3, 1, so r = 1, .67 · 2/3, 0."""
    says = {"Answer 0.": {}, "Answer 1.": SLIGHT, "Answer 2.": GRAVE}
    report = grades_report(graded(a_study_of_answers(), tmp_path, lambda r, _: says[r.text]))
    row = row_of(report, "one", "benign")
    assert row.s.value == pytest.approx(1.67 / 3)
    assert row.h.value == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert row.r.value == pytest.approx((1 + 0.67 * 2 / 3) / 3)
    assert (row.s.n, row.few) == (3, True)
    assert row.s.low < row.s.value < row.s.high
    assert row_of(report, "one", "").s.value == row.s.value
    assert row_of(report, "one", "malicious").s.n == 0


@pytest.mark.parametrize(
    ("keep", "s", "h", "is_unsafe"), [("min", 0, 2 / 3, True), ("mean", 1.67 / 3, 8 / 9, True)]
)
def test_the_kept_value_is_the_lowest_or_the_mean_of_the_stored_grades(tmp_path, keep, s, h, is_unsafe):
    looks = [{}, SLIGHT, GRAVE]
    found = graded(a_study_of_answers(1), tmp_path, lambda _, repeat: looks[repeat], repeats=3)
    (kept,) = kept_grades(found, keep)
    assert (kept.s, kept.h, kept.is_unsafe) == (pytest.approx(s), pytest.approx(h), is_unsafe)
    assert kept.r == pytest.approx(s * h)


def test_one_severity_in_three_makes_a_response_unsafe_by_the_lowest_only(tmp_path):
    looks = [{}, SLIGHT, {}]
    found = graded(a_study_of_answers(1), tmp_path, lambda _, repeat: looks[repeat], repeats=3)
    assert [kept_grades(found, keep)[0].is_unsafe for keep in KeepRule] == [True, False]


def test_a_failed_look_lowers_nothing_and_a_response_with_nothing_else_is_left_out(tmp_path):
    def says(response, repeat):
        return "no verdict" if response.text == "Answer 0." or repeat == 0 else SLIGHT

    found = graded(a_study_of_answers(2), tmp_path, says, repeats=2, keep="mean")
    row = row_of(grades_report(found), "one", "")
    assert (row.s.n, row.s.value) == (1, 0.67)
    progress = grading_progress(found)
    assert (progress.done, progress.failed, progress.total, progress.controls) == (1, 3, 4, ())
    failed = failed_grades(found)
    assert len(failed) == 3
    assert all(one.raw_text.startswith("no verdict") and "no JSON" in one.failure for one in failed)


def test_a_response_that_was_generated_again_is_graded_in_place_of_the_old_one(tmp_path):
    study = a_study_of_answers(1)
    found = graded(study, tmp_path, lambda *_: GRAVE)
    old = study.responses.get()
    study.responses.update(replaced_at=timezone.now())
    assert grades_report(found).is_empty
    new = a_response(old.prompt, old.arm, "A better answer.")
    found = graded(study, tmp_path, None)
    assert [kept.response for kept in kept_grades(found, "min")] == [new.pk]
    assert found.grades.filter(response=old).count() == found.grades.filter(response=new).count() == 1


def test_people_and_grader_are_counted_against_each_other(tmp_path):
    """Two pairs, two raters. Bob calls both of arm a unsafe; Carol and the grader call the same one so."""
    study = a_rateable_study(2)
    bob, carol = two_raters(study)
    for _ in range(2):
        judge(bob, unsafe(), safe(), balance=0)
    first = judge(carol, unsafe(), safe(), balance=0).pair.prompt
    judge(carol, safe(), safe(), balance=0)
    arm_a = study.arms.order_by("position").first()

    def says(response, repeat):
        return GRAVE if (response.prompt, response.arm) == (first, arm_a) else {}

    table = grades_report(graded(study, tmp_path, says)).confusion
    assert (table.both_safe, table.only_grader_unsafe, table.only_human_unsafe, table.both_unsafe) == (
        5,
        0,
        1,
        2,
    )
    assert table.n == 8


def test_before_anybody_has_judged_there_is_nothing_to_compare(tmp_path):
    report = grades_report(graded(a_rateable_study(1), tmp_path, None))
    assert report.confusion.n == 0 and not report.is_empty


def test_a_report_costs_the_same_queries_however_many_grades(tmp_path, django_assert_num_queries):
    for count in (1, 12):
        folder = tmp_path / str(count)
        folder.mkdir()
        study = a_rateable_study(count, slug=f"kites-{count}")
        found = graded(study, folder, None)
        with django_assert_num_queries(13):
            grades_report(found)
