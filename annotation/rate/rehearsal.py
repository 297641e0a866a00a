"""A researcher goes through a pair as a rater would, before anybody rates. Nothing of it is kept."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotation import access
from annotation.actions.studies import note_rehearsal
from annotation.models import Assignment, RaterSettings
from annotation.rate.forms import PairForm
from annotation.rate.keys import key_list, key_map
from annotation.rate.pages import page
from annotation.rate.views import for_raters
from annotation.reports.exposure import label_of

MOST_TURNS = 1_000


@require_http_methods(["GET", "HEAD", "POST"])
@for_raters
def rehearsal(request: HttpRequest, slug: str) -> HttpResponse:
    """The rating page with a pair that nobody holds by it; what is sent is checked, shown, and forgotten."""
    study = access.study_for(request.user, slug)
    turn = _turn(request.GET.get("turn", ""))
    held = access.rehearsed(study, turn)
    if held is None:
        return redirect("desk:setup_rehearsal", slug)
    form = PairForm(request.POST if request.method == "POST" else None, study=study)
    if request.method == "POST" and form.is_valid():
        if study.may_change:  # a viewer may rehearse, and leaves nothing
            note_rehearsal(study, request.user)
        context = {"study": study, "given": form.given, "again": _address(slug, turn + 1)}
        return page(request, "rehearsed", context)
    return _pair(request, held, form, _address(slug, turn))


def _turn(asked: str) -> int:
    is_number = asked.isascii() and asked.isdigit() and len(asked) < 5
    return min(int(asked), MOST_TURNS) if is_number else 0


def _address(slug: str, turn: int) -> str:
    return f"{reverse('rate:rehearsal', args=[slug])}?turn={turn}"


def _pair(request: HttpRequest, held: Assignment, form: PairForm, address: str) -> HttpResponse:
    chosen = RaterSettings()
    pair = access.blind_pair(held)
    context = {
        "pair": pair,
        "form": form,
        "chosen": chosen,
        "keys": json.dumps(key_map(chosen)),
        "key_list": key_list(chosen),
        "blurred": pair.blurred,
        "category": _(label_of(pair.category)) if pair.category else "",
        "rehearsal": address,
    }
    return page(request, "pair", context, 422 if form.is_bound else 200)
