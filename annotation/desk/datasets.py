"""Datasets of a snapshot: choose a format and rules, look before making, watch, stop, fetch."""

import json
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from annotation import access, tasks
from annotation.actions import datasets as actions
from annotation.datasets.describing import units_of
from annotation.datasets.making import Preview
from annotation.datasets.recipe import PARTS, Format
from annotation.desk.archives import sent_archive
from annotation.desk.dataset_form import DatasetForm
from annotation.desk.views import QUEUE_IS_DOWN, desk_page
from annotation.downloads import download
from annotation.errors import DomainError
from annotation.models import Dataset, Snapshot
from annotation.models.dataset import UNFINISHED
from annotation.reports.stored import missing_worker
from annotation.vocabulary import BatchState

LONGEST_SHOWN = 400  # characters of a value in a preview


@dataclass(frozen=True)
class Line:
    """A dataset of the list: `words` say where it stands, `left_out` why something is not in it."""

    dataset: Dataset
    title: str
    words: str
    left_out: str
    files: tuple[tuple[str, int], ...]
    control: str

    @property
    def is_unfinished(self) -> bool:
        return self.dataset.state in UNFINISHED


@dataclass(frozen=True)
class Look:
    """A preview in words: `reasons` of what is left out with their numbers, rows as (column, value)."""

    sentence: str
    reasons: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]
    rows: tuple[tuple[tuple[str, str], ...], ...]


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def datasets(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The list and the form; POST looks at what the rules would make, or has it made."""
    snapshot = access.snapshot_for(request.user, slug, number)
    form = DatasetForm(request.POST or None)
    look = None
    if request.method == "POST" and form.is_valid():
        try:
            if "make" in request.POST:
                _ask(request, snapshot, form)
                return redirect("desk:datasets", slug, number)
            look = _look(actions.preview_of(snapshot, form.recipe))
        except DomainError as error:
            form.add_error(None, str(error))
    return _page(request, snapshot, form, look)


def _page(request: HttpRequest, snapshot: Snapshot, form: DatasetForm, look: Look | None) -> HttpResponse:
    lines = [_line(dataset) for dataset in snapshot.datasets.all()]
    waits = any(line.is_unfinished for line in lines)
    context = {
        "study": snapshot.study,
        "here": "snapshots",
        "snapshot": snapshot,
        "lines": lines,
        "waits": waits,
        "missing": missing_worker() if waits else "",
        "form": form,
        "look": look,
    }
    return render(request, f"desk/{'_datasets' if request.htmx else 'datasets'}.html", context)


def _ask(request: HttpRequest, snapshot: Snapshot, form: DatasetForm) -> None:
    found, is_new = actions.ask(snapshot, form.recipe, request.user)
    if not is_new:
        messages.info(request, f"Dataset {found.number} has these rules already.")
    elif not tasks.sent(tasks.make_dataset.delay, found.pk):
        messages.warning(request, QUEUE_IS_DOWN)


@desk_page
@require_POST
def control_dataset(request: HttpRequest, slug: str, number: int, dataset: int, control: str) -> HttpResponse:
    """Stop, or start again: see `actions.datasets.CONTROLS`."""
    found = access.dataset_for(request.user, slug, number, dataset)
    if control not in actions.CONTROLS:
        raise Http404("There is no such control.")
    try:
        actions.CONTROLS[control](found, request.user)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        if control == "again" and not tasks.sent(tasks.make_dataset.delay, found.pk):
            messages.warning(request, QUEUE_IS_DOWN)
    return redirect("desk:datasets", slug, number)


@desk_page
@require_safe
def dataset_file(request: HttpRequest, slug: str, number: int, dataset: int, name: str) -> HttpResponseBase:
    """One file of a made dataset."""
    found = access.dataset_for(request.user, slug, number, dataset)
    path = access.dataset_file(found, name)
    called = f"{slug}-{number}-{dataset}-{path.name}"
    return download(request, path, called, access.digest_of(path, found.manifest))


@desk_page
@require_safe
def dataset_archive(request: HttpRequest, slug: str, number: int, dataset: int) -> HttpResponseBase:
    """The files of a made dataset as one ZIP archive."""
    found = access.dataset_for(request.user, slug, number, dataset)
    return sent_archive(request, found.snapshot.study, found, reverse("desk:datasets", args=[slug, number]))


# Words ----------------------------------------------------------------------------------------------------


def _line(dataset: Dataset) -> Line:
    counts = (dataset.manifest or {}).get("counts", {})
    files = {**(dataset.manifest or {}).get("files", {})}
    done = dataset.state == BatchState.DONE
    return Line(
        dataset=dataset,
        title=Format(dataset.recipe["format"]).label,
        words=_made_words(counts) if done else _state_words(dataset),
        left_out=_left_out_words(counts["items"]) if done else "",
        files=tuple((name, told["bytes"]) for name, told in files.items()) if done else (),
        control="stop" if dataset.state in UNFINISHED else "" if done else "again",
    )


def _made_words(counts: dict) -> str:
    parts = [f"{counts['splits'][part]['rows']:,} {part}" for part in PARTS if counts["splits"][part]["rows"]]
    return f"{_rows(counts['rows'])}: {', '.join(parts)}."


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"


def _left_out_words(items: dict) -> str:
    kept = f"From {items['kept']:,} of {items['judged']:,} {units_of(items)}."
    reasons = [f"{n:,} {reason}" for reason, n in _reasons(items)]
    return f"{kept} Left out: {', '.join(reasons)}." if reasons else kept


def _reasons(told: dict) -> tuple[tuple[str, int], ...]:
    return tuple((reason.replace("_", " "), n) for reason, n in told["left_out"].items() if n)


def _state_words(dataset: Dataset) -> str:
    if dataset.state == BatchState.QUEUED:
        return "Waits for a worker."
    if dataset.state == BatchState.CLAIMED:
        far = f": {dataset.done:,} of {dataset.total:,}" if dataset.total > 1 else ""
        return f"{dataset.step or 'Starting'}{far}."
    return "Stopped. Nothing of it was kept." if dataset.state == BatchState.CANCELLED else "It failed."


def _look(found: Preview) -> Look:
    judgments, items = found.judgments, found.items
    sentence = (
        f"{judgments['used']:,} of {judgments['read']:,} judgments are used; of {items['judged']:,} "
        f"{units_of(items)} {items['kept']:,} become rows."
    )
    rows = tuple(
        tuple((name, _shown(value)) for name, value in row.items()) for row in found.as_json()["rows"]
    )
    notes = tuple(f"On {name}: {note}." for name, note in found.notes.items())
    return Look(sentence, (*_reasons(judgments), *_reasons(items)), notes, rows)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
