"""A rater whose place is paused: why, and what they say to it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotation import access
from annotation.actions import quality
from annotation.errors import QualityRefused
from annotation.rate.pages import page
from annotation.rate.refusals import paused_because
from annotation.rate.views import for_raters
from annotation.vocabulary import AppealState, EnrolmentState


@require_http_methods(["GET", "HEAD", "POST"])
@for_raters
def appeal(request: HttpRequest, slug: str) -> HttpResponse:
    """Why the place is paused, the rater's words to the researcher, and the answer."""
    place = access.enrolment_for(request.user, slug)
    if place.state != EnrolmentState.PAUSED:
        return redirect("rate:next", slug)
    problem = _send(request, place) if request.method == "POST" else ""
    last = access.last_appeal(place)
    context = {
        "study": {"title": place.study.title, "slug": slug},
        "reason": paused_because(place),
        "last": last
        and {"text": last.text, "answer": last.answer, "refused": last.state == AppealState.REFUSED},
        "waits": last is not None and last.state == AppealState.OPEN,
        "problem": problem,
        "given": request.POST.get("text", "") if problem else "",
    }
    return page(request, "appeal", context, 422 if problem else 200)


def _send(request: HttpRequest, place) -> str:
    """Keep the words; what is wrong with them otherwise."""
    try:
        quality.appeal(place, request.POST.get("text", "").replace("\0", ""))
    except QualityRefused as reason:
        return _(str(reason))
    return ""
