"""What the page sends by itself while a rater works: unfinished answers, and that somebody is there."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_http_methods, require_POST

from annotation import access
from annotation.actions import claims, drafts
from annotation.errors import DraftConflict, InvalidAnswer, LeaseLost
from annotation.models import Draft
from annotation.rate.forms import LONGEST_DRAFT, PairForm, read_draft
from annotation.rate.views import for_raters


@require_http_methods(["PUT"])
@for_raters
def draft(request: HttpRequest, token: UUID) -> HttpResponse:
    """Keep unfinished answers: {"answers": {name: value}, "seen": [side], "version": number}.

    200 with the new version; 400 no draft of this form; 409 with what another window kept; 410 the pair takes
    no more answers; 413 too long.
    """
    assignment = access.assignment_for(request.user, token)
    if int(request.headers.get("Content-Length") or 0) > LONGEST_DRAFT:
        return JsonResponse({}, status=413)
    try:
        sent = read_draft(request.body, PairForm(study=assignment.enrolment.study))
        version = drafts.keep_draft(assignment, sent.answers, sent.seen, sent.version)
    except InvalidAnswer:
        return JsonResponse({}, status=400)
    except DraftConflict as conflict:
        return JsonResponse(_kept_elsewhere(conflict.draft), status=409)
    except LeaseLost:
        return JsonResponse({}, status=410)
    return JsonResponse({"version": version})


def _kept_elsewhere(kept: Draft | None) -> dict:
    if kept is None:
        return {"answers": {}, "seen": [], "version": 0}
    return {"answers": kept.answers, "seen": kept.seen, "version": kept.version}


@require_POST
@for_raters
def beat(request: HttpRequest, token: UUID) -> HttpResponse:
    """Keep the pair while its page is being worked on; 410 when it is not held any more."""
    try:
        claims.heartbeat(access.assignment_for(request.user, token))
    except LeaseLost:
        return JsonResponse({}, status=410)
    return JsonResponse({})
