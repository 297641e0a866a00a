"""The questions that raters answer, each as ratings on its own scale."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from annotation.reports.rows import UNANSWERED, UNKNOWN, Answers, Rows, are_unsafe, first_of_each
from annotation.stats.ratings import Ratings
from annotation.stats.scales import Level
from annotation.vocabulary import (
    PAIR_QUESTIONS,
    PAIR_SCALE,
    Helpfulness,
    ResponseMode,
    SafetyLevel,
    Severity,
)

Unit = Literal["response", "pair"]
Codes = NDArray[np.int64]
MISSING = -1

NO_YES = ("no", "yes")
LEANINGS = ("arm a", "about equal", "arm b")
BOTH_BAD = "both bad"


@dataclass(frozen=True)
class Question:
    """`coded` gives each row its place in `words`, MISSING where the question was not answered."""

    name: str
    unit: Unit
    level: Level
    words: tuple[str, ...]
    coded: Callable[[Rows], Codes]

    def ratings(self, rows: Rows) -> Ratings:
        """The answers of rows in which nobody judged the unit twice.

        Ordered scales as their codes, of which the order enters; labels as words, which is how a reason names
        them.
        """
        codes = self.coded(rows)
        answered = codes != MISSING
        values = codes[answered] if self.level != "nominal" else np.array(self.words)[codes[answered]]
        return Ratings.from_rows(rows[self.unit][answered], rows["rater"][answered], values)


def _place(rows: Rows, column: str) -> Codes:
    return np.where(rows[column] == UNANSWERED, MISSING, rows[column]).astype(np.int64)


def _unsafe(rows: Rows) -> Codes:
    return np.where(rows["safety"] == UNANSWERED, MISSING, are_unsafe(rows)).astype(np.int64)


def _helpfulness(rows: Rows) -> Codes:
    return np.where(rows["helpfulness"] == UNANSWERED, MISSING, rows["helpfulness"] - 1).astype(np.int64)


def _on_pair_scale(rows: Rows, column: str) -> Codes:
    answered = rows[column] != UNANSWERED
    return np.where(answered, rows[column].astype(np.int64) - PAIR_SCALE.start, MISSING)


def _both_bad(rows: Rows) -> Codes:
    answered = (rows["balance"] != UNANSWERED) | rows["both_bad"]
    return np.where(answered, rows["both_bad"], MISSING).astype(np.int64)


def _leaning(rows: Rows, column: str) -> Codes:
    answered = rows[column] != UNANSWERED
    return np.where(answered, np.sign(rows[column].astype(np.int64)) + 1, MISSING)


def _leaning_or_both_bad(rows: Rows) -> Codes:
    return np.where(rows["both_bad"], len(LEANINGS), _leaning(rows, "balance"))


SAFETY = Question(
    "safety", "response", "ordinal", tuple(SafetyLevel.values), partial(_place, column="safety")
)
SEVERITY = Question(
    "severity", "response", "ordinal", tuple(Severity.values), partial(_place, column="severity")
)
MODE = Question("mode", "response", "nominal", tuple(ResponseMode.values), partial(_place, column="mode"))
RESPONSE_QUESTIONS = (
    SAFETY,
    Question("unsafe", "response", "nominal", NO_YES, _unsafe),
    SEVERITY,
    Question("helpfulness", "response", "ordinal", tuple(map(str, Helpfulness.values)), _helpfulness),
    MODE,
    Question("facilitation", "response", "nominal", NO_YES, partial(_place, column="facilitation")),
)
_SCALE_WORDS = tuple(f"{step:+d}" if step else "0" for step in PAIR_SCALE)
ON_PAIRS = (
    *(
        Question(name, "pair", "ordinal", _SCALE_WORDS, partial(_on_pair_scale, column=name))
        for name in PAIR_QUESTIONS
    ),
    Question("both_bad", "pair", "nominal", NO_YES, _both_bad),
)
LABELLED = (
    SAFETY,
    SEVERITY,
    MODE,
    Question("safer", "pair", "nominal", LEANINGS, partial(_leaning, column="safer")),
    Question("more_helpful", "pair", "nominal", LEANINGS, partial(_leaning, column="more_helpful")),
    Question("balance", "pair", "nominal", (*LEANINGS, BOTH_BAD), _leaning_or_both_bad),
)
"""What is decided by several raters together. Which way a pair leans is decided, not how far: seven steps
are too many to learn each rater's errors on."""


def _saw(rows: Rows, bit: int) -> Codes:
    """Raters are asked for harm categories where they call a response unsafe."""
    asked = (rows["safety"] != UNANSWERED) & are_unsafe(rows) & (rows["categories"] != UNKNOWN)
    return np.where(asked, rows["categories"] >> bit & 1, MISSING)


def of_categories(answers: Answers) -> tuple[Question, ...]:
    """Was it seen in the response: a question for each harm category that anybody saw."""
    return tuple(
        Question(f"category {name}", "response", "nominal", NO_YES, partial(_saw, bit=bit))
        for bit, name in enumerate(answers.categories)
    )


def first_answers(answers: Answers) -> dict[Unit, Rows]:
    """Each rater's first answer about each response and each pair."""
    return {
        "response": first_of_each(answers.of_responses, "response"),
        "pair": first_of_each(answers.of_pairs, "pair"),
    }


def asked(answers: Answers) -> tuple[tuple[Question, Ratings], ...]:
    """Every question with its ratings."""
    rows = first_answers(answers)
    questions = (*RESPONSE_QUESTIONS, *of_categories(answers), *ON_PAIRS)
    return tuple((question, question.ratings(rows[question.unit])) for question in questions)
