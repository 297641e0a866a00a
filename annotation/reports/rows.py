"""The answers that count, as NumPy tables: one query each, however many judgments there are."""

import numpy as np
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce
from numpy.typing import NDArray

from annotation.models import Judgment, ResponseJudgment, Study

Rows = NDArray[np.void]
"""A structured array: `rows["arm"]` is a column, `rows[mask]` are some of the rows."""

UNANSWERED = 9
"""Stands for a missing number in a table; on no scale of the domain."""

RESPONSE_ROW = np.dtype(
    [
        ("rater", "i8"),
        ("response", "i8"),
        ("prompt", "i8"),
        ("arm", "i8"),
        ("intent", "U10"),
        ("safety", "U20"),
        ("severity", "U20"),
        ("helpfulness", "i8"),
        ("mode", "U30"),
    ]
)
PAIR_ROW = np.dtype(
    [
        ("rater", "i8"),
        ("pair", "i8"),
        ("prompt", "i8"),
        ("arm_a", "i8"),
        ("arm_b", "i8"),
        ("safer", "i8"),
        ("more_helpful", "i8"),
        ("balance", "i8"),
        ("both_bad", "?"),
    ]
)


IN_ORDER = (F("judgment__assignment__submitted_at").asc(nulls_first=True), "judgment_id", "pk")
"""A correction keeps the place of what it corrects; imported judgments come first."""


def counting(study: Study) -> QuerySet[Judgment]:
    """The study's judgments that count: current revisions, without surplus."""
    return Judgment.objects.that_count().filter(study=study)


def response_rows(study: Study) -> Rows:
    """A RESPONSE_ROW for each judged response of each judgment, in the order they were first given.

    "" and UNANSWERED stand for what an imported row does not answer.
    """
    rows = ResponseJudgment.objects.that_count().filter(judgment__study=study)
    fields = (
        "judgment__enrolment_id",
        "response_id",
        "response__prompt_id",
        "response__arm_id",
        "response__prompt__intent",
        "safety",
        "severity",
        Coalesce("helpfulness", Value(UNANSWERED)),
        "mode",
    )
    return np.fromiter(rows.order_by(*IN_ORDER).values_list(*fields).iterator(), dtype=RESPONSE_ROW)


def pair_rows(study: Study) -> Rows:
    """A PAIR_ROW for each judgment of a pair, in the order they were given; answers on the arms' side.

    UNANSWERED stands for a missing answer, also for the balance where both responses were bad.
    """
    rows = counting(study).filter(pair__isnull=False).order_by("pk")
    fields = (
        "enrolment_id",
        "pair_id",
        "pair__prompt_id",
        "pair__response_a__arm_id",
        "pair__response_b__arm_id",
        Coalesce("safer_canonical", Value(UNANSWERED)),
        Coalesce("more_helpful_canonical", Value(UNANSWERED)),
        Coalesce("balance_canonical", Value(UNANSWERED)),
        "both_bad",
    )
    return np.fromiter(rows.values_list(*fields).iterator(), dtype=PAIR_ROW)


def first_of_each(rows: Rows, item: str) -> Rows:
    """The first row of each rater and item: with three arms a rater meets a response in several pairs."""
    keys = rows["rater"] * (rows[item].max(initial=0) + 1) + rows[item]
    _, first = np.unique(keys, return_index=True)
    return rows[np.sort(first)]
