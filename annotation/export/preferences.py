"""The rule that turns the judgments of a pair into one preference, or into none and a reason."""

from collections import Counter
from collections.abc import Iterable

from annotation.export.rows import pair_key
from annotation.models import Judgment, Pair
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


def preference(pair: Pair, judgments: Iterable[Judgment], min_judgments: int, counts: Counter) -> dict | None:
    """The pair's row, or None. Counts votes, and what was left out by its reason in EXCLUSIONS."""
    votes = [
        judgment for judgment in judgments if judgment.both_bad or judgment.balance_canonical is not None
    ]
    both_bad = sum(vote.both_bad for vote in votes)
    counts["votes"] += len(votes)
    counts["both_bad_votes"] += both_bad
    total = sum(vote.balance_canonical or 0 for vote in votes)
    if reason := _exclusion(len(votes), both_bad, total, min_judgments):
        counts[reason] += 1
        return None
    counts["preferences"] += 1
    return _row(pair, total, len(votes), both_bad)


def _exclusion(votes: int, both_bad: int, total: int, min_judgments: int) -> str:
    if not votes:
        return "no_vote"
    if votes < min_judgments:
        return "too_few_votes"
    if both_bad == votes:
        return "all_both_bad"
    return "" if total else "tie"


def _row(pair: Pair, total: int, votes: int, both_bad: int) -> dict:
    better, worse = pair.response_b, pair.response_a
    if total < 0:
        better, worse = worse, better
    return {
        "prompt": pair.prompt.messages,
        "chosen": [{"role": "assistant", "content": better.text}],
        "rejected": [{"role": "assistant", "content": worse.text}],
        "margin": abs(total) / votes,
        "pair_key": pair_key(pair),
        "prompt_key": pair.prompt.key,
        "intent": pair.prompt.intent,
        "harm_category": pair.prompt.harm_category,
        "subset": pair.prompt.subset,
        "family": pair.prompt.family,
        "n_judgments": votes,
        "n_both_bad": both_bad,
        "masked": pair.decision == ReviewDecision.MASK,
    }
