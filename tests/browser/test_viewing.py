"""What somebody sees who may only look, in a real browser."""

import pytest

from annotation.actions import members, webhooks
from annotation.reports.setup import TITLES
from annotation.vocabulary import StudyRole, WebhookEvent
from tests import cast
from tests.browser.test_rating import faults, too_wide

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.slow]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_setup_shows_a_viewer_what_is_set_and_lets_nothing_be_changed(visit, study, width, scheme):
    members.add_member(study, cast.dan(), StudyRole.VIEWER, cast.alice())
    webhook = webhooks.make_webhook(study, "https://receiver.example/told", WebhookEvent.values[:1])
    dan = visit("dan", viewport={"width": width, "height": 850}, color_scheme=scheme)
    pages = [f"setup/{step}/" for step in TITLES] + ["setup/arms/0/", "webhooks/", f"webhooks/{webhook.pk}/"]
    found = []
    for page in ["", *pages]:
        dan.page.goto(f"/desk/kites/{page}")
        found += faults(dan.page) + too_wide(dan.page)
        assert dan.page.locator("main form[method=post] button").count() == 0, page
    dan.page.goto("/desk/kites/setup/questions/")
    assert dan.page.get_by_label("Title", exact=True).is_disabled()
    assert found == [] and dan.errors == []
