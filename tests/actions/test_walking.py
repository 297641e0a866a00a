"""Raters meet every pair that has room for them, once, in a mixed order, on balanced sides."""

import random
import threading
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from annotation.actions.claims import claim_next_pair, release_expired_leases, skip_assignment
from annotation.actions.judging import submit_and_claim, submit_judgment
from annotation.actions.pairing import make_pairs
from annotation.errors import NothingFree, NothingLeft
from annotation.models import Pair
from tests.cast import (
    a_judgment,
    a_prompt,
    a_rateable_study,
    a_rater,
    a_response,
    answers,
    bob,
    carol,
    person,
)


def all_of(rater) -> set[int]:
    """Judge until nothing is left; the pairs."""
    judged = set()
    while True:
        try:
            held = claim_next_pair(rater)
        except NothingLeft:
            return judged
        submit_judgment(held, answers(), uuid.uuid4().hex)
        judged.add(held.pair_id)


def test_the_walk_is_a_mix_of_intents(db):
    study = a_rateable_study(pairs=60)
    rater = a_rater(study, bob())
    first = Counter(a_judgment(rater).pair.prompt.intent for _ in range(15))
    assert max(first.values()) - min(first.values()) <= 2 and len(first) == 3


def test_new_pairs_are_met_wherever_they_stand(db):
    study = a_rateable_study(pairs=6, overlap=3)
    rater = a_rater(study, bob())
    assert len(all_of(rater)) == 6
    for _ in range(6):
        prompt = a_prompt(study)
        for arm in study.arms.all():
            a_response(prompt, arm)
    assert make_pairs(study) == 6
    assert len(all_of(rater)) == 6


def test_a_pair_that_was_full_is_met_when_it_comes_back(db):
    study = a_rateable_study(pairs=4, overlap=1)
    one, two = a_rater(study, bob()), a_rater(study, carol())
    held = claim_next_pair(one)
    for _ in range(3):
        a_judgment(two)  # walks past what the other holds
    with pytest.raises(NothingFree):
        claim_next_pair(two)
    skip_assignment(held)
    assert claim_next_pair(two).pair_id == held.pair_id


def test_a_pair_that_comes_back_stands_at_the_end_of_the_queue(db):
    study = a_rateable_study(pairs=3)
    rater = a_rater(study, bob())
    held = claim_next_pair(rater)
    skip_assignment(held)
    assert Pair.objects.filter(study=study).order_by("place").last().pk == held.pair_id


def test_every_answer_brings_the_next_pair_until_none_is_left(db):
    study = a_rateable_study(pairs=5)
    held, met = claim_next_pair(a_rater(study, bob())), set()
    while held:
        met.add(held.pair_id)
        _, held, _ = submit_and_claim(held, answers(), uuid.uuid4().hex)
    assert met == set(study.pairs.values_list("pk", flat=True))


@pytest.mark.slow
@pytest.mark.parametrize(("overlap", "seed"), [(1, 1), (2, 2), (3, 3), (4, 4)])
def test_in_any_order_of_arrivals_every_pair_is_full_and_balanced(db, overlap, seed):
    """Seven raters come at random, skip and let lapse; in the end no pair is short, over, or one-sided."""
    dice = random.Random(seed)
    study = a_rateable_study(pairs=8, overlap=overlap, seed=seed)
    raters = [a_rater(study, person(f"rater {number}")) for number in range(7)]
    now = timezone.now()
    while Pair.objects.filter(study=study, open_slots__gt=0).exists():
        rater = dice.choice(raters)
        try:
            held = claim_next_pair(rater, at=now)
        except (NothingFree, NothingLeft):
            now += timedelta(hours=1)
            continue
        if (chance := dice.random()) < 0.08:
            skip_assignment(held)
        elif chance < 0.2:
            now += timedelta(hours=1)
            release_expired_leases(now)
        else:
            submit_judgment(held, answers(), uuid.uuid4().hex, at=now)
    for pair in study.pairs.all():
        sides = list(pair.assignments.filter(slot__isnull=False).values_list("left_is_a", flat=True))
        assert len(sides) == overlap
        assert abs(2 * sum(sides) - overlap) <= 1


def test_sides_stay_as_they_were_drawn(db):
    rater = a_rater(a_rateable_study(pairs=3), bob())
    held = claim_next_pair(rater)
    assert {claim_next_pair(rater).left_is_a for _ in range(5)} == {held.left_is_a}


@pytest.mark.postgresql
def test_a_pair_that_another_claim_has_locked_is_stepped_over_and_met_later(committed_db):
    study = a_rateable_study(pairs=3)
    rater = a_rater(study, bob())
    first = Pair.objects.filter(study=study).order_by("place").first()
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Pair.objects.select_for_update(no_key=True).get(pk=first.pk)
            locked.set()
            done.wait(20)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    assert locked.wait(20)
    stepped_over = claim_next_pair(rater)
    done.set()
    other.join()
    assert stepped_over.pair_id != first.pk
    submit_judgment(stepped_over, answers(), "key")
    assert claim_next_pair(rater).pair_id == first.pk
