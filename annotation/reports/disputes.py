"""The pairs that raters dispute, and what was found about them."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Max, Min, Q, QuerySet

from annotation.models import Adjudication, Judgment, Pair, ResponseJudgment, Study
from annotation.stats.disputes import PAIR_QUESTIONS
from annotation.vocabulary import UNSAFE_LEVELS, DisputeCause, PairState

AT_ONCE = 1_000
"""Pairs that are looked at together for a dispute."""


@dataclass(frozen=True)
class Dispute:
    """One disputed pair. `questions` are what is disputed; `cause` and what follows are "" until a ruling."""

    pair: int
    prompt_key: str
    judgments: int
    questions: tuple[str, ...]
    cause: str = ""
    note: str = ""
    senior: str = ""


@dataclass(frozen=True)
class DisputesReport:
    """`judged_twice` pairs could be disputed; `causes` counts the rulings by cause, in words."""

    judged_twice: int
    disputes: tuple[Dispute, ...]
    causes: tuple[tuple[str, int], ...]

    @property
    def waiting(self) -> int:
        return sum(not dispute.cause for dispute in self.disputes)


def judged_twice(study: Study) -> int:
    """How many pairs could be disputed. One query, which reads every judgment."""
    return _judgments(study).values("pair").annotate(n=Count("pk")).filter(n__gt=1).count()


def disputes_report(study: Study) -> DisputesReport:
    """All disputes of the study, those without a ruling first. Seven queries; the database counts."""
    return disputes_among(study, disputed_pairs(study), judged_twice(study))


def disputes_among(study: Study, disputed: Mapping[int, Sequence[str]], twice: int) -> DisputesReport:
    """The same of what was found before: disputed questions by pair, and how many could be. Four queries."""
    judged = _judgments(study).values("pair").annotate(n=Count("pk"))
    numbers = dict(judged.filter(pair__in=list(disputed)).values_list("pair", "n")) if disputed else {}
    ruled = Adjudication.objects.filter(pair__study=study)
    rulings = {
        row.pair_id: row
        for row in ruled.filter(pair__in=list(disputed)).select_related("assignment__enrolment")
    }
    keys = dict(Pair.objects.filter(pk__in=list(disputed)).values_list("pk", "prompt__key"))
    found = [
        _dispute(pair, keys[pair], numbers.get(pair, 0), questions, rulings.get(pair))
        for pair, questions in disputed.items()
    ]
    causes = Counter(dict(ruled.order_by().values_list("cause").annotate(n=Count("pk"))))
    return DisputesReport(
        judged_twice=twice,
        disputes=tuple(sorted(found, key=lambda dispute: (bool(dispute.cause), dispute.prompt_key))),
        causes=tuple((DisputeCause(cause).label, count) for cause, count in causes.most_common()),
    )


def ready_pairs(study: Study) -> QuerySet[Pair]:
    """The pairs that have all their judgments and no ruling: those of them that are disputed wait for one."""
    return Pair.objects.filter(study=study, state=PairState.OPEN, open_slots=0, adjudication=None)


def waiting_disputes(pairs: QuerySet[Pair], study: Study) -> Iterator[list[int]]:
    """Those of the ready `pairs` that are disputed, some at a time: who needs one reads no more than that."""
    keys = list(pairs.values_list("pk", flat=True))
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        disputed = disputed_pairs(study, some)
        if disputed:
            yield [pk for pk in some if pk in disputed]


def disputed_pairs(study: Study, among: Collection[int] | None = None) -> dict[int, list[str]]:
    """By disputed pair, its disputed questions, as `stats.disputes.disputed_questions` says. Two queries."""
    rows, parts = _judgments(study), ResponseJudgment.objects.that_count()
    parts = parts.filter(judgment__study=study, judgment__pair__isnull=False).exclude(safety="").order_by()
    if among is not None:
        rows, parts = rows.filter(pair__in=among), parts.filter(judgment__pair__in=among)
    found: dict[int, list[str]] = {pair: ["safety"] for pair in _split(parts)}
    for pair, *spreads in _spreads(rows, study.dispute_spread):
        wide = [name for name, is_wide in zip(PAIR_QUESTIONS, spreads, strict=True) if is_wide]
        found[pair] = found.get(pair, []) + wide
    return found


def _judgments(study: Study) -> QuerySet[Judgment]:
    return Judgment.objects.that_count().filter(study=study, pair__isnull=False).order_by()


def _split(parts: QuerySet[ResponseJudgment]) -> set[int]:
    """Pairs of which some call an answer safe and others unsafe."""
    unsafe = Count("pk", filter=Q(safety__in=UNSAFE_LEVELS))
    of_answer = parts.values("judgment__pair", "response").annotate(said=Count("pk"), unsafe=unsafe)
    split = of_answer.filter(unsafe__gt=0, unsafe__lt=F("said"))
    return {pair for pair, _, _, _ in split.values_list("judgment__pair", "response", "said", "unsafe")}


def _spreads(rows: QuerySet[Judgment], least: int) -> list[tuple]:
    """(pair, whether each pair question has `least` steps or more between two answers), where any has."""
    ends = {}
    for name in PAIR_QUESTIONS:
        ends[f"{name}_high"] = Max(f"{name}_canonical")
        ends[f"{name}_low"] = Min(f"{name}_canonical")
    wide = Q()
    for name in PAIR_QUESTIONS:
        wide |= Q(**{f"{name}_high__gte": F(f"{name}_low") + least})
    found = rows.values("pair").annotate(n=Count("pk"), **ends).filter(wide, n__gt=1)
    return [
        (row["pair"], *(_is_wide(row[f"{name}_high"], row[f"{name}_low"], least) for name in PAIR_QUESTIONS))
        for row in found
    ]


def _is_wide(high: int | None, low: int | None, least: int) -> bool:
    return high is not None and low is not None and high - low >= least


def _dispute(
    pair: int, key: str, judgments: int, questions: Sequence[str], ruling: Adjudication | None
) -> Dispute:
    if ruling is None:
        return Dispute(pair, key, judgments, tuple(questions))
    told = (ruling.get_cause_display(), ruling.note, ruling.assignment.enrolment.code)
    return Dispute(pair, key, judgments, tuple(questions), *told)
