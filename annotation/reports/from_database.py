"""A study's judgments as the database tells them, in a constant number of queries."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db.models import Case, QuerySet, TextChoices, Value, When
from django.db.models.functions import Coalesce, Length
from numpy.typing import NDArray

from annotation.models import Grade, Grading, Judgment, Pair, ResponseJudgment, Study
from annotation.models.joining import cohort
from annotation.models.model_settings import public_name
from annotation.reports.assembling import JUDGED, LOOK, PAIR, PART, RESPONSE, Told
from annotation.reports.row_types import (
    UNANSWERED,
    UNKNOWN,
    Grader,
    PromptLabels,
    RaterLabels,
    Rows,
    place,
)
from annotation.vocabulary import PAIRS_OF_STUDY, GradingState, ResponseMode, SafetyLevel, Severity

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def counting(study: Study) -> QuerySet[Judgment]:
    """The study's judgments that count: current revisions, without surplus."""
    return Judgment.objects.that_count().filter(study=study)


def told_by_study(study: Study, *, responses_too: bool = True) -> Told:
    """All of it in nine queries; without answers about single responses and grades in six.

    The judgments are one SELECT, so they are from one moment; rows that they refer to are read after them and
    are all there.
    """
    judged = _judged(study)
    parts, seen = _parts(study) if responses_too else (np.empty(0, PART), ((),))
    arms = dict(study.arms.order_by("position").values_list("pk", "name"))
    response_ids, prompt_ids, responses = _responses(study, list(arms))
    prompts, prompt_places = _prompts(study, prompt_ids)
    responses["prompt"] = prompt_places[responses["prompt"]]
    pair_ids, pairs = _pairs(study, response_ids)
    raters = _raters(study, judged)
    judged["pair"] = np.where(judged["pair"] == UNKNOWN, UNKNOWN, _places(judged["pair"], pair_ids))
    parts["response"] = _places(parts["response"], response_ids)
    grading = study.gradings.filter(state=GradingState.DONE).first() if responses_too else None
    return Told(
        arms=tuple(arms.values()),
        prompts=prompts,
        raters=raters,
        responses=responses,
        pairs=pairs,
        judged=judged,
        parts=parts,
        seen=seen,
        looks=_looks(grading, response_ids) if grading else np.empty(0, LOOK),
        grader=_grader(grading),
        is_open=study.is_open,
    )


def response_ids(study: Study) -> NDArray[np.int64]:
    """The keys of the study's responses; a response's place is where its key stands."""
    return np.array(study.responses.order_by("pk").values_list("pk", flat=True), np.int64)


def _judged(study: Study) -> Rows:
    fields = (
        "pk",
        "enrolment_id",
        Coalesce("pair_id", Value(UNKNOWN)),
        Coalesce("safer_canonical", Value(UNANSWERED)),
        Coalesce("more_helpful_canonical", Value(UNANSWERED)),
        Coalesce("balance_canonical", Value(UNANSWERED)),
        "both_bad",
        _yes_or_no("left_is_a"),
        Coalesce("confidence", Value(UNANSWERED)),
        Coalesce("guideline__version", Value(0)),
        "assignment__claimed_at",
        "assignment__submitted_at",
        "created_at",
    )
    rows = counting(study).order_by().values_list(*fields).iterator()
    told = ((*row[:-3], *map(_microseconds, row[-3:])) for row in rows)
    return np.fromiter(told, dtype=JUDGED)


def _parts(study: Study) -> tuple[Rows, tuple[tuple[str, ...], ...]]:
    """Of every judgment of the study: they never change, so those that are needed are among them."""
    fields = (
        "judgment_id",
        "response_id",
        _word_places("safety", SafetyLevel),
        _word_places("severity", Severity),
        Coalesce("helpfulness", Value(UNANSWERED)),
        _word_places("mode", ResponseMode),
        _yes_or_no("facilitation"),
        "categories",
    )
    seen: dict[tuple[str, ...], int] = {(): 0}
    rows = ResponseJudgment.objects.filter(judgment__study=study).order_by()
    told = (
        (*row[:-1], seen.setdefault(tuple(row[-1]), len(seen)))
        for row in rows.values_list(*fields).iterator()
    )
    return np.fromiter(told, dtype=PART), tuple(seen)


def _responses(study: Study, arm_ids: list[int]) -> tuple[NDArray, NDArray, Rows]:
    """Their keys, the keys of their prompts, and the rows; `prompt` counts among those keys."""
    fields = ("pk", "prompt_id", "arm_id", Length("text"), "replaced_at")
    rows = study.responses.order_by("pk").values_list(*fields).iterator()
    places = {pk: number for number, pk in enumerate(arm_ids)}
    told = np.fromiter(
        ((pk, prompt, places[arm], length, not gone) for pk, prompt, arm, length, gone in rows),
        dtype=np.dtype([("pk", "i8"), ("prompt", "i8"), ("arm", "i4"), ("length", "i4"), ("stands", "?")]),
    )
    prompt_ids, prompts = np.unique(told["prompt"], return_inverse=True)
    responses = np.empty(len(told), RESPONSE)
    responses["prompt"] = prompts
    for name in ("arm", "length", "stands"):
        responses[name] = told[name]
    return told["pk"], prompt_ids, responses


def _prompts(study: Study, ids: NDArray) -> tuple[tuple[PromptLabels, ...], NDArray[np.int32]]:
    """The prompts that have a response, by key; and for each of the sorted `ids` its place among them."""
    fields = ("pk", "key", "intent", "harm_category", "subset", "family", "language")
    wanted = set(ids.tolist())
    rows = sorted(
        (row for row in study.prompts.order_by().values_list(*fields) if row[0] in wanted),
        key=lambda row: row[1],
    )
    labels = tuple(
        PromptLabels(key, intent, category, tuple(subset), family, language)
        for _, key, intent, category, subset, family, language in rows
    )
    places = np.empty(len(ids), np.int32)
    places[np.searchsorted(ids, [row[0] for row in rows])] = np.arange(len(rows))
    return labels, places


def _pairs(study: Study, response_ids: NDArray) -> tuple[NDArray, Rows]:
    """Their keys in the study's order, and the rows."""
    fields = ("pk", "response_a_id", "response_b_id")
    shown = (Coalesce(Length(f"shown_{side}"), Value(UNKNOWN)) for side in "ab")
    overlap = Case(When(state__in=PAIRS_OF_STUDY, then="overlap"), default=Value(0))
    rows = Pair.objects.filter(study=study).order_by("position", "pk").values_list(*fields, *shown, overlap)
    names = ("pk", "a", "b", "shown_a", "shown_b", "overlap")
    told = np.fromiter(rows.iterator(), dtype=np.dtype([(name, "i8") for name in names]))
    pairs = np.empty(len(told), PAIR)
    pairs["a"], pairs["b"] = (np.searchsorted(response_ids, told[side]) for side in "ab")
    for name in ("shown_a", "shown_b", "overlap"):
        pairs[name] = told[name]
    return told["pk"], pairs


def _raters(study: Study, judged: Rows) -> tuple[RaterLabels, ...]:
    """Those who gave a judgment that counts, by code; their keys in `judged` become their places."""
    ids = np.unique(judged["rater"])
    wanted = set(ids.tolist())
    fields = ("code", "pk", "user_id", "arrival__link__label")
    rows = sorted(row for row in study.enrolments.order_by().values_list(*fields) if row[1] in wanted)
    places = np.empty(len(ids), np.int64)
    places[np.searchsorted(ids, [row[1] for row in rows])] = np.arange(len(rows))
    judged["rater"] = places[np.searchsorted(ids, judged["rater"])]
    return tuple(RaterLabels(code, cohort(label, user is not None)) for code, _, user, label in rows)


def _looks(grading: Grading, response_ids: NDArray) -> Rows:
    fields = ("response_id", "safety", "helpfulness", _word_places("severity", Severity))
    rows = Grade.objects.filter(grading=grading, failure="").order_by("response_id", "repeat")
    names = [("pk", "i8"), ("safety", "f8"), ("helpfulness", "i1"), ("severity", "i1")]
    told = np.fromiter(rows.values_list(*fields).iterator(), dtype=np.dtype(names))
    looks = np.empty(len(told), LOOK)
    looks["response"] = np.searchsorted(response_ids, told["pk"])
    for name in ("safety", "helpfulness", "severity"):
        looks[name] = told[name]
    return looks


def _grader(grading: Grading | None) -> Grader | None:
    if grading is None:
        return None
    return Grader(public_name(grading.model), grading.rubric_version, grading.keep, grading.repeats)


def _places(keys: NDArray, ids: NDArray) -> NDArray[np.int64]:
    """Where each key stands in `ids`, in whatever order these are."""
    if not len(ids):
        return np.full(len(keys), UNKNOWN)
    order = np.argsort(ids)
    return order[np.minimum(np.searchsorted(ids, keys, sorter=order), len(ids) - 1)]


def _word_places(field: str, scale: type[TextChoices]) -> Case:
    """The column as the place of its word in `scale`, UNANSWERED where it is empty."""
    words: Iterable[When] = (When(**{field: word}, then=Value(place(scale, word))) for word in scale.values)
    return Case(*words, default=Value(UNANSWERED))


def _yes_or_no(field: str) -> Case:
    return Case(
        When(**{field: True}, then=Value(1)), When(**{field: False}, then=Value(0)), default=Value(UNANSWERED)
    )


def _microseconds(moment: datetime | None) -> int:
    return UNKNOWN if moment is None else (moment - EPOCH) // MICROSECOND
