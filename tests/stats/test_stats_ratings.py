import numpy as np
import pytest

from annotation.stats.errors import BadInput
from annotation.stats.ratings import DuplicateRating, MissingValue, Ratings

pytestmark = pytest.mark.once


def test_it_keeps_what_was_judged():
    ratings = Ratings.from_rows(["b", "a", "a"], ["ann", "bo", "ann"], [3, 1, 2])
    kept = zip(
        ratings.items[ratings.item_codes], ratings.raters[ratings.rater_codes], ratings.values, strict=True
    )
    assert [tuple(row) for row in kept] == [("a", "ann", 2), ("a", "bo", 1), ("b", "ann", 3)]
    assert len(ratings) == 3


def test_a_repeated_judgment_is_refused_by_item_and_rater():
    with pytest.raises(DuplicateRating, match="Rater bo judged item q7 more than once"):
        Ratings.from_rows(["q1", "q7", "q7"], ["bo", "bo", "bo"], [1, 2, 2])


@pytest.mark.parametrize("values", [[1.0, np.nan], [1.0, np.inf], [1, None], ["tie", None], ["tie", np.nan]])
def test_a_missing_value_is_refused_by_item_and_rater(values):
    with pytest.raises(MissingValue, match="row 2, item q2, rater ann"):
        Ratings.from_rows(["q1", "q2"], ["ann", "ann"], values)


def test_a_missing_rater_is_refused():
    with pytest.raises(MissingValue, match="no usable rater"):
        Ratings.from_rows(["q1", "q2"], ["ann", None], [1, 2])


@pytest.mark.parametrize("values", [[1], [[1, 2]], 1])
def test_columns_of_unequal_length_are_refused(values):
    with pytest.raises(BadInput, match="equal length"):
        Ratings.from_rows(["q1", "q2"], ["ann", "bo"], values)


def test_refusals_are_value_errors():
    assert issubclass(DuplicateRating, ValueError) and issubclass(MissingValue, ValueError)


def test_memory_follows_the_judgments_and_not_items_times_raters():
    n = 50_000
    ratings = Ratings.from_rows(np.arange(n), np.arange(n), np.zeros(n, dtype=int))
    arrays = [getattr(ratings, name) for name in ratings.__dataclass_fields__]
    assert sum(array.nbytes for array in arrays) <= 6 * 8 * n
