"""Addresses below /accounts/. Django's names of the log-in and the log-out stay the names."""

from allauth.account.views import logout
from django.urls import include, path

from annotation.accounts import views

urlpatterns = [
    path("", views.account, name="account"),
    path("forget/", views.forget, name="forget"),
    path("forgotten/", views.forgotten, name="forgotten"),
    path("invitation/<slug:secret>/", views.invitation, name="invitation"),
    path("login/", views.LogIn.as_view(), name="login"),
    path("logout/", logout, name="logout"),
    path("password/reset/", views.PasswordReset.as_view(), name="account_reset_password"),
    path("", include("allauth.urls")),
]
