"""Snapshots go to the Hugging Face Hub from the desk, by a worker."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from annotation import access, tasks
from annotation.actions import hub as pushing
from annotation.desk.views import desk_page, rendered
from annotation.errors import HubRefused
from annotation.models import Study


class PushForm(forms.Form):
    """Which snapshot goes where. Private: the command alone makes data public."""

    snapshot = forms.ChoiceField(label="Snapshot")
    repository = forms.CharField(max_length=200, label="Dataset repository, as OWNER/NAME")

    def __init__(self, study: Study, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        numbers = study.snapshots.values_list("number", flat=True)
        self.fields["snapshot"].choices = [(number, f"Snapshot {number}") for number in numbers]

    def clean_repository(self) -> str:
        repository = self.cleaned_data["repository"].strip()
        try:
            pushing.refuse_repository(repository)
        except HubRefused as error:
            raise forms.ValidationError(str(error)) from error
        return repository


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def hub(request: HttpRequest, slug: str) -> HttpResponse:
    """What went to the Hub, and the form that has a worker push a snapshot."""
    study = access.study_for(request.user, slug)
    form = PushForm(study, request.POST if request.method == "POST" else None)
    if form.is_valid():
        _ask(request, study, form.cleaned_data)
        return redirect("desk:hub", slug)
    pushed = pushing.pushes_of(study)
    return rendered(request, "hub", study, form=form, pushed=pushed, is_configured=pushing.is_configured())


def _ask(request: HttpRequest, study: Study, given: dict) -> None:
    snapshot = access.snapshot_numbered(request.user, study, given["snapshot"])
    asked = tasks.ask_for_push(snapshot, given["repository"], request.user)
    if asked.verb == "push_to_hub_asked":
        messages.success(request, "A worker pushes the snapshot. Reload this page in a moment.")
