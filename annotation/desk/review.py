"""The review list: marked pairs wait here until a researcher decides what raters get to see."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language_info
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from annotation import access, scan, tasks, text
from annotation.actions import reviewing
from annotation.actions.reviewing import MOST_AT_ONCE, Decided
from annotation.desk import words
from annotation.desk.forms import DecisionForm, TakeBackForm
from annotation.desk.views import QUEUE_IS_DOWN, desk_page
from annotation.errors import DomainError
from annotation.models import Event, Study
from annotation.reports.progress import missing_worker
from annotation.reports.review import (
    Answer,
    KindCount,
    MarkLine,
    ReviewedPair,
    Waiting,
    pair_in,
    passage,
    reviewed,
    unseen,
)
from annotation.vocabulary import MarkKind, PairState, ReviewDecision

PAIRS_A_PAGE = 20
RESCAN_AT_ONCE = 2_000
"""Pairs. More are looked at by a worker, because the page would keep its reader waiting."""

DECIDED = "decided"
"""Stands in the address for the pairs that were decided, where else the kind of a mark does."""

DONE_WORDS = {
    ReviewDecision.SHOW: "shown as it is|shown as they are",
    ReviewDecision.MASK: "shown with the name masked|shown with the names masked",
    ReviewDecision.REGENERATE: "generated again|generated again",
    ReviewDecision.DROP: "dropped from the study|dropped from the study",
}


# What the page shows ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Badge:
    """A mark in words."""

    label: str
    why: str


@dataclass(frozen=True)
class AnswerCard:
    """An answer of either arm; `passages` are safe HTML, with "" between where text was left out."""

    arm: str
    finish: str
    badges: tuple[Badge, ...]
    passages: tuple[SafeString, ...]
    starts_late: bool
    ends_early: bool
    earlier: tuple["AnswerCard", ...]
    replaced_at: object
    is_empty: bool
    is_again: bool
    later_pk: int | None


@dataclass(frozen=True)
class Choice:
    """A decision as a button: open, or closed with the reason."""

    decision: str
    label: str
    closed: str


@dataclass(frozen=True)
class PairCard:
    """A pair of the list. `undo_closed` says why its decision stands; "" if it can be taken back."""

    pk: int
    prompt_key: str
    sample: int
    prompt: str
    badges: tuple[Badge, ...]
    answers: tuple[AnswerCard, AnswerCard]
    choices: tuple[Choice, ...]
    withdraws: int
    waits: bool
    decision: str
    state: str
    undo_closed: str


def pair_card(pair: ReviewedPair) -> PairCard:
    """The pair in words."""
    row = pair.pair
    return PairCard(
        pk=row.pk,
        prompt_key=row.prompt.key,
        sample=row.response_a.sample + 1,
        prompt=row.prompt.last_message[:600],
        badges=tuple(map(badge, pair.marks)),
        answers=(answer_card(pair.a), answer_card(pair.b)),
        choices=tuple(
            Choice(choice.value, choice.label, pair.closed.get(choice.value, "")) for choice in ReviewDecision
        ),
        withdraws=pair.withdraws,
        waits=row.state == PairState.HELD,
        decision=_done_words(row.decision)[0].capitalize() if row.decision else "",
        state=row.get_state_display(),
        undo_closed=pair.undo_closed,
    )


def answer_card(answer: Answer) -> AnswerCard:
    """One answer with its passages."""
    response, passages = answer.response, answer.passages
    last = passages[-1] if passages else None
    return AnswerCard(
        arm=response.arm.name,
        finish=response.get_finish_reason_display(),
        badges=tuple(map(badge, answer.marks)),
        passages=tuple(text.with_places(passage.text, passage.spans) for passage in passages),
        starts_late=bool(passages) and passages[0].start > 0,
        ends_early=last is not None and last.start + len(last.text) < answer.length,
        earlier=tuple(map(answer_card, answer.earlier)),
        replaced_at=response.replaced_at,
        is_empty=not answer.length,
        is_again=response.replaced_at is not None and answer.later is None,
        later_pk=answer.later and answer.later.pk,
    )


def badge(mark: MarkLine) -> Badge:
    """The mark, and what it has to tell."""
    return Badge(MarkKind(mark.kind).label, _why(mark))


def _why(mark: MarkLine) -> str:
    detail = mark.detail
    match mark.kind:
        case MarkKind.TRUNCATED:
            return detail.get("because", "")
        case MarkKind.LANGUAGE:
            return f"Asked in {_language(detail['prompt'])}, answered in {_language(detail['response'])}."
        case MarkKind.IDENTITY:
            return "It names itself or its maker."
        case MarkKind.TOKENS:
            return f"In {words.count(mark.places, 'place')}."
        case MarkKind.NEAR_IDENTICAL:
            return f"{words.percent(detail['similarity'])} of their words."
    return ""


def _language(code: str) -> str:
    try:
        return get_language_info(code)["name"]
    except KeyError:
        return f"“{code}”"


def done_sentence(event: Event) -> str:
    """What a decision did."""
    pairs = words.count(len(event.detail["pairs"]), "pair")
    many = len(event.detail["pairs"]) != 1
    if event.verb == "take_back":
        return f"{pairs} {'wait' if many else 'waits'} for review again."
    one, more = _done_words(event.detail["decision"])
    return f"{pairs} {'are' if many else 'is'} {more if many else one}."


def _done_words(decision: str) -> tuple[str, str]:
    """What was done, to one pair and to several."""
    one, several = DONE_WORDS[ReviewDecision(decision)].split("|")
    return one, several


def refusals(refused: dict[str, int]) -> list[str]:
    """Why pairs were left as they were."""
    return [f"{words.count(count, 'pair')} left as before: {reason}" for reason, count in refused.items()]


# The list -----------------------------------------------------------------------------------------------


@desk_page
@require_safe
@vary_on_headers("HX-Request")
def review(request: HttpRequest, slug: str) -> HttpResponse:
    """Waiting pairs, of one kind of mark with `?kind=`; those decided with `?kind=decided`."""
    study = access.study_for(request.user, slug)
    return _page(request, study, request.GET, _event(study, request.GET.get("done")))


def _page(
    request: HttpRequest, study: Study, asked: QueryDict, event: Event | None, notes: Sequence[str] = ()
) -> HttpResponse:
    kind = asked.get("kind", "")
    waiting = Waiting(study)
    if kind == DECIDED:
        keys = study.pairs.decided().order_by("position").values_list("pk", flat=True)
    else:
        kind = kind if kind in MarkKind.values else ""
        keys = waiting.of_kind(kind)
    page = Paginator(keys, PAIRS_A_PAGE).get_page(asked.get("page"))
    kinds, not_scanned = waiting.kinds(), _not_scanned(study)
    of_kind = next((count for count in kinds if count.kind == kind), None)
    context = {
        "study": study,
        "here": "review",
        "missing_worker": missing_worker(study.runs.all()),
        "waiting": len(waiting.keys),
        "decided": study.pairs.decided().count(),
        "kind": kind,
        "kinds": [(count, MarkKind(count.kind).label) for count in kinds],
        "of_kind": of_kind,
        "bulk": _bulk(of_kind) if of_kind else (),
        "until": max(waiting.keys, default=0),
        "page": page,
        "cards": [pair_card(pair) for pair in reviewed(study, list(page))],
        "decisions": ReviewDecision.choices,
        "event": event,
        "sentence": done_sentence(event) if event else "",
        "makes_anew": study.runs.filter(pk=event.detail["run"]).first() if event else None,
        "can_undo": bool(event and event.verb == "decide" and not event.detail["run"]),
        "notes": [*notes, *(refusals(event.detail["refused"]) if event else [])],
        "unseen": min(not_scanned, RESCAN_AT_ONCE),
        "unseen_more": not_scanned > RESCAN_AT_ONCE,
        "scanner": scan.VERSION,
        "most": MOST_AT_ONCE,
    }
    template = "desk/_review.html" if request.htmx else "desk/review.html"
    return render(request, template, context)


def _not_scanned(study: Study) -> int:
    """How many pairs this version of the scanner has not looked at, or one more than RESCAN_AT_ONCE."""
    return unseen(study).order_by()[: RESCAN_AT_ONCE + 1].count()


def _bulk(of_kind: KindCount) -> list[tuple[str, str]]:
    """The decisions that make sense for all pairs of a kind, each with its button's words."""
    several = len(of_kind.keys) > 1
    them = f"all {min(len(of_kind.keys), MOST_AT_ONCE):,}" if several else "it"
    buttons = {
        ReviewDecision.SHOW: f"Show {them} as {'they are' if several else 'it is'}",
        ReviewDecision.MASK: f"Mask {them}",
        ReviewDecision.REGENERATE: f"Generate {them} again",
        ReviewDecision.DROP: f"Drop {them}",
    }
    if of_kind.kind != MarkKind.IDENTITY:
        del buttons[ReviewDecision.MASK]
    return [(decision.value, label) for decision, label in buttons.items()]


def _event(study: Study, pk: object) -> Event | None:
    """The decision of that number, as an address or a form names it; None where there is none."""
    events = study.events.filter(verb__in=["decide", "take_back"])
    number = str(pk or "")
    return events.filter(pk=number).first() if number.isascii() and number.isdecimal() else None


# One pair -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FullAnswer:
    """An answer as raters would read it, masked where it tells whose it is, and as written with its marks."""

    card: AnswerCard
    html: SafeString
    masked: SafeString | None
    marked: SafeString | None


@desk_page
@require_safe
def pair(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One pair with its whole texts."""
    study = access.study_for(request.user, slug)
    found = reviewed(study, [pair_in(study, pk).pk])[0]
    context = {
        "study": study,
        "here": "review",
        "card": pair_card(found),
        "turns": [(turn["role"], text.to_html(turn["content"])) for turn in found.pair.prompt.messages],
        "answers": [_full(found.a, found.pair.shown_a), _full(found.b, found.pair.shown_b)],
        "missing_worker": missing_worker(study.runs.all()),
    }
    return render(request, "desk/review_pair.html", context)


def _full(answer: Answer, shown: str | None) -> FullAnswer:
    written = answer.response.text
    names = any(mark.kind == MarkKind.IDENTITY for mark in answer.marks)
    masked = shown if shown is not None else scan.mask_names(written) if names else None
    whole = passage(0, written, answer.spans)
    return FullAnswer(
        card=answer_card(answer),
        html=text.to_html(written),
        masked=None if masked is None else text.to_html(masked),
        marked=text.with_places(written, whole.spans) if whole.spans else None,
    )


@desk_page
@require_POST
def rescan(request: HttpRequest, slug: str) -> HttpResponse:
    """Look again at pairs that this version of the scanner has not seen."""
    study = access.study_for(request.user, slug)
    if _not_scanned(study) > RESCAN_AT_ONCE:
        _have_looked_at(request, study)
    else:
        found = reviewing.rescan(study, request.user)
        looked = words.count(found.looked_at, "pair")
        messages.success(request, f"{looked} looked at: {found.held} wait now, {found.opened} are open now.")
    return redirect("desk:review", slug)


def _have_looked_at(request: HttpRequest, study: Study) -> None:
    if tasks.sent(tasks.rescan.delay, study.pk, request.user.pk):
        messages.success(request, "A worker looks at them. Marked pairs appear here as it goes on.")
    else:
        messages.error(request, "The queue does not answer, so nothing was looked at. Try again later.")


# Decisions ----------------------------------------------------------------------------------------------


@desk_page
@require_POST
def decide(request: HttpRequest, slug: str) -> HttpResponse:
    """A decision about one pair, about those chosen, or about all with one kind of mark and no other."""
    study, form = access.study_for(request.user, slug), DecisionForm(request.POST)
    if not form.is_valid():
        return _back(request, study, None, ["Choose a decision and at least one pair; nothing was changed."])
    asked = form.cleaned_data
    keys = asked["pairs"] or _all_of(study, asked["kind"], asked["until"])
    return _done(request, study, lambda: reviewing.decide(study, keys, asked["decision"], request.user))


def _all_of(study: Study, kind: str, until: int) -> list[int]:
    """The pairs that the page showed as all of a kind: none that came since it was loaded."""
    keys = Waiting(study).only_of_kind(kind)
    return [pk for pk in keys if pk <= until][:MOST_AT_ONCE]


@desk_page
@require_POST
def take_back(request: HttpRequest, slug: str) -> HttpResponse:
    """Have decided pairs wait again: one, or all that one decision was about."""
    study, form = access.study_for(request.user, slug), TakeBackForm(request.POST)
    if not form.is_valid():
        return _back(request, study, None, ["That names no decision; nothing was changed."])
    event = _event(study, form.cleaned_data["event"])
    keys = event.detail["pairs"] if event else form.cleaned_data["pairs"]
    return _done(request, study, lambda: reviewing.take_back(study, keys, request.user))


def _done(request: HttpRequest, study: Study, act: Callable[[], Decided]) -> HttpResponse:
    try:
        decided = act()
    except DomainError as error:
        return _back(request, study, None, [str(error)])
    notes = [] if decided.event else refusals(decided.refused)
    return _back(request, study, decided.event, [*notes, *_hint(decided)])


def _hint(decided: Decided) -> list[str]:
    """Tell the workers of what is generated again; what to say where the queue is down."""
    is_told = decided.run is None or tasks.sent(tasks.hint, decided.run)
    return [] if is_told else [QUEUE_IS_DOWN]


def _back(request: HttpRequest, study: Study, event: Event | None, notes: Sequence[str]) -> HttpResponse:
    """The list as it is now: in the same reply for htmx, and at its own address for others."""
    if request.htmx:
        return _page(request, study, request.POST, event, notes)
    for note in notes:
        messages.warning(request, note)
    asked = {"kind": request.POST.get("kind", ""), "page": request.POST.get("page", "")}
    asked["done"] = str(event.pk) if event else ""
    query = urlencode({name: value for name, value in asked.items() if value})
    return redirect(f"{reverse('desk:review', args=[study.slug])}{'?' if query else ''}{query}")
