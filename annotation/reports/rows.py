"""The answers that count, as NumPy tables: one query each, however many judgments there are.

Words are kept as their places in the domain's lists: as text they would take nine tenths of the memory.
"""

from collections.abc import Collection
from functools import cached_property

import numpy as np
from django.db.models import Case, F, QuerySet, TextChoices, Value, When
from django.db.models.functions import Coalesce
from numpy.typing import NDArray

from annotation.models import Judgment, ResponseJudgment, Study
from annotation.vocabulary import Intent, ResponseMode, SafetyLevel, Severity

Rows = NDArray[np.void]
"""A structured array: `rows["arm"]` is a column, `rows[mask]` are some of the rows."""

UNANSWERED = 9
"""Stands for a missing answer in a table; on no scale of the domain, and nobody's place in a list."""

RESPONSE_ROW = np.dtype(
    [
        ("rater", "i8"),
        ("response", "i8"),
        ("prompt", "i8"),
        ("arm", "i8"),
        ("intent", "i1"),
        ("safety", "i1"),
        ("severity", "i1"),
        ("helpfulness", "i1"),
        ("mode", "i1"),
    ]
)
PAIR_ROW = np.dtype(
    [
        ("rater", "i8"),
        ("pair", "i8"),
        ("prompt", "i8"),
        ("arm_a", "i8"),
        ("arm_b", "i8"),
        ("safer", "i1"),
        ("more_helpful", "i1"),
        ("balance", "i1"),
        ("both_bad", "?"),
    ]
)
UNSAFE_PLACES = [level.rank for level in SafetyLevel if level.counts_as_unsafe]

IN_ORDER = (F("judgment__assignment__submitted_at").asc(nulls_first=True), "judgment_id", "pk")
"""A correction keeps the place of what it corrects; imported judgments come first."""


class Answers:
    """A study's two tables, each read when first asked for, so that the reports of one page share them.

    With `raters` (primary keys), only what anybody answered about what these raters judged.
    """

    def __init__(self, study: Study, raters: Collection[int] | None = None) -> None:
        self._study, self._raters = study, raters

    @cached_property
    def of_responses(self) -> Rows:
        return response_rows(self._study, self._raters)

    @cached_property
    def of_pairs(self) -> Rows:
        return pair_rows(self._study, self._raters)


def counting(study: Study) -> QuerySet[Judgment]:
    """The study's judgments that count: current revisions, without surplus."""
    return Judgment.objects.that_count().filter(study=study)


def response_rows(study: Study, raters: Collection[int] | None = None) -> Rows:
    """A RESPONSE_ROW for each judged response of each judgment, in the order they were first given.

    Words are their `place`; UNANSWERED stands for what an imported row does not answer.
    """
    rows = ResponseJudgment.objects.that_count().filter(judgment__study=study)
    if raters is not None:
        theirs = ResponseJudgment.objects.filter(judgment__enrolment__in=raters, judgment__study=study)
        rows = rows.filter(response__in=theirs.order_by().values("response"))
    fields = (
        "judgment__enrolment_id",
        "response_id",
        "response__prompt_id",
        "response__arm_id",
        _places("response__prompt__intent", Intent),
        _places("safety", SafetyLevel),
        _places("severity", Severity),
        Coalesce("helpfulness", Value(UNANSWERED)),
        _places("mode", ResponseMode),
    )
    return np.fromiter(rows.order_by(*IN_ORDER).values_list(*fields).iterator(), dtype=RESPONSE_ROW)


def pair_rows(study: Study, raters: Collection[int] | None = None) -> Rows:
    """A PAIR_ROW for each judgment of a pair; answers on the arms' side.

    UNANSWERED stands for a missing answer, also for the balance where both responses were bad.
    """
    rows = counting(study).filter(pair__isnull=False).order_by("pk")
    if raters is not None:
        theirs = Judgment.objects.filter(enrolment__in=raters, study=study)
        rows = rows.filter(pair__in=theirs.order_by().values("pair"))
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


def _places(field: str, scale: type[TextChoices]) -> Case:
    """The column as the place of its word in `scale`, UNANSWERED where it is empty."""
    words = (When(**{field: word}, then=Value(place(scale, word))) for word in scale.values)
    return Case(*words, default=Value(UNANSWERED))


def place(scale: type[TextChoices], word: str) -> int:
    """Where the word stands in its list; on an ordered scale this is its rank."""
    return scale.values.index(word)


def are_unsafe(rows: Rows) -> NDArray[np.bool_]:
    """Which of the rows that answer for safety call the response unsafe."""
    return np.isin(rows["safety"], UNSAFE_PLACES)


def first_of_each(rows: Rows, item: str) -> Rows:
    """The first row of each rater and item: with three arms a rater meets a response in several pairs."""
    keys = rows["rater"] * (rows[item].max(initial=0) + 1) + rows[item]
    _, first = np.unique(keys, return_index=True)
    return rows[np.sort(first)]
