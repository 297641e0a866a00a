"""The pairs that raters dispute, and what was found about them."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from annotation.models import Adjudication, Judgment, Pair, ResponseJudgment, Study
from annotation.stats.disputes import PAIR_QUESTIONS, Said, disputed_questions
from annotation.vocabulary import UNSAFE_LEVELS, DisputeCause, PairState


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


def disputes_report(study: Study) -> DisputesReport:
    """All disputes of the study, those without a ruling first. Four queries."""
    said = _said(study)
    rulings = {
        row.pair_id: row
        for row in Adjudication.objects.filter(pair__study=study).select_related("assignment__enrolment")
    }
    disputed = {pair: questions for pair, (_, questions) in said.items() if questions}
    keys = dict(Pair.objects.filter(pk__in=disputed).values_list("pk", "prompt__key"))
    found = [
        _dispute(pair, keys[pair], said[pair][0], questions, rulings.get(pair))
        for pair, questions in disputed.items()
    ]
    causes = Counter(row.cause for row in rulings.values())
    return DisputesReport(
        judged_twice=len(said),
        disputes=tuple(sorted(found, key=lambda dispute: (bool(dispute.cause), dispute.prompt_key))),
        causes=tuple((DisputeCause(cause).label, count) for cause, count in causes.most_common()),
    )


def waiting_disputes(study: Study) -> list[int]:
    """The pairs that are disputed, have all their judgments, and have no ruling."""
    open_pairs = Pair.objects.filter(study=study, state=PairState.OPEN, open_slots=0, adjudication=None)
    ready = set(open_pairs.values_list("pk", flat=True))
    return [pair for pair, (_, questions) in _said(study).items() if questions and pair in ready]


def _dispute(
    pair: int, key: str, judgments: int, questions: list[str], ruling: Adjudication | None
) -> Dispute:
    if ruling is None:
        return Dispute(pair, key, judgments, tuple(questions))
    told = (ruling.get_cause_display(), ruling.note, ruling.assignment.enrolment.code)
    return Dispute(pair, key, judgments, tuple(questions), *told)


def _said(study: Study) -> dict[int, tuple[int, list[str]]]:
    """By pair that was judged at least twice: how often, and what is disputed. Two queries."""
    pairs: dict[int, Said] = defaultdict(Said)
    judged: Counter = Counter()
    rows = Judgment.objects.that_count().filter(study=study, pair__isnull=False).order_by("pair", "pk")
    fields = [f"{name}_canonical" for name in PAIR_QUESTIONS]
    for pair, *answers in rows.values_list("pair", *fields):
        judged[pair] += 1
        for name, step in zip(PAIR_QUESTIONS, answers, strict=True):
            if step is not None:
                pairs[pair].steps.setdefault(name, []).append(step)
    parts = ResponseJudgment.objects.that_count().filter(judgment__study=study, judgment__pair__isnull=False)
    for pair, response, safety in parts.exclude(safety="").values_list(
        "judgment__pair", "response", "safety"
    ):
        pairs[pair].unsafe.setdefault(response, []).append(safety in UNSAFE_LEVELS)
    least = study.dispute_spread
    return {
        pair: (number, disputed_questions(pairs[pair].steps, pairs[pair].unsafe, least))
        for pair, number in judged.items()
        if number > 1
    }
