"""Pauses with a reason, appeals, and work that is withdrawn."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.actions import quality
from annotation.actions.claims import claim_next_pair
from annotation.actions.gold import make_gold
from annotation.actions.judging import revise_judgment, submit_judgment
from annotation.errors import LeaseLost, NothingLeft, NotQualified, QualityRefused
from annotation.models import Assignment, Enrolment, Event, Judgment, Study
from annotation.models.pair import end_of_queue
from annotation.reports.quality import quality_report
from annotation.reports.rows import Answers
from annotation.vocabulary import AppealState, AssignmentKind, AssignmentState, EnrolmentState
from tests import cast
from tests.export.studies import judgments_of

pytestmark = pytest.mark.django_db


def judge_all(rater, given=None, seconds=None):
    """Judge until nothing is left; `given` makes the answers from what is held."""
    while True:
        try:
            held = claim_next_pair(rater)
        except NothingLeft:
            rater.refresh_from_db()
            return
        at = held.claimed_at + timedelta(seconds=seconds) if seconds else None
        submit_judgment(held, given(held) if given else cast.answers(), uuid.uuid4().hex, at)


def canonical(balance):
    """Answers whose balance is this much in favour of response b, whichever side it is on."""
    return lambda held: cast.answers(balance=balance if held.left_is_a else -balance)


def a_checked_study(pairs=40, gold=20, **rules):
    study = cast.a_rateable_study(pairs=pairs, **rules)
    for pair in study.pairs.order_by("pk")[:gold]:
        make_gold(pair, {"balance": 2})
    Study.objects.filter(pk=study.pk).update(gold_percent=50, repeat_percent=20)
    study.refresh_from_db()
    return study


def of(study, rater):
    return next(row for row in quality_report(study) if row.pk == rater.pk)


# Signals ---------------------------------------------------------------------------------------------


def test_who_answers_as_expected_is_right_and_who_answers_otherwise_is_not():
    study = a_checked_study()
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    judge_all(bob, canonical(2))
    judge_all(carol, canonical(-2))
    right, wrong = of(study, bob), of(study, carol)
    assert (right.gold.value, wrong.gold.value) == (1.0, 0.0)
    checked = Judgment.objects.filter(enrolment=bob, assignment__kind=AssignmentKind.GOLD).count()
    assert right.gold.n == checked > 5
    assert right.judged == Judgment.objects.filter(enrolment=bob).count()


@pytest.mark.slow
def test_who_always_says_left_contradicts_themselves_when_the_sides_are_swapped():
    study = cast.a_rateable_study(pairs=60, repeat_percent=40)
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    judge_all(bob, lambda held: cast.answers(safer=0, more_helpful=0, balance=-3))
    judge_all(carol, lambda held: cast.answers(safer=0, more_helpful=0, balance=2 if held.left_is_a else -2))
    lefty, steady = of(study, bob), of(study, carol)
    assert lefty.left.value == 1.0 and lefty.left.low > 0.9
    assert lefty.consistent.value == pytest.approx(0.8)  # four of the five questions
    assert steady.consistent.value == 1.0
    assert steady.left.low < 0.5 < steady.left.high


def test_agreement_is_with_the_majority_of_the_others():
    study = cast.a_rateable_study(pairs=12, overlap=3)
    raters = [cast.a_rater(study, user) for user in (cast.bob(), cast.carol(), cast.dan())]
    for rater, answer in zip(raters, (2, 2, -2), strict=True):
        judge_all(rater, canonical(answer))
    bob, _, dan = (of(study, rater) for rater in raters)
    # All agree on both safety answers of a pair; on the balance dan stands alone, and bob has no majority.
    assert (bob.agreeing.value, bob.agreeing.n) == (1.0, 12)
    assert (dan.agreeing.value, dan.agreeing.n) == (pytest.approx(24 / 36), 12)


def test_answers_faster_than_reading_are_counted():
    study = cast.a_rateable_study(pairs=12)
    study.responses.update(text="word " * 200)
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    judge_all(bob, seconds=2)
    judge_all(carol, seconds=60)
    assert (of(study, bob).hasty.value, of(study, carol).hasty.value) == (1.0, 0.0)


def test_a_rater_without_work_has_no_signals_and_reasons_instead():
    study = cast.a_rateable_study()
    row = of(study, cast.a_rater(study, cast.bob()))
    for signal in (row.gold, row.consistent, row.agreeing, row.hasty, row.reading, row.left):
        assert (signal.value, signal.n) == (None, 0) and signal.reason


def test_the_report_asks_the_same_number_of_questions_for_many_raters(django_assert_num_queries):
    study = a_checked_study(pairs=12, gold=4, overlap=6)
    for name in ("r1", "r2"):
        judge_all(cast.a_rater(study, cast.person(name)))
    with django_assert_num_queries(8):
        quality_report(study)
    for name in ("r3", "r4", "r5"):
        judge_all(cast.a_rater(study, cast.person(name)))
    with django_assert_num_queries(8):
        quality_report(study)


def test_a_rater_alone_has_the_signals_that_they_have_among_all():
    study = a_checked_study(pairs=14, gold=4, overlap=3)
    raters = [cast.a_rater(study, cast.person(name)) for name in ("r1", "r2", "r3")]
    for number, rater in enumerate(raters):
        judge_all(rater, canonical(2 if number else -1), seconds=5 + number)
    for row in quality_report(study):
        assert quality_report(study, [row.pk]) == (row,)
    assert quality_report(study, [raters[0].pk, raters[2].pk]) == tuple(
        row for row in quality_report(study) if row.pk != raters[1].pk
    )


# Rules -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_rule_pauses_with_a_reason_and_only_beyond_doubt():
    study = a_checked_study(pairs=60, gold=30)
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    judge_all(bob, canonical(-2))
    judge_all(carol, canonical(2))
    quality.set_rules(study, gold_at_least=70)
    assert quality.apply_rules(study) == [bob.code]
    bob.refresh_from_db()
    assert bob.state == EnrolmentState.PAUSED and "with a known answer" in bob.pause_reason
    with pytest.raises(NotQualified, match="with a known answer"):
        claim_next_pair(bob)
    assert quality.apply_rules(study) == []
    detail = Event.objects.get(verb="apply_rules").detail
    assert (detail["rater"], detail["rules"]) == (bob.code, ["gold_at_least"])


def test_no_rule_acts_on_fewer_answers_than_it_says():
    study = a_checked_study(pairs=60, gold=30)
    bob = cast.a_rater(study, cast.bob())
    judge_all(bob, canonical(-2))
    quality.set_rules(study, gold_at_least=70, least=31)
    assert quality.apply_rules(study) == []


def test_without_rules_nobody_is_paused():
    study = a_checked_study()
    judge_all(cast.a_rater(study, cast.bob()), canonical(-2))
    assert quality.apply_all_rules() == 0
    quality.set_rules(study)
    assert quality.apply_all_rules() == 0


@pytest.mark.parametrize("answer", [-3, 3])
def test_choosing_one_side_is_seen_on_either_side(answer):
    study = cast.a_rateable_study(pairs=30)
    bob = cast.a_rater(study, cast.bob())
    judge_all(bob, lambda held: cast.answers(balance=answer))
    quality.set_rules(study, one_side_at_most=75)
    assert quality.apply_rules(study) == [bob.code]


# Appeals ---------------------------------------------------------------------------------------------


def a_paused_rater(**rules):
    rater = cast.a_rater(cast.a_rateable_study(pairs=30, **rules), cast.bob())
    judge_all(rater, lambda held: cast.answers(balance=3))
    quality.pause_rater(rater, "You chose the right side thirty times.", cast.alice())
    return rater


def test_a_granted_appeal_lets_the_rater_go_on_and_no_rule_pauses_them_again():
    rater = a_paused_rater()
    made = quality.appeal(rater, "They were better.")
    assert made.pause_reason == "You chose the right side thirty times."
    quality.decide_appeal(made, granted=True, answer="You are right.", actor=cast.alice())
    rater.refresh_from_db()
    assert (rater.state, rater.pause_reason, rater.is_exempt) == (EnrolmentState.ACTIVE, "", True)
    quality.set_rules(rater.study, one_side_at_most=60)
    assert quality.apply_rules(rater.study) == []


def test_a_refused_appeal_is_answered_and_another_may_follow():
    rater = a_paused_rater()
    made = quality.appeal(rater, "They were better.")
    with pytest.raises(QualityRefused):
        quality.appeal(rater, "Really.")
    quality.decide_appeal(made, granted=False, answer="They were not.")
    made.refresh_from_db()
    assert (made.state, made.answer) == (AppealState.REFUSED, "They were not.")
    with pytest.raises(QualityRefused):
        quality.decide_appeal(made, granted=True, answer="")
    assert Enrolment.objects.get().state == EnrolmentState.PAUSED
    assert quality.appeal(rater, "Look again.")


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "  ", "x" * 5_001])
def test_an_appeal_needs_words_and_a_pause(text):
    rater = a_paused_rater()
    with pytest.raises(QualityRefused):
        quality.appeal(rater, text)
    quality.resume_rater(rater)
    with pytest.raises(QualityRefused):
        quality.appeal(rater, "They were better.")


# Work ------------------------------------------------------------------------------------------------


def test_withdrawn_work_stays_counts_nowhere_and_opens_its_pairs_to_others():
    study = cast.a_rateable_study(pairs=4, overlap=1)
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    for _ in range(3):
        cast.a_judgment(bob)
    held = claim_next_pair(bob)
    kept = list(Judgment.objects.values())
    assert quality.withdraw_work(bob, "A machine answered.", cast.alice()) == 3
    assert list(Judgment.objects.values()) == kept
    assert set(Assignment.objects.values_list("state", "slot")) == {("withdrawn", None), ("expired", None)}
    assert not Judgment.objects.that_count().exists()
    assert (len(Answers.of_study(study).of_pairs), len(Answers.of_study(study).of_responses)) == (0, 0)
    assert [(row["counts"], row["is_current"]) for row in judgments_of(study)] == [(False, True)] * 3
    assert set(study.pairs.values_list("open_slots", flat=True)) == {1}
    judge_all(carol)
    assert Judgment.objects.that_count().filter(enrolment=carol).count() == 4
    event = Event.objects.get(verb="withdraw_work")
    assert event.detail == {"rater": bob.code, "reason": "A machine answered.", "judgments": 3}
    assert event.actor == cast.alice()
    assert submit_judgment(held, cast.answers(), "late").assignment.state == AssignmentState.SURPLUS


def test_whose_work_was_withdrawn_neither_gets_the_pairs_again_nor_corrects_them():
    study = cast.a_rateable_study(pairs=2)
    bob = cast.a_rater(study, cast.bob())
    judged = cast.a_judgment(bob).assignment
    quality.withdraw_work(bob, "A machine answered.")
    quality.resume_rater(bob)
    with pytest.raises(LeaseLost):
        revise_judgment(judged, cast.answers(), "again")
    assert cast.a_judgment(bob).pair_id != judged.pair_id
    with pytest.raises(NothingLeft):
        claim_next_pair(bob)


def test_withdrawn_pairs_get_their_place_when_everything_else_is_done(monkeypatch):
    """A place is a moment; raters who went on look back for a minute, and a large withdrawal takes longer."""
    study = cast.a_rateable_study(1)
    rater = cast.a_rater(study, cast.bob())
    cast.a_judgment(rater)
    moments = []
    monkeypatch.setattr(quality, "_ask_again", lambda *given: moments.append(end_of_queue()))
    quality.withdraw_work(rater, "A machine answered.")
    assert study.pairs.get().place > moments[0]


def test_withdrawing_needs_a_reason_and_changes_nothing_without_one():
    bob = cast.a_rater(cast.a_rateable_study(), cast.bob())
    cast.a_judgment(bob)
    with pytest.raises(QualityRefused):
        quality.withdraw_work(bob, " ")
    assert Judgment.objects.that_count().count() == 1
    assert Enrolment.objects.get().state == EnrolmentState.ACTIVE


def test_the_rules_wait_for_the_beat():
    """A pause that follows at once on a gold pair would give it away."""
    study = a_checked_study(pairs=60, gold=30)
    quality.set_rules(study, gold_at_least=70)
    bob = cast.a_rater(study, cast.bob())
    judge_all(bob, canonical(-2))
    assert bob.state == EnrolmentState.ACTIVE
    assert quality.apply_all_rules() == 1
    assert timezone.now() >= Event.objects.get(verb="apply_rules").created_at


def test_a_pause_by_rule_keeps_the_rule_and_its_figures_until_it_ends():
    study = a_checked_study(pairs=60, gold=30)
    bob = cast.a_rater(study, cast.bob())
    judge_all(bob, canonical(-2))
    quality.set_rules(study, gold_at_least=70, least=5)
    quality.apply_rules(study)
    bob.refresh_from_db()
    (told,) = bob.pause_rules
    assert (told["rule"], told["limit"], told["found"]) == ("gold_at_least", 70, 0) and told["n"] >= 5
    assert "at least 70 in 100" in bob.pause_reason
    quality.resume_rater(bob)
    bob.refresh_from_db()
    assert (bob.pause_rules, bob.pause_reason) == ([], "")
