"""Files come in from the desk: uploaded, looked at, their columns said, then taken in by a worker."""

import csv
from collections.abc import Iterator
from io import StringIO

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.files.uploadhandler import FileUploadHandler, StopUpload, TemporaryFileUploadHandler
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from annotation import access, tasks
from annotation.actions.imports import jobs
from annotation.actions.imports.files import unit_of
from annotation.actions.imports.formats import TITLES
from annotation.actions.imports.preview import Preview, preview
from annotation.desk.views import QUEUE_IS_DOWN, desk_page, rendered
from annotation.errors import DomainError, ImportRefused
from annotation.models import FileImport, Study
from annotation.reports.table_files import defused
from annotation.text import spelt_out
from annotation.vocabulary import BatchState

LISTED = 30
SHOWN_PROBLEMS = 50
CONTROLS = {"start": jobs.start, "stop": jobs.stop, "discard": jobs.discard}


class UploadForm(forms.Form):
    file = forms.FileField(
        label="File (.jsonl, .json, .csv or .parquet, each also .gz)",
        widget=forms.ClearableFileInput(
            attrs={
                "accept": ".jsonl,.ndjson,.json,.csv,.parquet,.gz,application/gzip,application/json,text/csv"
            }
        ),
    )


class LimitedUpload(FileUploadHandler):
    """Stops an upload whose files together grow beyond the limit, so that no disk fills up."""

    def __init__(self, request=None):
        super().__init__(request)
        self.received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > settings.IMPORT_MOST_UPLOADED:
            self.request.is_too_large = True
            raise StopUpload
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


def limited(view):
    """The view with uploads bounded: before its body is read for the token, but after the log-in."""

    def page(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        request.upload_handlers = [LimitedUpload(request), TemporaryFileUploadHandler(request)]
        return csrf_protect(view)(request, *args, **kwargs)

    return page


@csrf_exempt  # `limited` checks the token, once the body may be read
@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
@limited
def imports(request: HttpRequest, slug: str) -> HttpResponse:
    """The study's files, and the form that takes another."""
    study = access.study_for(request.user, slug)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if request.method == "POST" and (job := _received(request, study, form)):
        return redirect("desk:import", slug, job.pk)
    listed = study.file_imports.select_related("asked_by")[:LISTED]
    return rendered(
        request,
        "imports",
        study,
        form=form,
        listed=[(job, sentence(job)) for job in listed],
        most_mb=settings.IMPORT_MOST_UPLOADED // 1_000_000,
    )


def _received(request: HttpRequest, study: Study, form: UploadForm) -> FileImport | None:
    """The upload, kept; None with the reason in the form."""
    if getattr(request, "is_too_large", False):
        form.full_clean()  # what came of the form is no form
        form.errors.clear()
        form.add_error("file", str(jobs.too_large("The file")))
        return None
    if not form.is_valid():
        return None
    file = form.cleaned_data["file"]
    try:
        return jobs.receive(study, file.name, file.chunks(), request.user)
    except ImportRefused as error:
        lines = [f"{unit_of(file.name).capitalize()} {line}: {reason}" for line, reason in error.problems]
        form.add_error("file", spelt_out(" ".join([str(error), *lines])))
        return None


def sentence(job: FileImport) -> str:
    """Where the import stands."""
    new = f"{job.counts.get('new', 0):,} new"
    told = f"{job.rows_read:,} rows read, {new}"
    if job.counts.get("bad"):
        told += f", {job.counts['bad']:,} left out"
    return {
        BatchState.QUEUED: f"Waits for a worker: {told}.",
        BatchState.CLAIMED: f"Comes in: {told}.",
        BatchState.FAILED: f"Stopped by a failure: {told}.",
        BatchState.CANCELLED: f"Stopped: {told}." if job.started_at else "Not started: look at it first.",
        BatchState.DONE: f"Done: {told}.",
    }[BatchState(job.state)]


@desk_page
@require_safe
@vary_on_headers("HX-Request")
def one(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One file: before it begins what it would bring, then how far it is."""
    return _one(request, access.import_for(request.user, slug, pk))


def _one(request: HttpRequest, job: FileImport, error: str = "") -> HttpResponse:
    context = {"job": job, "sentence": sentence(job), "error": error, "counts": _counts(job)}
    context["unit"] = unit_of(job.name).capitalize()
    if request.htmx:
        return rendered(request, "_import", job.study, **context, problems=_first_problems(job))
    shown = None
    if job.waits_for_a_person and not job.rows_read:
        shown, why = _looked_at(job)
        context["error"] = error or why
    context |= {"preview": shown, "formats": TITLES.items(), "problems": _first_problems(job)}
    context["rules"] = "\n".join(job.rules)
    context["fields"] = _fields(job, shown) if shown else ()
    return rendered(request, "import", job.study, **context)


def _first_problems(job: FileImport):
    return job.problems.all()[:SHOWN_PROBLEMS]


def _counts(job: FileImport) -> list[tuple[str, int]]:
    names = {
        "new": "Rows that brought something",
        "already_there": "There already",
        "bad": "Left out",
        "new_prompts": "New prompts",
        "new_pairs": "New pairs",
        "new_judgments": "New judgments",
        "new_arms": "New arms",
        "new_raters": "New raters",
    }
    return [(words, job.counts.get(name, 0)) for name, words in names.items()]


def _looked_at(job: FileImport) -> tuple[Preview | None, str]:
    try:
        found = jobs.recognised(job)
        given = jobs.mapping_of(job, found)
        return preview(job.study, job.file, found, given, job.name, job.hide_raters), ""
    except DomainError as error:
        return None, spelt_out(str(error))


def _fields(job: FileImport, shown: Preview) -> list[dict]:
    """Each field with its column, or what is the same in every row."""
    said = [rule.partition("=") for rule in job.constants]
    constants = {name: value for name, _, value in said}
    return [
        {
            "name": name,
            "column": "" if name in constants else shown.sources.get(name, ""),
            "constant": constants.get(name, ""),
            "missing": name in shown.missing,
        }
        for name in shown.found.fields
    ]


@desk_page
@require_POST
def remap(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Read the file otherwise: in another format, or with other columns."""
    job = access.import_for(request.user, slug, pk)
    name = request.POST.get("format", "")
    try:
        # Another format has other fields: what was said about those of the one before is forgotten.
        said = _said(request, jobs.recognised(job).found) if name == job.format else ([], [], [])
        if not jobs.remap(job, name, *said, bool(request.POST.get("hide_raters"))):
            messages.error(request, "The file has begun to come in, so it is read as it was.")
    except DomainError as error:
        return _one(request, job, spelt_out(str(error)))
    return redirect("desk:import", slug, pk)


def _said(request: HttpRequest, found: tuple[str, ...]) -> tuple[list[str], list[str], list[str]]:
    """What the form says of columns (by their numbers), values and constants, as a mapping's options."""
    constants = _given(request, "set-")
    columns = {
        name: found[int(number[:6])]
        for name, number in _given(request, "column-").items()
        if name not in constants and number.isascii() and number.isdigit() and int(number[:6]) < len(found)
    }
    rules = [rule.strip() for rule in request.POST.get("rules", "").splitlines() if rule.strip()]
    return _options(columns), rules, _options(constants)


def _given(request: HttpRequest, prefix: str) -> dict[str, str]:
    given = {key.removeprefix(prefix): value for key, value in request.POST.items() if key.startswith(prefix)}
    return {name: value for name, value in given.items() if value.strip()}


def _options(given: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in given.items()]


@desk_page
@require_POST
def control(request: HttpRequest, slug: str, pk: int, control: str) -> HttpResponse:
    """Start, stop, go on or discard."""
    job = access.import_for(request.user, slug, pk)
    if control not in CONTROLS:
        raise Http404("There is no such control.")
    done = CONTROLS[control](job, request.user)
    if control == "start" and done and not tasks.sent(tasks.import_file.delay, job.pk):
        messages.warning(request, QUEUE_IS_DOWN)
    if control == "discard":
        messages.success(request, f"“{spelt_out(job.name)}” was removed. What came in from it stays.")
        return redirect("desk:imports", slug)
    return redirect("desk:import", slug, pk)


@desk_page
@require_safe
def problems(request: HttpRequest, slug: str, pk: int) -> StreamingHttpResponse:
    """The rows that were left out, as a file."""
    job = access.import_for(request.user, slug, pk)
    response = StreamingHttpResponse(_problem_lines(job), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slug}-import-{pk}-left-out.csv"'
    return response


def _problem_lines(job: FileImport) -> Iterator[str]:
    yield "line,reason\r\n"
    for line, reason in job.problems.values_list("line", "reason").iterator(chunk_size=1000):
        out = StringIO()
        csv.writer(out).writerow([line, defused(spelt_out(reason))])
        yield out.getvalue()
