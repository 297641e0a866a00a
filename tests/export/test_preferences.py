"""The rule from judgments to preferences, against cases worked out by hand."""

import numpy as np
import pyarrow as pa
import pytest

from annotation.export.preferences import EXCLUSIONS, by_pair, counted, preference_rows, reasons, tally
from annotation.export.shaping import whole_pairs

pytestmark = pytest.mark.once

BAD = "both bad"
MESSAGES = [{"role": "user", "content": "Why?"}]


def tallied(*pairs, uncounted=0):
    """The tallies of pairs 1, 2 …, each given as its votes on the arms' side: a number towards the second
    arm, BAD, or None for no answer. So many judgments of the last pair do not count."""
    votes = [(key, vote) for key, given in enumerate(pairs, 1) for vote in given]
    keys = pa.table({"pair": pa.array([key for key, _ in votes], pa.int64())})
    counts = [True] * (len(votes) - uncounted) + [False] * uncounted
    balance = pa.array([None if vote == BAD else vote for _, vote in votes], pa.int8())
    bad = pa.array([vote == BAD for _, vote in votes], pa.bool_())
    return tally(keys, pa.table({"counts": pa.array(counts), "balance": balance, "both_bad": bad}))


def pairs_read(number):
    """The first pairs as `queries.preferred_of` reads them."""
    labels = {"prompt_key": "k", "intent": "benign", "harm_category": "", "family": "", "decision": ""}
    rows = [
        {"pair": key, "position": key, "prompt": '[{"role": "user", "content": "Why?"}]', "subset": "[]"}
        | {"text_a": f"p{key}", "text_b": f"q{key}"}
        | labels
        for key in range(1, number + 1)
    ]
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize(
    "given, chosen, margin",
    [
        ([3], "q", 3.0),
        ([-1, -2], "p", 1.5),
        ([3, -1, -1], "q", 1 / 3),
        ([2, BAD], "q", 1.0),
        ([-3, BAD, BAD], "p", 1.0),
        ([1, None], "q", 1.0),
    ],
)
def test_the_mean_balance_chooses_and_its_size_is_the_margin(given, chosen, margin):
    found = tallied([0], given)
    (row,) = preference_rows(pairs_read(2), by_pair([found]), 1).to_pylist()
    rejected = "q" if chosen == "p" else "p"
    assert row["prompt"] == MESSAGES and row["pair_key"] == "0000000000000002"
    assert row["chosen"] == [{"role": "assistant", "content": f"{chosen}2"}]
    assert row["rejected"] == [{"role": "assistant", "content": f"{rejected}2"}]
    assert row["margin"] == pytest.approx(margin)
    assert row["n_judgments"] == sum(vote is not None for vote in given)
    assert row["n_both_bad"] == given.count(BAD)


@pytest.mark.parametrize(
    "given, least, reason",
    [
        ([None], 1, "no_vote"),
        ([None, None], 1, "no_vote"),
        ([3, 3], 3, "too_few_votes"),
        ([3, None, 3], 3, "too_few_votes"),
        ([BAD, BAD], 1, "all_both_bad"),
        ([0], 1, "tie"),
        ([2, -1, -1], 1, "tie"),
        ([0, BAD], 1, "tie"),
    ],
)
def test_what_prefers_neither_is_left_out_and_counted(given, least, reason):
    found = tallied(given)
    assert len(preference_rows(pairs_read(1), by_pair([found]), least)) == 0
    assert {name: counted(found, least)[name] for name in EXCLUSIONS} == {
        name: int(name == reason) for name in EXCLUSIONS
    }


def test_what_does_not_count_is_no_vote():
    found = tallied([1], [2, BAD, -3], uncounted=2)
    assert found["votes"].tolist() == [1, 1] and found["total"].tolist() == [1, 2]
    assert counted(found, 1)["both_bad_votes"] == 0
    assert EXCLUSIONS[reasons(tallied([2], uncounted=1), 1)[0]] == "no_vote"


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_no_pair_is_cut_in_two(size):
    """However the rows come from the database; single responses, which have no pair, wait for nothing."""
    keys = pa.array([1, 1, 1, 2, 3, 3, 4, None, None, None], pa.int64())
    read = pa.table({"pair": keys, "row": pa.array(range(10))})
    parts = list(whole_pairs(read.slice(start, size) for start in range(0, 10, size)))
    assert pa.concat_tables(parts).equals(read)
    shares = [set(part["pair"].to_pylist()) - {None} for part in parts]
    assert sum(map(len, shares)) == len(set.union(*shares)) == 4


def test_tallies_of_a_large_table_are_those_of_a_loop():
    """By hand, pair by pair, over 2,000 pairs."""
    draw = np.random.default_rng(3)
    pairs = [
        [draw.choice([BAD, None, *range(-3, 4)]) for _ in range(draw.integers(1, 5))] for _ in range(2000)
    ]
    pairs = [[vote if vote in (BAD, None) else int(vote) for vote in given] for given in pairs]
    found = tallied(*pairs)
    votes = [[vote for vote in given if vote is not None] for given in pairs]
    assert found["votes"].tolist() == [len(given) for given in votes]
    assert found["total"].tolist() == [sum(vote for vote in given if vote != BAD) for given in votes]
    assert found["both_bad"].tolist() == [given.count(BAD) for given in votes]
