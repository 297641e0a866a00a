"""What a rater sees and sends.

The pair that a rater holds *is* the page of the study: looking at it claims it, and looking again shows the
same one. Claiming by GET is safe to repeat (a rater holds one pair at most, and a forgotten hold lapses), so
that a reload, a bookmark and the way back from the log-in all lead to the pair without a further click.

Every reply is a whole page, or for htmx the same page without its frame.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation import access
from annotation.actions import claims, drafts, joining, judging, personal
from annotation.errors import (
    AlreadySubmitted,
    CapReached,
    CorrectionTooLate,
    ExposureReached,
    InvalidAnswer,
    LeaseLost,
    NotFound,
    NothingFree,
    NothingLeft,
    NotQualified,
    NotReady,
    StudyClosed,
)
from annotation.models import Assignment, Enrolment, Judgment
from annotation.rate import breaks
from annotation.rate.forms import LONGEST_NOTE, PairForm, filled_in, in_words
from annotation.rate.keys import key_list, key_map
from annotation.rate.refusals import in_own_words, paused_because
from annotation.reports.exposure import label_of
from annotation.text import storable
from annotation.vocabulary import AssignmentKind, AssignmentState, EnrolmentState, FlagReason

View = Callable[..., HttpResponse]


def for_raters(view: View) -> View:
    """Ask for a log-in, keep nothing in caches, and answer "not there" and "not yours" with one page."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs) -> HttpResponse:
        # A redirect would put the log-in page in place of the answers that are still on the screen.
        if request.htmx and not request.user.is_authenticated:
            return HttpResponse(status=401)
        try:
            return login_required(view)(request, **kwargs)
        except NotFound as error:
            raise Http404 from error

    return never_cache(guarded)


@require_GET
@for_raters
def home(request: HttpRequest) -> HttpResponse:
    """The rater's studies."""
    return render(request, "rate/home.html", {"places": access.enrolments_of(request.user)})


@require_GET
@for_raters
def next_pair(request: HttpRequest, slug: str) -> HttpResponse:
    """The pair to judge now."""
    return _next(request, access.enrolment_for(request.user, slug))


@require_http_methods(["GET", "POST"])
@for_raters
def judge(request: HttpRequest, token: UUID) -> HttpResponse:
    """Keep the answers and show the next pair in the same reply.

    Sending the same form again, as a reload does, finds the judgment it made and shows the next pair again.
    """
    assignment = access.assignment_for(request.user, token)
    if request.method == "GET":  # somebody reloads the address of a reply
        return redirect("rate:next", assignment.enrolment.study.slug)
    form = _form(assignment, request.POST)
    if not form.is_valid():
        return _pair(request, assignment, form, status=422)
    return _kept_or_told(request, assignment, form, judging.submit_judgment)


@require_http_methods(["GET", "POST"])
@for_raters
def revise(request: HttpRequest, token: UUID) -> HttpResponse:
    """The answers given, to be corrected; then the next pair."""
    assignment = access.assignment_for(request.user, token)
    judgment = access.current_judgment(assignment)
    try:
        claims.refuse_unless_rating(assignment.enrolment)
    except (StudyClosed, NotQualified) as reason:
        return _closed(request, assignment.enrolment, str(reason))
    if judgment is None:
        return redirect("rate:next", assignment.enrolment.study.slug)
    if request.method == "GET":
        if not access.may_correct(assignment):
            return _too_late(request, assignment)
        form = _form(assignment, begin=filled_in(judgment))
        return _pair(request, assignment, form, correcting=True)
    form = _form(assignment, request.POST)
    if not form.is_valid():
        return _pair(request, assignment, form, status=422, correcting=True)
    return _kept_or_told(request, assignment, form, judging.revise_judgment, correcting=True)


@require_POST
@for_raters
def skip(request: HttpRequest, token: UUID) -> HttpResponse:
    """Give the pair back."""
    return _given_back(access.assignment_for(request.user, token), claims.skip_assignment)


@require_POST
@for_raters
def decline(request: HttpRequest, token: UUID) -> HttpResponse:
    """Give the pair back for its content, and take no more of its category if the rater says so."""
    assignment = access.assignment_for(request.user, token)
    rater, category = assignment.enrolment, assignment.pair.prompt.harm_category
    if request.POST.get("category") == "never" and category:
        personal.opt_out(rater, [*rater.opted_out, category])
    return _given_back(assignment, claims.decline_assignment)


@require_POST
@for_raters
def flag(request: HttpRequest, token: UUID) -> HttpResponse:
    """Give the pair back because something is broken, and say what."""
    assignment = access.assignment_for(request.user, token)
    sent = request.POST.get("reason", "")
    reason = FlagReason(sent) if sent in FlagReason.values else FlagReason.OTHER
    note = storable(request.POST.get("note", "")[:LONGEST_NOTE])
    return _given_back(assignment, claims.flag_assignment, reason, note)


def _given_back(assignment: Assignment, give_back: Callable[..., None], *why) -> HttpResponse:
    with suppress(LeaseLost):  # it is not held any more, which is what was asked for
        give_back(assignment, *why)
    drafts.drop_drafts(assignment)
    return redirect("rate:next", assignment.enrolment.study.slug)


@require_POST
@for_raters
def take_up_skipped(request: HttpRequest, slug: str) -> HttpResponse:
    """Go through the skipped pairs again."""
    enrolment = access.enrolment_for(request.user, slug)
    with suppress(StudyClosed, NotQualified):  # the study's page says so
        claims.take_up_skipped(enrolment)
    return redirect("rate:next", slug)


# Replies ---------------------------------------------------------------------------------------------


def _kept_or_told(
    request: HttpRequest,
    assignment: Assignment,
    form: PairForm,
    keep: Callable[..., Judgment],
    correcting: bool = False,
) -> HttpResponse:
    """The next pair when the answers were kept, otherwise a page that says why not."""
    try:
        judgment = keep(assignment, form.answers, form.cleaned_data["idempotency_key"])
    except InvalidAnswer as reason:  # the study's rules changed after the form was checked
        form.add_error(None, str(reason))
        return _pair(request, assignment, form, status=422, correcting=correcting)
    except (AlreadySubmitted, CorrectionTooLate, LeaseLost, StudyClosed, NotQualified) as reason:
        return _refused(request, assignment, form, reason)
    drafts.drop_drafts(assignment)
    if address := _after(judgment.assignment):
        return redirect(address)
    surplus = judgment.assignment.state == AssignmentState.SURPLUS
    response = _next(request, assignment.enrolment, surplus=surplus)
    response["HX-Replace-Url"] = reverse("rate:next", args=[assignment.enrolment.study.slug])
    return response


def _after(assignment: Assignment) -> str:
    """Where a rater goes on who answered something else than a pair of the queue; "" for those."""
    if assignment.kind == AssignmentKind.PRACTICE:
        return reverse("rate:feedback", args=[assignment.token])
    if assignment.kind == AssignmentKind.SENIOR and assignment.state == AssignmentState.SUBMITTED:
        return reverse("rate:dispute", args=[assignment.token])
    if assignment.kind == AssignmentKind.QUIZ:
        return reverse("rate:quiz", args=[assignment.enrolment.study.slug])
    return ""


def _next(request: HttpRequest, enrolment: Enrolment, surplus: bool = False) -> HttpResponse:
    """The next pair, or the page that says why there is none."""
    try:
        claimed = claims.claim_next_pair(enrolment)
    except NothingFree as reason:
        context = {"next_free_at": reason.next_free_at}
        return _without_pair(request, "waiting", enrolment, surplus=surplus, **context)
    except NothingLeft:
        skipped = access.skipped_with_room(enrolment)
        return _without_pair(request, "finished", enrolment, surplus=surplus, skipped=skipped)
    except NotReady as reason:
        return redirect(f"rate:{reason.page}", enrolment.study.slug)
    except CapReached as reason:
        context = {"sensitive": isinstance(reason, ExposureReached), "again_at": reason.again_at}
        return _without_pair(request, "enough", enrolment, surplus=surplus, **context)
    except (StudyClosed, NotQualified) as reason:
        return _closed(request, enrolment, str(reason), surplus=surplus)
    assignment = access.assignment_for(request.user, claimed.token)
    draft = access.draft_of(assignment)
    form = _form(assignment, begin=draft.answers if draft else None)
    return _pair(request, assignment, form, surplus=surplus, draft=draft)


def pair_page(request: HttpRequest, held: Assignment, learning: dict[str, str]) -> HttpResponse:
    """A pair that is not of the queue; `learning` has the title and the words that stand above it."""
    assignment = access.assignment_for(request.user, held.token)
    draft = access.draft_of(assignment)
    form = _form(assignment, begin=draft.answers if draft else None)
    return _pair(request, assignment, form, learning=learning, draft=draft)


def _form(assignment: Assignment, data=None, begin: dict | None = None) -> PairForm:
    return PairForm(data, study=assignment.enrolment.study, filled_in=begin)


def _pair(
    request: HttpRequest, assignment: Assignment, form: PairForm, status: int = 200, **context
) -> HttpResponse:
    chosen = access.preferences_of(request.user)
    pair = access.blind_pair(assignment)
    context |= {
        "pair": pair,
        "form": form,
        "chosen": chosen,
        "keys": json.dumps(key_map(chosen)),
        "key_list": key_list(chosen),
        "blurred": pair.blurred or chosen.blur_everything,
        "category": _(label_of(pair.category)) if pair.category else "",
        "flag_reasons": in_words(FlagReason.choices),
    }
    if not context.get("correcting") and not context.get("learning"):
        context["previous"] = access.last_judged_token(assignment.enrolment)
        context["break_due"] = breaks.is_due(request, assignment.enrolment.study.break_minutes)
    reply = _page(request, "pair", context, status)
    breaks.note_work(request, reply)
    return reply


def _without_pair(request: HttpRequest, name: str, enrolment: Enrolment, **context) -> HttpResponse:
    place = access.enrolment_for(request.user, enrolment.study.slug)  # as it is after the last judgment
    context |= {
        "study": {"title": place.study.title, "slug": place.study.slug},
        "judged": place.judged,
        "pair_count": place.study.pairs_shown,
        "previous": access.last_judged_token(place),
        "gets_a_code": access.gets_a_code(place),
        "opted_out": [_(label_of(name)) for name in place.opted_out],
    }
    return _page(request, name, context)


def _too_late(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    return _without_pair(request, "too_late", assignment.enrolment, minutes=access.GRACE.seconds // 60)


def _closed(request: HttpRequest, enrolment: Enrolment, reason: str, surplus: bool = False) -> HttpResponse:
    study = {"title": enrolment.study.title, "slug": enrolment.study.slug}
    gets_a_code = access.gets_a_code(enrolment) and joining.is_done(enrolment)
    paused = enrolment.state == EnrolmentState.PAUSED
    reason = paused_because(enrolment) if paused else _(reason)
    context = {"study": study, "reason": reason, "surplus": surplus, "gets_a_code": gets_a_code}
    context["paused"] = paused
    return _page(request, "closed", context)


def _refused(request: HttpRequest, assignment: Assignment, form: PairForm, reason: Exception) -> HttpResponse:
    """409: the answers were not kept, so they are shown for the rater to keep."""
    study = assignment.enrolment.study
    context = {
        "title": _refusal_title(reason),
        "reason": in_own_words(reason),
        "given": form.given,
        "study": {"title": study.title, "slug": study.slug},
        "correct": assignment.token if isinstance(reason, AlreadySubmitted) else None,
    }
    return _page(request, "refused", context, status=409)


def _refusal_title(reason: Exception) -> str:
    if isinstance(reason, AlreadySubmitted):
        return _("Already judged")
    return _("Too late to correct") if isinstance(reason, CorrectionTooLate) else _("Not kept")


def _page(request: HttpRequest, name: str, context: dict, status: int = 200) -> HttpResponse:
    context["frame"] = "rate/_frame.html" if request.htmx else "rate/frame.html"
    return render(request, f"rate/{name}.html", context, status=status)
