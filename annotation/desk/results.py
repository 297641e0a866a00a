"""The results page: a sentence, then figures, each with the table it was made from."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from annotation import access, tasks
from annotation.desk.filtering import filter_form
from annotation.desk.views import desk_page
from annotation.desk.words import count, duration
from annotation.errors import BadFilter
from annotation.models import Judgment, Report, Run, Snapshot
from annotation.printing.sections import sections_of
from annotation.printing.sentences import headline
from annotation.reports.filters import Filters
from annotation.reports.progress import missing_worker
from annotation.reports.results import Results
from annotation.reports.stored import Kept, long_tables, read_results

JUST_NOW = timedelta(seconds=5)
MOST_NEWER = 10_000
"""Judgments that are counted while somebody waits."""
QUEUE_IS_DOWN = "The queue does not answer. The results are made when it is back."


@dataclass(frozen=True)
class Age:
    """What stands above the results: how old they are, what is newer, and what is being done about it."""

    made: str
    newer: str
    making: bool
    waits_for: str
    failure: str


@desk_page
@require_safe
def results(request: HttpRequest, slug: str) -> HttpResponse:
    """What was kept of the results that the address names; a worker is asked for what is missing or old."""
    study = access.study_for(request.user, slug)
    try:
        filters = Filters.from_query(request.GET)
    except BadFilter as error:
        messages.error(request, f"{error} All answers are shown.")
        return redirect("desk:results", slug)
    number = request.GET.get("snapshot", "")
    snapshot = access.snapshot_numbered(request.user, study, number) if number else None
    kept, told = tasks.look_at_results(study, filters, snapshot, request.user)
    context = {
        "study": study,
        "here": "results",
        "snapshot": snapshot,
        "missing_worker": missing_worker(Run.objects.filter(study=study)),
        "filters": filter_form(study, filters),
        "query": request.GET.urlencode(),
        "age": age_of(kept, told, snapshot),
        **(_shown(kept.report, read_results(kept.report)) if kept.report else {"is_made": False}),
    }
    return render(request, "desk/results.html", context)


def _shown(report: Report, found: Results) -> dict:
    counts = found.about["counts"]
    return {
        "is_made": True,
        "is_empty": not (counts["pair_judgments"] or counts["response_judgments"]),
        "about": found.about,
        "headlines": [headline(line) for line in found.headlines],
        "sections": sections_of(found.tables),
        "only_as_files": long_tables(report),
    }


def age_of(kept: Kept, told: bool, snapshot: Snapshot | None) -> Age:
    """One query where the data moved on."""
    return Age(
        made=_made(kept),
        newer=_newer(kept) if kept.moved and snapshot is None else "",
        making=kept.unfinished is not None,
        waits_for=kept.missing_worker or ("" if told else QUEUE_IS_DOWN),
        failure=kept.failure,
    )


def _made(kept: Kept) -> str:
    """Made 3 min ago; "" where nothing was made yet."""
    age = kept.age(timezone.now())
    if age is None:
        return ""
    return "Made just now" if age < JUST_NOW else f"Made {duration(age.total_seconds())} ago"


def _newer(kept: Kept) -> str:
    """How many judgments came since the data were read; corrections count too."""
    newer = Judgment.objects.filter(study=kept.report.study_id, created_at__gte=kept.report.started_at)
    found = newer.order_by()[: MOST_NEWER + 1].count()
    if not found:
        return "something else in the study changed since"
    if found > MOST_NEWER:
        return f"more than {count(MOST_NEWER, 'judgment')} are newer"
    return f"{count(found, 'judgment')} {'is' if found == 1 else 'are'} newer"
