"""Addresses of people who have no place yet. A link is known by its secret, never by a number."""

from django.urls import path

from annotation.rate import joining

app_name = "join"

urlpatterns = [
    path("return/", joining.come_back, name="return"),
    path("<slug:secret>/", joining.join, name="join"),
]
