"""The desk's page of flagged pairs in a real browser."""

import pytest

from annotation.actions.claims import claim_next_pair, flag_assignment
from annotation.models import Assignment
from annotation.vocabulary import FlagReason
from tests import cast
from tests.browser.test_rating import faults, too_wide

pytestmark = [pytest.mark.browser, pytest.mark.once]


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (390, "dark"), (390, "light"), (1280, "dark")]
)
def test_flags_are_answered_on_a_page_that_is_accessible_and_fits(visit, committed_db, width, scheme):
    study = cast.a_rateable_study(pairs=4, overlap=3)
    for person, note in ((cast.bob(), "It ends in the middle of a word."), (cast.carol(), "")):
        rater = cast.a_rater(study, person)
        for _ in range(2):
            flag_assignment(claim_next_pair(rater), FlagReason.GARBLED, note)
    alice = visit("alice", color_scheme=scheme, viewport={"width": width, "height": 900})
    found = []
    for address in ("/desk/kites/", "/desk/kites/flags/", "/desk/kites/review/"):
        alice.page.goto(address)
        found += faults(alice.page) + too_wide(alice.page)
    alice.page.goto("/desk/kites/flags/")
    alice.page.locator(".marked-pair").first.get_by_role("button", name="Hold for review").click()
    alice.sees("1\u00a0pair is held for review.")
    alice.page.get_by_role("link", name="Answered").click()
    found += faults(alice.page) + too_wide(alice.page)
    assert found == []
    held = Assignment.objects.filter(flag_answer__decision="hold", pair__state="held")
    assert held.exists()
