"""The hot pages ask the database the same number of questions, however large the study."""

import pytest

from tests import cast
from tests.rate.conftest import Rater


@pytest.fixture(params=[3, 60])
def bob(request, db) -> Rater:
    study = cast.a_rateable_study(pairs=request.param)
    rater = Rater(cast.a_rater(study, cast.bob()).user)
    rater.open()
    rater.send()
    return rater


def test_showing_the_pair_in_hand(bob, django_assert_num_queries):
    with django_assert_num_queries(12):
        bob.open()


def test_claiming_and_showing_a_pair(bob, django_assert_num_queries):
    bob.client.post(f"{bob.action}skip/")
    with django_assert_num_queries(16):
        bob.open()


def test_judging_and_showing_the_next_pair(bob, django_assert_num_queries):
    with django_assert_num_queries(25):
        bob.send()
