"""Cutting requests into batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_runtime.batching import cut_by_length

pytestmark = pytest.mark.once


def test_the_longest_come_first_and_equal_ones_keep_their_order() -> None:
    assert cut_by_length([5, 9, 5, 7], max_rows=2, max_cells=100) == [[1, 3], [0, 2]]


def test_a_request_larger_than_the_limit_runs_alone() -> None:
    assert cut_by_length([50, 4, 4], max_rows=8, max_cells=10) == [[0], [1, 2]]


@given(st.lists(st.integers(1, 300)), st.integers(1, 9), st.integers(1, 900))
def test_every_position_comes_once_and_no_batch_is_too_large(
    lengths: list[int], max_rows: int, max_cells: int
) -> None:
    batches = cut_by_length(lengths, max_rows, max_cells)
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= max_rows
        assert len(batch) == 1 or len(batch) * max(lengths[position] for position in batch) <= max_cells
