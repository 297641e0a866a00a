"""The rater's own pages: how they like to work, what they met, what they do not want to get, and a rest."""

from dataclasses import replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation import access, text
from annotation.actions import personal
from annotation.rate import breaks
from annotation.rate.forms import PreferencesForm, in_words
from annotation.rate.keys import DEFAULTS, key_list
from annotation.rate.views import for_raters
from annotation.reports.exposure import ExposureReport, exposure_report, label_of


@require_http_methods(["GET", "POST"])
@for_raters
def preferences(request: HttpRequest) -> HttpResponse:
    """Keys, blurring and language."""
    chosen = access.preferences_of(request.user)
    begin = {"single_keys": chosen.single_keys, "blur_everything": chosen.blur_everything}
    form = PreferencesForm(request.POST or None, keys=key_list(chosen), initial=begin)
    if form.is_valid():
        changed = {name: key for name, key in form.keys.items() if key != DEFAULTS[name]}
        switches = {name: form.cleaned_data[name] for name in begin}
        personal.set_preferences(request.user, keys=changed, **switches)
        messages.success(request, _("Your settings are stored."))
        return redirect("rate:preferences")
    status = 422 if form.is_bound else 200
    return render(request, "rate/preferences.html", {"form": form, "frame": "rate/frame.html"}, status=status)


@require_POST
@for_raters
def single_keys(request: HttpRequest) -> HttpResponse:
    """Switch the single keys on or off from the sheet of keys."""
    personal.set_preferences(request.user, single_keys=request.POST.get("on") == "1")
    return HttpResponse(status=204)


@require_http_methods(["GET", "POST"])
@for_raters
def wellbeing(request: HttpRequest, slug: str) -> HttpResponse:
    """What the rater has met, what they do not want to get, and whom they can turn to."""
    place = access.enrolment_for(request.user, slug)
    if request.method == "POST":
        personal.opt_out(place, request.POST.getlist("category"))
        messages.success(request, _("Saved. From the next pair on you get only what you want to get."))
        return redirect("rate:wellbeing", slug)
    study = place.study
    context = {
        "study": {"title": study.title, "slug": study.slug},
        "exposure": _in_the_raters_words(exposure_report(place, timezone.now())),
        "categories": in_words((name, label_of(name)) for name in study.harm_categories),
        "opted_out": place.opted_out,
        "blurs": in_words((name, label_of(name)) for name in study.blurred_categories),
        "resources": text.to_html(study.resources),
        "frame": "rate/frame.html",
    }
    return render(request, "rate/wellbeing.html", context)


def _in_the_raters_words(exposure: ExposureReport) -> ExposureReport:
    words = [replace(row, label=_(row.label) if row.label else _("Other subjects")) for row in exposure.rows]
    return replace(exposure, rows=tuple(words))


@require_GET
@for_raters
def rest(request: HttpRequest, slug: str) -> HttpResponse:
    """A page without pairs. The hold on a pair stays as long as its lease does."""
    study = access.enrolment_for(request.user, slug).study
    context = {"study": {"title": study.title, "slug": slug}, "frame": "rate/frame.html"}
    reply = render(request, "rate/rest.html", context)
    breaks.start_anew(reply)
    return reply


@require_POST
@for_raters
def go_on(request: HttpRequest, slug: str) -> HttpResponse:
    """Not now: suggest a break again only after as long a time."""
    access.enrolment_for(request.user, slug)
    reply = redirect("rate:next", slug)
    breaks.start_anew(reply)
    return reply
