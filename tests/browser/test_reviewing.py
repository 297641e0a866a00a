"""A researcher goes through the review list in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from annotation.vocabulary import PairState
from tests.actions.test_reviewing import a_marked_study

pytestmark = [pytest.mark.browser, pytest.mark.once]


@pytest.fixture
def study(committed_db):
    return a_marked_study(pairs=4)


def states(study) -> list[str]:
    return sorted(study.pairs.values_list("state", flat=True))


def test_pair_after_pair_is_decided_where_the_last_one_was(visit, study):
    alice = visit("alice")
    alice.page.goto("/desk/kites/review/")
    second = alice.page.locator(".marked-pair").nth(1)
    name = second.locator("h2").inner_text()
    second.get_by_role("button", name="Mask the name").click()
    alice.sees("shown with the name masked")
    expect(second.get_by_role("button", name="Mask the name")).to_be_focused()
    assert second.locator("h2").inner_text() != name
    expect(alice.page.get_by_role("status")).to_be_in_viewport()

    alice.page.locator(".pick input").first.check()
    alice.page.locator(".pick input").last.check()
    alice.page.locator("#selection").get_by_role("button", name="Drop").click()
    alice.sees("2 pairs are dropped from the study.")
    assert states(study) == [PairState.DROPPED, PairState.DROPPED, PairState.HELD, PairState.OPEN]
    alice.page.get_by_role("button", name="Take it back").click()
    alice.sees("2 pairs wait for review again.")
    assert states(study) == [PairState.HELD] * 3 + [PairState.OPEN]
    assert alice.errors == []


def test_without_javascript_the_same_buttons_work(visit, study):
    alice = visit("alice", java_script_enabled=False)
    alice.page.goto("/desk/kites/review/?kind=identity")
    alice.page.get_by_role("button", name="Mask all 4").click()
    alice.sees("4 pairs are shown with the names masked.")
    alice.page.get_by_role("link", name="Decided").click()
    alice.page.locator(".marked-pair").first.get_by_role("button", name="Take it back").click()
    alice.sees("1 pair waits for review again.")
    assert states(study) == [PairState.HELD] + [PairState.OPEN] * 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_are_accessible_and_fit(visit, study, width, scheme):
    alice = visit("alice", color_scheme=scheme, viewport={"width": width, "height": 900})
    alice.page.goto("/desk/kites/review/?kind=identity")
    _is_sound(alice.page)
    alice.page.locator(".marked-pair h2 a").first.click()
    alice.sees("If masked, raters read")
    _is_sound(alice.page)


def _is_sound(page):
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
