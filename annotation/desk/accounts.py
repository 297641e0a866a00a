"""Accounts for raters: made by whoever may change the study, shown with a link that is told once."""

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from annotation import access
from annotation.actions import accounts
from annotation.desk.forms import AccountForm
from annotation.desk.views import desk_page, raters_page
from annotation.errors import DomainError
from annotation.models import Enrolment, Study


@never_cache
@desk_page
@require_POST
def make_account(request: HttpRequest, slug: str) -> HttpResponse:
    """An account and a place in the study; the page shows where its password is chosen."""
    study, form = access.study_for(request.user, slug), AccountForm(request.POST)
    if not form.is_valid():
        return raters_page(request, study, account_form=form)
    try:
        place = accounts.make_rater(study, form.cleaned_data["username"], request.user)
    except DomainError as error:
        form.add_error("username", str(error))
        return raters_page(request, study, account_form=form)
    return _link_page(request, study, place)


@never_cache
@desk_page
@require_POST
def account_link(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Another link for a rater who lost theirs before they chose a password."""
    study = access.study_for(request.user, slug)
    found = access.rater_in(study, pk)
    try:
        accounts.renew_link(found, request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("desk:rater", slug, pk)
    return _link_page(request, study, found)


def _link_page(request: HttpRequest, study: Study, place: Enrolment) -> HttpResponse:
    address = reverse("account_reset_password_from_key", args=accounts.password_key(place.user))
    context = {
        "study": study,
        "here": "raters",
        "part": "raters",
        "rater": place,
        "address": request.build_absolute_uri(address),
        "until": timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT),
    }
    return render(request, "desk/account_made.html", context)
