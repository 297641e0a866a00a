"""What a rater has met of each harm category: for the rater, and for the day's limit that a study sets."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from annotation.models import Assignment, Enrolment
from annotation.vocabulary import HarmCategory

WINDOW = timedelta(hours=24)


@dataclass(frozen=True)
class Met:
    """How many pairs of one category the rater was shown. `label` is "" for prompts without a category."""

    label: str
    recently: int
    in_all: int


@dataclass(frozen=True)
class ExposureReport:
    """`recently` counts the last 24 hours; `left` of the study's limit is None where there is no limit."""

    rows: tuple[Met, ...]
    recently: int
    limit: int | None
    left: int | None
    again_at: datetime | None


def exposure_report(rater: Enrolment, at: datetime) -> ExposureReport:
    """All that was shown to the rater in the study, whether they judged it or gave it back."""
    recent = Q(claimed_at__gt=at - WINDOW)
    counted = rater.assignments.values_list("pair__prompt__harm_category").order_by()
    rows = counted.annotate(recently=Count("pk", filter=recent), in_all=Count("pk"))
    met = sorted((Met(label_of(name), *counts) for name, *counts in rows), key=lambda row: -row.in_all)
    limit = _limit(rater)
    left = None if limit is None else max(limit - _sensitive(rater, at).count(), 0)
    return ExposureReport(
        tuple(met), sum(row.recently for row in met), limit, left, exposure_again_at(rater, at)
    )


def label_of(category: str) -> str:
    """A harm category in words; a study's own categories are words already."""
    return HarmCategory(category).label if category in HarmCategory.values else category


def beyond_exposure(rater: Enrolment, at: datetime) -> list[str]:
    """The categories that the rater has met enough of for now. No query where the study sets no limit."""
    limit = _limit(rater)
    if limit is None or _sensitive(rater, at).count() < limit:
        return []
    return rater.study.blurred_categories


def exposure_again_at(rater: Enrolment, at: datetime) -> datetime | None:
    """When the rater gets blurred categories again; None where nothing keeps them from it."""
    limit = _limit(rater)
    if limit is None:
        return None
    times = _sensitive(rater, at).order_by("-claimed_at").values_list("claimed_at", flat=True)
    last = list(times[limit - 1 : limit])
    return last[0] + WINDOW if last else None


def _limit(rater: Enrolment) -> int | None:
    return rater.study.exposure_per_day if rater.study.blurred_categories else None


def _sensitive(rater: Enrolment, at: datetime) -> QuerySet[Assignment]:
    categories = rater.study.blurred_categories
    return rater.assignments.filter(claimed_at__gt=at - WINDOW, pair__prompt__harm_category__in=categories)
