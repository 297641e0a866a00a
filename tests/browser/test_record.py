"""The record of a study in a real browser: accessible, and as narrow as the window."""

from datetime import timedelta

import pytest

from annotation.actions import sealing, studies
from tests import cast
from tests.browser.test_rating import faults, too_wide

pytestmark = [pytest.mark.browser, pytest.mark.once]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_record_is_accessible_and_fits_the_window(visit, study, width, scheme):
    cast.a_judgment(study.enrolments.get())
    sealing.seal_study(study, settled=timedelta(seconds=-1))
    studies.set_state(study, "closed", cast.alice())
    alice = visit("alice", viewport={"width": width, "height": 850}, color_scheme=scheme)
    found = []
    for address in ("/desk/kites/record/", "/desk/kites/record/?judging=on", "/desk/kites/record/?by=system"):
        alice.page.goto(address)
        found += faults(alice.page) + too_wide(alice.page)
    alice.page.goto("/desk/kites/record/")
    alice.sees("Sealed through")
    alice.page.get_by_text("Narrow down").click()
    alice.page.get_by_label("What", exact=True).select_option("set_state")
    alice.page.get_by_role("button", name="Show").click()
    alice.sees("state: closed")
    found += faults(alice.page) + too_wide(alice.page)
    assert found == [] and alice.errors == []
