"""A rater's page: whole, or for htmx without its frame."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def page(request: HttpRequest, name: str, context: dict, status: int = 200) -> HttpResponse:
    """The template `rate/NAME.html`, which extends `frame`."""
    context = {"frame": "rate/_frame.html" if request.htmx else "rate/frame.html", **context}
    return render(request, f"rate/{name}.html", context, status=status)
