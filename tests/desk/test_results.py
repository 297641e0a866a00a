"""The results page says what the tables say, how old they are, and what was left out."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from annotation import tasks
from annotation.actions import reporting
from annotation.actions.prompts import change_prompt
from annotation.models import Report, Study
from annotation.printing.sentences import headline
from annotation.reports.filters import Filters
from annotation.reports.stored import read_results
from tests import cast
from tests.desk.made import make_what_waits, results_page
from tests.printing.tables import HOSTILE
from tests.reports.studies import a_varied_study

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def alice(client):
    client.force_login(cast.alice())
    return client


@pytest.fixture(scope="module")
def study(module_db) -> Study:
    """With results of its six pairs, made once."""
    study = a_varied_study(6)
    reporting.look(study, Filters())
    make_what_waits()
    return study


@pytest.fixture
def shown(alice, study) -> str:
    return results_page(alice, study)


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[int]:
    """The reports that workers were told about, instead of telling them."""
    told: list[int] = []
    monkeypatch.setattr(tasks.make_report, "delay", told.append)
    return told


def newest() -> Report:
    return Report.objects.filter(state="done").first()


def test_the_page_asks_a_worker_and_says_that_results_are_being_made(alice, asked):
    study = a_varied_study(2, slug="boats")
    page = alice.get(reverse("desk:results", args=[study.slug])).content.decode()
    assert "The results are being made." in page and 'hx-trigger="every 3s"' in page
    assert asked == [Report.objects.get(study=study).pk]


def test_the_results_begin_with_the_sentence_then_the_figure_then_its_table(shown):
    (line,) = read_results(newest()).headlines
    at = [shown.index(escape(headline(line))), shown.index('role="img"'), shown.index("<table")]
    assert at == sorted(at)


def test_every_number_of_the_outcomes_is_in_the_table(shown):
    for row in read_results(newest()).table("outcomes").dicts():
        if row["safe"] is not None:
            assert f">{100 * row['safe']:.0f}\u00a0%" in shown
        assert f">{row['judgments']}<" in shown


def test_every_table_of_the_page_can_be_had_as_files(alice, shown):
    links = set(re.findall(r'href="([^"]+\.(?:csv|parquet))', shown))
    tables = set(newest().tables.exclude(size=0).values_list("name", flat=True))
    assert {link.rsplit("/", 1)[1] for link in links} >= {
        f"{name}.csv" for name in tables - {"label_posteriors"}
    }
    for link in sorted(links)[:4]:
        assert alice.get(link).status_code == 200


def test_results_without_judgments_say_so(alice):
    page = results_page(alice, cast.a_rateable_study(slug="boats"))
    assert "There is nothing to report yet." in page


def test_filters_are_said_in_words_and_kept_in_the_files(alice, study):
    page = results_page(alice, study, intent="benign")
    assert "Only what is about <strong>intent: benign</strong>" in page
    assert 'value="benign" checked' in page
    assert "headline.csv?intent=benign" in page
    assert newest().filters == "intent=benign"


def test_filters_that_leave_nothing_say_so_and_can_be_cleared(alice, study):
    page = results_page(alice, study, until="2001-01-01")
    assert "These filters leave nothing." in page
    assert f'<a href="{reverse("desk:results", args=[study.slug])}">Clear the filters</a>' in page


def test_an_odd_filter_is_told_and_shows_everything(alice, study):
    answer = alice.get(reverse("desk:results", args=[study.slug]), {"intent": "nice"}, follow=True)
    assert "is no intent" in answer.content.decode()


def test_only_what_divides_the_study_can_be_chosen(shown):
    names = set(re.findall(r'type="checkbox" name="(\w+)"', shown))
    assert {"intent", "arm"} <= names
    assert "cohort" not in names and "guideline" not in names


def test_the_page_says_how_many_judgments_are_newer(alice, study):
    for arm in study.arms.all():
        cast.a_response(
            cast.a_prompt(study, "later") if arm.position == 0 else study.prompts.get(key="later"), arm
        )
    cast.make_pairs(study)
    cast.a_judgment(study.enrolments.first())
    page = alice.get(reverse("desk:results", args=[study.slug])).content.decode()
    assert "1\u00a0judgment is newer" in page


def test_freezing_a_snapshot_changes_nothing_that_results_are_made_from(alice, study, asked):
    results_page(alice, study)
    alice.post(reverse("desk:freeze_snapshot", args=[study.slug]))
    assert study.snapshots.exists()
    page = alice.get(reverse("desk:results", args=[study.slug])).content.decode()
    assert "changed since" not in page and "New results" not in page and not asked
    change_prompt(study.prompts.first(), cast.alice(), family="of another")
    page = alice.get(reverse("desk:results", args=[study.slug])).content.decode()
    assert "something else in the study changed since" in page


def test_results_are_made_again_when_somebody_asks(alice, study, asked):
    alice.post(reverse("desk:refresh_results", args=[study.slug]))
    assert len(asked) == 1
    page = alice.get(reverse("desk:results", args=[study.slug])).content.decode()
    assert "New results wait for a worker" in page


def queries_of(client, study: Study) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        client.get(reverse("desk:results", args=[study.slug]))
    return len(found)


def test_the_page_costs_the_same_queries_however_many_judgments(alice):
    few, many = a_varied_study(2, slug="boats"), 6
    results_page(alice, few)
    before = queries_of(alice, few)
    for number in range(many):
        prompt = cast.a_prompt(few, f"more-{number}", harm_category=["illicit", "hate"][number % 2])
        for arm in few.arms.all():
            cast.a_response(prompt, arm)
    cast.make_pairs(few)
    for rater in few.enrolments.all():
        for _ in range(many):
            cast.a_judgment(rater)
    alice.post(reverse("desk:refresh_results", args=[few.slug]))
    make_what_waits()
    assert queries_of(alice, few) <= before


def test_no_name_gets_out_of_its_place_and_nothing_is_inline(alice):
    study = a_varied_study(2, slug="boats")
    arm = study.arms.first()
    type(arm).objects.filter(pk=arm.pk).update(name=HOSTILE[0])
    page = results_page(alice, study)
    assert HOSTILE[0] not in page and escape(HOSTILE[0]) in page
    assert " style=" not in page and "<style" not in page and "<script>" not in page


def test_ids_are_there_once(shown):
    ids = re.findall(r' id="([^"]+)"', shown)
    assert len(ids) == len(set(ids))
