"""Addresses below /api/v1/."""

from django.urls import path

from annotation.api import views

app_name = "api"
urlpatterns = [
    path("studies/", views.StudyList.as_view(), name="studies"),
    path("studies/<slug:slug>/", views.StudyDetail.as_view(), name="study"),
    path("studies/<slug:slug>/runs/", views.RunList.as_view(), name="runs"),
    path("studies/<slug:slug>/runs/<int:pk>/", views.RunDetail.as_view(), name="run"),
    path("studies/<slug:slug>/runs/<int:pk>/<slug:control>/", views.RunControl.as_view(), name="control_run"),
    path("studies/<slug:slug>/fairness/", views.Fairness.as_view(), name="fairness"),
    path("studies/<slug:slug>/progress/", views.Progress.as_view(), name="progress"),
    path("studies/<slug:slug>/agreement/", views.Agreement.as_view(), name="agreement"),
    path("studies/<slug:slug>/win-rates/", views.WinRates.as_view(), name="win_rates"),
    path("studies/<slug:slug>/outcomes/", views.Outcomes.as_view(), name="outcomes"),
]
