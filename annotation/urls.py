"""Addresses: admin and log-in here, each audience's pages in its own package."""

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import include, path
from django.views.decorators.http import require_safe

from annotation import access


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """A researcher or a member of a study goes to the desk, a rater to their studies."""
    return redirect("desk:studies" if access.may_use_desk(request.user) else "rate:home")


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for it by this name on pages that do not name their own, such as the admin's."""
    return redirect(static("img/mark.svg"))


admin.site.unregister(Authenticator)  # it would show the secrets of second factors

# The admin's own log-in form knows no second factor.
admin.site.login = secure_admin_login(admin.site.login)

urlpatterns = [
    path("", home, name="home"),
    path("favicon.ico", favicon),
    path("join/", include("annotation.rate.joining_urls")),
    path("rate/", include("annotation.rate.urls")),
    path("admin/", admin.site.urls),
    path("desk/", include("annotation.desk.urls")),
    path("api/v1/", include("annotation.api.urls")),
    path("accounts/", include("annotation.accounts.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
