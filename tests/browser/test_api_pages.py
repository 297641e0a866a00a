"""The pages of tokens, webhooks and the API in a real browser: accessible, narrow enough, working."""

import pytest
from playwright.sync_api import expect

from annotation.actions import enrolment, webhooks
from annotation.models import Delivery
from annotation.vocabulary import EnrolmentState
from tests import cast
from tests.browser.test_rating import faults, too_wide

pytestmark = [pytest.mark.browser, pytest.mark.once]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_is_accessible_and_fits_the_window(visit, study, width, scheme):
    hook = webhooks.make_webhook(
        study, "https://receiver.example/a/long/address/of/a/receiver", ["rater.paused"]
    )
    enrolment.set_state(study.enrolments.get(), EnrolmentState.PAUSED)
    Delivery.objects.update(state="failed", attempts=8, last_error="It answered with status 500.")
    cast.a_token(cast.alice(), "read")
    window = visit("alice", viewport={"width": width, "height": 850}, color_scheme=scheme)
    found = []
    for address in ("/tokens/", "/desk/kites/webhooks/", f"/desk/kites/webhooks/{hook.pk}/", "/api/v1/docs/"):
        window.page.goto(address)
        found += faults(window.page) + too_wide(window.page)
    window.page.locator("details.way > summary").first.click()
    found += faults(window.page) + too_wide(window.page)
    assert found == [] and window.errors == []


def test_a_token_is_made_by_hand(visit, study):
    window = visit("alice")
    window.page.goto("/tokens/")
    window.page.get_by_label("Name").fill("Laptop")
    window.page.get_by_label("Download judgments").check()
    window.page.get_by_role("button", name="Make the token").click()
    window.sees("Copy it now")
    expect(window.page.locator(".code-word code")).to_contain_text("eh_")
