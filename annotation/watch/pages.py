"""Pages for what went wrong that tell what to do; programs are told the same as JSON."""

import sys

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults

from annotation.problems import MEDIA_TYPE, problem_details

AWAY = (OperationalError, InterfaceError)
AGAIN_SECONDS = "10"
PROGRAMS = "/api/"
TOO_MANY = "The address or the form has more than 1,000 fields. Nothing was changed. Send less at once."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, or 413 for what is too large."""
    if isinstance(exception, TooManyFieldsSent):
        return _told(request, 400, TOO_MANY)
    if not isinstance(exception, RequestDataTooBig | TooManyFilesSent):
        return defaults.bad_request(request, exception)
    return _told(request, 413, "The request is too large. Nothing was stored. Send less at once.")


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 with Retry-After while the database is away, which is nobody's mistake and passes."""
    if not isinstance(sys.exc_info()[1], AWAY):
        if request.path_info.startswith(PROGRAMS):
            return _told(request, 500, "Something went wrong here, and was noted. Try again later.")
        return defaults.server_error(request)
    response = _told(request, 503, "The database does not answer. Try again in a moment.")
    response["Retry-After"] = AGAIN_SECONDS
    return response


def _told(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    if request.path_info.startswith(PROGRAMS):
        return JsonResponse(problem_details(status, detail), status=status, content_type=MEDIA_TYPE)
    # Without the request: who asks is a question to the database.
    return HttpResponse(render_to_string(f"{status}.html", {"too_many": detail == TOO_MANY}), status=status)
