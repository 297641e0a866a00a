"""What items have in common is counted by a table or by sorting: the same either way."""

from collections import Counter

import numpy as np
import pytest

from annotation.stats.profiles import profiles_of
from annotation.stats.rater_pairs import _items_rated_twice
from annotation.stats.ratings import Ratings


@pytest.mark.parametrize(
    ("items", "categories"),
    [(3_000, 3), (3_000, 7), (40, 7), (200, 300), (50, 10_000)],
    ids=["a table", "some in a table", "few items", "many categories", "as many as pairs have cells"],
)
def test_profiles_are_what_counting_item_by_item_finds(items, categories):
    draw = np.random.default_rng(items + categories)
    codes = np.sort(draw.integers(0, items, 3 * items))
    values = draw.integers(0, categories, len(codes))
    found = profiles_of(codes, values, np.arange(categories))
    said = [tuple(sorted(values[codes == item].tolist())) for item in np.unique(codes)]
    rows = found.counts.toarray().astype(int)
    told = Counter()
    for row, size in zip(rows, found.sizes.tolist(), strict=True):
        told[tuple(np.repeat(np.arange(categories), row).tolist())] += size
    assert told == Counter(said)
    assert len(rows) == len(set(said)), "each profile is kept once"


def test_items_of_two_different_raters_are_counted_once():
    items = ["a", "a", "a", "b", "c", "c", "d", "d"]
    raters = ["x", "y", "z", "x", "x", "x", "x", "y"]
    ratings = Ratings.from_rows(items, raters, [1] * len(items), repeats="all")
    assert _items_rated_twice(ratings) == 2
    assert _items_rated_twice(Ratings.from_rows(["a"], ["x"], [1])) == 0
