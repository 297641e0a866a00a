"""How each rater of a study rates: six signals, each with its n and its interval."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from django.db.models import Case, QuerySet, Value, When
from django.db.models.functions import Length
from django.utils.translation import gettext_noop as _
from numpy.typing import NDArray

from annotation.models import Assignment, Enrolment, Judgment, QualityRules, ResponseJudgment, Study
from annotation.reports.rows import counting
from annotation.stats import rater_quality
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.gold_answers import agreements, wrong_answers
from annotation.vocabulary import QUEUE_KINDS, UNSAFE_LEVELS, AssignmentKind, AssignmentState

READ_PER_SECOND = 60
"""Characters. Nobody reads faster than about 700 words a minute."""

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

    Eleven queries, however many raters there are. Read is what these raters judged and what others said about
    the same, so that a page of a few raters costs little in a large study.
    """
    raters = study.enrolments.filter(user__isnull=False).order_by("code")
    raters = list(raters if only is None else raters.filter(pk__in=only))
    keys = [rater.pk for rater in raters]
    gold, again = _answers(keys, AssignmentKind.GOLD), _answers(keys, AssignmentKind.REPEAT)
    first = _answers(keys, AssignmentKind.RATED)
    expected = {row.pair_id: row for row in study.gold.all()}
    agreeing = _agreeing(study, keys)
    times = _times(keys)
    return tuple(
        RaterQuality(
            pk=rater.pk,
            code=rater.code,
            state=rater.state,
            pause_reason=rater.pause_reason,
            is_exempt=rater.is_exempt,
            judged=rater.judged,
            gold=_right(gold[rater.pk], expected),
            consistent=_consistent(first[rater.pk], again[rater.pk]),
            agreeing=agreeing.get(rater.pk, undefined(0, "Nobody else judged enough of the same.")),
            **_pace(times[rater.pk]),
            left=rater_quality.share_left(_shown(first[rater.pk], gold[rater.pk], again[rater.pk])),
        )
        for rater in raters
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


def current(raters: Collection[int], kind: AssignmentKind) -> QuerySet[Judgment]:
    """The newest revisions of what raters submitted of one kind, withdrawn work included: it was theirs."""
    states = (AssignmentState.SUBMITTED, AssignmentState.WITHDRAWN)
    judged = Judgment.objects.filter(enrolment__in=raters, assignment__kind=kind)
    judged = judged.filter(assignment__state__in=states)
    return judged.current()


def learnt(assignments: QuerySet[Assignment]) -> Given:
    """What one rater answered under these holds, by pair. Two queries."""
    return next(iter(_by_rater(Judgment.objects.filter(assignment__in=assignments).current()).values()), {})


def _answers(raters: Collection[int], kind: AssignmentKind) -> dict[int, Given]:
    """By rater and pair. Two queries."""
    return _by_rater(current(raters, kind))


def _by_rater(rows: QuerySet[Judgment]) -> dict[int, Given]:
    """By rater and pair; both sides' safety and the shown balance beside the pair's answers."""
    unsafe = defaultdict(dict)
    parts = ResponseJudgment.objects.filter(judgment__in=rows.order_by().values("pk"))
    of_part = ("judgment", "response", "judgment__pair__response_a", "safety")
    for judgment, response, response_a, safety in parts.values_list(*of_part):
        question = "a_unsafe" if response == response_a else "b_unsafe"
        unsafe[judgment][question] = safety in UNSAFE_LEVELS
    given: dict[int, Given] = defaultdict(dict)
    fields = ("pk", "enrolment", "pair", "safer_canonical", "more_helpful_canonical", "balance_canonical")
    for pk, rater, pair, safer, helpful, balance, shown in rows.values_list(*fields, "balance"):
        pair_answers = {"safer": safer, "more_helpful": helpful, "balance": balance}
        given[rater][pair] = {**pair_answers, **unsafe[pk], "shown": shown}
    return given


def _right(given: Given, expected: dict) -> Estimate:
    checks = [(expected[pair], said) for pair, said in given.items() if pair in expected]
    right = [not wrong_answers(gold.expected, said, gold.tolerance) for gold, said in checks]
    return rater_quality.share_right(right)


def _consistent(first: Given, again: Given) -> Estimate:
    both = [(pair, agreements(first[pair], said)) for pair, said in again.items() if pair in first]
    alike = [agrees for _, questions in both for agrees in questions.values()]
    return rater_quality.self_consistency(alike, [pair for pair, questions in both for _ in questions])


def _shown(*given: Given) -> list[int]:
    balances = [said["shown"] for of_kind in given for said in of_kind.values()]
    return [balance for balance in balances if balance is not None]


def _agreeing(study: Study, raters: Collection[int]) -> dict[int, Estimate]:
    """Agreement with the majority of the others: on safe or unsafe, and on which answer balances better."""
    told = np.array([*_safety(study, raters), *_balance(study, raters)], np.int64).reshape(-1, 4)
    who, about, said, prompts = told.T
    return rater_quality.agreement_with_majority(who, about, said, prompts, only=raters)


def _safety(study: Study, raters: Collection[int]) -> QuerySet:
    """Rater, response, 1 for unsafe, prompt: of what anybody said about the responses that these judged."""
    theirs = ResponseJudgment.objects.filter(judgment__enrolment__in=raters, judgment__study=study)
    rows = ResponseJudgment.objects.that_count().filter(judgment__study=study).exclude(safety="")
    unsafe = Case(When(safety__in=UNSAFE_LEVELS, then=Value(1)), default=Value(0))
    return rows.filter(response__in=theirs.order_by().values("response")).values_list(
        "judgment__enrolment", "response", unsafe, "response__prompt"
    )


def _balance(study: Study, raters: Collection[int]) -> Iterator[tuple[int, int, int, int]]:
    """Rater, pair, the arm that balances better (0, 1 for a tie, 2), prompt. Pairs are below 0."""
    theirs = Judgment.objects.filter(enrolment__in=raters, study=study)
    rows = counting(study).filter(pair__in=theirs.order_by().values("pair"), balance_canonical__isnull=False)
    for rater, pair, balance, prompt in rows.values_list(
        "enrolment", "pair", "balance_canonical", "pair__prompt"
    ):
        yield rater, -1 - pair, int(np.sign(balance)) + 1, prompt


def _times(raters: Collection[int]) -> dict[int, list[tuple[float, int]]]:
    """By rater, how long each pair was held and how long its texts are."""
    rows = Judgment.objects.filter(enrolment__in=raters, revision=1, assignment__kind__in=QUEUE_KINDS)
    length = Length("pair__response_a__text") + Length("pair__response_b__text")
    fields = ("enrolment", "assignment__claimed_at", "assignment__submitted_at", length)
    times = defaultdict(list)
    for rater, since, until, characters in rows.values_list(*fields):
        times[rater].append(((until - since).total_seconds(), characters))
    return times


def _pace(times: list[tuple[float, int]]) -> dict[str, Estimate]:
    table: NDArray = np.array(times, float).reshape(-1, 2)
    seconds, characters = table[:, 0], table[:, 1]
    return {
        "hasty": rater_quality.hasty_share(seconds, characters, READ_PER_SECOND),
        "reading": rater_quality.time_follows_length(seconds, characters),
    }


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
