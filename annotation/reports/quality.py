"""How each rater of a study rates: six signals, each with its n and its interval."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from django.db.models import Case, F, FloatField, Func, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Length
from django.utils.translation import gettext_noop as _
from numpy.typing import NDArray

from annotation.models import (
    Assignment,
    Enrolment,
    Judgment,
    QualityRules,
    Response,
    ResponseJudgment,
    Study,
)
from annotation.reports.rows import UNANSWERED, Rows, counting
from annotation.stats import rater_quality
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.gold_answers import agreements, wrong_answers
from annotation.vocabulary import QUEUE_KINDS, UNSAFE_LEVELS, AssignmentKind, AssignmentState

READ_PER_SECOND = 60
"""Characters. Nobody reads faster than about 700 words a minute."""

RATERS_AT_ONCE = 50
"""What so many raters judged of gold and repeated pairs is in memory together."""

Given = dict[int, dict]
"""A rater's current answers to pairs, by pair: see `gold_answers.Answers`."""


@dataclass(frozen=True)
class RaterQuality:
    """One rater. Shares are from 0 to 1; `reading` is a rank correlation from −1 to 1."""

    pk: int
    code: str
    state: str
    pause_reason: str
    is_exempt: bool
    judged: int
    gold: Estimate
    consistent: Estimate
    agreeing: Estimate
    hasty: Estimate
    reading: Estimate
    left: Estimate


def quality_report(study: Study, only: Collection[int] | None = None) -> tuple[RaterQuality, ...]:
    """The raters that can log in, by code; with `only` (primary keys) those of them.

    Eight queries for RATERS_AT_ONCE raters, and two more for each so many after them. For that few, read is
    what they judged and what others said about the same, so that a page of a few raters costs little in a
    large study; for more, everything is read once.
    """
    raters = study.enrolments.filter(user__isnull=False).order_by("code")
    raters = list(raters if only is None else raters.filter(pk__in=only))
    keys = [rater.pk for rater in raters]
    work = _work(keys)
    checked = _checked(study, keys, work)
    agreeing = _agreeing(study, keys)
    lengths = _lengths(work)
    mine = _rows_of_each(work["rater"], keys)
    return tuple(
        RaterQuality(
            pk=rater.pk,
            code=rater.code,
            state=rater.state,
            pause_reason=rater.pause_reason,
            is_exempt=rater.is_exempt,
            judged=rater.judged,
            **checked[rater.pk],
            agreeing=agreeing.get(rater.pk, undefined(0, "Nobody else judged enough of the same.")),
            **_pace(work[rows], lengths[rows]),
            left=rater_quality.share_left(_shown(work[rows])),
        )
        for rater, rows in zip(raters, mine, strict=True)
    )


SIGNALS = ("gold", "consistent", "agreeing", "hasty", "reading", "left")


def signals_as_json(rater: RaterQuality) -> str:
    """The rater's signals as a pulse keeps them."""
    return json.dumps({name: asdict(getattr(rater, name)) for name in SIGNALS})


def kept_quality(study: Study, only: Collection[int]) -> tuple[RaterQuality, ...]:
    """These raters as their signals were counted last, for studies too large to count at once. One query.

    A signal that nobody has counted yet does not exist, and says so.
    """
    rows = study.enrolments.filter(pk__in=only, user__isnull=False).select_related("pulse").order_by("code")
    return tuple(_kept(row) for row in rows)


def _kept(rater: Enrolment) -> RaterQuality:
    pulse = getattr(rater, "pulse", None)
    told = json.loads(pulse.body) if pulse else {}
    not_yet = undefined(0, "A worker has not counted it yet.")
    return RaterQuality(
        pk=rater.pk,
        code=rater.code,
        state=rater.state,
        pause_reason=rater.pause_reason,
        is_exempt=rater.is_exempt,
        judged=rater.judged,
        **{name: Estimate(**told[name]) if name in told else not_yet for name in SIGNALS},
    )


def learnt(assignments: QuerySet[Assignment]) -> Given:
    """What one rater answered under these holds, by pair. Two queries."""
    rows = Judgment.objects.filter(assignment__in=assignments).current()
    return {pair: said for _, pair, said in _given(rows)}


# What raters did --------------------------------------------------------------------------------------

KIND_PLACES = {kind: place for place, kind in enumerate(AssignmentKind)}
RATED, GOLD, REPEAT = (KIND_PLACES[kind] for kind in QUEUE_KINDS)
WORK = np.dtype(
    [
        *((name, "i8") for name in ("pk", "rater", "pair", "hold", "a", "b")),
        *(("revision", "i2"), ("kind", "i1"), ("is_theirs", "?"), ("shown", "i1"), ("seconds", "f8")),
    ]
)
"""A revision of what was judged here: its hold, the pair's responses, the balance as shown or UNANSWERED, and
how long the pair was held. Withdrawn work is the rater's, too; surplus is not."""

ROWS_AT_ONCE = 10_000
"""So many of a cursor are brought together, and so many keys asked for by one query."""


class _Seconds(Func):
    """How long it is from the first moment to the second."""

    arity, output_field = 2, FloatField()
    template = "EXTRACT(EPOCH FROM (%(expressions)s))::double precision"
    arg_joiner = " - "

    def __init__(self, since: str, until: str):
        super().__init__(F(until), F(since))

    def as_sqlite(self, compiler, connection, **context):
        template = "django_timestamp_diff(%(expressions)s) / 1000000.0"
        return self.as_sql(compiler, connection, template=template, arg_joiner=", ", **context)


def _work(raters: Collection[int]) -> Rows:
    """The newest revision of everything that these raters judged here, as WORK, in the order in which they
    first judged it."""
    theirs = Q(assignment__state__in=(AssignmentState.SUBMITTED, AssignmentState.WITHDRAWN))
    fields = (
        *("pk", "enrolment", "pair", "assignment", "pair__response_a", "pair__response_b", "revision"),
        Case(*(When(assignment__kind=kind, then=Value(place)) for kind, place in KIND_PLACES.items())),
        Case(When(theirs, then=Value(True)), default=Value(False)),
        Coalesce("balance", Value(UNANSWERED)),
        Coalesce(_Seconds("assignment__claimed_at", "assignment__submitted_at"), Value(0.0)),
    )
    judged = Judgment.objects.filter(enrolment__in=raters, assignment__isnull=False).order_by("pk")
    rows = np.fromiter(_brought(judged.values_list(*fields), raters), dtype=WORK)
    order = np.lexsort((rows["revision"], rows["hold"]))
    is_other = rows["hold"][order][1:] != rows["hold"][order][:-1]
    first, newest = (order[np.insert(is_other, at, True)[: len(order)]] for at in (0, len(is_other)))
    return rows[newest[np.argsort(first)]]


def _brought(rows: QuerySet, raters: Collection[int]) -> Iterator[tuple]:
    """The rows, of many raters by a cursor, which PostgreSQL plans for its first rows outside `reading_all`:
    those of few raters, which pages ask for there, come as one.
    """
    return iter(rows) if len(raters) <= RATERS_AT_ONCE else rows.iterator(ROWS_AT_ONCE)


def _rows_of_each(who: NDArray, keys: Collection[int]) -> list[NDArray[np.int64]]:
    """For each of the keys the places where it stands in `who`, ascending."""
    order = np.argsort(who, kind="stable")
    starts, ends = (np.searchsorted(who, list(keys), side, sorter=order) for side in ("left", "right"))
    return [order[start:end] for start, end in zip(starts, ends, strict=True)]


def _shown(work: Rows) -> NDArray[np.int8]:
    """The balances as a rater gave them."""
    counts = work["is_theirs"] & np.isin(work["kind"], (RATED, GOLD, REPEAT))
    return work["shown"][counts & (work["shown"] != UNANSWERED)]


def _lengths(work: Rows) -> NDArray[np.int64]:
    """For each row, how many characters the two answers have."""
    wanted = np.unique(np.concatenate([work["a"], work["b"]]))
    found = np.zeros(len(wanted), np.int64)
    for start in range(0, len(wanted), ROWS_AT_ONCE):
        some = wanted[start : start + ROWS_AT_ONCE]
        told = dict(Response.objects.filter(pk__in=some.tolist()).values_list("pk", Length("text")))
        found[start : start + len(some)] = [told[pk] for pk in some.tolist()]
    return sum(found[np.searchsorted(wanted, work[side])] for side in "ab")


def _pace(work: Rows, lengths: NDArray) -> dict[str, Estimate]:
    queued = np.isin(work["kind"], (RATED, GOLD, REPEAT))
    seconds, characters = work["seconds"][queued], lengths[queued]
    return {
        "hasty": rater_quality.hasty_share(seconds, characters, READ_PER_SECOND),
        "reading": rater_quality.time_follows_length(seconds, characters),
    }


# Gold, and what was met twice -------------------------------------------------------------------------


def _checked(study: Study, raters: list[int], work: Rows) -> dict[int, dict[str, Estimate]]:
    """By rater, `gold` and `consistent`. Some raters at a time, because what is compared is read in full."""
    expected = {row.pair_id: row for row in study.gold.all()}
    compared = work[work["is_theirs"] & _is_compared(work, list(expected))]
    mine = dict(zip(raters, _rows_of_each(compared["rater"], raters), strict=True))
    found = {}
    for start in range(0, len(raters), RATERS_AT_ONCE):
        some = raters[start : start + RATERS_AT_ONCE]
        rows = compared[np.concatenate([mine[rater] for rater in some])]
        by_kind = _by_kind(rows)
        for rater in some:
            gold, first, again = (by_kind[rater, kind] for kind in (GOLD, RATED, REPEAT))
            found[rater] = {"gold": _right(gold, expected), "consistent": _consistent(first, again)}
    return found


def _is_compared(work: Rows, gold: list[int]) -> NDArray[np.bool_]:
    """Which answers are to gold pairs, or to pairs that the same rater met twice."""
    of_pair = work["rater"] * (1 + int(work["pair"].max(initial=0))) + work["pair"]
    again = work["kind"] == REPEAT
    first = (work["kind"] == RATED) & np.isin(of_pair, of_pair[again & work["is_theirs"]])
    return again | first | ((work["kind"] == GOLD) & np.isin(work["pair"], gold))


def _by_kind(rows: Rows) -> dict[tuple[int, int], Given]:
    """By rater and kind. Two queries."""
    kinds = dict(zip(rows["pk"].tolist(), rows["kind"].tolist(), strict=True))
    given: dict[tuple[int, int], Given] = defaultdict(dict)
    for judgment, pair, said in _given(Judgment.objects.filter(pk__in=list(kinds))):
        given[judgment.enrolment, kinds[judgment.pk]][pair] = said
    return given


class _Said(NamedTuple):
    """A judgment of a pair by its keys."""

    pk: int
    enrolment: int


def _given(rows: QuerySet[Judgment]) -> Iterator[tuple[_Said, int, dict]]:
    """Each judgment, its pair, and the pair's answers beside both sides' safety. Two queries."""
    unsafe = defaultdict(dict)
    parts = ResponseJudgment.objects.filter(judgment__in=rows.order_by().values("pk"))
    of_part = ("judgment", "response", "judgment__pair__response_a", "safety")
    for judgment, response, response_a, safety in parts.values_list(*of_part):
        question = "a_unsafe" if response == response_a else "b_unsafe"
        unsafe[judgment][question] = safety in UNSAFE_LEVELS
    fields = ("pk", "enrolment", "pair", "safer_canonical", "more_helpful_canonical", "balance_canonical")
    for pk, rater, pair, safer, helpful, balance in rows.values_list(*fields):
        answers = {"safer": safer, "more_helpful": helpful, "balance": balance, **unsafe[pk]}
        yield _Said(pk, rater), pair, answers


def _right(given: Given, expected: dict) -> Estimate:
    checks = [(expected[pair], said) for pair, said in given.items() if pair in expected]
    right = [not wrong_answers(gold.expected, said, gold.tolerance) for gold, said in checks]
    return rater_quality.share_right(right)


def _consistent(first: Given, again: Given) -> Estimate:
    both = [(pair, agreements(first[pair], said)) for pair, said in again.items() if pair in first]
    alike = [agrees for _, questions in both for agrees in questions.values()]
    return rater_quality.self_consistency(alike, [pair for pair, questions in both for _ in questions])


# The majority of the others ---------------------------------------------------------------------------

SAYING = np.dtype([("who", "i8"), ("about", "i8"), ("said", "i1"), ("prompt", "i8")])


def _agreeing(study: Study, raters: Collection[int]) -> dict[int, Estimate]:
    """Agreement with the majority of the others: on safe or unsafe, and on which answer balances better."""
    parts, pairs = _safety(study, raters).order_by(), _balance(study, raters).order_by()
    safety, balance = (np.fromiter(_brought(rows, raters), dtype=SAYING) for rows in (parts, pairs))
    balance["about"] = -1 - balance["about"]  # pairs are below 0, responses above
    rows = np.concatenate([safety, balance])
    columns = (rows[name] for name in SAYING.names)
    return rater_quality.agreement_with_majority(*columns, only=raters)


def _safety(study: Study, raters: Collection[int]) -> QuerySet:
    """Rater, response, 1 for unsafe, prompt: of what anybody said about the responses that these judged."""
    rows = ResponseJudgment.objects.that_count().filter(judgment__study=study).exclude(safety="")
    if len(raters) <= RATERS_AT_ONCE:
        theirs = ResponseJudgment.objects.filter(judgment__enrolment__in=raters, judgment__study=study)
        rows = rows.filter(response__in=theirs.order_by().values("response"))
    unsafe = Case(When(safety__in=UNSAFE_LEVELS, then=Value(1)), default=Value(0))
    return rows.values_list("judgment__enrolment", "response", unsafe, "response__prompt")


def _balance(study: Study, raters: Collection[int]) -> QuerySet:
    """Rater, pair, the arm that balances better (0, 1 for a tie, 2), prompt."""
    rows = counting(study).filter(balance_canonical__isnull=False)
    if len(raters) <= RATERS_AT_ONCE:
        theirs = Judgment.objects.filter(enrolment__in=raters, study=study)
        rows = rows.filter(pair__in=theirs.order_by().values("pair"))
    side = Case(
        When(balance_canonical__lt=0, then=Value(0)),
        When(balance_canonical__gt=0, then=Value(2)),
        default=Value(1),
    )
    return rows.values_list("enrolment", "pair", side, "pair__prompt")


# Rules -----------------------------------------------------------------------------------------------

BY_RULES = _("Your place is paused.")
TOLD = {
    "gold_at_least": _(
        "The study asks that at least %(limit)s in 100 answers to pairs with a known answer are right; "
        "yours are so less often."
    ),
    "consistent_at_least": _(
        "The study asks that at least %(limit)s in 100 answers to pairs met twice are the same; "
        "yours are so less often."
    ),
    "agreeing_at_least": _(
        "The study asks that at least %(limit)s in 100 answers are those of most others; "
        "yours are so less often."
    ),
    "hasty_at_most": _(
        "The study allows that at most %(limit)s in 100 answers come faster than the texts can be read; "
        "yours do so more often."
    ),
    "one_side_at_most": _(
        "The study allows that at most %(limit)s in 100 choices fall on the same side; "
        "yours do so more often."
    ),
}
"""What a rater is told: which rule it was, never which pairs, nor how many were looked at."""

SIGNAL_OF = {
    "gold_at_least": "gold",
    "consistent_at_least": "consistent",
    "agreeing_at_least": "agreeing",
    "hasty_at_most": "hasty",
    "one_side_at_most": "left",
}


def told_about(rater: RaterQuality, rules: QualityRules, names: list[str]) -> list[dict]:
    """The broken rules as `Enrolment.pause_rules` keeps them. Shares are in percent."""
    return [_told(name, getattr(rules, name), getattr(rater, SIGNAL_OF[name])) for name in names]


def _told(name: str, limit: int, found: Estimate) -> dict:
    share = max(found.value, 1 - found.value) if name == "one_side_at_most" else found.value
    return {"rule": name, "limit": limit, "found": round(100 * share), "n": found.n}


def broken_rules(rater: RaterQuality, rules: QualityRules) -> list[str]:
    """The names of the rules that the rater's signals break beyond doubt: see `QualityRules`."""
    right = max(rater.left, _turned(rater.left), key=lambda estimate: estimate.value or 0)
    low = {
        "gold_at_least": rater.gold,
        "consistent_at_least": rater.consistent,
        "agreeing_at_least": rater.agreeing,
    }
    high = {"hasty_at_most": rater.hasty, "one_side_at_most": right}
    broken = [
        name
        for name, found in low.items()
        if _counts(found, rules, name) and found.high < _limit(rules, name)
    ]
    broken += [
        name
        for name, found in high.items()
        if _counts(found, rules, name) and found.low > _limit(rules, name)
    ]
    return broken


def _turned(share: Estimate) -> Estimate:
    if share.value is None:
        return share
    return Estimate(1 - share.value, 1 - share.high, 1 - share.low, share.n)


def _counts(found: Estimate, rules: QualityRules, name: str) -> bool:
    return getattr(rules, name) is not None and found.n >= rules.least and found.low is not None


def _limit(rules: QualityRules, name: str) -> float:
    return getattr(rules, name) / 100
