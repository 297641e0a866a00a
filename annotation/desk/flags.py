"""Pairs that raters flagged as broken, and what the desk answers."""

from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from annotation import access
from annotation.actions.flagging import LONGEST_NOTE, answer_flags
from annotation.actions.reviewing import MOST_AT_ONCE, Decided
from annotation.desk import words
from annotation.desk.forms import FlagAnswerForm
from annotation.desk.review import refusals
from annotation.desk.views import desk_page
from annotation.errors import DomainError
from annotation.models import Study
from annotation.reports.flags import FlaggedPair, flagged_pairs, pairs_with_flags, waiting_flags
from annotation.reports.progress import missing_worker
from annotation.vocabulary import FlagDecision

PAIRS_A_PAGE = 20
ANSWERED = "answered"
"""Stands in the address for the pairs whose flags are all answered."""

DONE = {
    FlagDecision.KEEP: "kept in the study",
    FlagDecision.HOLD: "held for review",
    FlagDecision.DROP: "dropped from the study",
}


@dataclass(frozen=True)
class Choice:
    """A decision as a button: open, or closed with the reason."""

    decision: str
    label: str
    closed: str


@dataclass(frozen=True)
class Card:
    """A flagged pair in words."""

    found: FlaggedPair
    choices: tuple[Choice, ...]

    @property
    def arms(self) -> tuple[str, str]:
        return self.found.pair.response_a.arm.name, self.found.pair.response_b.arm.name


def _card(found: FlaggedPair) -> Card:
    closed = found.closed
    choices = (Choice(choice.value, choice.label, closed.get(choice, "")) for choice in FlagDecision)
    return Card(found, tuple(choices))


@desk_page
@require_safe
def flags(request: HttpRequest, slug: str) -> HttpResponse:
    """Flagged pairs that wait for an answer; those answered with `?kind=answered`."""
    study = access.study_for(request.user, slug)
    kind = ANSWERED if request.GET.get("kind") == ANSWERED else ""
    waiting, answered = flagged_pairs(study), flagged_pairs(study, answered=True)
    page = Paginator(answered if kind else waiting, PAIRS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "study": study,
        "here": "review",
        "part": "flags",
        "missing_worker": missing_worker(study.runs.all()),
        "kind": kind,
        "waiting": waiting.count(),
        "answered": answered.count(),
        "page": page,
        "cards": [_card(found) for found in pairs_with_flags(study, list(page))],
        "decisions": FlagDecision.choices,
        "flags": waiting_flags(study).aggregate(count=Count("pk"), last=Max("pk")),
        "most": MOST_AT_ONCE,
        "longest_note": LONGEST_NOTE,
    }
    return render(request, "desk/flags.html", context)


@desk_page
@require_POST
def answer(request: HttpRequest, slug: str) -> HttpResponse:
    """An answer to the flags of one pair, of those chosen, or of all that the page knew of."""
    study, form = access.study_for(request.user, slug), FlagAnswerForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose a decision and at least one pair; nothing was changed.")
        return _back(study, request)
    asked = form.cleaned_data
    keys, seen = asked["pairs"], asked["seen"]
    if not keys:
        keys, seen = _all_until(study, asked["until"])
        if len(seen) != asked["count"]:
            messages.error(request, "Flags came or went since you looked. Look again; nothing was changed.")
            return _back(study, request)
    try:
        decided = answer_flags(study, keys, asked["decision"], asked["note"], request.user, seen)
    except DomainError as error:
        messages.error(request, str(error))
        return _back(study, request)
    _tell(request, decided, FlagDecision(asked["decision"]))
    return _back(study, request)


def _all_until(study: Study, last_flag: int) -> tuple[list[int], list[int]]:
    """The first pairs with flags up to this one, as many as may be decided at once; and all such flags."""
    waiting = waiting_flags(study).filter(pk__lte=last_flag).order_by("pair")
    flags = dict(waiting.values_list("pk", "pair"))
    return list(dict.fromkeys(flags.values()))[:MOST_AT_ONCE], list(flags)


def _tell(request: HttpRequest, decided: Decided, decision: FlagDecision) -> None:
    if decided.pairs:
        verb = "is" if decided.done == 1 else "are"
        messages.success(request, f"{words.count(decided.done, 'pair')} {verb} {DONE[decision]}.")
    for note in refusals(decided.refused):
        messages.warning(request, note)


def _back(study: Study, request: HttpRequest) -> HttpResponse:
    page = request.POST.get("page", "")
    query = f"?page={page}" if page.isascii() and page.isdecimal() else ""
    return redirect(f"{reverse('desk:flags', args=[study.slug])}{query}")
