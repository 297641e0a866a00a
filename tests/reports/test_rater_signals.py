"""Raters' signals, counted in one pass, are those that counting one answer at a time gives."""

import random
import uuid
from collections import Counter
from datetime import timedelta

import pytest

from annotation.actions import pulse
from annotation.actions.claims import claim_next_pair
from annotation.actions.gold import make_gold
from annotation.actions.judging import revise_judgment, submit_judgment
from annotation.actions.quality import withdraw_work
from annotation.errors import NothingFree, NothingLeft
from annotation.models import Assignment, Judgment, RaterPulse, Response, Study
from annotation.reports import quality
from annotation.reports.quality import READ_PER_SECOND, quality_report, signals_as_json
from annotation.stats import rater_quality
from annotation.stats.gold_answers import agreements, wrong_answers
from annotation.vocabulary import QUEUE_KINDS, UNSAFE_LEVELS, AssignmentKind, AssignmentState
from tests import cast

pytestmark = pytest.mark.django_db


def a_random_study(seed, raters=5):
    """With gold, repeated pairs, ties, “both bad”, corrections, and one rater whose work was withdrawn."""
    dice = random.Random(seed)
    study = cast.a_rateable_study(pairs=24, overlap=4)
    for number, response in enumerate(study.responses.all()):
        Response.objects.filter(pk=response.pk).update(text="word " * dice.randint(1, 60) + str(number))
    for pair in study.pairs.order_by("pk")[:6]:
        make_gold(pair, {"balance": dice.choice((-2, 1)), "a_unsafe": True})
    Study.objects.filter(pk=study.pk).update(gold_percent=30, repeat_percent=30)
    study.refresh_from_db()
    places = [cast.a_rater(study, cast.person(f"r{number}")) for number in range(raters)]
    for rater in places:
        judge_at_random(rater, dice)
    withdraw_work(places[1], "It was all the same.")
    return study


def judge_at_random(rater, dice):
    for _ in range(30):
        try:
            held = claim_next_pair(rater)
        except (NothingLeft, NothingFree):
            return
        at = held.claimed_at + timedelta(seconds=dice.uniform(0.2, 20))
        submit_judgment(held, at_random(dice), uuid.uuid4().hex, at)
        if dice.random() < 0.2:
            revise_judgment(held, at_random(dice), uuid.uuid4().hex, at)


def at_random(dice):
    bad = dice.random() < 0.1
    left = dice.choice((cast.SAFE, cast.UNSAFE))
    return cast.answers(left=left, balance=None if bad else dice.randint(-3, 3), both_bad=bad)


# One answer at a time ---------------------------------------------------------------------------------


def by_hand(study, rater):
    mine = [judgment for judgment in newest(study) if judgment.enrolment_id == rater.pk]
    of_kind = {
        kind: {row.pair_id: row for row in mine if row.assignment.kind == kind and is_theirs(row)}
        for kind in QUEUE_KINDS
    }
    first, gold, again = (of_kind[kind] for kind in QUEUE_KINDS)
    expected = {row.pair_id: row for row in study.gold.all()}
    right = [
        not wrong_answers(expected[pair].expected, said(row), expected[pair].tolerance)
        for pair, row in gold.items()
    ]
    alike = [
        (agrees, pair)
        for pair, row in again.items()
        if pair in first
        for agrees in agreements(said(first[pair]), said(row)).values()
    ]
    shown = [row.balance for rows in of_kind.values() for row in rows.values() if row.balance is not None]
    times = [
        ((row.assignment.submitted_at - row.assignment.claimed_at).total_seconds(), length(row.pair))
        for row in study.judgments.filter(enrolment=rater, revision=1).order_by("pk")
    ]
    seconds, characters = ([row[column] for row in times] for column in (0, 1))
    agree = agreeing_by_hand(study, rater)
    return {
        "gold": rater_quality.share_right(right),
        "consistent": rater_quality.self_consistency([a for a, _ in alike], [pair for _, pair in alike]),
        "agreeing": rater_quality._clustered(
            [a for a, _ in agree], [p for _, p in agree], "Nobody else judged enough of the same."
        ),
        "hasty": rater_quality.hasty_share(seconds, characters, READ_PER_SECOND),
        "reading": rater_quality.time_follows_length(seconds, characters),
        "left": rater_quality.share_left(shown),
    }


def agreeing_by_hand(study, rater):
    """(whether the majority of the others said so, prompt) of each answer that has such a majority."""
    sayings = []
    for row in newest(study):
        if row.assignment.kind != AssignmentKind.RATED or row.assignment.state != AssignmentState.SUBMITTED:
            continue
        for part in row.responses.all():
            unsafe = part.safety in UNSAFE_LEVELS
            sayings.append((row.enrolment_id, ("response", part.response_id), unsafe, row.pair.prompt_id))
        if row.balance_canonical is not None:
            side = (row.balance_canonical > 0) - (row.balance_canonical < 0)
            sayings.append((row.enrolment_id, ("pair", row.pair_id), side, row.pair.prompt_id))
    found = []
    for number, (who, about, told, prompt) in enumerate(sayings):
        others = Counter(row[2] for at, row in enumerate(sayings) if at != number and row[1] == about)
        ranked = others.most_common()
        is_clear = ranked and (len(ranked) == 1 or ranked[0][1] > ranked[1][1])
        if who == rater.pk and is_clear:
            found.append((ranked[0][0] == told, prompt))
    return found


def newest(study):
    rows = {}
    for row in study.judgments.select_related("assignment", "pair").order_by("revision"):
        rows[row.assignment_id] = row
    return list(rows.values())


def is_theirs(row):
    return row.assignment.state in (AssignmentState.SUBMITTED, AssignmentState.WITHDRAWN)


def said(row):
    unsafe = {part.response_id: part.safety in UNSAFE_LEVELS for part in row.responses.all()}
    return {
        "safer": row.safer_canonical,
        "more_helpful": row.more_helpful_canonical,
        "balance": row.balance_canonical,
        "a_unsafe": unsafe[row.pair.response_a_id],
        "b_unsafe": unsafe[row.pair.response_b_id],
    }


def length(pair):
    return len(pair.response_a.text) + len(pair.response_b.text)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_signals_are_those_that_counting_one_by_one_gives(seed):
    study = a_random_study(seed)
    assert Judgment.objects.filter(revision=2).exists()
    assert Assignment.objects.filter(kind=AssignmentKind.REPEAT, state=AssignmentState.SUBMITTED).exists()
    for row in quality_report(study):
        signals = by_hand(study, study.enrolments.get(pk=row.pk))
        assert {name: getattr(row, name) for name in quality.SIGNALS} == signals


def test_reading_everything_at_once_gives_what_reading_about_a_few_raters_gives(monkeypatch):
    study = a_random_study(3)
    of_few = quality_report(study)
    assert any(row.consistent.n and row.gold.n for row in of_few)
    monkeypatch.setattr(quality, "RATERS_AT_ONCE", 2)
    assert quality_report(study) == of_few
    pulse.take_pulse(study)
    assert pulse.take_signals(study) == pulse.take_signals(study) == len(of_few)
    kept = dict(RaterPulse.objects.values_list("enrolment", "body"))
    assert kept == {row.pk: signals_as_json(row) for row in of_few}
