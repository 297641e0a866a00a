"""Responses of different arms to one prompt become pairs."""

import pytest

from annotation.actions.pairing import make_pairs
from tests.cast import a_prompt, a_rateable_study, a_response, a_study, an_arm

pytestmark = pytest.mark.django_db


def test_every_two_arms_are_paired_on_every_prompt():
    study = a_study()
    arms = [an_arm(study, name) for name in ("one", "two", "three")]
    for prompt in (a_prompt(study), a_prompt(study)):
        for arm in arms:
            a_response(prompt, arm)
    assert make_pairs(study) == 6
    study.refresh_from_db()
    assert study.pair_count == 6


def test_samples_are_paired_with_their_like():
    study = a_study()
    prompt, arms = a_prompt(study), [an_arm(study, "one"), an_arm(study, "two")]
    for arm in arms:
        for sample in (0, 1):
            a_response(prompt, arm, sample=sample)
    assert make_pairs(study) == 2
    assert all(pair.response_a.sample == pair.response_b.sample for pair in study.pairs.all())


def test_the_arm_of_lower_position_is_a():
    for pair in a_rateable_study().pairs.all():
        assert pair.response_a.arm.position < pair.response_b.arm.position


def test_a_prompt_with_one_answer_makes_no_pair():
    study = a_study()
    a_response(a_prompt(study), an_arm(study, "one"))
    assert make_pairs(study) == 0


def test_pairing_again_adds_only_what_is_new():
    study = a_rateable_study(pairs=3)
    prompt = a_prompt(study)
    for arm in study.arms.all():
        a_response(prompt, arm)
    assert make_pairs(study) == 1
    assert make_pairs(study) == 0
    study.refresh_from_db()
    assert study.pair_count == study.pairs.count() == 4


def test_pairs_stand_in_an_order_that_the_prompts_do_not_tell():
    study = a_rateable_study(pairs=30)
    keys = list(study.pairs.order_by("position").values_list("prompt__key", flat=True))
    assert keys != sorted(keys)
    assert len(set(keys)) == 30


def test_more_pairs_than_one_chunk_are_all_made(monkeypatch):
    monkeypatch.setattr("annotation.actions.pairing.CHUNK", 4)
    assert a_rateable_study(pairs=11).pair_count == 11
