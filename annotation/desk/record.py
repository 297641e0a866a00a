"""The record of a study: who did what, when, and whether it is sealed."""

import csv
from collections.abc import Iterator
from io import StringIO

from django import forms
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotation import access
from annotation.desk.views import desk_page
from annotation.models import Study
from annotation.reports.record import SYSTEM, Asked, Choices, record_choices, record_page, record_rows
from annotation.reports.table_files import defused
from annotation.text import spelt_out


class RecordForm(forms.Form):
    """What is asked for; anything that cannot be read is left out."""

    by = forms.ChoiceField(required=False, label="Who")
    verb = forms.ChoiceField(required=False, label="What")
    since = forms.DateField(required=False, label="Since", widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(required=False, label="Until", widget=forms.DateInput({"type": "date"}))
    judging = forms.BooleanField(required=False, label="Also every judgment")

    def __init__(self, data: object, choices: Choices):
        super().__init__(data)
        people = [(name, name) for name in choices.people]
        self.fields["by"].choices = [("", "Everybody"), (SYSTEM, "Evenhand by itself"), *people]
        self.fields["verb"].choices = [
            ("", "Everything"),
            *((verb, in_words(verb)) for verb in choices.verbs),
        ]

    def asked(self) -> Asked:
        self.is_valid()
        return Asked(**{name: value for name, value in self.cleaned_data.items() if value})


def in_words(verb: str) -> str:
    """set_rater_state → Set rater state."""
    return verb.replace("_", " ").capitalize()


@desk_page
@require_safe
def record(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    form = RecordForm(request.GET, record_choices(study))
    asked = form.asked()
    page = record_page(study, asked, request.GET.get("before", ""))
    query = request.GET.copy()
    query.pop("before", None)
    context = {
        "study": study,
        "here": "record",
        "form": form,
        "is_filtered": asked != Asked(),
        "entries": [(entry, in_words(entry.verb)) for entry in page.entries],
        "older": page.older,
        "query": query.urlencode(),
        "is_first": "before" not in request.GET,
        "seal": study.seals.first(),
    }
    return render(request, "desk/record.html", context)


@desk_page
@require_safe
def record_file(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """All that is asked for, as a file."""
    study = access.study_for(request.user, slug)
    asked = RecordForm(request.GET, record_choices(study)).asked()
    response = StreamingHttpResponse(_lines(study, asked), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slug}-record.csv"'
    return response


def _lines(study: Study, asked: Asked) -> Iterator[str]:
    yield _line(("event", "at", "who", "what", "detail"))
    for row in record_rows(study, asked):
        yield _line(row)


def _line(cells: tuple[str, ...]) -> str:
    out = StringIO()
    csv.writer(out).writerow([defused(spelt_out(cell)) for cell in cells])
    return out.getvalue()
