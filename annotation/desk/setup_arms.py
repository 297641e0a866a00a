"""What is compared: arms are added, tried out, changed and removed."""

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh

from annotation import access, tasks
from annotation.actions import arms as arming
from annotation.actions import generating
from annotation.desk import meanwhile
from annotation.desk.setup import step_page
from annotation.desk.setup_forms import ArmForm, TrialForm
from annotation.desk.views import QUEUE_IS_DOWN, desk_page
from annotation.errors import DomainError, StudyMoved
from annotation.models import Arm, Event, Study
from annotation.text import spelt_out

MOST_ARMS = 20


@dataclass(frozen=True)
class Trial:
    """The newest trial of an arm; `answer` is None while it is waited for.

    `is_earlier`: the arm's settings were changed since, so another answer may come now.
    """

    asked: str
    answer: dict | None
    is_earlier: bool = False


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def arms(request: HttpRequest, slug: str) -> HttpResponse:
    """The arms; POST adds one."""
    study = access.study_for(request.user, slug)
    form = ArmForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _adds(request, study, form):
        return redirect("desk:setup_arms", slug)
    listed = list(study.arms.all())
    context = {"form": form, "arms": listed, "has_room": len(listed) < MOST_ARMS}
    return step_page(request, study, "arms", 422 if form.errors else 200, **context)


def _adds(request: HttpRequest, study: Study, form: ArmForm) -> bool:
    try:
        arm = arming.define_arm(study, actor=request.user, **form.settings)
    except DomainError as error:
        form.add_error("name", str(error))
        return False
    messages.success(request, f"“{spelt_out(arm.name)}” is added. Try it out before it answers everything.")
    return True


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def arm(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One arm with its settings; those of one that has answered are only shown."""
    study = access.study_for(request.user, slug)
    found = _arm_at(study, number)
    form = ArmForm(request.POST or None, arm=found, frozen=bool(found.frozen_at))
    if request.method == "POST" and form.is_valid() and _changes(request, found, form):
        return redirect("desk:setup_arm", slug, number)
    return _arm_page(request, study, found, form)


def _arm_at(study: Study, position: int) -> Arm:
    """The arm at this place in the canonical order. Raises NotFound."""
    return access.arm_at(study, position)


def _arm_page(
    request: HttpRequest, study: Study, found: Arm, form: ArmForm, trial_form: TrialForm | None = None
) -> HttpResponse:
    asked = asked_last(found)
    context = {
        "arm": found,
        "form": form,
        "mark": meanwhile.mark_for(request, form, ArmForm.stored(found)),
        "trial_form": trial_form or TrialForm(initial=asked and {"asked": asked.detail["asked"]}),
        "trial": trial_of(found, asked),
        "has_answers": found.responses.exists(),
    }
    wrong = form.errors or (trial_form and trial_form.errors)
    return step_page(request, study, "arms", 422 if wrong else 200, template="setup/arm", **context)


def _changes(request: HttpRequest, found: Arm, form: ArmForm) -> bool:
    try:
        arming.change_arm(found, request.user, meanwhile.as_read(request, ArmForm.stored), **form.settings)
    except StudyMoved:
        found.refresh_from_db()  # the page that comes back tells what came
        return False
    except DomainError as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, "Saved.")
    return True


@desk_page
@require_POST
def remove_arm(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    study = access.study_for(request.user, slug)
    found = _arm_at(study, number)
    try:
        arming.remove_arm(found, request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("desk:setup_arm", slug, number)
    messages.success(request, f"“{spelt_out(found.name)}” left the study.")
    return redirect("desk:setup_arms", slug)


# A test answer ---------------------------------------------------------------------------------------


def asked_last(arm: Arm) -> Event | None:
    """The newest question that the arm was asked to try it out."""
    return _about(arm).filter(verb="ask_trial").first()


def trial_of(arm: Arm, asked: Event | None) -> Trial | None:
    """What came of the newest question.

    None where it failed with settings that the arm has no longer: that says nothing about it now.
    """
    if asked is None:
        return None
    answer = _about(arm).filter(verb="try_arm", pk__gt=asked.pk).first()
    if answer is None:
        return Trial(asked.detail["asked"], None)
    earlier = answer.detail.get("settings", arm.settings_sha256) != arm.settings_sha256
    return (
        None if earlier and answer.detail["error"] else Trial(asked.detail["asked"], answer.detail, earlier)
    )


def _about(arm: Arm) -> QuerySet[Event]:
    return Event.objects.filter(study=arm.study_id, detail__arm=arm.pk)


@desk_page
@require_POST
def ask_trial(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Have a worker answer with the arm; its page shows the answer as soon as it is there."""
    study = access.study_for(request.user, slug)
    found = _arm_at(study, number)
    form = TrialForm(request.POST)
    if not found.generates or not form.is_valid():
        return _arm_page(request, study, found, ArmForm(arm=found, frozen=bool(found.frozen_at)), form)
    asked = form.cleaned_data["asked"]
    generating.ask_trial(found, asked, request.user)
    if not tasks.sent(tasks.try_arm.delay, found.pk, asked, request.user.pk):
        messages.warning(request, QUEUE_IS_DOWN)
        if request.htmx:  # it takes the trial alone out of the page, and the warning stands above
            return HttpResponseClientRefresh()
    return redirect("desk:setup_arm", slug, number)


@desk_page
@require_safe
@vary_on_headers("HX-Request")
def trial(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The newest trial alone, for a page that waits for it."""
    study = access.study_for(request.user, slug)
    found = _arm_at(study, number)
    if not request.htmx:
        return redirect("desk:setup_arm", slug, number)
    context = {"study": study, "arm": found, "trial": trial_of(found, asked_last(found))}
    return render(request, "desk/setup/_trial.html", context)
