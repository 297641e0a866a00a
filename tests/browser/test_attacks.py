"""Answers that are attacks do nothing in a real browser."""

import pytest

from annotation.actions.claims import skip_assignment
from annotation.actions.pairing import make_pairs
from annotation.models import Assignment, Pair
from annotation.text import storable
from annotation.vocabulary import PairState
from tests import cast
from tests.attacks import ATTACKS

pytestmark = [pytest.mark.browser, pytest.mark.once]

ON_ONE_PAGE = 12
BEHIND = """() => [...document.querySelectorAll(".option, .button, .letter, summary, textarea")]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }))
  .filter((element) => {
    element.scrollIntoView({ block: "center" });
    const box = element.getBoundingClientRect();
    const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return !element.contains(top);
  })
  .map((element) => element.outerHTML)"""
OUTSIDE = """() => [...document.querySelectorAll(".prose *")]
  .filter((element) => !["static", "relative"].includes(getComputedStyle(element).position)
    || element.closest("a, form .prose form, script, iframe, img, svg, style"))
  .map((element) => element.outerHTML.slice(0, 200))"""
CUT_OFF = """() => [...document.querySelectorAll(".prose math")]
  .filter((formula) => {
    const edge = formula.closest(".prose").getBoundingClientRect().right + 1;
    return formula.getBoundingClientRect().right > edge;
  })
  .map((formula) => formula.textContent)"""
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def attacked(committed_db):
    """A study whose prompts and answers are the corpus, twelve attacks a page."""
    study = cast.a_study(overlap=1)
    arms = [cast.an_arm(study, name, backend="") for name in cast.ARMS]
    texts = [storable(attack) for attack in ATTACKS]
    for start in range(0, len(texts), ON_ONE_PAGE):
        first, second, *said = texts[start : start + ON_ONE_PAGE] + ["x", "y", "z"]
        prompt = cast.a_prompt(study)
        prompt.messages = [{"role": "user", "content": text} for text in said]
        prompt.save(update_fields=["messages"])
        for arm, text in zip(arms, (first, second), strict=True):
            cast.a_response(prompt, arm, text)
    make_pairs(study)
    Pair.objects.update(state=PairState.OPEN)  # those that wait for review too: nobody may need to look first
    return cast.a_rater(study, cast.bob())


def test_no_attack_opens_a_dialog_sends_a_request_or_covers_anything(visit, attacked):
    bob = visit("bob", viewport={"width": 1280, "height": 800})
    dialogs, requests, found = [], [], []
    bob.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    bob.page.on("request", lambda request: requests.append(request.url))
    pages = Pair.objects.count()
    for _ in range(pages):
        bob.page.goto("/rate/kites/")
        found += bob.page.evaluate(BEHIND) + bob.page.evaluate(OUTSIDE)
        found += [bob.page.locator(".answer").all_inner_texts()] if bob.page.evaluate(TOO_WIDE) else []
        skip_assignment(Assignment.objects.leased().get())
    here = bob.page.evaluate("location.origin")
    assert pages >= len(ATTACKS) // ON_ONE_PAGE
    assert found == [] and dialogs == [] and bob.errors == []
    assert [url for url in requests if not url.startswith(f"{here}/rate/") and "/static/" not in url] == []


def test_an_attack_on_a_phone_keeps_to_the_width_of_the_page(visit, attacked):
    bob = visit("bob", viewport={"width": 360, "height": 740})
    for _ in range(Pair.objects.count()):
        bob.page.goto("/rate/kites/")
        assert not bob.page.evaluate(TOO_WIDE), bob.page.locator(".prose").all_inner_texts()
        assert bob.page.evaluate(CUT_OFF) == []  # a formula scrolls where it is wider than its column
        skip_assignment(Assignment.objects.leased().get())
