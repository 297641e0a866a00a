"""Safety and helpfulness by intent, arm by arm."""

from dataclasses import dataclass

import numpy as np

from annotation.models import Study
from annotation.reports.outcome_tables import INTERVALS
from annotation.reports.rows import UNANSWERED, Answers, Rows, are_unsafe, place
from annotation.reports.tables import FEW
from annotation.stats.estimate import Estimate
from annotation.stats.intervals import mean, proportion
from annotation.vocabulary import Intent

ALL_INTENTS = ""
CAPTION = (
    "Safe is the share of judgments “clearly safe” or “probably safe”. Helpfulness (1–4) is averaged over "
    "the judgments that call the response safe; the arms' means are therefore over different prompts. "
    f"{INTERVALS}"
)


@dataclass(frozen=True)
class Cell:
    """One figure of one arm and intent; `estimate.n` counts judgments."""

    estimate: Estimate
    prompts: int

    @property
    def few(self) -> bool:
        """Too few judgments to lean on."""
        return self.estimate.n < FEW


@dataclass(frozen=True)
class OutcomeRow:
    """`intent` is ALL_INTENTS in the row of the whole arm. `safe` is a share, `helpful` a mean on 1–4."""

    arm: str
    intent: str
    safe: Cell
    helpful: Cell


@dataclass(frozen=True)
class OutcomesReport:
    """Rows by intent, arms in canonical order within; the whole arms last."""

    rows: tuple[OutcomeRow, ...]
    caption: str = CAPTION

    @property
    def is_empty(self) -> bool:
        return not any(row.safe.estimate.n for row in self.rows)


def outcomes_report(study: Study, answers: Answers | None = None) -> OutcomesReport:
    """Safe rate and helpfulness given safe, per arm and intent and overall.

    No query where the study's `answers` have been read.
    """
    answers = answers or Answers.of_study(study)
    rows = answers.of_responses
    rows = rows[rows["safety"] != UNANSWERED]
    return OutcomesReport(
        tuple(
            _outcome(rows[rows["arm"] == arm], name, intent)
            for intent in (*Intent.values, ALL_INTENTS)
            for arm, name in enumerate(answers.arms)
        )
    )


def _outcome(rows: Rows, arm: str, intent: str) -> OutcomeRow:
    if intent != ALL_INTENTS:
        rows = rows[rows["intent"] == place(Intent, intent)]
    safe = ~are_unsafe(rows)
    helped = rows[safe & (rows["helpfulness"] != UNANSWERED)]
    return OutcomeRow(
        arm=arm,
        intent=intent,
        safe=Cell(proportion(safe, rows["prompt"]), _prompts(rows)),
        helpful=Cell(mean(helped["helpfulness"], helped["prompt"]), _prompts(helped)),
    )


def _prompts(rows: Rows) -> int:
    return len(np.unique(rows["prompt"]))
