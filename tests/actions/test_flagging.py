"""Flagged pairs: kept, held or dropped."""

import pytest
from django.db import IntegrityError, transaction

from annotation.actions import reviewing
from annotation.actions.claims import claim_next_pair, flag_assignment
from annotation.actions.flagging import NOT_FLAGGED, answer_flags
from annotation.actions.judging import submit_judgment
from annotation.actions.leaving import take_work
from annotation.errors import NothingFree, ReviewRefused
from annotation.models import Assignment, FlagAnswer, Judgment, Pair, Study
from annotation.reports.flags import MASKED, flags_report, waiting_flags
from annotation.reports.review import reviewed
from annotation.vocabulary import AssignmentState, FlagReason, PairState, ReviewDecision
from tests import cast
from tests.actions.test_reviewing import a_marked_study, keys

pytestmark = pytest.mark.django_db


def a_flagged_pair(overlap=2, pairs=1):
    """The study, its first flagged pair, and the rater who flagged it."""
    study = cast.a_rateable_study(pairs=pairs, overlap=overlap)
    rater = cast.a_rater(study, cast.bob())
    held = claim_next_pair(rater)
    flag_assignment(held, FlagReason.GARBLED, "Cut in the middle.")
    return study, held.pair, rater


def state_of(pair):
    pair.refresh_from_db()
    return pair.state


def test_a_kept_pair_stays_and_its_flag_is_answered():
    study, pair, rater = a_flagged_pair()
    decided = answer_flags(study, [pair.pk], "keep", " Meant so. ", cast.alice())
    assert decided.pairs == [pair.pk] and state_of(pair) == PairState.OPEN
    answer = FlagAnswer.objects.get()
    assert (answer.decision, answer.note, answer.decided_by) == ("keep", "Meant so.", cast.alice())
    assert not waiting_flags(study).exists() and flags_report(study).flags[0].answer == "keep"
    assert study.events.get(verb="answer_flags").detail["flags"] == 1
    assert claim_next_pair(cast.a_rater(study, cast.carol())).pair_id == pair.pk


def test_a_flag_is_answered_once():
    study, pair, _ = a_flagged_pair()
    answer_flags(study, [pair.pk], "keep")
    again = answer_flags(study, [pair.pk], "drop")
    assert again.refused == {NOT_FLAGGED: 1} and state_of(pair) == PairState.OPEN
    assert FlagAnswer.objects.count() == 1


def test_a_later_flag_of_a_kept_pair_asks_again():
    study, pair, _ = a_flagged_pair()
    answer_flags(study, [pair.pk], "keep")
    flag_assignment(claim_next_pair(cast.a_rater(study, cast.carol())), FlagReason.DISPLAY)
    answer_flags(study, [pair.pk], "hold")
    assert sorted(FlagAnswer.objects.values_list("decision", flat=True)) == ["hold", "keep"]


def test_a_held_pair_is_given_to_nobody_and_whoever_has_it_may_finish():
    study, pair, _ = a_flagged_pair(overlap=3)
    carol = cast.a_rater(study, cast.carol())
    hers = claim_next_pair(carol)
    answer_flags(study, [pair.pk], "hold")
    assert state_of(pair) == PairState.HELD
    with pytest.raises(NothingFree, match="still being prepared"):
        claim_next_pair(cast.a_rater(study, cast.dan()))
    submit_judgment(hers, cast.answers(), "k")
    assert Judgment.objects.that_count().count() == 1
    reviewing.decide(study, [pair.pk], ReviewDecision.SHOW)
    assert state_of(pair) == PairState.OPEN


@pytest.mark.parametrize("way", ["at once", "by the review"])
def test_a_dropped_pair_keeps_its_judgments_and_counts_none(way):
    study, pair, _ = a_flagged_pair(overlap=3)
    cast.a_judgment(cast.a_rater(study, cast.carol()))
    held = claim_next_pair(cast.a_rater(study, cast.dan()))
    before = Study.objects.get().pair_count
    if way == "at once":
        answer_flags(study, [pair.pk], "drop")
    else:
        answer_flags(study, [pair.pk], "hold")
        card = reviewed(study, [pair.pk])[0]
        assert ReviewDecision.DROP not in card.closed and ReviewDecision.MASK in card.closed
        assert reviewing.decide(study, [pair.pk], ReviewDecision.DROP).pairs == [pair.pk]
    assert (state_of(pair), pair.decision) == (PairState.DROPPED, ReviewDecision.DROP)
    assert Judgment.objects.count() == 1 and not Judgment.objects.that_count().exists()
    assert Study.objects.get().pair_count == before - 1
    states = set(Assignment.objects.values_list("state", flat=True))
    assert states == {AssignmentState.FLAGGED, AssignmentState.WITHDRAWN, AssignmentState.EXPIRED}
    late = submit_judgment(held, cast.answers(), "late")
    assert late.assignment.state == AssignmentState.SURPLUS


def test_a_pair_that_nobody_flagged_still_cannot_leave():
    study = cast.a_rateable_study(pairs=1)
    cast.a_judgment(cast.a_rater(study, cast.bob()))
    pair = Pair.objects.get()
    assert answer_flags(study, [pair.pk], "drop").refused == {NOT_FLAGGED: 1}
    with pytest.raises(IntegrityError, match="pair_stays_as_it_was_given"), transaction.atomic():
        Pair.objects.update(state=PairState.HELD)


def test_the_database_drops_no_flagged_pair_whose_judgments_count():
    study, pair, _ = a_flagged_pair()
    cast.a_judgment(cast.a_rater(study, cast.carol()))
    with pytest.raises(IntegrityError, match="pair_stays_as_it_was_given"), transaction.atomic():
        Pair.objects.filter(pk=pair.pk).update(state=PairState.DROPPED, decision="drop")


def test_a_pair_given_after_its_holds_were_locked_is_left_alone():
    study, pair, _ = a_flagged_pair()
    claim_next_pair(cast.a_rater(study, cast.carol()))
    with transaction.atomic():
        assert take_work([pair.pk], locked=[]) == {pair.pk}
    assert Assignment.objects.leased().count() == 1


def test_a_masked_pair_is_not_held_but_dropped_with_what_raters_read():
    study = a_marked_study()
    reviewing.decide(study, keys(study), ReviewDecision.MASK)
    flag_assignment(claim_next_pair(cast.a_rater(study, cast.bob())), FlagReason.OTHER)
    pair = study.pairs.get()
    assert answer_flags(study, [pair.pk], "hold").refused == {MASKED: 1}
    assert answer_flags(study, [pair.pk], "drop").pairs == [pair.pk]
    assert state_of(pair) == PairState.DROPPED and "▇▇▇" in pair.shown_a


@pytest.mark.parametrize(("decision", "note"), [("burn", ""), ("keep", "x" * 1001)])
def test_nonsense_changes_nothing(decision, note):
    study, pair, _ = a_flagged_pair()
    with pytest.raises(ReviewRefused, match="nothing was changed"):
        answer_flags(study, [pair.pk], decision, note)
    assert not FlagAnswer.objects.exists()


def test_another_studys_pairs_are_left_alone():
    _, pair, _ = a_flagged_pair()
    other = cast.a_rateable_study(slug="boats")
    assert answer_flags(other, [pair.pk], "drop").pairs == []
    assert state_of(pair) == PairState.OPEN
