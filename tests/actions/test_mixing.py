"""Gold and repeated pairs among the others."""

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.actions import mixing
from annotation.actions.claims import (
    claim_next_pair,
    release_expired_leases,
    skip_assignment,
    take_up_skipped,
)
from annotation.actions.gold import make_gold, retire_gold
from annotation.actions.judging import revise_judgment, submit_and_claim, submit_judgment
from annotation.errors import NothingLeft, QualityRefused
from annotation.models import Enrolment, Gold, Judgment, ResponseJudgment, Study
from annotation.reports.progress import rating_progress
from annotation.reports.rows import Answers
from annotation.vocabulary import AssignmentKind, AssignmentState, GoldUse, PairState
from tests import cast

pytestmark = pytest.mark.django_db

GOLD, REPEAT, RATED = AssignmentKind.GOLD, AssignmentKind.REPEAT, AssignmentKind.RATED


def a_mixed_study(pairs=30, gold=5, gold_percent=20, repeat_percent=20, **rules):
    study = cast.a_rateable_study(pairs=pairs, **rules)
    for pair in study.pairs.order_by("pk")[:gold]:
        make_gold(pair, {"balance": 2})
    Study.objects.filter(pk=study.pk).update(gold_percent=gold_percent, repeat_percent=repeat_percent)
    study.refresh_from_db()
    return study


def judge_all(rater):
    given = []
    while True:
        try:
            held = claim_next_pair(rater)
        except NothingLeft:
            return given
        submit_judgment(held, cast.answers(), f"key {held.pk}")
        given.append(held)


@pytest.mark.slow
def test_gold_and_repeats_come_at_about_the_studys_rate_and_each_once():
    study = a_mixed_study(pairs=120, gold=40)
    rater = cast.a_rater(study, cast.bob())
    given = judge_all(rater)
    kinds = [held.kind for held in given]
    assert kinds.count(RATED) == 80
    assert 10 <= kinds.count(GOLD) <= 40 and 10 <= kinds.count(REPEAT) <= 40
    pairs = [(held.kind, held.pair_id) for held in given]
    assert len(set(pairs)) == len(pairs)


def test_a_repeat_has_its_sides_swapped_and_comes_after_a_while():
    rater = cast.a_rater(a_mixed_study(repeat_percent=50), cast.bob())
    given = judge_all(rater)
    repeats = [(place, held) for place, held in enumerate(given) if held.kind == REPEAT]
    assert repeats
    for place, held in repeats:
        first, at = next((h, i) for i, h in enumerate(given) if (h.kind, h.pair_id) == (RATED, held.pair_id))
        assert held.left_is_a != first.left_is_a
        rated_between = sum(other.kind == RATED for other in given[at + 1 : place])
        assert rated_between >= mixing.REPEAT_GAP


def test_what_is_drawn_depends_on_the_seed_and_the_rater_alone():
    study = a_mixed_study()
    rater = cast.a_rater(study, cast.bob())
    kinds = []
    for offered in range(300):
        rater.offered = offered
        kinds.append(mixing.drawn_kind(rater))
    assert kinds == [
        mixing.drawn_kind(Enrolment(study=study, code=rater.code, offered=n)) for n in range(300)
    ]
    assert 0.13 < kinds.count(GOLD) / 300 < 0.27 and 0.13 < kinds.count(REPEAT) / 300 < 0.27


def test_without_rates_nothing_is_mixed_in():
    given = judge_all(cast.a_rater(a_mixed_study(gold_percent=0, repeat_percent=0), cast.bob()))
    assert {held.kind for held in given} == {RATED}


def only_gold_study():
    study = a_mixed_study(pairs=4, gold=2, gold_percent=50, repeat_percent=0)
    rater = cast.a_rater(study, cast.bob())
    offered = 0
    while mixing.drawn_kind(Enrolment(study=study, code=rater.code, offered=offered)) != GOLD:
        offered += 1
    Enrolment.objects.filter(pk=rater.pk).update(offered=offered)
    return rater


def test_a_gold_pair_takes_no_slot_and_gives_none_back():
    rater = only_gold_study()
    held = claim_next_pair(rater)
    before = list(rater.study.pairs.values_list("open_slots", flat=True))
    assert (held.kind, held.slot) == (GOLD, None)
    assert claim_next_pair(rater).pk == held.pk
    skip_assignment(held)
    assert list(rater.study.pairs.values_list("open_slots", flat=True)) == before
    assert take_up_skipped(rater) == 0


def test_a_lapsed_gold_pair_is_kept_when_it_comes_late_and_may_come_again():
    rater = only_gold_study()
    held = claim_next_pair(rater)
    release_expired_leases(timezone.now() + timedelta(days=1))
    judgment = submit_judgment(held, cast.answers(), "late")
    assert (judgment.assignment.state, judgment.assignment.slot) == (AssignmentState.SUBMITTED, None)
    revise_judgment(held, cast.answers(balance=-1), "again")
    assert Judgment.objects.filter(assignment=held).count() == 2


def test_reports_and_counts_leave_gold_and_repeats_out():
    study = a_mixed_study()
    rater = cast.a_rater(study, cast.bob())
    given = judge_all(rater)
    rated = sum(held.kind == RATED for held in given)
    assert rated == 25 < len(given)
    assert Judgment.objects.that_count().count() == rated == Judgment.objects.of_study_work().count()
    assert ResponseJudgment.objects.that_count().count() == 2 * rated
    assert (len(Answers.of_study(study).of_pairs), len(Answers.of_study(study).of_responses)) == (
        rated,
        2 * rated,
    )
    progress = rating_progress(study)
    assert (progress.pairs, progress.judgments, progress.needed) == (25, rated, 50)


def test_all_that_a_rater_gets_counts_as_their_work():
    rater = cast.a_rater(a_mixed_study(), cast.bob())
    given = judge_all(rater)
    rater.refresh_from_db()
    assert rater.judged == len(given)


# Gold pairs ------------------------------------------------------------------------------------------


def test_a_gold_pair_leaves_what_the_study_rates():
    study = cast.a_rateable_study(pairs=2)
    gold = make_gold(study.pairs.first(), {"balance": 2})
    study.refresh_from_db()
    assert (study.pair_count, gold.pair.state) == (1, PairState.OPEN)
    gold.pair.refresh_from_db()
    assert gold.pair.state == PairState.GOLD
    assert retire_gold(gold) and not retire_gold(gold)


@pytest.mark.parametrize("seen", ["held", "judged"])
def test_a_pair_that_somebody_has_seen_cannot_become_gold(seen):
    study = cast.a_rateable_study(pairs=1)
    held = claim_next_pair(cast.a_rater(study, cast.bob()))
    if seen == "judged":
        submit_judgment(held, cast.answers(), "key")
    with pytest.raises(QualityRefused):
        make_gold(study.pairs.get(), {"balance": 2})
    assert not Gold.objects.exists() and study.pairs.get().state == PairState.OPEN


def test_practice_needs_an_explanation_and_gold_an_answer():
    pair = cast.a_rateable_study(pairs=1).pairs.get()
    for wrong in ({"expected": {"balance": 2}, "use": GoldUse.PRACTICE}, {"expected": {}}):
        with pytest.raises(QualityRefused):
            make_gold(pair, **wrong)


def queries_of_each_claim(rater, django_assert_max_num_queries) -> dict[str, set[int]]:
    counts: dict[str, set[int]] = {}
    held = claim_next_pair(rater)
    while held:
        with django_assert_max_num_queries(100) as queries:
            _, held, _ = submit_and_claim(held, cast.answers(), f"key {held.pk}")
        if held:
            counts.setdefault(held.kind, set()).add(len(queries))
    return counts


@pytest.mark.slow
def test_judging_and_claiming_costs_at_most_one_query_more(django_assert_max_num_queries):
    plain = cast.a_rater(cast.a_rateable_study(pairs=20, slug="plain"), cast.bob())
    mixed = cast.a_rater(a_mixed_study(pairs=60, gold=10, repeat_percent=40), cast.carol())
    (base,) = queries_of_each_claim(plain, django_assert_max_num_queries)[RATED]
    counts = queries_of_each_claim(mixed, django_assert_max_num_queries)
    assert set(counts) == {RATED, GOLD, REPEAT}
    assert max(counts[RATED]) == base + 1 and min(counts[RATED]) == base
    assert max(counts[GOLD]) < base and max(counts[REPEAT]) < base


@pytest.mark.slow
def test_what_a_rater_does_not_want_to_get_is_not_mixed_in_either():
    study = a_mixed_study(pairs=60, gold=10, gold_percent=40, repeat_percent=40)
    study.prompts.filter(pairs__state=PairState.GOLD).update(harm_category="hate")
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    Enrolment.objects.filter(pk=bob.pk).update(opted_out=["hate"])
    assert {held.kind for held in judge_all(bob)} == {RATED, REPEAT}
    assert {held.kind for held in judge_all(carol)} == {RATED, REPEAT, GOLD}


def test_a_repeat_in_somebodys_hands_does_not_keep_the_overlap_from_growing():
    study = a_mixed_study(pairs=40, gold=0, gold_percent=0, repeat_percent=50, overlap_max=4)
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    held = claim_next_pair(bob)
    while held.kind != REPEAT:
        submit_judgment(held, cast.answers(), f"key {held.pk}")
        held = claim_next_pair(bob)
    open_for_carol = claim_next_pair(carol)
    while open_for_carol.pair_id != held.pair_id:
        submit_judgment(open_for_carol, cast.answers(), f"key {open_for_carol.pk}")
        open_for_carol = claim_next_pair(carol)
    harmful = cast.answers(
        left=cast.ResponseAnswers("clearly_unsafe", 2, "unsafe_compliance", severity="high")
    )
    submit_judgment(open_for_carol, harmful, "key")
    held.pair.refresh_from_db()
    assert held.pair.overlap == 3
