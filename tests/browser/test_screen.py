"""What the rating page does beyond its forms: reading first, drafts, keys, hiding, and the third language."""

import pytest
from playwright.sync_api import expect

from annotation.actions.studies import add_guideline
from annotation.models import Assignment, Draft, Judgment, Prompt, RaterSettings, Response, Study
from annotation.vocabulary import AssignmentState, GuidelineCondition
from tests import cast
from tests.browser.test_rating import faults

pytestmark = [pytest.mark.browser, pytest.mark.once]

KEPT = "Your answers so far are kept."


def make_long() -> None:
    Response.objects.update(text="\n\n".join(f"Paragraph {number} of a long answer." for number in range(60)))


def test_submit_is_closed_until_both_answers_were_seen_to_their_end(visit, study):
    make_long()
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    expect(bob.page.locator("#submit")).to_have_attribute("aria-disabled", "true")
    expect(bob.page.locator("#gate")).to_contain_text("Still to read: A, B")
    bob.press("Control+Enter")
    bob.press("Control+Enter")
    expect(bob.page.locator("#send-status")).to_contain_text("Read both answers to their end first")
    assert not Judgment.objects.exists()
    bob.read()
    expect(bob.page.locator("#submit")).to_have_attribute("aria-disabled", "false")
    bob.sees(KEPT)
    bob.page.reload()  # what was read is remembered
    expect(bob.page.locator("#gate")).to_be_hidden()
    bob.answer_everything()
    bob.submit()
    bob.sees("1 judged · 3 pairs")
    expect(bob.page.locator("#gate")).to_be_visible()


def test_what_is_hidden_was_not_read(visit, study):
    Study.objects.update(blurred_categories=["illicit"])
    Prompt.objects.update(harm_category="illicit")
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    answers = bob.page.locator(".answer > p")
    expect(answers.first).to_be_hidden()
    expect(bob.page.locator("#gate")).to_contain_text("A, B")
    bob.press("r r")  # the prompt, then A
    expect(answers.first).to_be_visible()
    expect(bob.page.locator("#gate")).to_have_text("Read both answers to their end first. Still to read: B")
    bob.press("r")
    expect(bob.page.locator("#gate")).to_be_hidden()
    bob.press("h")
    for hidden in (".answer > p", ".prompt .prose > p", ".pair-study"):
        expect(bob.page.locator(hidden).first).to_be_hidden()
    bob.press("h")
    expect(answers.last).to_be_visible()


def test_a_draft_goes_on_on_another_device_and_two_windows_add_up(visit, study):
    bob, elsewhere = visit("bob"), visit("bob")
    bob.page.goto("/rate/kites/")
    elsewhere.page.goto("/rate/kites/")
    bob.answer(left__safety="clearly_safe")
    bob.sees(KEPT)
    elsewhere.answer(right__safety="clearly_unsafe", right__severity="low")
    elsewhere.sees("Answers from another window were added.")
    expect(elsewhere.page.locator('[name="left-safety"][value="clearly_safe"]')).to_be_checked()
    expect(elsewhere.page.locator("#saved")).to_have_text(KEPT)
    assert Draft.objects.get().answers == {
        "left-safety": "clearly_safe",
        "right-safety": "clearly_unsafe",
        "right-severity": "low",
    }
    bob.page.reload()
    expect(bob.page.locator('[name="right-severity"][value="low"]')).to_be_checked()


def test_answers_given_without_a_connection_are_there_after_a_reload_and_go_by_themselves(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    bob.context.set_offline(True)
    bob.answer_everything()
    bob.sees("kept on this device")
    bob.submit()
    bob.sees("The answers could not be sent")
    bob.page.evaluate("window.stop()")
    bob.context.set_offline(False)
    bob.page.goto("/rate/kites/")
    bob.sees("1 judged · 3 pairs")
    assert Judgment.objects.get().balance == 2
    bob.page.wait_for_function("!Object.keys(localStorage).some(key => key.startsWith('evenhand.'))")


def test_whoever_changes_an_answer_on_its_way_is_told_if_the_first_did_arrive(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    bob.answer_everything()
    lost = lambda route: (route.fetch(), route.abort())  # noqa: E731 — it arrives; its reply does not
    bob.page.route("**/rate/pair/*/", lost)
    bob.submit()
    bob.sees("The answers could not be sent")
    bob.page.unroute("**/rate/pair/*/")
    bob.answer(balance="-3")
    bob.submit()
    bob.sees("You have already judged this pair.")
    bob.sees("What you sent")
    assert Judgment.objects.get().balance == 2


def test_a_pair_is_declined_and_another_reported_by_keys(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    bob.press("d Tab")
    bob.press("Enter")
    bob.page.wait_for_load_state()
    expect(bob.page.locator("#decline")).not_to_have_attribute("open", "")
    bob.press("f")
    bob.page.get_by_label("Garbled or cut off").check()
    bob.page.get_by_role("button", name="Report and go on").click()
    expect(bob.page.locator("#flag")).not_to_have_attribute("open", "")
    states = set(Assignment.objects.values_list("state", flat=True))
    assert states == {AssignmentState.DECLINED, AssignmentState.FLAGGED, AssignmentState.LEASED}


def test_escape_closes_a_way_out_and_gives_the_focus_back(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    for key, panel in (("d", "#decline"), ("f", "#flag")):
        bob.press(f"{key} Tab Escape")
        expect(bob.page.locator(panel)).not_to_have_attribute("open", "")
        expect(bob.page.locator(f"{panel} summary")).to_be_focused()
    bob.press("f")
    bob.page.locator("#flag-note").fill("The end is missing.")
    bob.press("Escape")
    expect(bob.page.locator("#flag")).not_to_have_attribute("open", "")
    bob.press("d")
    note = bob.page.locator("#q-rationale textarea")
    note.focus()
    bob.press("Escape")  # leaves the note, and the panel as it was
    expect(note).not_to_be_focused()
    expect(bob.page.locator("#decline")).to_have_attribute("open", "")
    bob.press("Escape")
    expect(bob.page.locator("#decline")).not_to_have_attribute("open", "")


def test_u_goes_back_to_the_last_answers(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    bob.answer_everything()
    bob.submit()
    bob.sees("1 judged · 3 pairs")
    bob.press("u")
    bob.sees("You are correcting answers")
    bob.answer(balance="both_bad")
    bob.press("Control+Enter")
    expect(bob.page.get_by_text("You are correcting answers")).to_have_count(0)
    assert [judgment.both_bad for judgment in Judgment.objects.order_by("revision")] == [False, True]


def test_keys_are_as_the_rater_chose_them_also_on_a_keyboard_of_another_script(visit, study):
    RaterSettings.objects.create(user=cast.bob(), keys={"prefer_a": "x"})
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    bob.press("a")
    expect(bob.page.locator("#q-balance :checked")).to_have_count(0)
    bob.press("x")
    expect(bob.page.locator('#q-balance [value="-2"]')).to_be_checked()
    typed = {"key": "لا", "code": "KeyB", "bubbles": True, "cancelable": True}
    bob.page.evaluate(
        "typed => document.body.dispatchEvent(new KeyboardEvent('keydown', typed))", {**typed, "key": "ذ"}
    )
    expect(bob.page.locator('#q-balance [value="2"]')).to_be_checked()
    bob.press("0")
    expect(bob.page.locator('#q-balance [value="0"]')).to_be_checked()
    bob.press("Control+b Alt+b")  # the browser's own
    expect(bob.page.locator('#q-balance [value="0"]')).to_be_checked()


def test_q_goes_from_block_to_block_and_n_to_the_note(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    for marked in ("right-safety", "safer", "left-safety"):
        bob.press("q")
        expect(bob.page.locator("[data-current]")).to_have_id(f"q-{marked}")
    bob.press("n")
    expect(bob.page.get_by_label("Note")).to_be_focused()


def test_the_guideline_opens_over_the_page_and_gives_the_place_back(visit, committed_db):
    study = cast.a_rateable_study(guideline_condition=GuidelineCondition.POLICY_GIVEN)
    add_guideline(study, "Judge what the reply *gives*.")
    cast.a_rater(study, cast.bob())
    bob = visit("bob", viewport={"width": 1280, "height": 500})
    bob.page.goto("/rate/kites/")
    bob.answer(safer="0")
    before = bob.page.evaluate("scrollY")
    bob.press("g")
    expect(bob.page.get_by_text("Judge what the reply gives.")).to_be_visible()
    bob.press("Escape")
    expect(bob.page.locator("#guideline-sheet")).to_be_hidden()
    assert bob.page.evaluate("scrollY") == before > 0


def test_a_long_guideline_opens_at_its_beginning(visit, committed_db):
    study = cast.a_rateable_study(guideline_condition=GuidelineCondition.POLICY_GIVEN)
    add_guideline(study, "\n\n".join(f"Rule {number}." for number in range(80)))
    cast.a_rater(study, cast.bob())
    bob = visit("bob", viewport={"width": 1280, "height": 500})
    bob.page.goto("/rate/kites/")
    bob.press("g")
    sheet = bob.page.locator("#guideline-sheet")
    expect(sheet).to_be_visible()
    assert sheet.evaluate("e => e.scrollHeight > e.clientHeight && e.scrollTop === 0")


def test_a_contradiction_is_pointed_out_and_holds_nothing_up(visit, study):
    bob = visit("bob")
    bob.page.goto("/rate/kites/")
    hint = bob.page.locator('[data-hint="safer-a"]')
    bob.answer_everything()
    expect(hint).to_be_hidden()
    bob.answer(right__safety="probably_unsafe", right__severity="low")
    expect(hint).to_be_visible()
    expect(bob.page.locator("#hint-status")).to_have_text(
        "Above you rated A safer than B. Leave it so if you mean it."
    )
    bob.answer(left__mode="unsafe_compliance")
    expect(bob.page.locator('[data-hint="left-mode"]')).to_be_visible()
    assert faults(bob.page) == []
    bob.submit()
    bob.sees("1 judged · 3 pairs")


def test_in_arabic_the_page_is_mirrored_and_a_stays_on_the_left(visit, study):
    bob = visit("bob", locale="ar")
    bob.page.goto("/rate/kites/")
    expect(bob.page.locator("html")).to_have_attribute("dir", "rtl")

    def left_of(selector: str) -> float:
        return bob.page.locator(selector).first.bounding_box()["x"]

    assert left_of("#left") < left_of("#right")
    assert left_of('#q-safer label:has([value="-3"])') < left_of('#q-safer label:has([value="3"])')
    assert left_of(".brand") > left_of(".masthead form")
    direction = "element => getComputedStyle(element).direction"
    assert bob.page.locator("#left legend").first.evaluate(direction) == "rtl"
    assert bob.page.locator("#left .answer > p").first.evaluate(direction) == "ltr"  # English text


def test_nothing_moves_for_whoever_wants_no_motion(visit, study):
    for motion, animated in (("reduce", "none"), ("no-preference", "arrive")):
        bob = visit("bob", reduced_motion=motion)
        bob.page.goto("/rate/kites/")
        bob.press("s")
        expect(bob.page.locator("#main.arriving")).to_be_visible()
        style = "getComputedStyle(document.querySelector('#main')).animationName"
        assert bob.page.evaluate(style) == animated


def test_a_session_by_keyboard_alone_from_the_log_in_to_the_end(visit, study):
    bob = visit()
    bob.page.goto("/rate/kites/")
    bob.page.locator("[name=username]").focus()
    bob.page.keyboard.type("bob")
    bob.press("Tab")
    bob.page.keyboard.type(cast.PASSWORD)
    bob.press("Enter")
    expect(bob.page.locator('[data-do="help"]')).to_be_visible()  # the script is there
    for judged in (1, 2):
        bob.press("1 3 1 1 3 1 4 4 e j Control+Enter")
        bob.sees(f"{judged} judged · 3 pairs")
        expect(bob.page.locator("[data-current]")).to_be_attached()  # keys are listened to again
    for _ in range(60):  # the last one without single keys: Tab, arrows and Space
        bob.press("Tab")
        kind = bob.page.evaluate("document.activeElement.type + ' ' + document.activeElement.name")
        if kind.startswith("radio") and "confidence" not in kind:
            bob.press("Space")
        if bob.page.evaluate("document.activeElement.id") == "submit":
            break
    bob.press("Enter")
    bob.sees("Nothing left to rate")
    assert Judgment.objects.count() == 3
