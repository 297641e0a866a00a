"""How people come into a study: what they agree to, and the links that invite them."""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.core.validators import URLValidator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation import access
from annotation.actions import joining as joining_actions
from annotation.desk.views import desk_page
from annotation.errors import DomainError
from annotation.models import Study
from annotation.models.joining import LONGEST_ID

PARAMETER = r"^[A-Za-z][A-Za-z0-9_.-]*$"


class ConsentForm(forms.Form):
    """The next wording of what raters agree to."""

    prefix = "consent"

    warning = forms.CharField(
        label="Content warning (optional)",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    body = forms.CharField(
        label="What raters agree to", max_length=50_000, widget=forms.Textarea(attrs={"rows": 8})
    )


class LinkForm(forms.Form):
    """A new link. Names of parameters are those that the platform uses."""

    prefix = "link"

    label = forms.CharField(max_length=100, label="Label (only the desk shows it)")
    days = forms.IntegerField(min_value=1, max_value=3650, required=False, label="Valid for how many days?")
    uses_max = forms.IntegerField(
        min_value=1, max_value=1_000_000, required=False, label="For how many people?"
    )
    of_platform = forms.BooleanField(required=False, label="People come from a crowd platform")
    person_parameter = forms.RegexField(
        PARAMETER, max_length=50, initial="PROLIFIC_PID", required=False, label="Parameter: person"
    )
    study_parameter = forms.RegexField(
        PARAMETER, max_length=50, initial="STUDY_ID", required=False, label="Parameter: study"
    )
    session_parameter = forms.RegexField(
        PARAMETER, max_length=50, initial="SESSION_ID", required=False, label="Parameter: session"
    )
    platform_study = forms.CharField(
        max_length=LONGEST_ID, required=False, label="The study’s name on the platform (others are refused)"
    )
    completion_code = forms.CharField(max_length=100, required=False, label="Completion code")
    completion_url = forms.CharField(
        max_length=1000,
        required=False,
        validators=[URLValidator(schemes=["http", "https"])],
        label="Where people go when they are done (https://…?cc=CODE)",
    )

    def clean(self) -> dict:
        given = super().clean()
        if given.get("of_platform") and not given.get("person_parameter"):
            self.add_error("person_parameter", "A platform's link needs the parameter that names the person.")
        if given.get("platform_study") and not given.get("study_parameter"):
            self.add_error("study_parameter", "To compare the study's name, say which parameter has it.")
        return given

    @property
    def rules(self) -> dict:
        """The link's fields."""
        given = dict(self.cleaned_data)
        days, of_platform = given.pop("days"), given.pop("of_platform")
        if not of_platform:
            names = ("person_parameter", "study_parameter", "session_parameter", "platform_study")
            given |= dict.fromkeys(names, "")
        return given | {"expires_at": timezone.now() + timedelta(days=days) if days else None}


def _page(request: HttpRequest, template: str, study: Study, status: int = 200, **context) -> HttpResponse:
    frame = {"study": study, "here": "raters", "part": "joining"}
    return render(request, f"desk/{template}.html", {**frame, **context}, status=status)


def _joining_page(request: HttpRequest, study: Study, status: int = 200, **forms_and_more) -> HttpResponse:
    came = Count("arrivals")
    done = Count("arrivals", filter=Q(arrivals__completed_at__isnull=False))
    context = {
        "links": [(link, _state(link)) for link in study.links.annotate(came=came, done=done)],
        "versions": study.consent_versions.annotate(given=Count("consents")),
        "consent_form": ConsentForm(),
        "link_form": LinkForm(),
    }
    return _page(request, "joining", study, status, **context | forms_and_more)


def _state(link) -> str:
    if link.revoked_at:
        return "Revoked"
    if link.expires_at and link.expires_at <= timezone.now():
        return "Expired"
    return "Used up" if link.uses_max is not None and link.uses >= link.uses_max else "Open"


@desk_page
@require_safe
def joining(request: HttpRequest, slug: str) -> HttpResponse:
    return _joining_page(request, access.study_for(request.user, slug))


@desk_page
@require_POST
def add_consent(request: HttpRequest, slug: str) -> HttpResponse:
    study, form = access.study_for(request.user, slug), ConsentForm(request.POST)
    if not form.is_valid():
        return _joining_page(request, study, 422, consent_form=form)
    try:
        made = joining_actions.add_consent_version(study, **form.cleaned_data, actor=request.user)
    except DomainError as error:
        form.add_error("body", str(error))
        return _joining_page(request, study, 422, consent_form=form)
    messages.success(request, f"Raters are asked for consent {made.version} before their next pair.")
    return redirect("desk:joining", slug)


@never_cache
@desk_page
@require_POST
def make_link(request: HttpRequest, slug: str) -> HttpResponse:
    """The one page that shows the new link: its secret is kept nowhere."""
    study, form = access.study_for(request.user, slug), LinkForm(request.POST)
    if not form.is_valid():
        return _joining_page(request, study, 422, link_form=form)
    try:
        link, secret = joining_actions.make_link(study, actor=request.user, **form.rules)
    except DomainError as error:
        form.add_error("label", str(error))
        return _joining_page(request, study, 422, link_form=form)
    address = request.build_absolute_uri(reverse("join:join", args=[secret]))
    return _page(request, "link_made", study, link=link, address=address)


@desk_page
@require_safe
def link(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Who came by the link, by the platform's names; their codes as raters stand elsewhere."""
    study = access.study_for(request.user, slug)
    found = access.link_of(study, pk)
    came = found.arrivals.select_related("enrolment")
    return _page(request, "link", study, link=found, link_state=_state(found), arrivals=came)


@desk_page
@require_POST
def revoke_link(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    found = access.link_of(access.study_for(request.user, slug), pk)
    if joining_actions.revoke_link(found, request.user):
        messages.success(request, f"Nobody else gets in by “{found.label}”; those who came stay.")
    return redirect("desk:joining", slug)


@never_cache
@desk_page
@require_POST
def new_return_code(request: HttpRequest, slug: str, pk: int, arrival: int) -> HttpResponse:
    """The one page that shows the new code, for the person who lost theirs."""
    study = access.study_for(request.user, slug)
    found = access.link_of(study, pk)
    came = access.arrival_in(found, arrival)
    try:
        code = joining_actions.new_return_code(came, request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("desk:link", slug, pk)
    return _page(request, "return_code", study, link=found, arrival=came, code=code)


@desk_page
@require_safe
def consents(request: HttpRequest, slug: str, version: int) -> HttpResponse:
    """One wording, and which raters agreed to it."""
    study = access.study_for(request.user, slug)
    wording = access.consent_version_of(study, version)
    given = wording.consents.select_related("enrolment").order_by("given_at", "pk")
    return _page(request, "consents", study, wording=wording, given=given)
