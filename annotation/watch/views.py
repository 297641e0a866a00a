"""What probes and Prometheus ask. None of it needs a log-in, and none of it says anything about a study."""

from dataclasses import asdict
from ipaddress import ip_address
from secrets import compare_digest

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST

from annotation.watch.health import readiness
from annotation.watch.metrics import metrics_text

FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")


def healthz(request: HttpRequest) -> HttpResponse:
    """200: this process answers. It asks nobody else, so that no process is ended for another's fault."""
    return _plain("alive\n")


def readyz(request: HttpRequest) -> HttpResponse:
    """200 with a word on each part, or 503 while no page can be answered."""
    found = readiness()
    reply = JsonResponse({"ready": found.is_ready, **asdict(found)}, status=200 if found.is_ready else 503)
    reply["Cache-Control"] = "no-store"
    return reply


def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever sends METRICS_TOKEN; without one, for this machine."""
    if not _may_read(request):
        return _plain("There is no such page.\n", 404)
    return HttpResponse(
        metrics_text(), content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"}
    )


def _may_read(request: HttpRequest) -> bool:
    if token := settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return compare_digest(given.encode(), f"Bearer {token}".encode())
    # A proxy on this machine asks for others, and says so.
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and not any(
        name in request.headers for name in FORWARDED
    )


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _plain(text: str, status: int = 200) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8", headers=headers)
