"""The results in a real browser: accessible, narrow enough, without JavaScript, and on paper."""

import pytest

from annotation.actions import reporting
from annotation.models import Study
from annotation.reports.filters import Filters
from tests.browser.test_rating import faults, too_wide
from tests.desk.made import make_what_waits
from tests.reports.studies import a_varied_study

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.slow]


def a_made_study() -> Study:
    study = a_varied_study(8)
    reporting.look(study, Filters())
    make_what_waits()
    return study


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_results_are_accessible_and_fit_the_window(visit, width, scheme):
    study = a_made_study()
    window = visit("alice", viewport={"width": width, "height": 900}, color_scheme=scheme)
    window.page.goto(f"/desk/{study.slug}/results/")
    window.page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")
    assert faults(window.page) == []
    assert not too_wide(window.page)
    assert window.errors == []
    shown = window.page.locator(".drawing:visible").count()
    assert shown > 10
    assert window.page.locator(".drawing").count() == 2 * shown


def test_the_colours_of_figures_follow_the_page(visit):
    study = a_made_study()
    found = {}
    for scheme in ("light", "dark"):
        window = visit("alice", viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        window.page.goto(f"/desk/{study.slug}/results/")
        bar = window.page.locator(".wide .f-series-1").first
        found[scheme] = bar.evaluate("bar => getComputedStyle(bar).fill")
    assert found == {"light": "rgb(26, 90, 120)", "dark": "rgb(142, 197, 223)"}


def test_results_are_narrowed_down_without_javascript(visit):
    study = a_made_study()
    window = visit("alice", java_script_enabled=False)
    window.page.goto(f"/desk/{study.slug}/results/")
    window.page.locator(".narrow-down summary").click()
    window.page.get_by_role("checkbox", name="Benign").check()
    window.page.get_by_role("button", name="Show").click()
    assert "intent=benign" in window.page.url
    window.sees("The results are being made.")
    make_what_waits()
    window.page.get_by_role("link", name="Reload").click()
    window.sees("Only what is about intent: benign")
    window.page.get_by_role("link", name="Clear the filters").first.click()
    assert window.page.url.endswith("/results/")
