"""Snapshots: frozen here or by a worker, watched, stopped, and fetched with their reports."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from annotation import access, tasks
from annotation.actions import freezing
from annotation.actions.printing import made_reports, report_file
from annotation.actions.snapshots import freeze_snapshot
from annotation.desk.archives import sent_archive
from annotation.desk.views import QUEUE_IS_DOWN, desk_page
from annotation.downloads import download
from annotation.errors import DomainError
from annotation.models import Study
from annotation.reports.freezing import freezing_progress
from annotation.reports.progress import reports_asked
from annotation.reports.rows import counting


@desk_page
@require_safe
@vary_on_headers("HX-Request")
def snapshots(request: HttpRequest, slug: str) -> HttpResponse:
    """The list; while a freezing is under way, htmx asks for the fragment again and again."""
    study = access.study_for(request.user, slug)
    snapshots, reports = study.snapshots.select_related("study", "created_by"), reports_asked(study)
    context = {
        "study": study,
        "here": "snapshots",
        "snapshots": [(found, made_reports(found), reports.get(found.number)) for found in snapshots],
        "freezing": freezing_progress(study),
    }
    return render(request, f"desk/{'_snapshots' if request.htmx else 'snapshots'}.html", context)


@desk_page
@require_POST
def freeze(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    try:
        _freeze(request, study)
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("desk:snapshots", slug)


def _freeze(request: HttpRequest, study: Study) -> None:
    if counting(study).count() > freezing.AT_ONCE:
        _have_frozen(request, study)
    else:
        snapshot = freeze_snapshot(study, request.user)
        messages.success(request, f"Snapshot {snapshot.number} is frozen.")


def _have_frozen(request: HttpRequest, study: Study) -> None:
    asked, is_new = freezing.ask(study, request.user)
    if not is_new:
        messages.info(request, "A snapshot is being frozen already.")
    elif not tasks.sent(tasks.freeze_snapshot.delay, asked.pk):
        messages.warning(request, QUEUE_IS_DOWN)


@desk_page
@require_POST
def stop_freezing(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    study = access.study_for(request.user, slug)
    try:
        freezing.stop(access.freezing_in(study, number), request.user)
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("desk:snapshots", slug)


# Files ------------------------------------------------------------------------------------------------


@desk_page
@require_safe
def snapshot(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """The snapshot's files as one ZIP archive."""
    found = access.snapshot_for(request.user, slug, number)
    return sent_archive(request, found.study, found, reverse("desk:snapshots", args=[slug]))


@desk_page
@require_safe
def snapshot_file(request: HttpRequest, slug: str, number: int, name: str) -> HttpResponseBase:
    """One file of a snapshot."""
    snapshot = access.snapshot_for(request.user, slug, number)
    path = access.snapshot_file(snapshot, name)
    called = f"{slug}-snapshot-{number}-{path.name}"
    return download(request, path, called, access.digest_of(path, snapshot.manifest))


@desk_page
@require_POST
def ask_report(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Have a worker make the report of a snapshot: it takes longer than somebody waits."""
    tasks.ask_for_report(access.snapshot_for(request.user, slug, number), request.user)
    return redirect("desk:snapshots", slug)


@desk_page
@require_GET
def report(request: HttpRequest, slug: str, number: int, kind: str) -> FileResponse:
    """The report of a snapshot, as a file to keep."""
    snapshot = access.snapshot_for(request.user, slug, number)
    if kind not in made_reports(snapshot):
        raise Http404(f"The report of snapshot {number} was not made yet, or not as “{kind}”.")
    name = f"{slug}-snapshot-{number}-report.{kind}"
    return FileResponse(report_file(snapshot, kind).open("rb"), as_attachment=True, filename=name)
