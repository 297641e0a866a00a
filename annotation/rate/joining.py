"""How somebody comes in by a link, agrees, comes back from another browser, and is done.

What a platform puts into the address is a claim. It opens no place that exists already: that takes the
session of the browser that joined, or the return code that was shown there.
"""

from urllib.parse import urlencode

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from annotation import access
from annotation.actions import joining
from annotation.actions.joining import Visitor
from annotation.errors import AlreadyJoined, DomainError, JoinRefused, NotFound
from annotation.models import Enrolment, InvitationLink, User
from annotation.models.joining import LONGEST_ID
from annotation.rate.pages import page
from annotation.rate.views import for_raters

BACKEND = "django.contrib.auth.backends.ModelBackend"
RETURN_CODE = "return_code"
LONGEST_CODE = 100


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """What the study asks of people, unless nobody gets in; POST with their agreement makes the place."""
    try:
        link = access.link_by(secret)
        visitor = _visitor(request, link)
        if place := access.place_in(request.user, link.study):
            return _for_known(request, link, visitor, place)
        joining.refuse_visitor(link, visitor)
        if reason := joining.why_closed(link):
            return _refused(request, link, reason)
        if request.method == "POST":
            return _join(request, link, visitor)
    except NotFound:
        return render(request, "rate/join_unknown.html", status=404)
    except AlreadyJoined:
        return redirect("join:return")
    except DomainError as reason:
        return _refused(request, link, str(reason))
    return _terms(request, link)


def _visitor(request: HttpRequest, link: InvitationLink) -> Visitor:
    """What the address says about the person; names that a platform would not give are refused."""
    if not link.is_of_platform:
        return Visitor()
    names = (link.person_parameter, link.study_parameter, link.session_parameter)
    values = [request.GET.get(name, "").strip() if name else "" for name in names]
    if any(len(value) > LONGEST_ID or not value.isprintable() for value in values):
        raise JoinRefused(_("The address is not as the platform gives it. Please open it from there again."))
    return Visitor(*values)


def _for_known(
    request: HttpRequest, link: InvitationLink, visitor: Visitor, place: Enrolment
) -> HttpResponse:
    """On to the pairs, for the person whom this browser knows; nobody else is shown their place."""
    arrival = access.arrival_of(place)
    if link.is_of_platform and (arrival is None or arrival.person != visitor.person):
        reason = _("This browser is logged in as somebody else. Log out, then open the link again.")
        return _refused(request, link, reason)
    return redirect("rate:next", link.study.slug)


def _join(request: HttpRequest, link: InvitationLink, visitor: Visitor) -> HttpResponse:
    version = request.POST.get("version", "")
    if link.study.consent_version and request.POST.get("agree") != "yes":
        return _terms(request, link, _("Tick the box if you agree. Nothing was stored yet."), status=422)
    if version != str(link.study.consent_version):
        return _terms(request, link, _("The text has changed meanwhile. Please read the new one."), 409)
    user = request.user if request.user.is_authenticated and not link.is_of_platform else None
    enrolment, code = joining.join(link, visitor, int(version), user)
    _log_in(request, enrolment.user)
    # Whoever has a log-in comes back by that: no code opens their account.
    request.session[RETURN_CODE] = code if access.is_a_guest(enrolment.user) else ""
    return redirect("rate:welcome", link.study.slug)


def _log_in(request: HttpRequest, user: User) -> None:
    if request.user != user:
        login(request, user, backend=BACKEND)


def _terms(request: HttpRequest, link: InvitationLink, problem: str = "", status: int = 200) -> HttpResponse:
    query = f"?{urlencode(request.GET)}" if request.GET and link.is_of_platform else ""
    context = {
        "study": {"title": link.study.title},
        "terms": access.terms_of(link.study),
        "action": f"{request.path}{query}",
        "problem": problem,
        "of_platform": link.is_of_platform,
    }
    return render(request, "rate/join.html", context, status=status)


def _refused(request: HttpRequest, link: InvitationLink, reason: str) -> HttpResponse:
    """409, before anything was asked or stored."""
    context = {"title": link.study.title, "reason": reason, "of_platform": link.is_of_platform}
    return render(request, "rate/join_refused.html", context, status=409)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def come_back(request: HttpRequest) -> HttpResponse:
    """From another browser, with the return code."""
    if request.method != "POST":
        return render(request, "rate/join_return.html")
    try:
        arrival = access.arrival_by(request.POST.get("code", "")[:LONGEST_CODE])
    except NotFound as error:
        return render(request, "rate/join_return.html", {"problem": str(error)}, status=422)
    _log_in(request, arrival.enrolment.user)
    return redirect("rate:next", arrival.study.slug)


# In the study ----------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@for_raters
def consent(request: HttpRequest, slug: str) -> HttpResponse:
    """What a rater who has a place is asked before the next pair: the first time, or in a new wording."""
    place = access.enrolment_for(request.user, slug)
    problem = ""
    if request.method == "POST":
        problem = _agree(request, place)
    if place.consent_version == place.study.consent_version:
        return redirect("rate:next", slug)
    study = {"title": place.study.title, "slug": slug}
    context = {"study": study, "terms": access.terms_of(place.study), "problem": problem}
    return page(request, "consent", context | {"again": bool(place.consent_version)}, 422 if problem else 200)


def _agree(request: HttpRequest, place: Enrolment) -> str:
    """Record the rater's agreement; what is wrong with it otherwise."""
    if request.POST.get("agree") != "yes":
        return _("Tick the box if you agree. Nothing was stored yet.")
    version = request.POST.get("version", "")
    try:
        joining.give_consent(place, int(version) if version.isascii() and version.isdecimal() else 0)
    except JoinRefused as reason:
        return str(reason)
    return ""


@require_GET
@for_raters
def welcome(request: HttpRequest, slug: str) -> HttpResponse:
    """The first page of somebody who came by a link: how they come back."""
    place = access.enrolment_for(request.user, slug)
    code = request.session.get(RETURN_CODE, "")
    study = {"title": place.study.title, "slug": slug}
    return page(request, "welcome", {"study": study, "code": code})


@require_GET
@for_raters
def completed(request: HttpRequest, slug: str) -> HttpResponse:
    """The code and the way back to the platform, once the rater is done; before that, on to the pairs.

    Both are the study's own: nothing of the address has a say in where the way back leads.
    """
    place = access.enrolment_for(request.user, slug)
    arrival = access.arrival_of(place)
    if arrival is None or not arrival.link.completes or not joining.is_done(place):
        return redirect("rate:next", slug)
    joining.complete(arrival)
    study = {"title": place.study.title, "slug": slug}
    link = arrival.link
    context = {"study": study, "code": link.completion_code, "address": link.completion_url}
    return page(request, "completed", context)
