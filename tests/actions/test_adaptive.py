"""Adaptive overlap: pairs that raters leave open get more of them, within the study's most and its budget."""

import json

import pytest
from django.db import IntegrityError, transaction

from annotation.actions import adaptive
from annotation.actions.claims import claim_next_pair, flag_assignment, skip_assignment
from annotation.actions.flagging import answer_flags
from annotation.actions.imports.judgments import import_judgments
from annotation.actions.judging import revise_judgment, submit_and_claim, submit_judgment
from annotation.actions.quality import withdraw_work
from annotation.actions.snapshots import freeze_snapshot
from annotation.errors import NothingFree, NothingLeft
from annotation.models import Event, ExtraSlots, Study
from annotation.reports.rows import Answers
from annotation.vocabulary import FlagReason
from tests.cast import ARMS, SAFE, UNSAFE, a_judgment, a_rateable_study, a_rater, answers, person
from tests.races.test_raters import at_once, judge_all

HIGH = type(UNSAFE)(UNSAFE.safety, UNSAFE.helpfulness, UNSAFE.mode, severity="high")
AGREED = answers(SAFE, SAFE, balance=2)


def raters(study, many):
    return [a_rater(study, person(f"{study.slug} {number}")) for number in range(many)]


def overlap_of(study) -> int:
    return study.pairs.get().overlap


def judged_by(study, *given) -> int:
    """The only pair's overlap after raters gave these answers, one after the other."""
    for rater, answer in zip(raters(study, len(given)), given, strict=True):
        a_judgment(rater, answer)
    return overlap_of(study)


def test_it_is_off_by_default(db):
    study = a_rateable_study(pairs=1, overlap=2)
    assert judged_by(study, answers(SAFE, SAFE), answers(UNSAFE, UNSAFE)) == 2


def test_raters_who_agree_need_no_third(db):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3)
    assert judged_by(study, AGREED, turned(study, AGREED)) == 2


def turned(study, given):
    """The same opinion from the second rater, who sees the sides the other way round."""
    return answers(given.right, given.left, -given.safer, -given.more_helpful, -given.balance)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (answers(SAFE, SAFE, balance=2), answers(SAFE, SAFE, balance=2)),
        (answers(SAFE, SAFE, balance=0), answers(UNSAFE, UNSAFE, balance=0)),
        (answers(SAFE, SAFE, balance=None, both_bad=True), answers(SAFE, SAFE, balance=0)),
        (answers(HIGH, HIGH, balance=0), answers(HIGH, HIGH, balance=0)),
    ],
    ids=["balance", "safety", "both bad", "high severity although all agree"],
)
def test_what_is_open_gets_one_more(db, first, second):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3)
    assert judged_by(study, first, second) == 3
    assert study.pairs.get().open_slots == 1
    assert ExtraSlots.objects.get(study=study).opened == 1
    assert Event.objects.get(verb="open_one_more").detail["overlap"] == 3


def test_it_ends_at_the_most(db):
    study = a_rateable_study(pairs=1, overlap=1, overlap_max=3)
    people = raters(study, 4)
    for rater in people[:3]:
        a_judgment(rater, answers(HIGH, HIGH))
    assert overlap_of(study) == 3
    with pytest.raises(NothingLeft):
        claim_next_pair(people[3])


def test_nothing_is_decided_while_somebody_holds_the_pair(db):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=4)
    one, two = raters(study, 2)
    held = claim_next_pair(two)
    a_judgment(one, answers(HIGH, HIGH))
    assert overlap_of(study) == 2
    submit_judgment(held, answers(HIGH, HIGH), "key")
    assert overlap_of(study) == 3


def test_a_place_given_back_is_filled_before_more_are_opened(db):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=4)
    one, two, three = raters(study, 3)
    skip_assignment(claim_next_pair(two))
    a_judgment(one, answers(HIGH, HIGH))
    assert overlap_of(study) == 2
    a_judgment(three, answers(HIGH, HIGH))
    assert overlap_of(study) == 3


def test_a_rater_who_passed_the_pair_when_it_was_full_still_gets_it(db):
    study = a_rateable_study(pairs=2, overlap=1, overlap_max=2)
    one, two = raters(study, 2)
    held = claim_next_pair(one)
    a_judgment(two, AGREED)  # passes what the other holds, and is at the end of the queue
    with pytest.raises(NothingFree):
        claim_next_pair(two)
    submit_judgment(held, answers(HIGH, HIGH), "key")
    assert claim_next_pair(two).pair_id == held.pair_id


def test_the_rater_who_was_last_does_not_get_the_pair_again(db):
    study = a_rateable_study(pairs=1, overlap=1, overlap_max=2)
    (one,) = raters(study, 1)
    _, claimed, _ = submit_and_claim(claim_next_pair(one), answers(HIGH, HIGH), "key")
    assert claimed is None and overlap_of(study) == 2


def test_a_correction_opens_a_pair_that_was_settled(db):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3)
    first, second = raters(study, 2)
    a_judgment(first, AGREED)
    last = a_judgment(second, turned(study, AGREED))
    assert overlap_of(study) == 2
    revise_judgment(last.assignment, AGREED, "again")
    assert (overlap_of(study), study.pairs.get().open_slots) == (3, 1)
    assert ExtraSlots.objects.get().opened == 1


def test_a_correction_closes_a_pair_that_nobody_else_has_taken_up(db):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3)
    first, second = raters(study, 2)
    a_judgment(first, AGREED)
    slip = a_judgment(second, AGREED)
    assert overlap_of(study) == 3
    revise_judgment(slip.assignment, turned(study, AGREED), "again")
    assert (overlap_of(study), study.pairs.get().open_slots) == (2, 0)
    assert ExtraSlots.objects.get().opened == 0
    assert Event.objects.get(verb="close_extra").detail["overlap"] == 2


def test_a_correction_closes_nothing_that_somebody_holds(db):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3)
    first, second, third = raters(study, 3)
    a_judgment(first, AGREED)
    slip = a_judgment(second, AGREED)
    claim_next_pair(third)
    revise_judgment(slip.assignment, turned(study, AGREED), "again")
    assert overlap_of(study) == 3


def test_a_correction_of_surplus_asks_nothing(db):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3)
    first, second = raters(study, 2)
    a_judgment(first, AGREED)
    judgment = a_judgment(second, turned(study, AGREED))
    type(judgment.assignment).objects.filter(pk=judgment.assignment_id).update(state="surplus", slot=None)
    revise_judgment(judgment.assignment, AGREED, "again")
    assert overlap_of(study) == 2


@pytest.mark.parametrize("careless", [0, 1])
def test_withdrawn_work_asks_again_whatever_slot_it_had(db, careless):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3)
    people = raters(study, 3)
    for number, rater in enumerate(people):
        a_judgment(rater, answers(UNSAFE, UNSAFE, balance=0) if number == careless else answers(balance=0))
    assert overlap_of(study) == 3
    withdraw_work(people[careless], "A machine.")
    pair = study.pairs.get()
    assert (pair.overlap, pair.open_slots, ExtraSlots.objects.get().opened) == (2, 0, 0)
    assert sorted(pair.assignments.exclude(slot=None).values_list("slot", flat=True)) == [0, 1]


def test_withdrawn_work_that_left_too_few_is_asked_of_others(db):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3)
    first, second, third = raters(study, 3)
    a_judgment(first, answers(balance=0))
    a_judgment(second, answers(balance=0))
    withdraw_work(first, "A machine.")
    assert (overlap_of(study), study.pairs.get().open_slots) == (2, 1)
    a_judgment(third, answers(UNSAFE, UNSAFE, balance=0))
    assert overlap_of(study) == 3


def test_the_budget_is_for_the_whole_study(db):
    study = a_rateable_study(pairs=5, overlap=1, overlap_max=3, extra_budget=2)
    (one,) = raters(study, 1)
    for _ in range(5):
        a_judgment(one, answers(HIGH, HIGH))
    assert sorted(study.pairs.values_list("overlap", flat=True)) == [1, 1, 1, 2, 2]
    assert ExtraSlots.objects.get(study=study).opened == 2


def test_the_database_holds_the_budget_and_the_most(db):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3, extra_budget=1)
    with pytest.raises(IntegrityError, match="extra_slots_within_budget"), transaction.atomic():
        ExtraSlots.objects.create(study=study, opened=2)
    with pytest.raises(IntegrityError, match="pair_overlap_grows_within_its_study"), transaction.atomic():
        study.pairs.update(overlap=4)
    with pytest.raises(IntegrityError, match="study_overlap_max_at_least_overlap"), transaction.atomic():
        Study.objects.filter(pk=study.pk).update(overlap_max=1)


def test_it_learns_how_far_raters_agree(db):
    """Raters who never differ about the balance are believed sooner than raters who often do."""
    study = a_rateable_study(pairs=adaptive.LEAST_TO_LEARN + 5, overlap=2)
    one, two = raters(study, 2)
    for _ in range(adaptive.LEAST_TO_LEARN + 5):
        for rater in (one, two):
            held = claim_next_pair(rater)
            towards_a = -2 if held.left_is_a else 2
            submit_judgment(held, answers(SAFE, SAFE, balance=towards_a), "key")
    learned = adaptive.priors_of(study)["balance"]
    assert learned.concentration < adaptive.FIRST_CONCENTRATION
    assert learned.shares[0] > 0.9


def test_raters_at_once_never_exceed_the_most_nor_the_budget(committed_db):
    study = a_rateable_study(pairs=6, overlap=1, overlap_max=4, extra_budget=9)
    people = raters(study, 6)
    judged = sum(at_once(lambda rater: judge_all(rater, answers(HIGH, HIGH)), people))
    pairs = list(study.pairs.values_list("overlap", "open_slots"))
    assert judged == 6 + 9 == sum(overlap for overlap, _ in pairs)
    assert max(overlap for overlap, _ in pairs) <= 4
    assert {free for _, free in pairs} == {0}


def test_a_dropped_pair_gives_back_the_extra_slots_that_nobody_judged(db):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=4)
    agreed, not_agreed = answers(SAFE, SAFE, balance=0), answers(UNSAFE, UNSAFE, balance=0)
    assert judged_by(study, agreed, not_agreed, agreed) == 4 and ExtraSlots.objects.get().opened == 2
    flag_assignment(claim_next_pair(a_rater(study, person("flags it"))), FlagReason.GARBLED)
    assert answer_flags(study, [study.pairs.get().pk], "drop").done == 1
    assert ExtraSlots.objects.get().opened == 1  # the third judgment was given and is paid for


def test_a_pair_that_was_judged_elsewhere_too_is_decided_by_its_raters_alone(db, tmp_path):
    """An imported judgment took no slot, and need not answer every question."""
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3)
    row = {"prompt_key": "kites-0", "rater_id": "ann", "arm_a": ARMS[0], "arm_b": ARMS[1], "safer": 3}
    path = tmp_path / "elsewhere.jsonl"
    path.write_text(json.dumps(row))
    import_judgments(study, path)
    assert judged_by(study, AGREED, turned(study, AGREED)) == 2


def test_a_closed_study_is_final_only_once_the_extra_judgments_are_in(db, tmp_path):
    study = a_rateable_study(pairs=1, overlap=2, overlap_max=3)
    people = raters(study, 3)
    for rater, given in zip(people, (answers(SAFE, SAFE), answers(UNSAFE, UNSAFE)), strict=False):
        a_judgment(rater, given)
    assert overlap_of(study) == 3
    Study.objects.update(state="closed")
    study.refresh_from_db()
    freeze_snapshot(study, out=tmp_path / "early")
    assert not Answers.of_study(study).is_final and not Answers.of_snapshot(tmp_path / "early").is_final
    Study.objects.update(state="open")
    a_judgment(people[2])
    Study.objects.update(state="closed")
    study.refresh_from_db()
    freeze_snapshot(study, out=tmp_path / "late")
    assert Answers.of_study(study).is_final and Answers.of_snapshot(tmp_path / "late").is_final
