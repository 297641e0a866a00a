"""Addresses: admin and log-in here, each audience's pages in its own package."""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """A researcher goes to the desk, a rater to their studies."""
    return redirect("desk:studies" if request.user.is_staff else "rate:home")


urlpatterns = [
    path("", home, name="home"),
    path("rate/", include("annotation.rate.urls")),
    path("admin/", admin.site.urls),
    path("desk/", include("annotation.desk.urls")),
    path("api/v1/", include("annotation.api.urls")),
    path("accounts/", include("django.contrib.auth.urls")),
]
