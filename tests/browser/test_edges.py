"""The rater's pages that few ever meet, in a real browser; and that every page of raters is looked at."""

from pathlib import Path

import pytest
from django.conf import settings

from annotation.actions import adjudicating, joining
from annotation.actions.claims import claim_next_pair, skip_assignment
from annotation.models import Assignment
from annotation.vocabulary import EnrolmentRole
from tests import cast
from tests.browser.test_rating import faults, too_wide

pytestmark = [pytest.mark.browser, pytest.mark.once]

HERE = {"completed", "consent", "join_refused", "join_unknown", "no_dispute", "refused"}
ELSEWHERE = {
    "test_rating": {"home", "pair", "waiting", "closed", "finished", "enough", "preferences", "wellbeing"}
    | {"rest", "too_late"},
    "test_desk": {"rehearsed"},
    "test_quality": {"join", "join_return", "welcome", "appeal", "dispute", "feedback", "quiz"},
}
FRAMES = {"frame"}


def test_no_page_of_raters_is_looked_at_by_nobody():
    pages = {path.stem for path in (Path(settings.BASE_DIR) / "templates/rate").glob("[!_]*.html")}
    assert pages == HERE | FRAMES | set().union(*ELSEWHERE.values())


@pytest.mark.parametrize(
    ("width", "scheme", "language"), [(1280, "light", "de"), (390, "dark", "ar"), (360, "light", "en")]
)
def test_the_pages_that_few_meet_are_accessible_and_fit(visit, committed_db, width, scheme, language):
    study = cast.a_rateable_study(pairs=2)
    joining.add_consent_version(study, "You may stop at any time.", "Some answers are rude.")
    revoked, closed_to = joining.make_link(study, "Old")
    joining.revoke_link(revoked)
    _, secret = joining.make_link(study, "New", completion_code="C0DE")
    window = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme, "locale": language}
    window["reduced_motion"] = "reduce"
    found = []

    def looks(page, address: str, heading: str) -> None:
        page.goto(address)
        page.locator(heading).first.wait_for()
        found.extend(faults(page) + too_wide(page))

    stranger = visit(**window)
    looks(stranger.page, f"/join/{closed_to}/", "h1")
    looks(stranger.page, f"/join/{'0' * 48}/", "h1")
    stranger.page.goto(f"/join/{secret}/")
    stranger.page.locator("input[type=checkbox]").first.check()
    stranger.page.locator("form button.primary").click()
    stranger.page.locator("h1").wait_for()
    looks(stranger.page, "/rate/kites/completed/", "h1")
    senior = cast.a_rater(study, cast.bob())
    adjudicating.set_role(senior, EnrolmentRole.SENIOR)
    bob = visit("bob", **window)
    looks(bob.page, "/rate/kites/consent/", "h1")
    joining.give_consent(senior, 1)
    looks(bob.page, "/rate/kites/disputes/", "h1")
    bob.page.goto("/rate/kites/")
    bob.answer_everything()
    skip_assignment(Assignment.objects.get(enrolment=senior))
    bob.submit()
    bob.page.locator("[data-page-heading]").first.wait_for()
    found += faults(bob.page) + too_wide(bob.page)
    assert claim_next_pair(senior) and found == []
