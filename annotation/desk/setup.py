"""A study from nothing, step by step: each has its own address, is saved by itself and can be revisited."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from annotation import access
from annotation.actions import studies as studying
from annotation.desk.setup_forms import NewStudyForm
from annotation.desk.views import desk_page, rendered
from annotation.errors import DomainError
from annotation.models import Study
from annotation.reports.setup import TITLES, next_step, setup_report

JUDGED = (
    "Pairs of this study were judged already. What made those judgments stays as it was, so that all of them "
    "answer the same questions. To change it, fork the study: the copy takes all along but the judgments."
)


def step_page(
    request: HttpRequest, study: Study, step: str, status: int = 200, *, template: str = "", **context
) -> HttpResponse:
    """A page of the setup: beside it stand all steps with how far each is."""
    steps = setup_report(study)
    names = list(TITLES)
    after = names[names.index(step) + 1] if step != names[-1] else ""
    frame = {
        "steps": steps,
        "step": next(one for one in steps if one.name == step),
        "after": after,
        "after_title": TITLES.get(after, ""),
        "may_fork": access.may_fork(request.user, study),
        "judged": JUDGED if studying.is_judged(study) else "",
    }
    reply = rendered(request, template or f"setup/{step}", study, **frame | context)
    reply.status_code = status
    return reply


def saved(request: HttpRequest, study: Study, step: str) -> HttpResponse:
    """Where a step that was saved leads: on, or nowhere else where only “Save” was meant."""
    if "go_on" in request.POST:
        names = list(TITLES)
        step = names[names.index(step) + 1]
    return redirect(f"desk:setup_{step}", study.slug)


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def new_study(request: HttpRequest) -> HttpResponse:
    """The first step: a title makes a study."""
    access.refuse_unless_researcher(request.user)
    form = NewStudyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            study = studying.begin_study(researcher=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The study is there, as a draft. Every step is saved as you go.")
            return redirect("desk:setup_questions", study.slug)
    reply = rendered(request, "setup/new", form=form, steps=TITLES.values())
    reply.status_code = 422 if form.errors else 200
    return reply


@desk_page
@require_safe
def setup(request: HttpRequest, slug: str) -> HttpResponse:
    """On to the first step that waits for somebody."""
    study = access.study_for(request.user, slug)
    return redirect(f"desk:setup_{next_step(setup_report(study))}", slug)
