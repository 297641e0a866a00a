"""The few figures that a snapshot's data card tells, computed from the snapshot's own files."""

from dataclasses import dataclass
from pathlib import Path

from annotation.reports.duels import BOOTSTRAP, TIE_RULE, duels
from annotation.reports.questions import asked
from annotation.reports.rows import Answers
from annotation.reports.tables import Value
from annotation.stats.agreement import Rated, gwet_ac1, krippendorff_alpha, raw_agreement
from annotation.stats.estimate import Estimate
from annotation.stats.preference import win_rate

MOST_JUDGMENTS = 50_000
"""Beyond these the figures would take more memory and time than the freezing; the report has them."""

REPLICATES = 1000
Figures = dict[str, Value | Estimate]


@dataclass(frozen=True)
class KeyFigures:
    """`agreement` has a question with its raw agreement, alpha and AC1 in each row, `win_rates` two arms on
    one question; `languages` are those of the prompts."""

    agreement: tuple[Figures, ...]
    win_rates: tuple[Figures, ...]
    tie_rule: str
    languages: tuple[str, ...]


def key_figures(folder: Path, judgments: int) -> KeyFigures | None:
    """Of the snapshot in the folder; None where it has more than MOST_JUDGMENTS that count.

    Raises SnapshotUnreadable.
    """
    if judgments > MOST_JUDGMENTS:
        return None
    answers = Answers.of_snapshot(folder)
    languages = {prompt.language for prompt in answers.prompts} - {""}
    return KeyFigures(_agreement(answers), _win_rates(answers), TIE_RULE, tuple(sorted(languages)))


def _agreement(answers: Answers) -> tuple[Figures, ...]:
    return tuple(
        {
            "question": question.name,
            "scale": question.level,
            "raw": raw_agreement(rated, bootstrap=REPLICATES),
            "alpha": krippendorff_alpha(rated, question.level, bootstrap=REPLICATES),
            "ac1": gwet_ac1(rated, bootstrap=REPLICATES),
        }
        for question, ratings in asked(answers)
        if len(ratings)
        for rated in [Rated(ratings)]
    )


def _win_rates(answers: Answers) -> tuple[Figures, ...]:
    """The first arm's against the second; `decisive` is without ties."""
    return tuple(
        {
            "arm_a": of.arm_a,
            "arm_b": of.arm_b,
            "question": of.question,
            "rate": result.rate,
            "decisive": result.decisive,
        }
        for of in duels(answers)
        if len(of)
        for result in [win_rate(of.outcomes, of.rows["prompt"], bootstrap=BOOTSTRAP)]
    )
