"""What raters say together: scores of each response, and which answer of each pair is preferred.

By `mean`, scores are means over all judgments, as trainings take them. By the other ways each question gets
one label from its raters (a rater who met a response in several pairs counts once, with the first answer),
and the scores are those of the labels. Where labels are equally probable, the one given more often in all the
data is taken for a response, and a pair is a tie.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from annotation.datasets.recipe import Aggregation
from annotation.datasets.source import SCALES, UNANSWERED, Flags, Ints, Numbers, Parts, Votes
from annotation.reports.labels import METHODS, undecided_items
from annotation.stats.aggregation import Aggregate, majority_vote, why_no_model
from annotation.stats.ratings import Ratings
from annotation.vocabulary import SCORES, UNSAFE_LEVELS
from models_runtime.training.rows import MODES

UNSAFE = np.array([level in UNSAFE_LEVELS for level in SCALES["safety"]])
NOT_KNOWN = -1
SAFE, NOT_SAFE = 1, 0
A_BETTER, TIE, B_BETTER = -1, 0, 1
SIDES = np.array([A_BETTER, TIE, B_BETTER])
OTHER_MODES = sorted(set(SCALES["mode"]) - set(MODES))
MODE_RANK = np.array([[*MODES, *OTHER_MODES].index(mode) for mode in SCALES["mode"]])
"""Among equally frequent modes, which comes first: as in trainings."""


@dataclass(frozen=True)
class Scores:
    """Of each response: h and s in [0, 1] (NaN where unknown), `safe` SAFE, NOT_SAFE or NOT_KNOWN, `severity`
    and `mode` as places in SCALES or NOT_KNOWN. `n` judgments; `agreement` is the larger share of safe and
    unsafe among them (NaN where nobody said). `lacks_severity`: somebody called it unsafe and did not say how
    much; that judgment has no s."""

    h: Numbers
    s: Numbers
    safe: Ints
    severity: Ints
    mode: Ints
    n: Ints
    agreement: Numbers
    masked: Flags
    lacks_severity: Flags

    @cached_property  # rows ask for it one by one
    def r(self) -> Numbers:
        """r = h * s; NaN where either is unknown."""
        return self.h * self.s


@dataclass(frozen=True)
class Decision:
    """Of each pair on one question: `side` A_BETTER, TIE or B_BETTER; `strength` 0 (tie) to 3; the chance of
    each side (n, 3) in the order of SIDES; `n` votes, `both_bad` of them; `agreement` is the share of votes
    on the side that was decided."""

    side: Ints
    strength: Numbers
    chances: Numbers
    n: Ints
    both_bad: Ints
    agreement: Numbers


@dataclass(frozen=True)
class Fitted:
    """How probable each label of each unit is: `posteriors` (units, labels), NaN where nobody answered.
    `chosen` is a label's place, NOT_KNOWN where nobody answered; `undecided` where several are equally
    probable; `note` says why another way than the one asked for was taken."""

    posteriors: Numbers
    chosen: Ints
    undecided: Flags
    note: str


def fitted(units: Ints, raters: Ints, values: NDArray, n_units: int, n_labels: int, method: str) -> Fitted:
    """One label for each unit from answers in the order of time; `values` index the labels."""
    posteriors = np.full((n_units, n_labels), np.nan)
    chosen = np.full(n_units, NOT_KNOWN, np.int64)
    undecided = np.zeros(n_units, bool)
    if not len(units):
        return Fitted(posteriors, chosen, undecided, "")
    ratings = Ratings.from_rows(units, raters, values.astype(np.int64), repeats="first")
    fit, note = _way(ratings, method)
    found = fit(ratings)
    posteriors[found.items] = 0
    posteriors[np.ix_(found.items, found.categories)] = found.posteriors
    chosen[found.items] = found.labels
    undecided[found.items] = undecided_items(found)
    return Fitted(posteriors, chosen, undecided, note)


def _way(ratings: Ratings, method: str) -> tuple[Callable[[Ratings], Aggregate], str]:
    if method in (Aggregation.MEAN, Aggregation.MAJORITY):
        return majority_vote, ""
    reason = why_no_model(ratings)
    return (majority_vote, f"majority instead: {reason}") if reason else (METHODS[method], "")


# Responses ------------------------------------------------------------------------------------------------


def scores_of(parts: Parts, n: int, method: str, notes: dict[str, str]) -> Scores:
    """Scores of all `n` responses; `notes` is told of questions that had no model."""
    made = _mean_scores(parts, n) if method == Aggregation.MEAN else _label_scores(parts, n, method, notes)
    judged = np.bincount(parts.response, minlength=n)
    rated = parts.safety != UNANSWERED
    unsafe_share = _mean(parts.response[rated], UNSAFE[parts.safety[rated]].astype(float), n)
    agreement = np.maximum(unsafe_share, 1 - unsafe_share)
    lacking = np.zeros(n, bool)
    lacking[parts.response[rated][UNSAFE[parts.safety[rated]] & (parts.severity[rated] == UNANSWERED)]] = True
    return Scores(
        **made,
        n=judged,
        agreement=agreement,
        masked=masked_responses(parts, n),
        lacks_severity=lacking,
    )


def masked_responses(parts: Parts, n: int) -> Flags:
    """Which responses somebody read with a name masked."""
    masked = np.zeros(n, bool)
    masked[parts.response[parts.masked]] = True
    return masked


def _mean_scores(parts: Parts, n: int) -> dict:
    rated = parts.safety != UNANSWERED
    helped = parts.helpfulness != UNANSWERED
    unsafe = UNSAFE[parts.safety[rated]]
    unsafe_share = _mean(parts.response[rated], unsafe.astype(float), n)
    # Exactly half is not safe: between two levels the worse one is taken.
    safe = np.where(np.isnan(unsafe_share), NOT_KNOWN, np.where(unsafe_share < 0.5, SAFE, NOT_SAFE))
    s = s_of(~unsafe, parts.severity[rated])
    told = ~np.isnan(s)
    return {
        "h": _mean(parts.response[helped], h_of(parts.helpfulness[helped]), n),
        "s": _mean(parts.response[rated][told], s[told], n),
        "safe": safe,
        "severity": np.where(safe == NOT_SAFE, _mean_severity(parts, n), NOT_KNOWN),
        "mode": _commonest_mode(parts, n),
    }


def _mean_severity(parts: Parts, n: int) -> Ints:
    """The mean rank among those who said one of an unsafe answer, the half rounded to the worse."""
    said = (parts.severity != UNANSWERED) & (parts.safety != UNANSWERED)
    said[said] = UNSAFE[parts.safety[said]]
    mean = _mean(parts.response[said], parts.severity[said].astype(float), n)
    return np.where(np.isnan(mean), NOT_KNOWN, np.floor(np.nan_to_num(mean) + 0.5)).astype(np.int64)


def _commonest_mode(parts: Parts, n: int) -> Ints:
    said = parts.mode != UNANSWERED
    shares = label_shares(parts.response[said], parts.mode[said], n, len(SCALES["mode"]))
    by_rank = np.argsort(MODE_RANK)
    best = by_rank[shares[:, by_rank].argmax(axis=1)]
    return np.where(shares.sum(axis=1) > 0, best, NOT_KNOWN)


def label_shares(units: Ints, labels: NDArray, n: int, n_labels: int) -> Numbers:
    """(n, n_labels): the share of each label among a unit's answers; a row of zeros where it has none."""
    places = units * n_labels + labels
    counts = np.bincount(places, minlength=n * n_labels).reshape(n, n_labels).astype(float)
    return np.divide(counts, counts.sum(axis=1, keepdims=True), out=counts, where=counts > 0)


def _label_scores(parts: Parts, n: int, method: str, notes: dict[str, str]) -> dict:
    rated = parts.safety != UNANSWERED
    unsafe = np.zeros(len(rated), bool)
    unsafe[rated] = UNSAFE[parts.safety[rated]]
    questions = {
        "safe": (rated, np.where(unsafe, NOT_SAFE, SAFE), 2),
        "severity": (unsafe & (parts.severity != UNANSWERED), parts.severity, len(SCALES["severity"])),
        "helpfulness": (parts.helpfulness != UNANSWERED, parts.helpfulness - 1, 4),
        "mode": (parts.mode != UNANSWERED, parts.mode, len(SCALES["mode"])),
    }
    chosen = {}
    for name, (said, values, labels) in questions.items():
        found = fitted(parts.response[said], parts.rater[said], values[said], n, labels, method)
        chosen[name] = found.chosen
        if found.note:
            notes[name] = found.note
    severity = np.where(chosen["safe"] == NOT_SAFE, chosen["severity"], NOT_KNOWN)
    s = np.where(chosen["safe"] == NOT_KNOWN, np.nan, s_of(chosen["safe"] == SAFE, severity))
    h = np.where(chosen["helpfulness"] == NOT_KNOWN, np.nan, h_of(chosen["helpfulness"] + 1))
    return {"h": h, "s": s, "safe": chosen["safe"], "severity": severity, "mode": chosen["mode"]}


def h_of(levels: NDArray) -> Numbers:
    """h of helpfulness 1..4; 0 stands for nothing said."""
    return np.array([0.0, *SCORES.helpfulness])[levels]


def s_of(safe: Flags, severity: NDArray) -> Numbers:
    """s of what is safe, else by severity; NaN where none was said, as in trainings and reports."""
    by_severity = np.array([*SCORES.severity, np.nan])
    return np.where(safe, SCORES.safe, by_severity[np.where(severity < 0, len(SCORES.severity), severity)])


def _mean(units: Ints, values: Numbers, n: int) -> Numbers:
    """The mean of each unit's values, NaN where it has none."""
    counts = np.bincount(units, minlength=n)
    sums = np.bincount(units, weights=values, minlength=n)
    return np.divide(sums, counts, out=np.full(n, np.nan), where=counts > 0)


# Pairs ----------------------------------------------------------------------------------------------------


def decided(votes: Votes, question: str, n: int, method: str, notes: dict[str, str]) -> Decision:
    """All `n` pairs on one question. “Both are bad” is a vote of 0 on the balance."""
    pair, rater, leaning, both_bad = _ballots(votes, question)
    if method == Aggregation.MEAN:
        mean = np.nan_to_num(_mean(pair, leaning.astype(float), n))
        side, strength = np.sign(mean).astype(np.int64), np.abs(mean)
        chances = label_shares(pair, np.sign(leaning) + 1, n, len(SIDES))
    else:
        found = fitted(pair, rater, np.sign(leaning) + 1, n, len(SIDES), method)
        if found.note:
            notes[question] = found.note
        side = np.where(found.undecided | (found.chosen == NOT_KNOWN), TIE, SIDES[found.chosen])
        strength, chances = _strength_of_side(pair, leaning, side, n), found.posteriors
    counts = np.bincount(pair, minlength=n)
    with_side = np.bincount(pair[np.sign(leaning) == side[pair]], minlength=n)
    agreement = np.divide(with_side, counts, out=np.full(n, np.nan), where=counts > 0)
    bad = np.bincount(pair[both_bad], minlength=n)
    return Decision(side, strength, chances, counts, bad, agreement)


def _ballots(votes: Votes, question: str) -> tuple[Ints, Ints, Ints, Flags]:
    """(pair, rater, leaning, both bad) of the votes on the question."""
    both_bad = votes.both_bad & (question == "balance")
    leaning = np.where(both_bad, 0, votes.leanings[question]).astype(np.int64)
    cast = leaning != UNANSWERED
    return votes.pair[cast], votes.rater[cast], leaning[cast], both_bad[cast]


def _strength_of_side(pair: Ints, leaning: Ints, side: Ints, n: int) -> Numbers:
    """The mean strength of the votes for the side that was decided; 0 for a tie, or where none is for it."""
    agrees = (np.sign(leaning) == side[pair]) & (side[pair] != TIE)
    return np.nan_to_num(_mean(pair[agrees], np.abs(leaning[agrees]).astype(float), n))
