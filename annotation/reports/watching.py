"""A study that is looked at while it runs: the confidence sequence of its headline."""

import numpy as np

from annotation.reports.duels import ARMS, HEADLINE, Duel, duels
from annotation.reports.rows import Answers
from annotation.reports.tables import Column, Table
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.sequential import ConfidenceSequence, confidence_sequence

POINTS = 200
"""The most points a line is drawn through."""

CAPTION = (
    "The win rate of the first arm on the balance, with bounds that hold at every look at once with 95 % "
    "(a confidence sequence), so that a study may be watched and stopped. One step for each prompt, whose "
    "value is the mean of its outcomes (ties and “both are bad” as half), in the order in which prompts "
    "got the last of their judgments; prompts that wait for judgments are not yet in it. Where the bounds "
    f"cross, the win rate changed on the way, and no single one fits. At most {POINTS} points are listed, "
    "the last always."
)


def watched(answers: Answers, of: Duel) -> ConfidenceSequence:
    """The sequence of one duel over the prompts that wait for no judgment, in the order of finishing."""
    prompts = of.rows["prompt"]
    finished = ~np.isin(prompts, list(answers.waiting))
    return confidence_sequence(_values(prompts[finished], of.outcomes[finished]))


def watched_now(sequence: ConfidenceSequence) -> Estimate:
    """Where the sequence stands; n counts prompts."""
    if not len(sequence.means):
        return undefined(0, "No prompt has all of its judgments yet.")
    return sequence.at_end()


def sequence_table(answers: Answers) -> Table:
    """The sequence of every two arms that met."""
    columns = (
        *ARMS,
        Column("prompts", "Prompts", "count"),
        Column("rate", "Win rate so far", "share"),
        Column("low", "From", "share"),
        Column("high", "To", "share"),
        Column("crossed", "Bounds crossed"),
    )
    rows = [row for of in duels(answers, (HEADLINE,)) if len(of) for row in _points(answers, of)]
    return Table("sequence", "Watched from prompt to prompt", CAPTION, columns, tuple(rows), n="prompts")


def _values(prompts: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Each prompt's mean outcome, in the order of the prompts' last rows."""
    if not len(prompts):
        return np.empty(0)
    _, codes, counts = np.unique(prompts, return_inverse=True, return_counts=True)
    last = np.empty(len(counts), dtype=np.int64)
    last[codes] = np.arange(len(prompts))  # of equal places the last one stays
    return (np.bincount(codes, weights=outcomes) / counts)[np.argsort(last)]


def _points(answers: Answers, of: Duel) -> list[tuple]:
    found = watched(answers, of)
    rows = []
    for place in _thinned(len(found.means)):
        rate, low, high = (float(column[place]) for column in (found.means, found.low, found.high))
        crossed = low > high
        bounds = (None, None) if crossed else (low, high)
        rows.append((of.arm_a, of.arm_b, int(place) + 1, rate, *bounds, "yes" if crossed else ""))
    return rows


def _thinned(n: int) -> np.ndarray:
    """At most POINTS places of 0 … n − 1, evenly spread, with the last."""
    return (
        np.unique(np.linspace(0, n - 1, min(n, POINTS)).round().astype(np.int64)) if n else np.empty(0, int)
    )
