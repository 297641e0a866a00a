"""The pages about joining, practice, disputes and quality in a real browser: accessible, narrow enough."""

import uuid

import pytest

from annotation.actions import adjudicating, joining, quality
from annotation.actions.claims import claim_next_pair
from annotation.actions.gold import make_gold
from annotation.actions.judging import submit_judgment
from annotation.errors import NothingLeft
from annotation.models import Assignment, Enrolment, Study
from annotation.vocabulary import EnrolmentRole, GoldUse
from tests import cast
from tests.browser.test_rating import faults, too_wide

pytestmark = [pytest.mark.browser, pytest.mark.once]
JOINED = {"person_parameter": "PROLIFIC_PID", "completion_code": "C0DE"}


def judge_all(rater, balance: int) -> None:
    while True:
        try:
            held = claim_next_pair(rater)
        except NothingLeft:
            return
        given = cast.answers(balance=balance if held.left_is_a else -balance, rationale="It says why.")
        submit_judgment(held, given, uuid.uuid4().hex)


def a_busy_study() -> str:
    """A study in which everything waits for somebody; the secret of its link."""
    study = cast.a_rateable_study(pairs=8)
    for pair, use in zip(study.pairs.order_by("pk"), [*GoldUse.values], strict=False):
        make_gold(pair, {"balance": 2, "a_unsafe": False}, use, explanation="It says *more*.")
    bob, carol, dan = (cast.a_rater(study, person) for person in (cast.bob(), cast.carol(), cast.dan()))
    for rater, balance in ((bob, 3), (carol, -3)):
        judge_all(rater, balance)
    cast.a_response(more := cast.a_prompt(study, "more"), study.arms.all()[0])
    cast.a_response(more, study.arms.all()[1])
    cast.make_pairs(study)
    quality.pause_rater(carol, "Your answers came too fast.", cast.alice())
    quality.appeal(carol, "I had read them before.")
    adjudicating.set_role(dan, EnrolmentRole.SENIOR)
    joining.add_consent_version(study, "You may stop at any time.", "Some answers are rude.")
    for rater in (bob, carol, dan):
        joining.give_consent(rater, 1)
    return joining.make_link(study, "Prolific", **JOINED)[1]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_is_accessible_and_fits_the_window(visit, width, scheme):
    secret, found, windows = a_busy_study(), [], []

    def opens(name: str = ""):
        windows.append(visit(name, viewport={"width": width, "height": 850}, color_scheme=scheme))
        return windows[-1].page

    def looks(page, address: str = "") -> None:
        if address:
            page.goto(address)
        found.extend(faults(page) + too_wide(page))

    stranger = opens()
    looks(stranger, f"/join/{secret}/?PROLIFIC_PID=p1")
    stranger.get_by_label("I have read this").check()
    stranger.get_by_role("button", name="Take part").click()
    looks(stranger)
    for address in ("/join/return/", "/rate/kites/"):
        looks(stranger, address)
    carol = opens("carol")
    for address in ("/rate/", "/rate/kites/", "/rate/kites/appeal/"):
        looks(carol, address)
    dan = opens("dan")
    looks(dan, "/rate/kites/disputes/")
    submit_judgment(Assignment.objects.get(kind="senior"), cast.answers(), "key")
    looks(dan, "/rate/kites/disputes/")
    Study.objects.update(practice_needed=True, quiz_pass_percent=80)
    bob = opens("bob")
    looks(bob, "/rate/kites/practice/")
    practised = Assignment.objects.get(kind="practice")
    submit_judgment(practised, cast.answers(), "key")
    looks(bob, f"/rate/pair/{practised.token}/feedback/")
    bob.goto("/rate/kites/practice/")
    bob.goto("/rate/kites/quiz/")
    submit_judgment(Assignment.objects.get(kind="quiz"), cast.answers(), "key")
    looks(bob, "/rate/kites/quiz/")
    alice, rater = opens("alice"), Enrolment.objects.get(user=cast.carol())
    for part in ("joining/", "quality/", f"quality/raters/{rater.pk}/", "gold/", "disputes/", "raters/"):
        looks(alice, f"/desk/kites/{part}")
    assert found == []
    told = [error for window in windows for error in window.errors]
    assert [error for error in told if "410 (Gone)" not in error] == []  # of pairs judged behind their page
