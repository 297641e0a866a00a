"""Addresses: admin and log-in here, each audience's pages in its own package."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("desk/", include("annotation.desk.urls")),
    path("api/v1/", include("annotation.api.urls")),
    path("accounts/", include("django.contrib.auth.urls")),
]
