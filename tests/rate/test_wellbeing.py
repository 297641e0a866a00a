"""What is done for raters' welfare, and that none of it counts against them."""

import re
import time
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.actions.claims import claim_next_pair, skip_assignment
from annotation.actions.personal import opt_out
from annotation.errors import CapReached, NothingLeft
from annotation.models import Assignment, Enrolment, Event, Prompt, Study
from annotation.rate.breaks import COOKIE, REST
from annotation.reports.exposure import WINDOW, exposure_report
from annotation.vocabulary import AssignmentState
from tests import cast
from tests.rate.conftest import Rater


@pytest.fixture
def mixed(db) -> Study:
    """Six pairs, of which every second one is about hate, and blurred, the others about illicit things."""
    study = cast.a_rateable_study(pairs=6, overlap=1, blurred_categories=["hate"])
    for number, prompt in enumerate(Prompt.objects.order_by("pk")):
        Prompt.objects.filter(pk=prompt.pk).update(harm_category="hate" if number % 2 else "illicit")
    return study


@pytest.fixture
def bob(mixed) -> Enrolment:
    return cast.a_rater(mixed, cast.bob())


def categories_of(rater: Enrolment) -> list[str]:
    """Those of all pairs that the rater gets, each skipped."""
    met = []
    while True:
        try:
            held = claim_next_pair(rater)
        except (NothingLeft, CapReached):
            return met
        met.append(held.pair.prompt.harm_category)
        skip_assignment(held)


def test_a_category_opted_out_of_does_not_come(bob):
    opt_out(bob, ["hate"])
    assert categories_of(bob) == ["illicit"] * 3


def test_whoever_opts_in_again_gets_what_was_passed_over(bob):
    opt_out(bob, ["hate"])
    categories_of(bob)
    opt_out(bob, [])
    assert categories_of(bob) == ["hate"] * 3


def test_opting_out_keeps_to_the_categories_of_the_study_and_leaves_no_trace(bob):
    before = Event.objects.count()
    opt_out(bob, ["hate", "weather"])
    bob.refresh_from_db()
    assert bob.opted_out == ["hate"]
    assert Event.objects.count() == before


def test_others_get_what_one_rater_opted_out_of(bob, mixed):
    opt_out(bob, ["hate", "illicit"])
    assert categories_of(bob) == []
    assert len(categories_of(cast.a_rater(mixed, cast.carol()))) == 6


def test_a_days_exposure_is_limited_and_other_pairs_go_on(bob, mixed):
    Study.objects.update(exposure_per_day=1)
    bob.refresh_from_db()
    met = categories_of(bob)
    assert sorted(met) == ["hate", "illicit", "illicit", "illicit"]


def test_when_only_blurred_pairs_are_left_the_rater_is_told_when_they_come_again(bob):
    Study.objects.update(exposure_per_day=1)
    bob.refresh_from_db()
    categories_of(bob)
    with pytest.raises(CapReached) as told:
        claim_next_pair(bob)
    first = Assignment.objects.get(pair__prompt__harm_category="hate")
    assert told.value.again_at == first.claimed_at + WINDOW
    later = told.value.again_at + timedelta(seconds=1)
    assert claim_next_pair(bob, later).pair.prompt.harm_category == "hate"


def test_the_page_says_until_when(bob):
    Study.objects.update(exposure_per_day=1)
    categories_of(Enrolment.objects.get())
    html = Rater(bob.user).open().content.decode()
    assert "Enough for now" in html and "as much sensitive content as one day allows" in html
    assert "<time datetime=" in html


def test_the_rater_sees_what_they_have_met(bob):
    categories_of(bob)
    Assignment.objects.filter(pair__prompt__harm_category="hate").update(
        claimed_at=timezone.now() - 2 * WINDOW
    )
    report = exposure_report(bob, timezone.now())
    assert {(row.label, row.recently, row.in_all) for row in report.rows} == {
        ("Hate", 0, 3),
        ("Illicit behaviour", 3, 3),
    }
    html = Rater(bob.user).client.get(reverse("rate:wellbeing", args=["kites"])).content.decode()
    assert re.search(r"Hate</th><td[^>]*>0</td><td[^>]*>3<", html)


def test_the_page_of_wellbeing_has_the_studys_resources_and_stores_what_is_not_wanted(bob):
    Study.objects.update(resources="Somebody **listens**. <script>alert(1)</script>")
    client = Rater(bob.user).client
    address = reverse("rate:wellbeing", args=["kites"])
    html = client.get(address).content.decode()
    assert "<strong>listens</strong>" in html and "<script>alert" not in html
    client.post(address, {"category": ["hate"]})
    assert 'value="hate" checked' in client.get(address).content.decode()
    client.post(address)
    bob.refresh_from_db()
    assert bob.opted_out == []


def test_declining_may_close_the_category_for_good(bob):
    rater = Rater(bob.user)
    rater.open()
    held = Assignment.objects.get()
    category = held.pair.prompt.harm_category
    rater.client.post(reverse("rate:decline", args=[held.token]), {"category": "never"})
    bob.refresh_from_db()
    held.refresh_from_db()
    assert (bob.opted_out, held.state, bob.judged) == ([category], AssignmentState.DECLINED, 0)


def test_a_broken_pair_is_reported_with_its_reason(bob):
    rater = Rater(bob.user)
    rater.open()
    held = Assignment.objects.get()
    rater.client.post(
        reverse("rate:flag", args=[held.token]), {"reason": "garbled", "note": "It ends in the middle.\x00"}
    )
    held.refresh_from_db()
    assert (held.state, held.reason) == (AssignmentState.FLAGGED, "garbled")
    assert held.note.startswith("It ends in the middle.")


def test_what_is_blurred_is_of_the_chosen_categories_alone(bob):
    rater = Rater(bob.user)
    for _ in range(6):
        html = rater.open().content.decode()
        held = Assignment.objects.get(state="leased")
        assert ('class="reveal"' in html) == (held.pair.prompt.harm_category == "hate")
        skip_assignment(held)


def test_a_rater_may_have_everything_blurred(bob):
    rater = Rater(bob.user)
    rater.client.post(reverse("rate:preferences"), {"blur_everything": "on", "key_hide": "h"})
    assert rater.open().content.decode().count('class="reveal"') == 3


# Breaks -----------------------------------------------------------------------------------------------


def at_work(rater: Rater, minutes: float, last: float = 0) -> None:
    now = int(time.time())
    rater.client.cookies[COOKIE] = f"{now - int(60 * minutes)}.{now - int(last)}"


def suggests_a_break(rater: Rater) -> bool:
    return "Take a break" in rater.open().content.decode()


def test_a_break_is_suggested_after_the_studys_minutes_and_not_before(bob):
    rater = Rater(bob.user)
    assert not suggests_a_break(rater)
    at_work(rater, 49)
    assert not suggests_a_break(rater)
    at_work(rater, 51)
    assert suggests_a_break(rater)


def test_whoever_was_away_has_rested(bob):
    rater = Rater(bob.user)
    at_work(rater, 90, last=REST + 5)
    assert not suggests_a_break(rater)


@pytest.mark.parametrize("rested", ["rest", "go-on"])
def test_after_a_break_or_not_now_it_is_not_suggested_again_at_once(bob, rested):
    rater = Rater(bob.user)
    at_work(rater, 90)
    (rater.client.get if rested == "rest" else rater.client.post)(reverse(f"rate:{rested}", args=["kites"]))
    assert not suggests_a_break(rater)


@pytest.mark.parametrize("nonsense", ["x", "9.1", "99999999999.99999999999", "-1.5", "1.2.3"])
def test_a_cookie_that_says_nothing_sensible_suggests_nothing(bob, nonsense):
    rater = Rater(bob.user)
    rater.client.cookies[COOKIE] = nonsense
    assert not suggests_a_break(rater)
