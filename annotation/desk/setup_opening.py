"""The steps behind the arms: answers, pairs and budget, raters, gold, rehearsal, and opening the study."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from annotation import access
from annotation.desk import meanwhile, words
from annotation.desk.setup import saved, step_page
from annotation.desk.setup_forms import EstimateForm, PairingForm
from annotation.desk.views import desk_page
from annotation.errors import BadPlan
from annotation.models import Study
from annotation.reports.estimates import Estimate, generation_estimate
from annotation.reports.planning import WIDTH, Assumptions, Plan, plan
from annotation.reports.progress import run_progress, workers
from annotation.reports.setup import ATTENTION, OPEN, setup_report
from annotation.vocabulary import EnrolmentState, PairState

WIDTHS = (0.1, 0.05, 0.03)
"""Half-widths, in shares, that the step names sizes for."""

READ = meanwhile.reading(*PairingForm.base_fields)


@desk_page
@require_safe
def generation(request: HttpRequest, slug: str) -> HttpResponse:
    """How long the arms would take and what it costs; then start."""
    study = access.study_for(request.user, slug)
    form = EstimateForm(request.GET or None)
    given = form.cleaned_data if form.is_bound and form.is_valid() else {}
    samples = given.get("samples") or 1
    found = generation_estimate(study, samples, given.get("price"))
    imported = study.arms.filter(backend="").count()
    listed = [(run, words.run_sentence(run_progress(run))) for run in study.runs.numbered()[:5]]
    context = {
        "estimate": found,
        "estimate_form": EstimateForm(initial={"samples": samples, "price": given.get("price")}),
        "estimate_errors": form.errors if form.is_bound else {},
        "sentence": estimate_sentence(found, imported),
        "lines": [(arm, _time(arm.seconds if arm.missing else None)) for arm in found.arms],
        "runs": listed,
        "has_gpu_worker": "gpu" in workers().alive,
        "imported": imported,
    }
    return step_page(request, study, "generation", **context)


def estimate_sentence(found: Estimate, imported: int) -> str:
    """What a run would take; `imported` arms generate nothing."""
    if not found.arms:
        return "No arm answers here: their responses are imported." if imported else "There are no arms yet."
    if not found.missing:
        return "Every arm has answered every prompt."
    told = f"{words.count(found.missing, 'response')} to generate"
    if found.seconds is not None:
        told += f", about {words.duration(found.seconds)} with one worker"
    if found.cost is not None:
        told += f", about {found.cost:,.2f} in the currency of the price"
    return f"{told}."


def _time(seconds: float | None) -> str:
    return words.DASH if seconds is None else words.duration(seconds)


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def pairing(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    form = PairingForm(request.POST or None, instance=access.study_for(request.user, slug))
    if request.method == "POST" and form.is_valid() and meanwhile.is_saved(request, study, form, READ):
        messages.success(request, "Saved. It holds for pairs made from now on.")
        return saved(request, study, "pairing")
    mark = meanwhile.mark_for(request, form, READ(study))
    lines = [(words.plan_goal(found), found.size) for found in _plans(study)]
    prompts = study.prompts.count()
    context = {"form": form, "mark": mark, "lines": lines, "now": _now(study, prompts), "prompts": prompts}
    return step_page(request, study, "pairing", 422 if form.errors else 200, **context)


def _plans(study: Study) -> list[Plan]:
    """Sizes by assumptions alone: what was judged tells more, on the page of the plan."""
    found = []
    for width in WIDTHS:
        try:
            found.append(plan(WIDTH, width, Assumptions(overlap=study.overlap)))
        except BadPlan:
            continue
    return found


def _now(study: Study, prompts: int) -> str:
    """What the prompts that are there give, in a sentence."""
    try:
        found = plan(WIDTH, WIDTHS[1], Assumptions(overlap=study.overlap), prompts)
    except BadPlan:
        return ""
    return words.plan_now(found, prompts) if prompts else ""


@desk_page
@require_safe
def raters(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    places = study.enrolments.filter(user__isnull=False)
    context = {
        "rater_count": places.filter(state=EnrolmentState.ACTIVE).count(),
        "paused_count": places.filter(state=EnrolmentState.PAUSED).count(),
        "links": study.links.filter(revoked_at__isnull=True)[:10],
    }
    return step_page(request, study, "raters", **context)


@desk_page
@require_safe
def gold(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    context = {
        "gold_pairs": study.gold.filter(retired_at__isnull=True).count(),
        "could_be": study.pairs.filter(state=PairState.OPEN).exists(),
    }
    return step_page(request, study, "gold", **context)


@desk_page
@require_safe
def rehearsal(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    has_pair = study.pairs.filter(state=PairState.OPEN).exists()
    return step_page(request, study, "rehearsal", has_pair=has_pair)


@desk_page
@require_safe
def opening(request: HttpRequest, slug: str) -> HttpResponse:
    """What is missing, and the button that lets raters begin."""
    study = access.study_for(request.user, slug)
    waiting = [step for step in setup_report(study)[:-1] if step.state in (OPEN, ATTENTION)]
    can_open = study.pairs.filter(state=PairState.OPEN).exists()
    return step_page(request, study, "opening", waiting=waiting, can_open=can_open)
