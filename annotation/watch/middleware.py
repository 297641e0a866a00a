"""Around all pages: an id for each request, its time and its line in the log; no place in others' caches; and
what machines ask.

`annotation.api.straight` stands before it, and counts and tells what it answers by itself.
"""

from collections.abc import Callable
from time import perf_counter

from django.http import HttpRequest, HttpResponse

from annotation import counters, requests
from annotation.requests import ID_HEADER, id_of, request_id
from annotation.watch import views

NO_ROUTE = "none"
NOT_SHARED = "private, no-cache"
"""Of what says nothing else: it is for who asked, and asked for again after they have logged out."""

HEALTH = {"/healthz": views.healthz, "/readyz": views.readyz, "/metrics": views.metrics}
"""Asked before a session, a host's name or HTTPS: a probe knows a machine by its number."""


class WatchMiddleware:
    """Answers HEALTH; gives every other request an id, which the reply tells and each line of the log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if view := HEALTH.get(request.path_info):
            return view(request)
        mark = request_id.set(id_of(request.headers.get(ID_HEADER, "")))
        try:
            return self._watched(request)
        finally:
            request_id.reset(mark)

    def _watched(self, request: HttpRequest) -> HttpResponse:
        started = perf_counter()
        response = self.get_response(request)
        seconds = perf_counter() - started
        route = request.resolver_match.route if request.resolver_match else NO_ROUTE
        counters.note_request(request.method, route, response.status_code, seconds)
        requests.tell(request.method, route, response.status_code, seconds)
        response[ID_HEADER] = request_id.get()
        response.setdefault("Cache-Control", NOT_SHARED)
        return response
