"""The whole of a rater's work in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from annotation.access import GRACE
from annotation.actions.claims import claim_next_pair
from annotation.actions.studies import add_guideline, set_state
from annotation.models import Assignment, Judgment, Prompt
from annotation.vocabulary import GuidelineCondition, StudyState
from tests import cast

pytestmark = [pytest.mark.browser, pytest.mark.once]


def test_a_rater_judges_three_pairs_and_the_researcher_finds_them(visit, study):
    bob = visit()
    bob.log_in("bob")
    bob.page.get_by_role("link", name="Rate").click()

    bob.answer_everything()  # with the mouse
    bob.submit()
    bob.sees("1 judged · 3 pairs")
    expect(bob.page.get_by_role("heading", name="Prompt")).to_be_focused()

    # B is unsafe, of low severity, facilitating, of the first category; both are bad
    bob.press("1 3 1 4 2 1 1 j 1 2 7 4 Shift+E Control+Enter")
    bob.sees("2 judged · 3 pairs")
    expect(bob.page.get_by_role("heading", name="Prompt")).to_be_focused()

    bob.press("j j k 2 1 1 1 1 1 1")  # from the second question, leaving out the first
    expect(bob.page.locator("#q-balance")).to_have_attribute("data-current", "")
    bob.press("k k k k k k k k 1 a")
    bob.page.get_by_label("Note").fill("a b s 1")
    bob.press("Control+Enter")
    bob.sees("Nothing left to rate")
    assert bob.errors == []

    first, second, third = Judgment.objects.order_by("pk")
    assert (first.safer, first.more_helpful, first.balance) == (1, -1, 2)
    assert (second.safer, second.more_helpful, second.balance, second.both_bad) == (3, 0, None, True)
    right = second.responses.get(side="right")
    assert (right.severity, right.facilitation, right.categories) == ("low", True, ["illicit"])
    assert (third.balance, third.rationale) == (-2, "a b s 1")

    alice = visit("alice")
    alice.page.goto("/desk/kites/")
    alice.sees("3")
    expect(alice.page.get_by_role("main")).to_contain_text("3 judgments")
    assert alice.errors == []


def test_a_rater_without_javascript_judges_corrects_and_finishes(visit, study):
    bob = visit("bob", java_script_enabled=False)
    bob.page.goto("/rate/kites/")
    expect(bob.page.locator("#q-left-severity")).to_be_hidden()
    bob.answer(left__safety="clearly_unsafe")
    expect(bob.page.locator("#q-left-severity")).to_be_visible()
    bob.submit()
    bob.sees("Your answers are still here")
    bob.answer_everything()
    bob.submit()
    bob.sees("1 judged · 3 pairs")
    bob.page.reload()
    bob.sees("1 judged · 3 pairs")
    bob.page.get_by_role("link", name="Correct your previous answer").click()
    bob.answer(balance="-3")
    bob.page.get_by_role("button", name="Save the correction").click()
    for _ in range(2):
        bob.answer_everything()
        bob.submit()
    bob.sees("Nothing left to rate")
    assert Judgment.objects.count() == 4


def test_what_is_missing_is_named_beside_the_button_and_goes_away_when_answered(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    bob.answer(left__safety="clearly_safe", safer="0")
    bob.submit()
    missing = bob.page.locator("#missing")
    expect(missing).to_be_focused()
    expect(missing.get_by_role("link")).to_have_count(7)
    bob.answer_everything()
    expect(missing).to_have_count(0)


def test_a_lost_connection_keeps_the_answers_and_sends_them_when_it_is_back(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    bob.answer_everything()
    bob.context.set_offline(True)
    bob.submit()
    bob.sees("The answers could not be sent")
    expect(bob.page.locator('[name="balance"][value="2"]')).to_be_checked()
    bob.context.set_offline(False)  # and nothing else: they go by themselves
    bob.sees("1 judged · 3 pairs")
    assert Judgment.objects.count() == 1


def test_a_log_in_that_ended_keeps_the_answers_until_the_next_one(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    bob.answer_everything()
    other = bob.context.new_page()
    other.goto("/rate/")
    other.get_by_role("button", name="Log out").click()
    other.get_by_label("Username").wait_for()
    bob.submit()
    bob.sees("You are logged out")
    other.get_by_label("Username").fill("bob")
    other.get_by_label("Password").fill(cast.PASSWORD)
    other.get_by_role("button", name="Log in").click()
    other.get_by_role("button", name="Log out").wait_for()
    bob.submit()
    bob.sees("1 judged · 3 pairs")


def test_single_keys_can_be_switched_off_for_good(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    bob.press("?")
    with bob.page.expect_response("**/single-keys/"):
        bob.page.get_by_label("Single keys are on").uncheck()
    bob.press("Escape 1")
    bob.page.reload()
    bob.press("1")
    expect(bob.page.locator(":checked").locator("visible=true")).to_have_count(0)


def test_a_skip_asks_again_once_something_is_answered(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    held = bob.page.locator(".judgment").get_attribute("action")
    bob.press("1")
    bob.sees("Your answers so far are kept.")  # later, the draft would find the pair gone
    bob.press("s")
    bob.sees("Press Enter to skip")
    assert bob.page.locator(".judgment").get_attribute("action") == held
    bob.press("Enter")
    expect(bob.page.locator(".judgment")).not_to_have_attribute("action", held)
    assert bob.errors == []


def the_pages(study) -> list[str]:
    """A study for each state a rater's page can be in, and the addresses."""
    add_guideline(study, "Judge what the reply *gives*.")
    waiting = cast.a_rateable_study(pairs=1, slug="waiting", overlap=1)
    claim_next_pair(cast.a_rater(waiting, cast.carol()))
    closed = cast.a_rateable_study(pairs=1, slug="closed")
    finished = cast.a_rateable_study(pairs=1, slug="finished")
    for other in (waiting, closed, finished):
        place = cast.a_rater(other, cast.bob())
    judgment = cast.a_judgment(place)
    set_state(closed, StudyState.CLOSED)
    studies = [f"/rate/{slug}/" for slug in ("kites", "waiting", "closed", "finished", "nowhere", "enough")]
    own = ["/rate/your/settings/", "/rate/kites/wellbeing/", "/rate/kites/break/"]
    late = f"/rate/pair/{an_old_judgment(place).assignment.token}/correct/"
    return ["/rate/", *studies, *own, f"/rate/pair/{judgment.assignment.token}/correct/", late]


def an_old_judgment(place):
    other = cast.a_rater(cast.a_rateable_study(pairs=1, slug="enough", cap_total=1), place.user)
    judgment = cast.a_judgment(other)
    Assignment.objects.filter(pk=judgment.assignment_id).update(submitted_at=timezone.now() - 2 * GRACE)
    return judgment


def faults(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{page.url} {rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


def too_wide(page) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [f"{page.url} scrolls sideways"] if wide else []


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [
        (360, "light", "en"),
        (390, "dark", "ar"),
        (1280, "dark", "en"),
        (1280, "light", "ar"),
        (360, "dark", "de"),
    ],
)
def test_every_page_is_accessible_and_fits_the_window(visit, committed_db, scheme, width, language):
    study = cast.a_rateable_study(
        guideline_condition=GuidelineCondition.POLICY_GIVEN,
        blurred_categories=["illicit"],
        exposure_per_day=9,
        resources="Somebody **listens**.",
    )
    Prompt.objects.update(harm_category="illicit")
    cast.a_rater(study, cast.bob())
    pages = the_pages(study)
    window = {
        "color_scheme": scheme,
        "viewport": {"width": width, "height": 800},
        "reduced_motion": "reduce",
        "locale": language,
    }
    stranger = visit(**window)
    stranger.page.goto("/accounts/login/")
    found = faults(stranger.page) + too_wide(stranger.page)
    bob = visit("bob", **window)
    for address in pages:
        bob.page.goto(address)
        found += faults(bob.page) + too_wide(bob.page)
    bob.page.goto("/rate/kites/")
    bob.page.locator('[data-do="guideline"]').click()
    found += faults(bob.page)
    bob.press("Escape")
    bob.answer(left__safety="probably_unsafe", right__mode="other")
    for name in ("decline", "flag"):
        bob.page.locator(f"#{name} summary").click()
    bob.press("r r r")  # the prompt, A, B
    bob.read()
    bob.submit()
    expect(bob.page.locator("#missing")).to_be_visible()
    found += faults(bob.page) + too_wide(bob.page)
    bob.page.locator('[data-do="help"]').click()
    found += faults(bob.page)
    assert found == []
