"""The researcher's pages. Each is for the study's researchers; for all others it does not exist."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from annotation import access, tasks
from annotation.actions import enrolment, runs
from annotation.actions import studies as studying
from annotation.actions.runs import MOST_SAMPLES
from annotation.desk import cards, words
from annotation.desk.forms import AccountForm, EnrolForm, RunForm, StateForm
from annotation.errors import DomainError, NotAllowed, NotFound
from annotation.models import Grading, Run, Study, Training
from annotation.reports.fairness import fairness_report
from annotation.reports.flags import flagged_pairs
from annotation.reports.progress import (
    RaterProgress,
    failed_items,
    kept_raters,
    missing_worker,
    nothing_to_rate,
    origins,
    raters_missing,
    raters_progress,
    run_progress,
)
from annotation.reports.running import is_small
from annotation.reports.setup import next_step, setup_report
from annotation.vocabulary import StudyRole, StudyState

RESPONSES_A_PAGE = 20
RATERS_A_PAGE = 50

QUEUE_IS_DOWN = "The queue does not answer. Nothing is lost: work starts by itself when it is back."

View = Callable[..., HttpResponse]
READS = ("GET", "HEAD", "OPTIONS")


def desk_page(view: View) -> View:
    """For members of the study who are logged in; anybody else's page, and nobody's, is not found.

    Whoever sends something has to be an editor.
    """
    return _desk_page(view, StudyRole.VIEWER, StudyRole.EDITOR)


def owners_page(view: View) -> View:
    """A desk page that only an owner of the study opens."""
    return _desk_page(view, StudyRole.OWNER, StudyRole.OWNER)


def readers_page(view: View) -> View:
    """A desk page to which any member may send something: it changes nothing of the study."""
    return _desk_page(view, StudyRole.VIEWER, StudyRole.VIEWER)


def _desk_page(view: View, reads: StudyRole, sends: StudyRole) -> View:
    @wraps(view)
    @login_required
    def page(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if not access.may_use_desk(request.user):
            raise Http404("There is no such page.")
        try:
            least = reads if request.method in READS else sends
            if "slug" in kwargs and least != StudyRole.VIEWER:  # the view itself finds what viewers see
                access.study_for(request.user, kwargs["slug"], least)
            return view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(str(error)) from error
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error

    return page


def rendered(request: HttpRequest, template: str, study: Study | None = None, **context) -> HttpResponse:
    """The page, with what is missing for the runs it is about: the study's, or all of this person's."""
    studies = [study] if study else access.studies_for(request.user)
    missing = missing_worker(Run.objects.filter(study__in=studies))
    frame = {"study": study, "missing_worker": missing, "here": template}
    return render(request, f"desk/{template}.html", {**frame, **context})


@desk_page
@require_safe
def studies(request: HttpRequest) -> HttpResponse:
    archived = access.archived_for(request.user).count()
    may_make = access.may_make_studies(request.user)
    rates = access.enrolments_of(request.user).exists()
    listed = access.listed_for(request.user)
    return rendered(request, "studies", studies=listed, archived=archived, may_make=may_make, rates=rates)


@desk_page
@require_safe
def study(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    runs_of_study = list(study.runs.numbered()[:5])
    found, steps = tasks.look_at_pulse(study), setup_report(study)
    return rendered(
        request,
        "study",
        study,
        counted=found,
        headlines=found.headlines if found else (),
        raters_missing=raters_missing(study),
        steps=steps,
        next_step=next(step for step in steps if step.name == next_step(steps)),
        arms=study.arms.all(),
        prompt_count=study.prompts.count(),
        flagged=flagged_pairs(study).count(),
        stranded=found.stranded if found else 0,
        runs=[(run, words.run_sentence(run_progress(run))) for run in runs_of_study],
        may_fork=access.may_fork(request.user, study),
    )


@desk_page
@require_POST
def set_state(request: HttpRequest, slug: str) -> HttpResponse:
    study, form = access.study_for(request.user, slug), StateForm(request.POST)
    if form.is_valid():
        try:
            studying.set_state(study, form.cleaned_data["state"], request.user)
        except DomainError as error:
            messages.error(request, str(error))
            return redirect("desk:study", slug)
        messages.success(request, f"The study is now: {study.get_state_display().lower()}.")
        if study.state == StudyState.OPEN and (why := nothing_to_rate(study)):
            messages.warning(request, why)
    else:
        messages.error(request, "A study can be opened, paused or closed; nothing was changed.")
    return redirect("desk:study", slug)


# Runs ------------------------------------------------------------------------------------------------


@desk_page
@require_POST
def start_run(request: HttpRequest, slug: str) -> HttpResponse:
    """Begin; or only estimate, where that was pressed beside the same fields."""
    study, form = access.study_for(request.user, slug), RunForm(request.POST)
    estimate = reverse("desk:setup_generation", args=[slug])
    if "estimate" in request.POST:
        asked = {name: request.POST.get(name, "") for name in ("samples", "price")}
        return redirect(f"{estimate}?{urlencode(asked)}")
    if not form.is_valid():
        messages.error(request, f"Nothing was started: responses per prompt and arm are 1 to {MOST_SAMPLES}.")
        return redirect(estimate)
    try:
        run = runs.start_run(study, form.cleaned_data["samples"], request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("desk:study", slug)
    tell_workers(request, tasks.hint, run)
    return redirect("desk:run", slug, run.pk)


def tell_workers(request: HttpRequest, hint: Callable[[Any], None], found: Run | Grading | Training) -> None:
    """Hint at what was queued; the rows are the queue, so a broker that is down only delays the start."""
    if not tasks.sent(hint, found):
        messages.warning(request, QUEUE_IS_DOWN)


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def dry_run(request: HttpRequest, slug: str) -> HttpResponse:
    """What the models would be given for the first prompts; POST has a worker look anew."""
    study = access.study_for(request.user, slug)
    if request.method != "POST":
        return rendered(request, "dry_run", study, dry_run=access.dry_run_of(study))
    if tasks.sent(tasks.dry_run.delay, study.pk, request.user.pk):
        messages.success(request, "A worker loads the models and renders the prompts. Reload in a moment.")
    else:
        messages.error(request, "The queue does not answer, so nothing was rendered. Try again later.")
    return redirect("desk:dry_run", slug)


@desk_page
@require_safe
@vary_on_headers("HX-Request")
def run(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    run = access.run_for(request.user, slug, pk)
    progress = run_progress(run)
    context = {
        "run": run,
        "progress": progress,
        "sentence": words.run_sentence(progress, bool(missing_worker(Run.objects.filter(pk=pk)))),
        "failed_items": failed_items(run) if progress.failed else (),
        "fairness": fairness_report(run.study),
        "origins": origins(run).items(),
        "held": run.study.pairs.held().count(),
    }
    return rendered(request, "_run" if request.htmx else "run", run.study, **context)


@desk_page
@require_POST
def control_run(request: HttpRequest, slug: str, pk: int, control: str) -> HttpResponse:
    """Pause, resume, cancel or retry: see `runs.CONTROLS`."""
    run = access.run_for(request.user, slug, pk)
    if control not in runs.CONTROLS:
        raise Http404("There is no such control.")
    try:
        runs.CONTROLS[control](run, request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("desk:run", slug, pk)
    if control in runs.GOES_ON:
        tell_workers(request, tasks.hint, run)
    return redirect("desk:run", slug, pk)


# Responses -------------------------------------------------------------------------------------------


@desk_page
@require_safe
def responses(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    page = Paginator(cards.response_keys(study), RESPONSES_A_PAGE).get_page(request.GET.get("page"))
    return rendered(request, "responses", study, page=page, shown=cards.response_cards(study, list(page)))


@desk_page
@require_safe
def response_text(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    return _plain(access.response_for(request.user, slug, pk).text)


@desk_page
@require_safe
def prompt_text(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    return _plain(access.prompt_for(request.user, slug, pk).last_message)


def _plain(text: str) -> HttpResponse:
    """The whole of a text of which a page shows the start, as it is."""
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


# Raters ----------------------------------------------------------------------------------------------


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def raters(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    form = EnrolForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            place = enrolment.enrol(study, form.user, request.user)
        except DomainError as error:
            form.add_error("username", str(error))
        else:
            messages.success(request, f"“{form.user.username}” rates in this study as {place.code}.")
            return redirect("desk:raters", slug)
    return raters_page(request, study, form)


def raters_page(
    request: HttpRequest,
    study: Study,
    form: EnrolForm | None = None,
    account_form: AccountForm | None = None,
) -> HttpResponse:
    """Who rates, and the forms that let others in; 422 where a new account was refused."""
    keys = study.enrolments.order_by("code").values_list("pk", flat=True)
    page = Paginator(keys, RATERS_A_PAGE).get_page(request.GET.get("page"))
    page.object_list = _raters(study, list(page))
    context = {
        "form": form or EnrolForm(),
        "account_form": account_form or AccountForm(),
        "page": page,
        "rater_count": page.paginator.count,
    }
    reply = rendered(request, "raters", study, **context)
    reply.status_code = 422 if account_form else 200
    return reply


def _raters(study: Study, keys: Sequence[int]) -> Sequence[RaterProgress]:
    """These raters by code; their judgments as they were counted last where the study is large."""
    if is_small(study):
        return raters_progress(study, keys)
    found = tasks.look_at_pulse(study)
    return kept_raters(study, found.by_rater if found else {}, keys)
