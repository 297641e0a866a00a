"""The specification, and a page to read it on: made from it, without scripts."""

import json
from dataclasses import dataclass
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.api.schema import TAGS


class Specification(SpectacularAPIView):
    """OpenAPI 3.1, as YAML, or as JSON with `?format=json`. Anybody may read it."""

    permission_classes = [AllowAny]
    authentication_classes: list = []

    def _get_schema_response(self, request: Request) -> Response:
        """Made once a process: it takes a second, and anybody may ask."""
        return Response(whole(), headers={"Content-Disposition": 'inline; filename="evenhand-api.yaml"'})


@dataclass(frozen=True)
class Way:
    """One operation as the page shows it; `request` and `reply` are examples, "" where there is none."""

    name: str
    method: str
    path: str
    summary: str
    parameters: tuple[dict, ...]
    request: str
    status: str
    reply: str
    problems: tuple[tuple[str, str], ...]

    @property
    def lead(self) -> str:
        """The first paragraph of the summary; `rest` is what follows it."""
        return self.summary.partition("\n\n")[0]

    @property
    def rest(self) -> str:
        return self.summary.partition("\n\n")[2]


@cache
def whole() -> dict:
    """The specification; it changes with the code alone."""
    return SchemaGenerator().get_schema(request=None, public=True)


@cache
def chapters() -> tuple[tuple[str, tuple[Way, ...]], ...]:
    """Operations by what they are about."""
    found: dict[str, list[Way]] = {}
    for path, ways in whole()["paths"].items():
        for method, operation in ways.items():
            found.setdefault(operation["tags"][0], []).append(_way(path, method, operation))
    order = list(TAGS)
    known = [tag for tag in order if tag in found]
    return tuple((tag, tuple(found[tag])) for tag in [*known, *(found.keys() - set(known))])


def _way(path: str, method: str, operation: dict) -> Way:
    replies = operation["responses"]
    status = next((code for code in replies if code.startswith("2")), "")
    return Way(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("description", ""),
        parameters=tuple(operation.get("parameters", ())),
        request=_example(operation.get("requestBody", {})),
        status=status,
        reply=_example(replies.get(status, {})),
        problems=tuple((code, replies[code].get("description", "")) for code in replies if code >= "400"),
    )


def _example(told: dict) -> str:
    for content in told.get("content", {}).values():
        for example in content.get("examples", {}).values():
            return json.dumps(example["value"], indent=2, ensure_ascii=False)
    return ""


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Every operation with its examples, on one page of the app's own."""
    return render(request, "api/docs.html", {"chapters": chapters(), "here": "api"})
