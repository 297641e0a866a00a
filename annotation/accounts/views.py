"""A person's own account: what is kept of them, how they log in, and how they are forgotten."""

from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.views import LoginView, PasswordResetView
from allauth.core import ratelimit
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from annotation import access
from annotation.accounts.adapters import INVITATION
from annotation.actions import members, people
from annotation.errors import DomainError, NotFound


class ForgetForm(forms.Form):
    """Whoever asks says their name again, and their password where they have one."""

    username = forms.CharField(label=gettext_lazy("Type your user name to confirm"), max_length=150)
    password = forms.CharField(
        label=gettext_lazy("Your password"),
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, user, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if not user.has_usable_password():
            del self.fields["password"]

    def clean_username(self) -> str:
        if self.cleaned_data["username"].strip() != self.user.username:
            raise forms.ValidationError(_("This is not your user name. Nothing was changed."))
        return self.cleaned_data["username"]

    def clean_password(self) -> str:
        if not self.user.check_password(self.cleaned_data["password"]):
            raise forms.ValidationError(_("This is not your password. Nothing was changed."))
        return self.cleaned_data["password"]


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    context = {"sends_mail": settings.SENDS_MAIL, "oidc": settings.OIDC and settings.OIDC_NAME}
    return render(request, "account/account.html", context)


@never_cache
@sensitive_post_parameters()
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def forget(request: HttpRequest) -> HttpResponse:
    """What goes and what stays; POST with the name and password does it, and logs the person out."""
    # It asks for the password again, so it is guessed no oftener here than where else it is asked for again.
    if too_often := ratelimit.consume_or_429(request, action="reauthenticate", user=request.user):
        return too_often
    form = ForgetForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            people.forget_person(request.user, request.user)
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            logout(request)
            return redirect("forgotten")
    return render(request, "account/forget.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
def forgotten(request: HttpRequest) -> HttpResponse:
    return render(request, "account/forgotten.html")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """What somebody is invited to; POST takes it up, once they are logged in."""
    try:
        found = access.invitation_by(secret)
    except NotFound as error:
        return render(request, "account/invitation_gone.html", {"reason": str(error)}, status=404)
    if request.method != "POST" or not request.user.is_authenticated:
        request.session[INVITATION] = secret  # it opens the form for a new account
        context = {"invitation": found, "here": request.path}
        return render(request, "account/invitation.html", context)
    try:
        members.accept(found, request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("invitation", secret)
    request.session.pop(INVITATION, None)
    messages.success(
        request, f"You work on “{found.study.title}” now, as {found.get_role_display().lower()}."
    )
    return redirect("desk:study", found.study.slug)


class LogIn(LoginView):
    def get_context_data(self, **kwargs) -> dict:
        context = {
            "may_sign_up": get_adapter().is_open_for_signup(self.request),
            "oidc_name": settings.OIDC_NAME,
            "oidc_address": settings.OIDC and self._address_of_provider(),
        }
        return {**super().get_context_data(**kwargs), **context}

    def _address_of_provider(self) -> str:
        address = reverse("openid_connect_login", args=[settings.OIDC_ID])
        return f"{address}?{urlencode({'next': to})}" if (to := self.get_next_url()) else address


class PasswordReset(PasswordResetView):
    """By mail; where none is sent, the page says whom to ask."""

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if not settings.SENDS_MAIL:
            return render(request, "account/no_mail.html", {"contact": settings.CONTACT})
        return super().dispatch(request, *args, **kwargs)
