"""Who works on a study, in which role; invitations; and a rater who wants to be forgotten."""

from smtplib import SMTPException

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation import access
from annotation.actions import members as actions
from annotation.actions import people
from annotation.desk.views import desk_page, owners_page, readers_page
from annotation.errors import DomainError
from annotation.models import Enrolment, MemberInvitation, Study, User
from annotation.vocabulary import StudyRole

LETTER = """You are invited to work on the study “{title}” with Evenhand, as {role}.

Open this address to accept. It can be used once, until {until} (UTC):

{address}

If you do not know what this is about, you need not do anything.
"""


class MemberForm(forms.Form):
    """Somebody by the name they log in with, or by an address to send an invitation to."""

    person = forms.CharField(max_length=254, label="User name, or e-mail for an invitation")
    role = forms.ChoiceField(choices=StudyRole.choices, initial=StudyRole.VIEWER, label="Role")

    def clean_person(self) -> str:
        given = self.cleaned_data["person"].strip()
        self.user = User.objects.filter(username=given, is_active=True).first()
        if self.user is None and "@" in given:
            return forms.EmailField().clean(given)
        if self.user is None:
            raise forms.ValidationError(
                f"There is no active user “{given}”. Write their e-mail address to invite them."
            )
        return given


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=StudyRole.choices)


class ForgetForm(forms.Form):
    code = forms.CharField(max_length=100, label="Type the rater's code to confirm")


def _page(
    request: HttpRequest, study: Study, form: MemberForm | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "study": study,
        "here": "members",
        "members": (listed := list(access.members_of(study))),
        "is_member": any(member.user == request.user for member in listed),
        "invitations": access.invitations_of(study),
        "roles": StudyRole.choices,
        "form": form or MemberForm(),
    }
    return render(request, "desk/members.html", context, status=status)


@desk_page
@require_safe
def members(request: HttpRequest, slug: str) -> HttpResponse:
    return _page(request, access.study_for(request.user, slug))


@never_cache
@owners_page
@require_POST
def add(request: HttpRequest, slug: str) -> HttpResponse:
    """Add an account, or make an invitation, whose address is shown this once."""
    study, form = access.study_to_own(request.user, slug), MemberForm(request.POST)
    if not form.is_valid():
        return _page(request, study, form, 422)
    role = StudyRole(form.cleaned_data["role"])
    if form.user is None:
        return _invite(request, study, form.cleaned_data["person"], role)
    try:
        is_new = actions.add_member(study, form.user, role, request.user)
    except DomainError as error:
        form.add_error("person", str(error))
        return _page(request, study, form, 422)
    told = f"“{form.user.username}” works on this study now." if is_new else "They are a member already."
    messages.success(request, told)
    return redirect("desk:members", slug)


def _invite(request: HttpRequest, study: Study, email: str, role: StudyRole) -> HttpResponse:
    made, secret = actions.invite(study, email, role, request.user)
    address = request.build_absolute_uri(reverse("invitation", args=[secret]))
    context = {
        "study": study,
        "here": "members",
        "invitation": made,
        "address": address,
        "sent": _sent(made, address),
    }
    return render(request, "desk/invitation_made.html", context)


def _sent(made: MemberInvitation, address: str) -> bool:
    """Whether the invitation could be mailed; else its owner passes it on."""
    if not settings.SENDS_MAIL:
        return False
    letter = LETTER.format(
        title=made.study.title,
        role=made.get_role_display().lower(),
        until=f"{made.expires_at:%Y-%m-%d %H:%M}",
        address=address,
    )
    subject = f"Evenhand: {' '.join(made.study.title.split())}"
    try:
        return bool(send_mail(subject, letter, None, [made.email]))
    except (OSError, SMTPException):
        return False


@owners_page
@require_POST
def set_role(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study, form = access.study_to_own(request.user, slug), RoleForm(request.POST)
    found = access.member_in(study, pk)
    if not form.is_valid():
        messages.error(request, "There is no such role; nothing was changed.")
        return redirect("desk:members", slug)
    try:
        actions.set_role(study, found.user, StudyRole(form.cleaned_data["role"]), request.user)
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("desk:members", slug)


@owners_page
@require_POST
def remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study = access.study_to_own(request.user, slug)
    return _removed(request, study, access.member_in(study, pk).user)


@readers_page
@require_POST
def leave(request: HttpRequest, slug: str) -> HttpResponse:
    """Whoever works on the study may leave it."""
    return _removed(request, access.study_for(request.user, slug), request.user)


def _removed(request: HttpRequest, study: Study, user: User) -> HttpResponse:
    try:
        actions.remove_member(study, user, request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("desk:members", study.slug)
    messages.success(request, f"“{user.username}” no longer works on “{study.title}”.")
    if user == request.user:
        return redirect("home")
    return redirect("desk:members", study.slug)


@owners_page
@require_POST
def withdraw_invitation(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study = access.study_to_own(request.user, slug)
    actions.withdraw_invitation(access.invitation_in(study, pk), request.user)
    return redirect("desk:members", slug)


@owners_page
@require_http_methods(["GET", "HEAD", "POST"])
def forget_rater(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Forget a rater who asked for it: an owner those of this study alone, staff who administer anybody."""
    study = access.study_to_own(request.user, slug)
    found, form = access.rater_in(study, pk), ForgetForm(request.POST or None)
    elsewhere = not request.user.is_superuser and not _may_forget(found)
    if request.method == "POST" and form.is_valid() and not elsewhere:
        if form.cleaned_data["code"].strip() != found.code:
            form.add_error("code", "This is not the rater's code. Nothing was changed.")
        elif _forgot(request, found.user, form):
            return redirect("desk:rater", slug, pk)
    context = {"study": study, "here": "raters", "rater": found, "form": form, "elsewhere": elsewhere}
    status = 422 if form.errors else 200
    return render(request, "desk/forget_rater.html", context, status=status)


def _may_forget(rater: Enrolment) -> bool:
    """Whether the person is a rater of this study and nothing else, as far as this Evenhand knows."""
    return people.came_into(rater) and not people.takes_part_elsewhere(rater.user, rater.study)


def _forgot(request: HttpRequest, user: User, form: ForgetForm) -> bool:
    try:
        people.forget_person(user, request.user)
    except DomainError as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, "The person is forgotten. What they judged stays under their code.")
    return True
