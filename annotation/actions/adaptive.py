"""Adaptive overlap: pairs that their raters leave open get one rater more, up to the study's most.

docs/decisions/adaptive-overlap.md says why it decides as it does, and what it saved on real panels.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from django.db.models import Count, F, Q

from annotation.actions import events
from annotation.models import ExtraSlots, Judgment, Pair, ResponseJudgment, Study
from annotation.models.pair import end_of_queue
from annotation.stats.panels import PanelPrior, fit_prior, is_settled
from annotation.vocabulary import UNSAFE_LEVELS, AssignmentKind, AssignmentState, PairState, Severity

CONFIDENCE = 0.95
LEARN_FROM = 300
"""Judgments, the newest of the study, from which it is learned how far its raters agree."""
LEAST_TO_LEARN = 20
"""Pairs or responses judged twice; with fewer, what is expected is FIRST_CONCENTRATION and equal shares."""
FIRST_CONCENTRATION = 0.5

SAFE = ""
QUESTIONS: dict[str, tuple] = {
    "safety": (False, True),
    "severity": (SAFE, *Severity.values),
    "balance": (-1, 0, 1, "both bad"),
}
"""Each question's possible answers: unsafe or not; how severe; which side, about equal, or both bad."""

Priors = dict[str, PanelPrior]
Answers = dict[tuple[str, object], list]
"""What raters answered, by question and the response or pair it is about."""


def is_open(answers: Answers, most: int, priors: Priors) -> bool:
    """Whether one more rater should look, where up to `most` may.

    Yes when anybody called a response's harm high, and while any question is unsettled.
    """
    if any(Severity.HIGH in given for (question, _), given in answers.items() if question == "severity"):
        return True
    return any(
        not is_settled(_counts(question, given), most, priors[question], CONFIDENCE)
        for (question, _), given in answers.items()
    )


def reconsider(pair_pk: int, study: Study, priors: Priors | None = None) -> None:
    """Ask again after a correction or a withdrawal: a slot more where the answers leave the pair open now,
    and fewer where they settle it and nobody has taken up the extra ones.

    Belongs in the transaction of what changed; locks the pair. `priors`: see `priors_of`.
    """
    if study.overlap_max is None:
        return
    if not open_one_more(pair_pk, study, priors):
        _close_extra(pair_pk, study, priors)


def _close_extra(pair_pk: int, study: Study, priors: Priors | None) -> bool:
    """Take back the pair's free extra slots if what was judged settles it; says whether it was done."""
    pair = Pair.objects.select_for_update(no_key=True).get(pk=pair_pk)
    judgments = list(Judgment.objects.that_count().filter(pair=pair, assignment__isnull=False))
    fewer = max(study.overlap, len(judgments))
    if pair.state != PairState.OPEN or fewer >= pair.overlap or pair.assignments.rated().leased().exists():
        return False
    if len(judgments) < study.overlap or is_open(
        _answers(judgments), study.overlap_max, priors or priors_of(study)
    ):
        return False
    if not _move_below(pair, fewer):
        return False
    closed = pair.overlap - fewer
    less = {"overlap": fewer, "open_slots": F("open_slots") - closed}
    Pair.objects.filter(pk=pair.pk, overlap=pair.overlap).update(**less)
    ExtraSlots.objects.filter(study=study, opened__gte=closed).update(opened=F("opened") - closed)
    events.record(study, "close_extra", pair=pair.pk, overlap=fewer)
    return True


def give_back_unused(study: Study, keys: Collection[int]) -> int:
    """Take from these locked pairs the extra slots that nobody judged, because they leave the study; says how
    many the budget has again. Nobody holds them any more."""
    judged = Q(assignments__state__in=(AssignmentState.SUBMITTED, AssignmentState.WITHDRAWN))
    judged &= Q(assignments__kind=AssignmentKind.RATED)
    pairs = Pair.objects.filter(pk__in=keys, overlap__gt=study.overlap)
    pairs = pairs.annotate(paid=Count("assignments", filter=judged))
    unused = {pair.pk: max(0, pair.overlap - max(study.overlap, pair.paid)) for pair in pairs}
    for pk, slots in unused.items():
        Pair.objects.filter(pk=pk).update(overlap=F("overlap") - slots, open_slots=F("open_slots") - slots)
    total = sum(unused.values())
    ExtraSlots.objects.filter(study=study, opened__gte=total).update(opened=F("opened") - total)
    return total


def _move_below(pair: Pair, overlap: int) -> bool:
    """Have the judged assignments use the slots below `overlap`; False where somebody else changes one.

    Whoever corrects an answer has locked the assignment and waits for the pair: not to be waited for.
    """
    live = pair.assignments.rated().filter(slot__isnull=False)
    high = set(live.filter(slot__gte=overlap).values_list("pk", flat=True))
    locked = live.filter(pk__in=high).select_for_update(of=("self",), no_key=True, skip_locked=True)
    mine = list(locked.order_by("pk"))
    if len(mine) < len(high):
        return False
    free = sorted(set(range(overlap)) - set(live.values_list("slot", flat=True)))
    for assignment, slot in zip(mine, free, strict=False):
        live.filter(pk=assignment.pk).update(slot=slot)
    return True


def open_one_more(pair_pk: int, study: Study, priors: Priors | None = None) -> bool:
    """Give the pair a slot more if all it has are judged and leave it open; says whether it was done.

    Belongs in the transaction of the judgment that may have been the last; locks the pair, so that of two
    last ones the second sees the first. Never beyond the study's `overlap_max` and `extra_budget`.
    """
    if study.overlap_max is None:
        return False
    pair = Pair.objects.select_for_update(no_key=True).get(pk=pair_pk)
    if not _all_judged(pair) or pair.overlap >= study.overlap_max:
        return False
    # Imported ones took no slot and may lack answers.
    judgments = Judgment.objects.that_count().filter(pair=pair, assignment__isnull=False)
    answers, expected = _answers(judgments), priors or priors_of(study)
    if not is_open(answers, study.overlap_max, expected) or not _is_granted(study):
        return False
    more = {"overlap": F("overlap") + 1, "open_slots": F("open_slots") + 1, "place": end_of_queue()}
    Pair.objects.filter(pk=pair.pk, overlap=pair.overlap).update(**more)
    events.record(study, "open_one_more", pair=pair.pk, overlap=pair.overlap + 1)
    return True


def _all_judged(pair: Pair) -> bool:
    """Whether nobody holds the pair or can still claim it."""
    held = pair.assignments.rated().leased()
    return pair.state == PairState.OPEN and not pair.open_slots and not held.exists()


def _is_granted(study: Study) -> bool:
    """Whether the budget has one slot left, which is taken."""
    ExtraSlots.objects.get_or_create(study=study)
    within = ExtraSlots.objects.filter(study=study)
    if study.extra_budget is not None:
        within = within.filter(opened__lt=study.extra_budget)
    return bool(within.update(opened=F("opened") + 1))


def _answers(judgments: Iterable[Judgment]) -> Answers:
    """What these judgments say, question by question."""
    rows = list(judgments)
    answers: Answers = {}
    for row in rows:
        sign = (row.balance_canonical > 0) - (row.balance_canonical < 0) if not row.both_bad else "both bad"
        answers.setdefault(("balance", row.pair_id), []).append(sign)
    of_responses = ResponseJudgment.objects.filter(judgment__in=[row.pk for row in rows])
    for row in of_responses.values_list("judgment__pair_id", "response_id", "safety", "severity"):
        pair, response, safety, severity = row
        answers.setdefault(("safety", (pair, response)), []).append(safety in UNSAFE_LEVELS)
        answers.setdefault(("severity", (pair, response)), []).append(severity)
    return answers


def priors_of(study: Study) -> Priors:
    """What is expected of a pair in this study, learned from its newest judgments. Two queries."""
    newest = Judgment.objects.that_count().filter(study=study, assignment__isnull=False)
    answers = _answers(newest.order_by("-created_at", "-pk")[:LEARN_FROM])
    return {question: _prior(question, answers) for question in QUESTIONS}


def _prior(question: str, answers: Answers) -> PanelPrior:
    counts = [_counts(question, given) for (asked, _), given in answers.items() if asked == question]
    several = [n for n in counts if sum(n) > 1]
    choices = len(QUESTIONS[question])
    learned = fit_prior(several, choices) if len(several) >= LEAST_TO_LEARN else None
    return learned or PanelPrior((1 / choices,) * choices, FIRST_CONCENTRATION)


def _counts(question: str, given: Sequence) -> list[int]:
    times = Counter(given)
    return [times[answer] for answer in QUESTIONS[question]]
