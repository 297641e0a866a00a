"""Pairs that wait for review: why, what may be done with each, and what was decided about others.

Texts may be megabytes long, so of a text only the passages about its marks are read.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.db.models.functions import Length, Substr

from annotation import scan
from annotation.errors import NotFound
from annotation.models import Assignment, Judgment, Mark, Pair, Response, ResponseJudgment, Study
from annotation.vocabulary import AssignmentState, MarkKind, PairState, ReviewDecision
from models_runtime.errors import InvalidSampling
from models_runtime.types import Sampling

TAKEN = "A rater was given it, or it was judged, so what was seen of it can no longer change."
NOT_WAITING = "It does not wait for review any more."
NOT_DECIDED = "Nothing was decided about it that could be taken back."
NO_NAME = "There is no name in it that could be masked."
AGAIN_ALREADY = "Its answer was generated again; decide about the new pair instead."
RUN_UNFINISHED = "A run of this study is not finished. Wait for it, or cancel it."
ELSEWHERE = "Its answer stands in another pair too, which a rater was given already."


# What may be done -------------------------------------------------------------------------------------


def taken(pairs: QuerySet[Pair]) -> QuerySet[Pair]:
    """Those that a rater was given once, or that were judged elsewhere."""
    given = Assignment.objects.filter(pair=OuterRef("pk"))
    judged = Judgment.objects.filter(pair=OuterRef("pk"))
    return pairs.filter(Exists(given) | Exists(judged))


def flagged(pairs: QuerySet[Pair]) -> QuerySet[Pair]:
    """Those that a rater flagged as broken, and that were not judged elsewhere: they may leave the study."""
    said = Assignment.objects.filter(pair=OuterRef("pk"), state=AssignmentState.FLAGGED)
    elsewhere = Judgment.objects.filter(pair=OuterRef("pk"), assignment=None)
    return pairs.filter(Exists(said)).exclude(Exists(elsewhere))


def not_taken(pairs: QuerySet[Pair]) -> QuerySet[Pair]:
    """Those that nobody was given and nobody judged."""
    return pairs.exclude(pk__in=taken(Pair.objects.filter(pk__in=pairs.values("pk"))).values("pk"))


def keys_of(pairs: QuerySet[Pair]) -> set[int]:
    """Their primary keys."""
    return set(pairs.values_list("pk", flat=True))


@dataclass(frozen=True)
class Renewal:
    """What generating again means for a pair: the responses and pairs it replaces, or a `reason` why not."""

    responses: tuple[Response, ...] = ()
    pairs: frozenset[int] = frozenset()
    reason: str = ""


def renewals(pairs: Sequence[Pair]) -> dict[int, Renewal]:
    """For each pair (primary key) its marked responses, or of a pair marked itself those that can change.

    Five queries, however many pairs; texts are not read.
    """
    wanted = {pk for pair in pairs for pk in (pair.response_a_id, pair.response_b_id)}
    responses = Response.objects.defer("text", "provenance").select_related("arm", "prompt").in_bulk(wanted)
    marked = _responses_of(Mark.objects.standing(), wanted)
    judged = _responses_of(ResponseJudgment.objects.all(), wanted)
    beside = _pairs_by_response(wanted)
    gone = keys_of(taken(Pair.objects.filter(pk__in={pk for keys in beside.values() for pk in keys})))
    reasons = {pk: _why_not_again(response, pk in judged) for pk, response in responses.items()}
    return {
        pair.pk: _renewal(
            [responses[pair.response_a_id], responses[pair.response_b_id]], marked, reasons, beside, gone
        )
        for pair in pairs
    }


def _responses_of(rows: QuerySet, wanted: Collection[int]) -> set[int]:
    return set(rows.filter(response__in=wanted).values_list("response_id", flat=True))


def _pairs_by_response(wanted: Collection[int]) -> dict[int, set[int]]:
    """The study's pairs in which each of these responses stands."""
    pairs = Pair.objects.of_study().filter(Q(response_a__in=wanted) | Q(response_b__in=wanted))
    found: dict[int, set[int]] = defaultdict(set)
    for pk, a, b in pairs.order_by().values_list("pk", "response_a_id", "response_b_id"):
        found[a].add(pk)
        found[b].add(pk)
    return found


def _renewal(
    both: list[Response],
    marked: set[int],
    reasons: dict[int, str],
    beside: dict[int, set[int]],
    gone: set[int],
) -> Renewal:
    chosen = [response for response in both if response.pk in marked]
    # Of two answers that are the same, one that can change is enough.
    chosen = chosen or [response for response in both if not reasons[response.pk]] or both
    if reason := next((reasons[response.pk] for response in chosen if reasons[response.pk]), ""):
        return Renewal(reason=reason)
    pairs = frozenset[int]().union(*(beside[response.pk] for response in chosen))
    return Renewal(reason=ELSEWHERE) if pairs & gone else Renewal(tuple(chosen), pairs)


def _why_not_again(response: Response, judged: bool) -> str:
    name = response.arm.name
    if response.replaced_at:
        return AGAIN_ALREADY
    if response.batch_id is None:
        return f"The answer of “{name}” was imported; an imported answer cannot be generated again."
    if not response.arm.generates:
        return f"“{name}” names no backend any more, so it cannot generate again."
    if _is_greedy(response):
        return f"“{name}” samples greedily (temperature 0): it would give the same answer again."
    return f"The answer of “{name}” was judged already." if judged else ""


def _is_greedy(response: Response) -> bool:
    try:
        return Sampling.from_dict(response.arm.sampling).temperature == 0
    except InvalidSampling:
        return False


# What waits -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KindCount:
    """Waiting pairs with a mark of this kind; `keys` are those with no other kind beside it."""

    kind: str
    pairs: int
    keys: tuple[int, ...]


class Waiting:
    """A study's waiting pairs in its shuffled order, with the kinds of their marks. Four queries."""

    def __init__(self, study: Study) -> None:
        held = study.pairs.held().order_by("position")
        self.keys = list(held.values_list("pk", flat=True))
        self._kinds: dict[int, set[str]] = defaultdict(set)
        for marked, pair in (
            ("pair", "pair"),
            ("response", "response__pairs_as_a"),
            ("response", "response__pairs_as_b"),
        ):
            waits = {f"{pair}__study": study, f"{pair}__state": PairState.HELD}
            marks = Mark.objects.filter(scanner=F(f"{marked}__scanner"), **waits).order_by()
            for pk, kind in marks.values_list(f"{pair}__pk", "kind"):
                self._kinds[pk].add(kind)

    def of_kind(self, kind: str) -> list[int]:
        """Primary keys of the pairs with such a mark; "" for all."""
        return [pk for pk in self.keys if not kind or kind in self._kinds[pk]]

    def only_of_kind(self, kind: str) -> list[int]:
        """Those of them that no other kind of mark is about."""
        return [pk for pk in self.keys if self._kinds[pk] == {kind}]

    def kinds(self) -> tuple[KindCount, ...]:
        """The kinds that occur."""
        counts = [(kind, len(self.of_kind(kind))) for kind in MarkKind.values]
        return tuple(
            KindCount(kind, count, tuple(self.only_of_kind(kind))) for kind, count in counts if count
        )


def unseen(study: Study) -> QuerySet[Pair]:
    """Pairs that this version of the scanner has not looked at, and that may still be held or opened."""
    # Nobody was given any of them, so those that are open have room: an index has these.
    may_be = Q(state=PairState.OPEN, has_room=True) | Q(state=PairState.HELD)
    undecided = study.pairs.filter(may_be, ~Q(scanner=scan.VERSION), decision="")
    given = Exists(Assignment.objects.filter(pair=OuterRef("pk")))
    judged = Exists(Judgment.objects.filter(pair=OuterRef("pk")))
    return undecided.filter(~given, ~judged, open_slots=F("overlap"))


# Pairs with their passages ----------------------------------------------------------------------------

LONGEST_PASSAGE = 360
BEFORE = 120  # characters shown before what is marked
MOST_PASSAGES = 3  # of one text
LONGEST_WORD = 24  # of which half is left away at the end of a passage


@dataclass(frozen=True)
class Passage:
    """Part of a text from the character `start` on; `spans` are marked places in it, from its own start."""

    start: int
    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class MarkLine:
    """A mark with what it has to tell beside where; `places` counts the spans it keeps."""

    kind: str
    detail: dict
    places: int
    scanner: str


@dataclass(frozen=True)
class Answer:
    """A response as the review shows it; `spans` are all marked places of its text.

    `earlier` answers gave up their place to it, newest first; `later` is the one that has its place now.
    """

    response: Response
    length: int
    passages: tuple[Passage, ...]
    spans: tuple[tuple[int, int], ...]
    marks: tuple[MarkLine, ...]
    earlier: tuple["Answer", ...] = ()
    later: Response | None = None


@dataclass(frozen=True)
class ReviewedPair:
    """`closed`: what cannot be decided, with the reason; `undo_closed`: why a decision stands, "" if not.

    `withdraws`: how many other pairs would leave with it when its answers are generated again.
    """

    pair: Pair
    a: Answer
    b: Answer
    marks: tuple[MarkLine, ...]
    closed: dict[str, str] = field(default_factory=dict)
    withdraws: int = 0
    undo_closed: str = ""

    @property
    def kinds(self) -> set[str]:
        """Of all marks that are about it."""
        return {mark.kind for mark in (*self.marks, *self.a.marks, *self.b.marks)}


def pair_in(study: Study, pk: int) -> Pair:
    """The study's pair of that number. Raises NotFound."""
    pair = study.pairs.filter(pk=pk).first()
    if pair is None:
        raise NotFound("This study has no such pair.")
    return pair


def reviewed(study: Study, keys: Sequence[int]) -> list[ReviewedPair]:
    """These pairs of the study, in this order, each with what the review shows.

    The number of queries does not grow with theirs.
    """
    pairs = _pairs(study, keys)
    marks = _marks(pairs)
    answers = _answers(pairs, marks)
    gone = keys_of(taken(Pair.objects.filter(pk__in=keys)))
    broken = keys_of(flagged(Pair.objects.filter(pk__in=keys)))
    again = renewals(pairs)
    busy = study.runs.unfinished().exists()
    return [
        _reviewed(
            pair,
            answers,
            _lines(marks, "pair_id", pair.pk),
            _Given(pair.pk in gone, pair.pk in broken),
            again[pair.pk],
            busy,
        )
        for pair in pairs
    ]


def _pairs(study: Study, keys: Sequence[int]) -> list[Pair]:
    long = ("shown_a", "shown_b", "response_a__text", "response_b__text")
    long += ("response_a__provenance", "response_b__provenance")
    rows = study.pairs.select_related("prompt", "response_a__arm", "response_b__arm").defer(*long)
    found = rows.in_bulk(list(keys))
    return [found[pk] for pk in keys if pk in found]


def _marks(pairs: Iterable[Pair]) -> list[Mark]:
    """Standing marks of the pairs and of every response that is, was or will be in their place."""
    prompts = {pair.prompt_id for pair in pairs}
    about = Q(pair__in={pair.pk for pair in pairs}) | Q(response__prompt__in=prompts)
    return list(Mark.objects.standing().filter(about).order_by("pk"))


def _lines(marks: Iterable[Mark], column: str, pk: int) -> tuple[MarkLine, ...]:
    return tuple(_line(mark) for mark in marks if getattr(mark, column) == pk)


def _line(mark: Mark) -> MarkLine:
    detail = {name: value for name, value in mark.detail.items() if name != "spans"}
    return MarkLine(mark.kind, detail, len(_spans(mark)), mark.scanner)


def _spans(mark: Mark) -> list[tuple[int, int]]:
    return [(start, end) for start, end, _ in mark.detail.get("spans", [])]


def _place(response: Response) -> tuple[int, int, int]:
    return response.prompt_id, response.arm_id, response.sample


def _answers(pairs: Sequence[Pair], marks: Sequence[Mark]) -> dict[int, Answer]:
    """The pairs' responses by primary key, each with those that came before and after it in its place."""
    rows = Response.objects.filter(prompt__in={pair.prompt_id for pair in pairs})
    rows = rows.defer("text", "provenance").select_related("arm")
    by_place: dict[tuple[int, int, int], list[Response]] = defaultdict(list)
    for response in rows.order_by("-pk"):
        by_place[_place(response)].append(response)
    own = [response for pair in pairs for response in (pair.response_a, pair.response_b)]
    shown = {response.pk: response for place in map(_place, own) for response in by_place[place]}
    told = _told(list(shown.values()), marks)
    return {response.pk: _in_its_place(response, by_place[_place(response)], told) for response in own}


def _in_its_place(response: Response, place: list[Response], told: dict[int, Answer]) -> Answer:
    this = told[response.pk]
    earlier = tuple(told[other.pk] for other in place if other.pk < response.pk)
    later = next((other for other in place if other.pk > response.pk), None)
    return replace(this, earlier=earlier, later=later)


def _told(responses: Sequence[Response], marks: Sequence[Mark]) -> dict[int, Answer]:
    """Every response with its passages, in one query."""
    by_response: dict[int, list[Mark]] = defaultdict(list)
    for mark in marks:
        if mark.response_id is not None:
            by_response[mark.response_id].append(mark)
    windows = {response.pk: _windows(by_response[response.pk]) for response in responses}
    texts = _passages(windows)
    return {
        response.pk: _answer(response, by_response[response.pk], windows[response.pk], *texts[response.pk])
        for response in responses
    }


def _answer(
    response: Response,
    marks: Sequence[Mark],
    windows: Sequence[tuple[int, int]],
    length: int,
    parts: Sequence[str],
) -> Answer:
    spans = sorted(span for mark in marks for span in _spans(mark))
    read = [passage(start, text, spans) for (start, _), text in zip(windows, parts, strict=False) if text]
    passages = tuple(_whole_words(part, length) for part in read)
    return Answer(response, length, passages, tuple(spans), tuple(map(_line, marks)))


def _windows(marks: Sequence[Mark]) -> list[tuple[int, int]]:
    """Where to read: about the first place of each mark; the text's beginning where nothing is marked."""
    firsts = sorted(spans[0][0] for spans in map(_spans, marks) if spans)
    windows: list[tuple[int, int]] = []
    for first in firsts or [0]:
        start = max(0, first - BEFORE)
        if windows and start < windows[-1][1]:
            windows[-1] = (windows[-1][0], start + LONGEST_PASSAGE)
        else:
            windows.append((start, start + LONGEST_PASSAGE))
    return windows[:MOST_PASSAGES]


def _passages(windows: dict[int, list[tuple[int, int]]]) -> dict[int, tuple[int, list[str]]]:
    """The length of each text and its parts, by the response's primary key."""
    columns = {}
    for number, column in enumerate(zip_longest(*windows.values())):
        parts = [
            When(pk=pk, then=Substr("text", window[0] + 1, window[1] - window[0]))
            for pk, window in zip(windows, column, strict=True)
            if window
        ]
        columns[f"part_{number}"] = Case(*parts)
    rows = Response.objects.filter(pk__in=windows).annotate(length=Length("text"), **columns)
    return {
        pk: (length, [part or "" for part in parts])
        for pk, length, *parts in rows.order_by().values_list("pk", "length", *columns)
    }


def passage(start: int, text: str, spans: Iterable[tuple[int, int]]) -> Passage:
    """`text`, which begins at `start` of a longer one; `spans` are ascending places in that."""
    inside: list[tuple[int, int]] = []
    for first, last in spans:
        first, last = max(first - start, 0), min(last - start, len(text))
        if first < last and (not inside or first >= inside[-1][1]):
            inside.append((first, last))
    return Passage(start, text, tuple(inside))


def _whole_words(part: Passage, length: int) -> Passage:
    """The passage without the halves of words at its ends, where they are short and not marked."""
    first, last = 0, len(part.text)
    free_until = part.spans[0][0] if part.spans else last
    free_from = part.spans[-1][1] if part.spans else 0
    if part.start and (space := part.text.find(" ", 0, min(LONGEST_WORD, free_until))) >= 0:
        first = space + 1
    if part.start + last < length:
        space = part.text.rfind(" ", max(last - LONGEST_WORD, free_from, first))
        last = last if space < 0 else space
    spans = tuple((start - first, end - first) for start, end in part.spans)
    return Passage(part.start + first, part.text[first:last], spans)


@dataclass(frozen=True)
class _Given:
    """Whether raters had a pair, and whether one of them flagged it."""

    gone: bool
    broken: bool


def _reviewed(
    pair: Pair,
    answers: dict[int, Answer],
    lines: tuple[MarkLine, ...],
    given: _Given,
    again: Renewal,
    busy: bool,
) -> ReviewedPair:
    a, b = answers[pair.response_a_id], answers[pair.response_b_id]
    kinds = {mark.kind for mark in (*lines, *a.marks, *b.marks)}
    closed = _closed(kinds, given, again, busy) if pair.state == PairState.HELD else {}
    return ReviewedPair(
        pair, a, b, lines, closed, max(0, len(again.pairs) - 1), _why_it_stands(pair, given.gone)
    )


def _closed(kinds: set[str], given: _Given, again: Renewal, busy: bool) -> dict[str, str]:
    gone = given.gone
    reasons = {
        ReviewDecision.MASK: TAKEN if gone else "" if MarkKind.IDENTITY in kinds else NO_NAME,
        ReviewDecision.REGENERATE: TAKEN if gone else again.reason or (RUN_UNFINISHED if busy else ""),
        ReviewDecision.DROP: TAKEN if gone and not given.broken else "",
    }
    return {decision.value: reason for decision, reason in reasons.items() if reason}


def _why_it_stands(pair: Pair, gone: bool) -> str:
    """Why a decision about the pair cannot be taken back; "" if it can, or there is none."""
    if pair.state == PairState.REPLACED or pair.response_a.replaced_at or pair.response_b.replaced_at:
        return AGAIN_ALREADY
    return TAKEN if gone else ""
