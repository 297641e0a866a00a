"""What django-allauth asks of Evenhand: who may make an account, and what it may do."""

import logging
from smtplib import SMTPException

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from annotation import access
from annotation.errors import DomainError
from annotation.models import User
from annotation.text import refuse_hidden

logger = logging.getLogger(__name__)

INVITATION = "invitation"
"""Where the session keeps the secret of the invitation with which somebody came."""


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by researchers, by links and invitations, and by anybody where SIGN_UP says so."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return settings.SIGN_UP or access.invitation_is_open(request.session.get(INVITATION, ""))

    def save_user(self, request: HttpRequest, user: User, form: forms.Form, commit: bool = True) -> User:
        """Who came by an invitation gets no more than its study; else a researcher's account is made."""
        user.is_staff = not access.invitation_is_open(request.session.get(INVITATION, ""))
        return super().save_user(request, user, form, commit)

    def send_mail(self, template_prefix: str, email: str, context: dict) -> None:
        """A mail server that is down fails nobody's page, which would tell that there is such an account."""
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException):
            logger.exception("No mail could be sent. Look at EMAIL_URL, and at the mail server.")

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """A name that looks like another's, by what cannot be seen, is none."""
        try:
            refuse_hidden("The name", username)
        except DomainError as error:
            raise ValidationError(str(error)) from error
        return super().clean_username(username, shallow)


class ProviderAdapter(DefaultSocialAccountAdapter):
    """People whom the OpenID Connect provider names."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return settings.OIDC_NEW_ACCOUNTS != "refuse"

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """A name that says nothing of rights: whether somebody is a researcher, is ours to say."""
        if sociallogin.is_existing or request.user.is_authenticated:
            return
        if not self.is_open_for_signup(request, sociallogin):
            raise ImmediateHttpResponse(render(request, "account/signup_closed.html", status=403))

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form=None) -> User:
        sociallogin.user.is_staff = settings.OIDC_NEW_ACCOUNTS == "researcher"
        return super().save_user(request, sociallogin, form)


def client_ip(request: HttpRequest) -> str | None:
    """Whose address a failed log-in is counted for; behind proxies, what the outermost of them saw."""
    try:
        return get_adapter().get_client_ip(request)
    except PermissionDenied:  # it came over no network, or its proxy says what is no address
        return None


def name_tried(request: HttpRequest, credentials: dict | None = None) -> str:
    """Whose password was tried. Names are found whatever their case, so they are counted so too.

    PostgreSQL compares them in capitals, which some letters share with others: ſ with s, ı with i.
    """
    given = credentials or request.POST
    return str(given.get("username") or "").strip().upper().lower()


def locked_out(request: HttpRequest, response: HttpResponse, credentials: dict | None) -> HttpResponse:
    """The page for too many failed log-ins; it says neither whether there is such an account."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    page = render(request, "account/locked_out.html", {"minutes": minutes}, status=429)
    page["Retry-After"] = str(minutes * 60)
    return page
