"""The pages of the automatic grader: start it, watch it, read what it said beside what people said."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from annotation import access, tasks
from annotation.actions import grading as grading_actions
from annotation.desk import words
from annotation.desk.forms import GradingForm
from annotation.desk.views import desk_page, tell_workers
from annotation.errors import DomainError
from annotation.models import Grading, Study
from annotation.reports.grades import (
    GradeRow,
    GradesReport,
    failed_grades,
    grades_report,
    grading_in,
    grading_progress,
    missing_grader,
)
from annotation.stats.estimate import Estimate
from annotation.vocabulary import Intent, KeepRule

FAILURES_SHOWN = 20


@dataclass(frozen=True)
class GradeLine:
    """A row of the table: for r, s and h a value and its interval, as text."""

    intent: str
    arm: str
    cells: tuple[tuple[str, str], ...]
    n: int
    few: bool


def grade_lines(report: GradesReport) -> list[GradeLine]:
    """The rows that have any response."""
    return [_line(row) for row in report.rows if row.s.n]


def _line(row: GradeRow) -> GradeLine:
    intent = Intent(row.intent).label if row.intent else "All intents"
    return GradeLine(intent, row.arm, tuple(map(_cell, (row.r, row.s, row.h))), row.s.n, row.few)


def _cell(estimate: Estimate) -> tuple[str, str]:
    return words.decimal(estimate.value), words.decimal_interval(estimate)


def _page(request: HttpRequest, template: str, study: Study, missing: str, **context) -> HttpResponse:
    frame = {"study": study, "missing_worker": missing, "here": "grading"}
    return render(request, f"desk/{template}.html", {**frame, **context})


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def gradings(request: HttpRequest, slug: str) -> HttpResponse:
    """The study's gradings; POST starts one, or lets one with the same settings grade what is new."""
    study = access.study_for(request.user, slug)
    form = GradingForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and (found := _start(request, study, form)):
        return redirect("desk:grading", slug, found.pk)
    lines = [
        (found, words.grading_sentence(grading_progress(found))) for found in study.gradings.numbered()[:20]
    ]
    return _page(
        request,
        "gradings",
        study,
        missing_grader(study),
        form=form,
        gradings=lines,
        has_guideline=study.guidelines.exists(),
    )


def _start(request: HttpRequest, study: Study, form: GradingForm) -> Grading | None:
    """The started grading; None, with the reason in the form, where it is refused."""
    asked = form.cleaned_data
    try:
        found = grading_actions.start_grading(
            study, form.judge, asked["policy_given"], asked["repeats"], asked["keep"], request.user
        )
    except DomainError as error:
        form.add_error(None, str(error))
        return None
    tell_workers(request, tasks.hint_grading, found)
    return found


@desk_page
@require_safe
@vary_on_headers("HX-Request")
def grading(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One grading; `?keep=min` or `mean` reads its grades by that rule instead of its own."""
    study = access.study_for(request.user, slug)
    found = grading_in(study, pk)
    keep = request.GET.get("keep", "")
    report = grades_report(found, keep if keep in KeepRule.values else "")
    progress = grading_progress(found)
    missing = "" if progress.is_finished else missing_grader(study)
    context = {
        "grading": found,
        "progress": progress,
        "sentence": words.grading_sentence(progress, bool(missing)),
        "report": report,
        "lines": grade_lines(report),
        "rules": KeepRule.choices,
        "failures": failed_grades(found, FAILURES_SHOWN) if progress.failed else (),
    }
    return _page(request, "_grading" if request.htmx else "grading", study, missing, **context)


@desk_page
@require_POST
def control_grading(request: HttpRequest, slug: str, pk: int, control: str) -> HttpResponse:
    """Pause, resume or discard: see `grading.CONTROLS`."""
    found = grading_in(access.study_for(request.user, slug), pk)
    number = found.number
    if control not in grading_actions.CONTROLS:
        raise Http404("There is no such control.")
    try:
        grading_actions.CONTROLS[control](found, request.user)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        if control == "discard":
            messages.success(request, f"Grading {number} was discarded.")
            return redirect("desk:gradings", slug)
        if control == "resume":
            tell_workers(request, tasks.hint_grading, found)
    return redirect("desk:grading", slug, pk)
