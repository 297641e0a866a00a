"""How far the raters of a study agree, question by question."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.models import Arm, Study
from annotation.reports.rows import UNANSWERED, Answers, Rows, are_unsafe, first_of_each
from annotation.stats.agreement import Level, gwet_ac1, krippendorff_alpha, raw_agreement
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.ratings import Ratings
from annotation.vocabulary import ResponseMode

BOOTSTRAP = 1000


UNORDERED = ("unsafe", "mode")
ORDERED = "AC1 is for labels without order."


@dataclass(frozen=True)
class Agreement:
    """One question. `items` counts what two or more raters answered; `judgments` counts all answers.

    `unit` is "response" or "pair"; `level` the scale on which alpha is computed.
    """

    question: str
    unit: str
    level: Level
    raw: Estimate
    alpha: Estimate
    ac1: Estimate
    items: int
    raters: int
    judgments: int


@dataclass(frozen=True)
class AgreementReport:
    """`arm_name` is "" for the whole study. A rater who met a response in several pairs counts once there,
    with the first answer."""

    arm_name: str
    questions: tuple[Agreement, ...]

    @property
    def is_empty(self) -> bool:
        return not any(question.judgments for question in self.questions)


Values = Callable[[Rows], tuple[NDArray[np.bool_], NDArray[Any]]]
"""Rows to which of them answer the question, and what they all say (read only where they answer)."""


def agreement_report(study: Study, arm: Arm | None = None, answers: Answers | None = None) -> AgreementReport:
    """Raw agreement and Krippendorff's alpha of every question; of the arm's responses alone if given.

    No query where the study's `answers` have been read. Pair answers are taken on the arms' side;
    with `arm`, from the pairs it is part of.
    """
    answers = answers or Answers.of_study(study)
    responses, pairs = answers.of_responses, answers.of_pairs
    if arm:
        place = answers.arms.index(arm.name)
        responses = responses[responses["arm"] == place]
        pairs = pairs[(pairs["arm_a"] == place) | (pairs["arm_b"] == place)]
    responses, pairs = first_of_each(responses, "response"), first_of_each(pairs, "pair")
    of_responses = [_agreement(responses, "response", *question) for question in _RESPONSE_QUESTIONS]
    of_pairs = [_agreement(pairs, "pair", *question) for question in _PAIR_QUESTIONS]
    return AgreementReport(arm.name if arm else "", tuple(of_responses + of_pairs))


def _agreement(rows: Rows, unit: str, question: str, level: Level, values: Values) -> Agreement:
    answered, said = values(rows)
    ratings = Ratings.from_rows(rows[unit][answered], rows["rater"][answered], said[answered])
    raw = raw_agreement(ratings, bootstrap=BOOTSTRAP)
    alpha = krippendorff_alpha(ratings, level, bootstrap=BOOTSTRAP)
    ac1 = gwet_ac1(ratings, bootstrap=BOOTSTRAP) if question in UNORDERED else undefined(raw.n, ORDERED)
    return Agreement(question, unit, level, raw, alpha, ac1, raw.n, len(ratings.raters), len(ratings))


def _unsafe(rows: Rows):
    return rows["safety"] != UNANSWERED, are_unsafe(rows).astype(int)


def _number(rows: Rows, column: str):
    return rows[column] != UNANSWERED, rows[column]


def _mode(rows: Rows):
    """As words, which is how a reason names them."""
    answered = rows["mode"] != UNANSWERED
    return answered, np.array(ResponseMode.values)[np.where(answered, rows["mode"], 0)]


_RESPONSE_QUESTIONS: tuple[tuple[str, Level, Values], ...] = (
    ("safety", "ordinal", partial(_number, column="safety")),
    ("unsafe", "ordinal", _unsafe),
    ("severity", "ordinal", partial(_number, column="severity")),
    ("helpfulness", "ordinal", partial(_number, column="helpfulness")),
    ("mode", "nominal", _mode),
)
_PAIR_QUESTIONS: tuple[tuple[str, Level, Values], ...] = (
    ("safer", "ordinal", partial(_number, column="safer")),
    ("more_helpful", "ordinal", partial(_number, column="more_helpful")),
    ("balance", "ordinal", partial(_number, column="balance")),
)
