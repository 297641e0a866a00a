"""The page that tells whether a study is going well, and the overview, at any size."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse

from annotation import tasks
from annotation.actions import pulse
from annotation.actions.gold import make_gold
from annotation.models import Judgment, Pulse, Study
from annotation.reports import running
from annotation.reports.running import Counted, running_report
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    client.force_login(cast.alice())
    return client


@pytest.fixture
def study():
    study = cast.a_rateable_study(3)
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    cast.a_judgment(bob)
    cast.a_judgment(carol)
    return study


def page_of(client, study, name: str = "running", **query) -> str:
    answer = client.get(reverse(f"desk:{name}", args=[study.slug]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_says_in_a_sentence_how_it_goes(alice, study):
    page = page_of(alice, study)
    assert "It is moving: 2 of 6\u00a0judgments, 2 in the last hour; about 2\u00a0h 0\u00a0min" in page


def test_a_study_that_nobody_can_rate_says_so(alice):
    page = page_of(alice, cast.a_rateable_study(1))
    assert "Nobody can rate: no rater is active in this study." in page


def test_a_study_in_which_nobody_has_begun_says_so(alice):
    study = cast.a_rateable_study(1)
    cast.a_rater(study, cast.bob())
    assert "Nobody has begun yet: 0 of " in page_of(alice, study)


def test_a_study_with_too_few_raters_says_how_many_lack_and_foretells_no_end(alice):
    study = cast.a_rateable_study(2, overlap=3)
    cast.a_judgment(cast.a_rater(study, cast.bob()))
    page = page_of(alice, study)
    assert "enrol 2\u00a0more raters" in page and "left at this pace." not in page
    for person in (cast.carol(), cast.dan()):
        cast.a_rater(study, person)
    page = page_of(alice, study)
    assert "more rater" not in page and "left at this pace." in page


def test_the_pace_is_that_of_judgments_that_count(alice):
    study = cast.a_rateable_study(10, overlap=1)
    for pair in study.pairs.order_by("pk")[:4]:
        make_gold(pair, {"balance": 2})
    Study.objects.filter(pk=study.pk).update(gold_percent=50)
    bob = cast.a_rater(study, cast.bob())
    for _ in range(5):
        cast.a_judgment(bob)
    counted = Judgment.objects.that_count().filter(study=study).count()
    assert 0 < counted < 5
    assert f"{counted} of 6\u00a0judgments, {counted} in the last hour" in page_of(alice, study)


def test_a_paused_study_says_so(alice, study):
    alice.post(reverse("desk:set_state", args=[study.slug]), {"state": "paused"})
    assert "The study is paused, with 2 of 6\u00a0judgments." in page_of(alice, study)


def test_progress_is_told_by_intent(alice, study):
    page = page_of(alice, study)
    assert "Benign" in page and "Malicious" in page and " of 2</td>" in page


def test_raters_at_work_stand_with_their_signals(alice, study):
    rows = re.findall(r"<tbody>(.*?)</tbody>", page_of(alice, study), re.S)[1]
    shown = {name: found for name in ("Gold", "Too fast") if (found := _cells_under(alice, study, name))}
    assert rows.count("<tr>") == 2
    assert shown == {"Gold": ["–", "–"], "Too fast": ["100\u00a0%", "100\u00a0%"]}


def _cells_under(alice, study, heading: str) -> list[str]:
    table = next(part for part in page_of(alice, study).split("<table>") if "Gold right" in part)
    headings = re.findall(r"<th scope=\"col\"[^>]*>([^<]*)", table)
    column = next(n for n, text in enumerate(headings) if text.startswith(heading))
    rows = table.split("<tbody>")[1].split("<tr>")[1:]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)[column - 1] for row in rows]


def test_results_are_hidden_until_somebody_asks(alice, study):
    hidden, shown = page_of(alice, study), page_of(alice, study, results="shown")
    assert "wins" not in hidden and "Hidden, so that nobody is tempted" in hidden
    assert "xanthic-arm" in shown and "watched" in shown.lower()
    assert "?results=shown" in shown


def test_htmx_gets_the_part_that_changes_alone(alice, study):
    answer = alice.get(reverse("desk:running", args=[study.slug]), headers={"HX-Request": "true"})
    assert answer.content.decode().startswith('<div id="running"') and "<html" not in answer.content.decode()


def test_what_waits_for_the_researcher_is_listed(alice, study):
    held = study.pairs.filter(assignments=None).update(state="held")
    assert f"{held}\u00a0pair" in page_of(alice, study) and "marked by the scanner" in page_of(alice, study)


def test_it_costs_the_same_queries_with_many_raters(django_assert_max_num_queries, study):
    with django_assert_max_num_queries(21) as few:
        running_report(study)
    for number in range(12):
        cast.a_judgment(cast.a_rater(cast.a_rateable_study(1, f"s{number}"), cast.person(f"p{number}")))
    more = cast.a_rateable_study(8, "more", overlap=8)
    for number in range(8):
        cast.a_judgment(cast.a_rater(more, cast.person(f"r{number}")))
    with django_assert_max_num_queries(21) as many:
        running_report(more)
    assert len(many) == len(few)


# Large studies ---------------------------------------------------------------------------------------


@pytest.fixture
def large(study, monkeypatch):
    """As if the study were too large to count while somebody waits."""
    monkeypatch.setattr(running, "COUNTED_AT_ONCE", 1)
    cache.clear()
    return study


def test_a_large_study_is_counted_by_a_worker(alice, large, monkeypatch):
    asked = []
    monkeypatch.setattr(tasks.take_pulse, "delay", asked.append)
    for name in ("running", "study"):
        assert "counted" in page_of(alice, large, name)
    assert asked == [large.pk]
    tasks.take_pulse(large.pk)
    for name in ("running", "study"):
        assert "2 of 6" in page_of(alice, large, name)
    assert Counted.from_json(Pulse.objects.get().body).judgments == 2


def test_a_pulse_says_what_counting_says(study):
    kept = pulse.take_pulse(study)
    now = pulse.count_now(study)
    assert Counted.from_json(kept.to_json()) == kept
    assert Counted.from_json(kept.to_json().replace("{", '{"of_a_newer_version": 1, ', 1)) == kept
    assert {**vars(kept), "taken_at": None} == {**vars(now), "taken_at": None}


def test_a_pulse_rests_before_it_is_taken_again(study):
    assert pulse.is_due(study)
    pulse.take_pulse(study)
    assert not pulse.is_due(study)
    Pulse.objects.update(seconds=0, taken_at=study.created_at - timedelta(days=1))
    assert pulse.is_due(study)


def test_every_page_of_a_large_study_shows_what_was_counted(alice, large, monkeypatch):
    monkeypatch.setattr(tasks.take_pulse, "delay", lambda key: None)
    monkeypatch.setattr(tasks.take_signals, "delay", lambda key: None)
    pages = ("plan", "disputes", "raters", "quality")
    before = [page_of(alice, large, name) for name in pages]
    assert "A worker has not counted it yet." in before[3]
    tasks.take_pulse(large.pk)
    tasks.take_signals(large.pk)
    rater = large.enrolments.order_by("code").first()
    page = alice.get(reverse("desk:rater", args=[large.slug, rater.pk])).content.decode()
    assert "A worker has not counted it yet." not in page
    for name in pages:
        large_page = page_of(alice, large, name)
        monkeypatch.setattr(running, "COUNTED_AT_ONCE", 1_000)
        assert without_tokens(page_of(alice, large, name)) == without_tokens(large_page), name
        monkeypatch.setattr(running, "COUNTED_AT_ONCE", 1)


def without_tokens(page: str) -> str:
    return re.sub(r'(csrfmiddlewaretoken" value|datetime)="[^"]+"', "", page)
