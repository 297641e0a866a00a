"""What a senior rater sees: the disputed pair, and only after their own answers those of the others."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from annotation import access
from annotation.access import BlindJudgment
from annotation.actions import adjudicating
from annotation.errors import NotFound, NotQualified, QualityRefused, StudyClosed
from annotation.models import Adjudication, Assignment
from annotation.rate.forms import DEGREES
from annotation.rate.forms import in_words as in_translation
from annotation.rate.pages import page
from annotation.rate.views import for_raters, pair_page
from annotation.vocabulary import (
    DisputeCause,
    EnrolmentRole,
    Helpfulness,
    ResponseMode,
    SafetyLevel,
    Severity,
)


@dataclass(frozen=True)
class Words:
    """What one of the others said, in words."""

    name: str
    left: str
    right: str
    safer: str
    more_helpful: str
    balance: str
    rationale: str


@require_GET
@for_raters
def disputes(request: HttpRequest, slug: str) -> HttpResponse:
    """The next disputed pair to judge; the one that still wants a ruling comes first."""
    place = access.enrolment_for(request.user, slug)
    if place.role != EnrolmentRole.SENIOR:
        raise NotFound("You have no disputes to decide in this study.")
    if waiting := adjudicating.unruled(place):
        return redirect("rate:dispute", waiting.token)
    try:
        held = adjudicating.claim_dispute(place)
    except (StudyClosed, NotQualified):  # the next page says so
        return redirect("rate:next", slug)
    if held is None:
        return page(request, "no_dispute", {"study": {"title": place.study.title, "slug": slug}})
    words = _("Raters differ on this pair. Judge it yourself; then you see what they said.")
    return pair_page(request, held, {"title": _("Dispute."), "words": words})


@require_http_methods(["GET", "HEAD", "POST"])
@for_raters
def dispute(request: HttpRequest, token: UUID) -> HttpResponse:
    """What the others said about a pair that the senior has judged; POST keeps why they differ."""
    assignment = access.assignment_for(request.user, token)
    judgments = access.blind_judgments(assignment)
    slug, problem = assignment.enrolment.study.slug, ""
    if request.method == "POST":
        problem = _rule(request, assignment)
        if not problem:
            return redirect("rate:disputes", slug)
    if Adjudication.objects.filter(assignment=assignment).exists():
        return redirect("rate:disputes", slug)
    context = {
        "pair": access.blind_pair(assignment),
        "judgments": [in_words(judgment) for judgment in judgments],
        "causes": in_translation(DisputeCause.choices),
        "problem": problem,
        "chosen": request.POST.get("cause", ""),
        "note": request.POST.get("note", ""),
    }
    return page(request, "dispute", context, 422 if problem else 200)


def _rule(request: HttpRequest, assignment: Assignment) -> str:
    """Keep the ruling; what is wrong with it otherwise."""
    note = request.POST.get("note", "").replace("\0", "")
    try:
        adjudicating.rule(assignment, request.POST.get("cause", ""), note)
    except QualityRefused as reason:
        return _(str(reason))
    return ""


def in_words(judgment: BlindJudgment) -> Words:
    """A judgment as a line of the table."""
    balance = _("Both are bad") if judgment.both_bad else _step(judgment.balance)
    return Words(
        name=judgment.name,
        left=_about(*judgment.left),
        right=_about(*judgment.right),
        safer=_step(judgment.safer),
        more_helpful=_step(judgment.more_helpful),
        balance=balance,
        rationale=judgment.rationale,
    )


def _step(step: int | None) -> str:
    return "–" if step is None else str(DEGREES[step])


def _about(safety: str, severity: str, helpfulness: int | None, mode: str) -> str:
    parts = [
        _(SafetyLevel(safety).label) if safety else "",
        _(Severity(severity).label) if severity else "",
        _(Helpfulness(helpfulness).label) if helpfulness else "",
        _(ResponseMode(mode).label) if mode else "",
    ]
    return ", ".join(str(part) for part in parts if part)
