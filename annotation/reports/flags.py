"""Pairs that raters flagged as broken."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q, QuerySet

from annotation.models import Assignment, Pair, Study
from annotation.reports.review import flagged
from annotation.vocabulary import (
    PAIRS_OF_STUDY,
    AssignmentState,
    FlagDecision,
    FlagReason,
    PairState,
    ReviewDecision,
)

MOST_LISTED = 200

NOT_OF_STUDY = "It is no pair of the study any more."
GOLD = "It is a gold pair: retire it on the page of gold pairs."
JUDGED_ELSEWHERE = "It has imported judgments, which cannot be taken back."
MASKED = "Names in it are masked, and raters have read it so: keep it, or drop it."
HELD_ALREADY = "It waits for review already."


@dataclass(frozen=True)
class Flag:
    """One rater's word on one pair. `still_open` says whether others may get the pair.

    `answer`: what the desk decided (`FlagDecision`), "" while the flag waits.
    """

    pair: int
    prompt_key: str
    rater: str
    reason: str
    note: str
    claimed_at: datetime
    still_open: bool
    answer: str = ""


@dataclass(frozen=True)
class FlagsReport:
    """The newest `MOST_LISTED` of `count` flags."""

    count: int
    flags: tuple[Flag, ...]


@dataclass(frozen=True)
class AnsweredFlag:
    """A flag with what was answered: by whom (user name, "" where nobody is known), when, in which words.

    `number` is the assignment's primary key.
    """

    number: int
    rater: str
    reason: str
    note: str
    claimed_at: datetime
    answer: str
    answer_note: str
    answered_by: str
    answered_at: datetime | None


@dataclass(frozen=True)
class FlaggedPair:
    """A pair with all its flags, the newest first. `closed` says why a decision is not open, by decision.

    `judged` raters' judgments count, `holding` raters have it on the screen.
    """

    pair: Pair
    flags: tuple[AnsweredFlag, ...]
    judged: int
    holding: int
    closed: dict[str, str]

    @property
    def waits(self) -> bool:
        return any(not flag.answer for flag in self.flags)


def flags_report(study: Study) -> FlagsReport:
    """What raters flagged, the newest hold first. Two queries."""
    rows = _flags(study).select_related("pair__prompt", "enrolment", "flag_answer")
    rows = rows.order_by("-claimed_at", "-pk")
    return FlagsReport(_flags(study).count(), tuple(_flag(row) for row in rows[:MOST_LISTED]))


def _flags(study: Study) -> QuerySet[Assignment]:
    return Assignment.objects.filter(enrolment__study=study, state=AssignmentState.FLAGGED)


def _flag(row: Assignment) -> Flag:
    return Flag(
        pair=row.pair_id,
        prompt_key=row.pair.prompt.key,
        rater=row.enrolment.code,
        reason=FlagReason(row.reason).label,
        note=row.note,
        claimed_at=row.claimed_at,
        still_open=row.pair.open_slots > 0 and row.pair.state == PairState.OPEN,
        answer=_answer(row).decision if _answer(row) else "",
    )


def _answer(row: Assignment):
    return getattr(row, "flag_answer", None)


def waiting_flags(study: Study) -> QuerySet[Assignment]:
    """Flags that nobody has answered."""
    return _flags(study).filter(flag_answer=None)


def flagged_pairs(study: Study, answered: bool = False) -> QuerySet:
    """Primary keys of the pairs with flags that wait, or of those whose flags are all answered; the one
    flagged last comes first."""
    pairs = (
        _flags(study)
        .order_by()
        .values("pair")
        .annotate(last=Max("pk"), waiting=Count("pk", filter=Q(flag_answer=None)))
    )
    pairs = pairs.filter(waiting=0) if answered else pairs.filter(waiting__gt=0)
    return pairs.order_by("-last").values_list("pair", flat=True)


def pairs_with_flags(study: Study, keys: Sequence[int]) -> list[FlaggedPair]:
    """These flagged pairs of the study, in this order. Four queries, however many they are."""
    pairs = study.pairs.select_related("prompt", "response_a__arm", "response_b__arm")
    long = ("shown_a", "shown_b", "response_a__text", "response_b__text")
    found = pairs.defer(*long, "response_a__provenance", "response_b__provenance").in_bulk(list(keys))
    flags = defaultdict(list)
    rows = _flags(study).filter(pair__in=found).select_related("enrolment", "flag_answer__decided_by")
    for row in rows.order_by("-pk"):
        flags[row.pair_id].append(_with_answer(row))
    may_leave = set(flagged(Pair.objects.filter(pk__in=found)).values_list("pk", flat=True))
    live = _live(found)
    return [
        FlaggedPair(found[pk], tuple(flags[pk]), *live.get(pk, (0, 0)), _closed(found[pk], pk in may_leave))
        for pk in keys
        if pk in found
    ]


def _with_answer(row: Assignment) -> AnsweredFlag:
    answer = _answer(row)
    return AnsweredFlag(
        number=row.pk,
        rater=row.enrolment.code,
        reason=FlagReason(row.reason).label,
        note=row.note,
        claimed_at=row.claimed_at,
        answer=FlagDecision(answer.decision).label if answer else "",
        answer_note=answer.note if answer else "",
        answered_by=answer.decided_by.username if answer and answer.decided_by else "",
        answered_at=answer.created_at if answer else None,
    )


def _live(keys) -> dict[int, tuple[int, int]]:
    """By pair, how many have judged it and how many hold it."""
    rows = Assignment.objects.rated().filter(pair__in=list(keys), slot__isnull=False)
    judged = Count("pk", filter=Q(state=AssignmentState.SUBMITTED))
    holding = Count("pk", filter=Q(state=AssignmentState.LEASED))
    counted = rows.order_by().values("pair").annotate(judged=judged, holding=holding)
    return {row["pair"]: (row["judged"], row["holding"]) for row in counted}


def _closed(pair: Pair, may_leave: bool) -> dict[str, str]:
    if pair.state == PairState.GOLD:
        return dict.fromkeys((FlagDecision.HOLD, FlagDecision.DROP), GOLD)
    if pair.state not in PAIRS_OF_STUDY:
        return dict.fromkeys((FlagDecision.HOLD, FlagDecision.DROP), NOT_OF_STUDY)
    closed = {} if may_leave else {FlagDecision.DROP: JUDGED_ELSEWHERE}
    if pair.state == PairState.HELD:
        return closed | {FlagDecision.HOLD: HELD_ALREADY}
    return closed | ({FlagDecision.HOLD: MASKED} if pair.decision == ReviewDecision.MASK else {})
