"""The rule that turns the judgments of a pair into one preference, or into none and a reason."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.export.formats import MESSAGES, TAGS
from annotation.export.shaping import NONE, numbers, pair_keys, parsed, table
from annotation.vocabulary import ReviewDecision

RULE = "mean-balance"
RULE_VERSION = 1
RULE_IN_WORDS = (
    "One row per pair. Votes are the pair's judgments that count (the newest revision of each, without "
    "surplus) and that answer the balance question; “both are bad” is a vote of 0. The mean of the votes, "
    "each from -3 (the first arm's answer is better by far) to +3 (the second's), chooses the response. "
    "margin is the absolute value of the mean, in (0, 3]. Left out and counted: judged pairs without "
    "a vote, pairs with fewer votes than min_judgments, pairs whose every vote is “both are bad”, and ties "
    "(mean 0). Counted beside them: pairs that left the study before anybody was given them (dropped in "
    "review, or withdrawn because an answer was generated again) and pairs that still wait for review. "
    "chosen and rejected hold what the models wrote; masked is true where raters read it with a name masked."
)
EXCLUSIONS = ("no_vote", "too_few_votes", "all_both_bad", "tie")
UNRATED = ("dropped", "replaced", "waiting")
"""Pairs that review kept from raters."""


TALLY = np.dtype([("pair", "i8"), ("votes", "i4"), ("both_bad", "i4"), ("total", "i4")])
"""Of one pair: its votes, how many of them were “both are bad”, and the sum of them all."""


def tally(read: pa.Table, rows: pa.Table) -> NDArray:
    """A TALLY for each pair in the table, which holds all judgments of its pairs; in its order.

    `read` has the pairs' keys, `rows` the same judgments as the file has them.
    """
    pairs = numbers(read["pair"])
    starts = np.flatnonzero(np.diff(pairs, prepend=NONE - 1))
    starts = starts[pairs[starts] != NONE]
    if not len(starts):
        return np.empty(0, TALLY)
    # Judgments of single responses come last, as a pair's would; they are cut off.
    end = int(np.argmax(pairs == NONE)) if pairs[-1] == NONE else len(pairs)
    counts, both_bad = (rows[name].to_numpy()[:end] for name in ("counts", "both_bad"))
    is_vote = counts & (both_bad | pc.is_valid(rows["balance"]).to_numpy()[:end])
    balance = pc.fill_null(rows["balance"], 0).to_numpy()[:end]
    found = np.empty(len(starts), TALLY)
    found["pair"] = pairs[starts]
    found["votes"] = np.add.reduceat(is_vote, starts, dtype=np.int32)
    found["both_bad"] = np.add.reduceat(is_vote & both_bad, starts, dtype=np.int32)
    found["total"] = np.add.reduceat(np.where(is_vote, balance, 0), starts, dtype=np.int32)
    return found


def by_pair(parts: Iterable[NDArray]) -> NDArray:
    """All tallies in the order of their pairs' keys: some twenty bytes for every pair that was judged."""
    found = np.concatenate([np.empty(0, TALLY), *parts])
    return found[np.argsort(found["pair"])]


def reasons(found: NDArray, min_judgments: int) -> NDArray:
    """For each tally its place in EXCLUSIONS, or len(EXCLUSIONS) where the pair is a preference."""
    left_out = [
        found["votes"] == 0,
        found["votes"] < min_judgments,
        found["both_bad"] == found["votes"],
        found["total"] == 0,
    ]
    return np.select(left_out, range(len(EXCLUSIONS)), len(EXCLUSIONS))


def counted(found: NDArray, min_judgments: int) -> Counter:
    """What the manifest tells of the pairs: how many were judged, their votes, what was left out and why."""
    by_reason = np.bincount(reasons(found, min_judgments), minlength=len(EXCLUSIONS) + 1).tolist()
    return Counter(
        pairs_judged=len(found),
        votes=int(found["votes"].sum()),
        both_bad_votes=int(found["both_bad"].sum()),
        **dict(zip(EXCLUSIONS, by_reason, strict=False)),
    )


def preference_rows(read: pa.Table, found: NDArray, min_judgments: int) -> pa.Table:
    """The preferences among the pairs that were read; `found` as `by_pair` tells it."""
    read = read.filter(pa.array(np.isin(numbers(read["pair"]), found["pair"])))
    tallies = found[np.searchsorted(found["pair"], numbers(read["pair"]))]
    is_preference = reasons(tallies, min_judgments) == len(EXCLUSIONS)
    tallies, read = tallies[is_preference], read.filter(pa.array(is_preference))
    is_b = pa.array(tallies["total"] > 0)
    return table(
        "preferences",
        {
            **{name: read[name] for name in ("prompt_key", "intent", "harm_category", "family")},
            "prompt": parsed(read["prompt"], MESSAGES),
            "subset": parsed(read["subset"], TAGS),
            "chosen": _reply(pc.if_else(is_b, read["text_b"], read["text_a"])),
            "rejected": _reply(pc.if_else(is_b, read["text_a"], read["text_b"])),
            "margin": pa.array(np.abs(tallies["total"]) / tallies["votes"]),
            "pair_key": pair_keys(read["position"]),
            "n_judgments": pa.array(tallies["votes"]),
            "n_both_bad": pa.array(tallies["both_bad"]),
            "masked": pc.equal(read["decision"], ReviewDecision.MASK.value),
        },
    )


def _reply(texts: pa.ChunkedArray) -> pa.Array:
    """Each text as a list of one message of the assistant's."""
    roles = pa.array(["assistant"]).take(pa.array(np.zeros(len(texts), np.int32)))
    messages = pa.StructArray.from_arrays([roles, texts.combine_chunks()], ["role", "content"])
    return pa.ListArray.from_arrays(np.arange(len(texts) + 1, dtype=np.int32), messages)
