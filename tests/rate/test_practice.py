"""Practice with feedback, then the quiz, as a rater meets them."""

import re

import pytest
from django.urls import reverse

from annotation.actions import joining, quality
from annotation.actions.claims import claim_next_pair
from annotation.actions.gold import make_gold, retire_gold
from annotation.actions.judging import revise_judgment
from annotation.actions.studies import set_state
from annotation.errors import LeaseLost, NotReady, QualityRefused
from annotation.models import Assignment, Enrolment, Event, Gold, Judgment, Prompt, Study
from annotation.vocabulary import AssignmentKind, GoldUse, Qualification, StudyState
from tests import cast
from tests.rate.conftest import Rater, page_of
from tests.rate.test_blindness import everything

pytestmark = pytest.mark.django_db

RIGHT, WRONG = 2, -2


def a_teaching_study(practice=2, quiz=2, attempts=2, passing=100):
    study = cast.a_rateable_study(pairs=8)
    for number, pair in enumerate(study.pairs.order_by("pk")[: practice + quiz]):
        use = GoldUse.PRACTICE if number < practice else GoldUse.QUIZ
        expected = {"balance": RIGHT, "a_unsafe": False}
        make_gold(pair, expected, use, explanation="Because *it* says more.")
    settings = {"practice_needed": bool(practice), "quiz_attempts": attempts}
    quality.set_mix(study, **settings, quiz_pass_percent=passing if quiz else None)
    return Study.objects.get(pk=study.pk)


@pytest.fixture(params=[False, True])
def bob(request, db):
    """With and without JavaScript."""
    return lambda study: Rater(cast.a_rater(study, cast.bob()).user, request.param)


def open_page(bob):
    bob.shown = bob.client.get(page_of(), follow=True)
    return bob.html


def answer(bob, canonical):
    held = Assignment.objects.leased().get()
    balance = canonical if held.left_is_a else -canonical
    bob.send(given=cast.answers(balance=balance))
    bob.shown = bob.client.get(bob.shown.url) if bob.shown.status_code == 302 else bob.shown
    return bob.html


def test_practice_tells_what_was_expected_and_why_and_counts_for_nothing(bob):
    study = a_teaching_study(quiz=0)
    bob = bob(study)
    assert "Practice." in open_page(bob)
    told = answer(bob, WRONG)
    assert "Another answer was expected" in told and "Because <em>it</em> says more." in told
    assert "Practice." in open_page(bob)
    assert "As expected" in answer(bob, RIGHT)
    assert "Practice." not in open_page(bob) and "Pair to judge" in bob.html
    rater = Enrolment.objects.get()
    assert rater.practised_at and rater.judged == 0
    assert Judgment.objects.count() == 2 and not Judgment.objects.that_count().exists()
    assert Event.objects.filter(verb="finish_practice").count() == 1
    assert "Correct your previous answer" not in bob.html


@pytest.mark.parametrize("left_is_a", [True, False])
def test_feedback_is_told_on_the_sides_as_they_were_shown(left_is_a):
    bob = Rater(cast.a_rater(a_teaching_study(practice=1, quiz=0), cast.bob()).user)
    open_page(bob)
    Assignment.objects.update(left_is_a=left_is_a)
    told = answer(bob, WRONG)
    cells = re.findall(r"<t[hd][^>]*>([^<]+)</t[hd]><td>([^<]+)</td><td>([^<]+)</td>", told)
    safe = ("A" if left_is_a else "B", "Safe", "Safe")
    balance = ("A", "B") if left_is_a else ("B", "A")
    assert safe in cells
    assert [line[1:] for line in cells if line[0].startswith("Which answer balances")] == [balance]


def test_the_quiz_opens_the_pairs_to_who_passes(bob):
    bob = bob(a_teaching_study(practice=0))
    assert "Quiz." in open_page(bob)
    assert "Quiz." in answer(bob, RIGHT)
    assert "You passed" in answer(bob, RIGHT)
    assert Enrolment.objects.get().qualification == Qualification.PASSED
    assert "Pair to judge" in open_page(bob) and "Quiz." not in bob.html


def test_who_fails_may_try_again_and_then_no_more(bob):
    bob = bob(a_teaching_study(practice=0))
    open_page(bob)
    answer(bob, RIGHT)
    told = answer(bob, WRONG)
    assert "1 of 2 pairs were right; 100 % are needed." in told and "once more" in told
    assert "Not passed" in open_page(bob)
    bob.shown = bob.client.post(reverse("rate:quiz", args=["kites"]))
    assert "Quiz." in bob.html
    answer(bob, WRONG)
    assert "last attempt" in answer(bob, RIGHT)
    assert "did not pass" in open_page(bob)
    assert Enrolment.objects.get().qualification == Qualification.FAILED
    assert bob.client.post(reverse("rate:quiz", args=["kites"])).url == page_of()
    assert set(Assignment.objects.values_list("attempt", flat=True)) == {1, 2}


def test_who_passes_at_the_second_attempt_has_passed(bob):
    bob = bob(a_teaching_study(practice=0))
    open_page(bob)
    answer(bob, WRONG)
    answer(bob, WRONG)
    bob.shown = bob.client.post(reverse("rate:quiz", args=["kites"]))
    answer(bob, RIGHT)
    assert "You passed" in answer(bob, RIGHT)


def passes_over(bob, state: str) -> None:
    open_page(bob)
    why = {"reason": "other"} if state == "flagged" else {}
    Assignment.objects.leased().update(state=state, **why)


def test_a_skipped_quiz_pair_is_not_right():
    study = a_teaching_study(practice=0, quiz=3, passing=67)
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    passes_over(bob, "skipped")
    open_page(bob)
    answer(bob, RIGHT)
    assert "2 of 3 pairs were right" in answer(bob, RIGHT) and "Not passed" in bob.html


@pytest.mark.parametrize("state", ["declined", "flagged"])
def test_nobody_passes_by_the_pairs_that_they_passed_over_nor_fails_by_them(state):
    study = a_teaching_study(practice=0, quiz=4, passing=75)
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    for _ in range(2):
        passes_over(bob, state)
    open_page(bob)
    answer(bob, RIGHT)
    told = answer(bob, RIGHT)  # two of two, and two of four
    assert "Not decided yet" in told and ("Judge what I declined" in told) == (state == "declined")
    assert Enrolment.objects.get().qualification == ""
    assert "Pair to judge" not in open_page(bob)


def test_whoever_judges_what_they_declined_after_all_finishes_the_same_attempt(bob):
    bob = bob(a_teaching_study(practice=0, quiz=4, passing=75))
    for _ in range(3):
        passes_over(bob, "declined")
    open_page(bob)
    assert "Not decided yet" in answer(bob, RIGHT)
    bob.shown = bob.client.post(reverse("rate:quiz", args=["kites"]))
    assert "Quiz." in bob.html
    for _ in range(2):
        answer(bob, RIGHT)
    assert "You passed" in answer(bob, WRONG)
    assert set(Assignment.objects.values_list("attempt", flat=True)) == {1}
    assert Event.objects.get(verb="take_up_declined").detail["pairs"] == 3


def test_whoever_has_enough_right_passes_without_what_they_declined():
    study = a_teaching_study(practice=0, quiz=4, passing=75)
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    passes_over(bob, "declined")
    open_page(bob)
    answer(bob, RIGHT)
    answer(bob, RIGHT)
    assert "You passed" in answer(bob, RIGHT)


def test_whoever_would_fail_with_everything_that_they_declined_has_failed_the_attempt():
    study = a_teaching_study(practice=0, quiz=4, passing=75)
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    passes_over(bob, "declined")
    open_page(bob)
    answer(bob, WRONG)
    answer(bob, WRONG)
    assert "Not passed" in answer(bob, RIGHT) and "once more" in bob.html


def test_a_reported_quiz_pair_that_is_retired_decides_nothing_any_more():
    study = a_teaching_study(practice=0, quiz=2)
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    passes_over(bob, "flagged")
    open_page(bob)
    assert "Not decided yet" in answer(bob, RIGHT)
    retire_gold(Gold.objects.get(pair__assignments__state="flagged"))
    assert "You passed" in open_page(bob)


def test_nobody_passes_the_quiz_by_the_few_pairs_that_they_opted_into():
    study = a_teaching_study(practice=0, quiz=5, passing=50)
    quiz = list(Gold.objects.filter(use=GoldUse.QUIZ).order_by("pk"))
    Prompt.objects.filter(pairs__gold__in=quiz[:3]).update(harm_category="hate")
    place = cast.a_rater(study, cast.bob())
    Enrolment.objects.filter(pk=place.pk).update(opted_out=["hate"])
    bob = Rater(place.user)
    open_page(bob)
    answer(bob, RIGHT)
    assert "more than half of the quiz" in answer(bob, RIGHT)
    assert Enrolment.objects.get().qualification == ""


def test_answers_of_practice_and_quiz_cannot_be_changed_afterwards():
    study = a_teaching_study()
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    open_page(bob)
    answer(bob, WRONG)
    held = Assignment.objects.get()
    with pytest.raises(LeaseLost):
        revise_judgment(held, cast.answers(), "again")
    assert bob.client.get(reverse("rate:revise", args=[held.token])).status_code in (200, 302)
    assert Judgment.objects.count() == 1


def test_consent_comes_before_practice_and_practice_before_the_quiz():
    study = a_teaching_study(practice=1, quiz=1)
    joining.add_consent_version(study, "Be kind.")
    rater = cast.a_rater(study, cast.bob())
    bob = Rater(rater.user)
    assert "Before the first pair" in open_page(bob)
    assert bob.client.get(reverse("rate:quiz", args=["kites"])).url == page_of()
    joining.give_consent(rater, 1)
    assert "Practice." in open_page(bob)
    answer(bob, RIGHT)
    assert "Quiz." in open_page(bob)
    answer(bob, RIGHT)
    assert "Pair to judge" in open_page(bob)


def test_a_pair_in_hand_is_finished_before_practice_that_came_later():
    study = a_teaching_study(practice=1, quiz=0)
    Study.objects.update(practice_needed=False)
    rater = cast.a_rater(study, cast.bob())
    held = claim_next_pair(rater)
    Study.objects.update(practice_needed=True)
    assert claim_next_pair(rater) == held
    bob = Rater(rater.user)
    assert "Practice." not in open_page(bob)
    bob.send()
    with pytest.raises(NotReady):
        claim_next_pair(rater)


def test_a_closed_study_teaches_nobody():
    study = a_teaching_study()
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    set_state(study, StudyState.CLOSED)
    assert "not open for rating" in open_page(bob)
    assert bob.client.get(reverse("rate:practice", args=["kites"])).url == page_of()


def test_feedback_is_of_practice_alone():
    study = a_teaching_study(practice=0, quiz=0)
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    bob.open()
    token = Assignment.objects.get().token
    bob.send()
    assert bob.client.get(reverse("rate:feedback", args=[token])).status_code == 404
    assert Rater(cast.dan()).client.get(reverse("rate:feedback", args=[token])).status_code == 404


@pytest.mark.parametrize("settings", [{"practice_needed": True}, {"quiz_pass_percent": 80}])
def test_neither_can_be_asked_for_without_pairs(settings):
    with pytest.raises(QualityRefused):
        quality.set_mix(cast.a_rateable_study(), **settings)


def test_a_quiz_whose_pairs_are_gone_says_so():
    study = a_teaching_study(practice=0, quiz=1)
    study.gold.update(retired_at="2026-01-01T00:00Z")
    assert "No quiz yet" in open_page(Rater(cast.a_rater(study, cast.bob()).user))


def test_no_page_of_practice_and_quiz_tells_an_arm_or_the_expected_answer_too_early(bob):
    bob, told = bob(a_teaching_study(practice=1, quiz=1)), []
    told += [open_page(bob), everything(bob.shown)]
    assert "it</em> says more" not in told[0]
    told += [answer(bob, WRONG), everything(bob.shown), open_page(bob), answer(bob, WRONG), open_page(bob)]
    for page in told:
        assert [word for word in cast.ARMS if word in page] == []
    kinds = Assignment.objects.values_list("kind", flat=True)
    assert set(kinds) == {AssignmentKind.PRACTICE, AssignmentKind.QUIZ}
