"""What counts as a dispute, by cases worked out by hand."""

import pytest

from annotation.stats.disputes import disputed_questions

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("steps", "unsafe", "disputed"),
    [
        ({}, {}, []),
        ({"balance": [2]}, {1: [True]}, []),
        ({"balance": [2, -1]}, {1: [True, True]}, []),
        ({"balance": [2, -2]}, {1: [True, True]}, ["balance"]),
        ({"balance": [3, 3, 3, -3]}, {}, ["balance"]),
        ({"safer": [0, 3], "more_helpful": [-2, 2]}, {}, ["more_helpful"]),
        ({"balance": [1, 1]}, {1: [False, False], 2: [False, False, True]}, ["safety"]),
        ({"balance": [3, -3]}, {1: [True, False]}, ["safety", "balance"]),
    ],
)
def test_split_safety_and_far_steps_are_disputes(steps, unsafe, disputed):
    assert disputed_questions(steps, unsafe, 4) == disputed


@pytest.mark.parametrize(("least", "is_dispute"), [(3, True), (4, False)])
def test_the_study_says_how_far_is_far(least, is_dispute):
    assert bool(disputed_questions({"safer": [1, -2]}, {}, least)) == is_dispute
