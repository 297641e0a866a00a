"""Results are asked for once, made by one worker, kept, and made anew when the data move."""

import random
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation import tasks
from annotation.actions import joining, reporting
from annotation.actions.claims import claim_next_pair
from annotation.actions.judging import revise_judgment
from annotation.actions.quality import withdraw_work
from annotation.actions.snapshots import freeze_snapshot
from annotation.actions.studies import set_state
from annotation.errors import NotFound
from annotation.export import shaping
from annotation.models import Report, ReportTable
from annotation.reports.filters import Filters
from annotation.reports.results import Results, results_of_snapshot
from annotation.reports.stored import (
    fingerprint_of,
    kept_results,
    long_tables,
    read_results,
    table_in,
)
from annotation.reports.tables import Column, Table
from annotation.vocabulary import BatchState
from tests import cast
from tests.reports.everything import graded
from tests.reports.studies import a_varied_study, random_answers, two_raters

pytestmark = pytest.mark.django_db

ALL = Filters()
FEW = (Table("wins", "Who", "How.", (Column("n", "n", "count"),), ((3,),), n="n"),)


@pytest.fixture
def quick(monkeypatch):
    """Results of one small table, so that a test is about their keeping."""
    monkeypatch.setattr("annotation.reports.results.MAKERS", (lambda answers: FEW,))


def made(study, filters=ALL, snapshot=None) -> Report:
    asked = reporting.look(study, filters, snapshot, again=True).asked
    assert reporting.make(reporting.claim(asked.pk, "worker"))
    return Report.objects.get(pk=asked.pk)


def later(report, seconds=3600):
    """As if the report had been made that long ago."""
    Report.objects.filter(pk=report.pk).update(
        started_at=report.started_at - timedelta(seconds=seconds),
        finished_at=report.finished_at - timedelta(seconds=seconds),
    )


def test_the_first_look_asks_and_the_second_waits(quick):
    study = a_varied_study(2)
    first = reporting.look(study, ALL, actor=cast.alice())
    assert first.asked.asked_by == cast.alice() and first.kept.report is None
    second = reporting.look(study, ALL)
    assert second.asked is None and second.kept.unfinished == first.asked
    other = reporting.look(study, Filters(intents=("benign",)))
    assert other.asked not in (None, first.asked)


def test_two_who_ask_at_once_make_one_report(quick):
    study = a_varied_study(2)
    assert reporting.ask(study, ALL) and reporting.ask(study, ALL) is None
    snapshot_filters = Filters(intents=("benign",))
    assert reporting.ask(study, snapshot_filters) and Report.objects.count() == 2


def test_what_was_made_is_read_back_the_same(quick):
    study = a_varied_study(3)
    report = made(study)
    results = read_results(report)
    assert results.tables == FEW
    assert results.about["counts"]["pair_judgments"] == 6
    assert results.about["source"]["fingerprint"] == report.fingerprint == fingerprint_of(study)
    assert table_in(report, "wins") == FEW[0]
    with pytest.raises(NotFound, match="no table “unheard_of”"):
        table_in(report, "unheard_of")


def test_nothing_is_asked_while_nothing_changed(quick):
    study = a_varied_study(2)
    later(made(study))
    looked = reporting.look(study, ALL)
    assert looked.asked is None and not looked.kept.moved
    assert looked.kept.age(timezone.now()) > timedelta(minutes=59)


def test_results_rest_for_a_while_and_are_then_made_again(quick):
    study = a_varied_study(2)
    report = made(study)
    cast.a_response(cast.a_prompt(study), study.arms.first())
    joining.make_link(study, "poster")
    looked = reporting.look(study, ALL)
    assert looked.kept.moved and looked.asked is None
    later(report)
    assert reporting.look(study, ALL).asked


def test_who_asks_again_need_not_wait(quick):
    study = a_varied_study(2)
    made(study)
    assert reporting.look(study, ALL, again=True).asked


CHANGES = {
    "judgment": lambda study, rater, folder: cast.a_judgment(rater),
    "correction": lambda study, rater, folder: revise_judgment(
        rater.assignments.filter(submitted_at__isnull=False).first(), cast.answers(), uuid.uuid4().hex
    ),
    "withdrawal": lambda study, rater, folder: withdraw_work(rater, "Too quick."),
    "grading": lambda study, rater, folder: graded(study, folder, random.Random(1)),
    "link": lambda study, rater, folder: joining.make_link(study, "poster"),
    "arm": lambda study, rater, folder: cast.an_arm(study, "third"),
    "closing": lambda study, rater, folder: set_state(study, "closed"),
    "arm's name": lambda study, rater, folder: study.arms.filter(position=0).update(name="renamed"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_counts_is_seen_as_a_change(change, tmp_path):
    study = cast.a_rateable_study(3)
    rater, _ = two_raters(study)
    cast.a_judgment(rater)
    before = fingerprint_of(study)
    assert fingerprint_of(study) == before
    CHANGES[change](study, rater, tmp_path)
    assert fingerprint_of(study) != before


def test_each_part_of_a_file_that_comes_in_is_seen_as_a_change(tmp_path):
    study = cast.a_rateable_study(2)
    (tmp_path / "rows.jsonl").write_text("{}")
    job = study.file_imports.create(number=1, name="rows.jsonl", path=str(tmp_path / "rows.jsonl"), size=2)
    before = fingerprint_of(study)
    study.file_imports.filter(pk=job.pk).update(rows_read=1_000)  # as `jobs` does with the rows of each part
    assert fingerprint_of(study) != before


def test_judgments_are_not_counted_to_see_a_change(quick, django_assert_max_num_queries):
    study = a_varied_study(2)
    with django_assert_max_num_queries(7) as asked:
        fingerprint_of(study)
    assert asked.captured_queries
    assert not [query["sql"] for query in asked.captured_queries if "annotation_judgment" in query["sql"]]


def test_a_prompts_new_label_is_seen_as_a_change(client):
    study = a_varied_study(1)
    client.force_login(cast.alice())
    before, prompt = fingerprint_of(study), study.prompts.get()
    fields = {"study": study.pk, "intent": "malicious", "family": "", "subset": "", "harm_category": ""}
    answer = client.post(reverse("admin:annotation_prompt_change", args=[prompt.pk]), fields)
    assert answer.status_code == 302 and study.prompts.get().intent == "malicious"
    assert fingerprint_of(study) != before


def test_a_surplus_judgment_is_seen_as_a_change(quick):
    """It comes with a judgment and an event, like any other."""
    study = cast.a_rateable_study(1, overlap=1)
    bob, carol = two_raters(study)
    held = claim_next_pair(bob)
    type(held).objects.filter(pk=held.pk).update(lease_until=timezone.now() - timedelta(hours=1))
    claim_next_pair(carol)
    before = fingerprint_of(study)
    cast.submit_judgment(held, cast.answers(), "late")
    assert fingerprint_of(study) != before


def test_looking_costs_the_same_queries_at_any_size(quick, django_assert_max_num_queries):
    study = a_varied_study(6)
    made(study)
    with django_assert_max_num_queries(9):
        reporting.look(study, ALL)


# Failures --------------------------------------------------------------------------------------------


def test_a_failure_is_told_and_not_repeated_until_somebody_asks(monkeypatch):
    study = a_varied_study(2)

    def fail(answers):
        raise MemoryError

    monkeypatch.setattr("annotation.reports.results.MAKERS", (fail,))
    asked = reporting.look(study, ALL).asked
    with pytest.raises(MemoryError):
        reporting.make(reporting.claim(asked.pk, "worker"))
    looked = reporting.look(study, ALL)
    assert looked.asked is None and looked.kept.failure.startswith("Something unexpected went wrong")
    assert reporting.look(study, ALL, again=True).asked


def test_a_failure_is_forgotten_once_the_data_move_or_results_are_there(monkeypatch, quick):
    study = a_varied_study(2)
    asked = reporting.look(study, ALL).asked
    Report.objects.filter(pk=asked.pk).update(state=BatchState.FAILED, error="No.", fingerprint="older")
    assert reporting.look(study, ALL).asked
    Report.objects.filter(state=BatchState.QUEUED).delete()
    made(study)
    assert kept_results(study, ALL).failure == ""


def test_what_a_dead_worker_held_is_queued_again_and_given_up_at_last(quick):
    asked = reporting.look(a_varied_study(1), ALL).asked
    for _ in range(3):
        assert reporting.claim(asked.pk, "dead") and reporting.claim(asked.pk, "other") is None
        assert reporting.requeue_stale(timezone.now() + timedelta(hours=1)) == 1
    reporting.claim(asked.pk, "dead")
    assert reporting.requeue_stale(timezone.now() + timedelta(hours=1)) == 0
    asked.refresh_from_db()
    assert asked.state == BatchState.FAILED and "stopped without a word 4 times" in asked.error


def test_who_lost_the_claim_keeps_nothing(quick, monkeypatch):
    asked = reporting.look(a_varied_study(1), ALL).asked
    slow = reporting.claim(asked.pk, "slow")
    real = reporting._results

    def meanwhile(*args):
        reporting.requeue_stale(timezone.now() + timedelta(hours=1))
        quick_one = reporting.claim(asked.pk, "quick")
        monkeypatch.setattr(reporting, "_results", real)
        assert reporting.make(quick_one)
        return real(*args)

    monkeypatch.setattr(reporting, "_results", meanwhile)
    assert not reporting.make(slow)
    assert ReportTable.objects.filter(report=asked).count() == 1


def test_without_a_worker_what_waits_says_so(quick):
    study = a_varied_study(1)
    reporting.look(study, ALL)
    assert kept_results(study, ALL).missing_worker == "No worker is alive."
    tasks.note_worker("gpu")
    assert kept_results(study, ALL).missing_worker == "No worker takes work from the queue “default”."
    tasks.note_worker("default")
    assert kept_results(study, ALL).missing_worker == ""


# Keeping and letting go ------------------------------------------------------------------------------


def test_the_newest_few_of_the_same_filters_are_kept(quick):
    study = a_varied_study(1)
    benign = made(study, Filters(intents=("benign",)))
    reports = [made(study) for _ in range(5)]
    kept = set(Report.objects.values_list("pk", flat=True))
    assert kept == {benign.pk, *(report.pk for report in reports[-reporting.KEPT_REPORTS :])}


def test_filters_that_nobody_looked_at_for_long_are_let_go(quick, monkeypatch):
    monkeypatch.setattr(reporting, "KEPT_FILTERS", 2)
    study = a_varied_study(1)
    whole = made(study)
    reports = [made(study, Filters(guidelines=(number,))) for number in range(1, 5)]
    kept = set(Report.objects.values_list("pk", flat=True))
    assert kept == {whole.pk, reports[-2].pk, reports[-1].pk}


def test_results_of_another_layout_are_not_read(quick):
    study = a_varied_study(1)
    old = made(study)
    Report.objects.filter(pk=old.pk).update(layout=0)
    assert kept_results(study, ALL).report is None and reporting.look(study, ALL).asked


def test_long_tables_are_left_to_files(monkeypatch):
    columns = (Column("n", "n", "count"),)
    long = Table("long", "Long", "Many.", columns, tuple((number,) for number in range(3000)))
    monkeypatch.setattr("annotation.reports.results.MAKERS", (lambda answers: (*FEW, long),))
    report = made(a_varied_study(1))
    assert read_results(report).tables == FEW and long_tables(report) == {"long": 3000}
    assert read_results(report, most_rows=None).tables == (*FEW, long)
    assert table_in(report, "long") == long


# Snapshots -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_snapshots_results_are_the_same_bytes_again(tmp_path):
    study = a_varied_study(6)
    snapshot = freeze_snapshot(study, out=tmp_path / "out")
    first, report = results_of_snapshot(tmp_path / "out"), made(study, snapshot=snapshot)
    cast.an_arm(study, "third")
    kept = read_results(report, most_rows=None)
    assert kept.text() == first.text() == results_of_snapshot(tmp_path / "out").text()
    assert Results.from_json(kept.as_json()).text() == first.text()
    assert first.about["source"]["number"] == 1
    assert not kept_results(study, ALL, snapshot).moved and kept_results(study, ALL).report is None


@pytest.mark.slow
def test_a_snapshot_and_the_live_data_give_the_same_tables(tmp_path, monkeypatch):
    """But for the raters' names, which are the snapshot's own."""
    study = a_varied_study(6)
    codes = dict(study.enrolments.values_list("pk", "code"))
    monkeypatch.setattr(shaping, "pseudonym", lambda secret, enrolment: codes[enrolment])
    freeze_snapshot(study, out=tmp_path / "out")
    assert read_results(made(study), most_rows=None).tables == results_of_snapshot(tmp_path / "out").tables


def test_filters_reach_the_results(quick):
    study = a_varied_study(6)
    filters = Filters(intents=("benign",))
    about = read_results(made(study, filters)).about
    assert about["filters"] == {"query": "intent=benign", "words": "intent: benign"}
    assert about["counts"]["pair_judgments"] == 4


# Tasks -----------------------------------------------------------------------------------------------


def test_the_task_makes_it_once(quick):
    study = a_varied_study(1)
    asked = reporting.look(study, ALL).asked
    tasks.make_report(asked.pk)
    tasks.make_report(asked.pk)
    assert kept_results(study, ALL).report.attempts == 1


def test_the_beat_finds_what_no_message_told(quick, monkeypatch):
    study = a_varied_study(1)
    asked = reporting.look(study, ALL).asked
    told = []
    monkeypatch.setattr(tasks.make_report, "apply_async", lambda args, **options: told.append(args))
    tasks.requeue_stale()
    assert told == [[asked.pk]]


def test_a_queue_that_is_down_is_told(quick, monkeypatch):
    def down(*args):
        raise OSError("no route")

    monkeypatch.setattr(tasks.make_report, "delay", down)
    kept, told = tasks.look_at_results(a_varied_study(1), ALL)
    assert not told and kept.unfinished is not None


def test_judging_while_results_are_made_is_seen_afterwards(quick, monkeypatch):
    study = cast.a_rateable_study(3)
    rater, _ = two_raters(study)
    cast.a_judgment(rater)
    real = reporting._results

    def meanwhile(*args):
        cast.submit_judgment(claim_next_pair(rater), random_answers(random.Random(1)), "meanwhile")
        return real(*args)

    monkeypatch.setattr(reporting, "_results", meanwhile)
    made(study)
    assert kept_results(study, ALL).moved
