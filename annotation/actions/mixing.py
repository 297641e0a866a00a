"""Gold and repeated pairs, mixed in among those that a rater gets.

Which kind comes next is drawn from the study's seed, the rater and how many pairs they were given: neither
the time nor what others do decides it, and giving a pair back does not bring the same draw again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, Exists, OuterRef, Q, Subquery, Value, When

from annotation import draws
from annotation.models import Assignment, Enrolment, Pair
from annotation.reports.exposure import beyond_exposure
from annotation.vocabulary import AssignmentKind, AssignmentState, GoldUse, PairState

REPEAT_GAP = 10
"""So many judged pairs, at least, lie between a pair and its repetition."""


@dataclass(frozen=True)
class Extra:
    """A pair to give out besides what is rated. `left_is_a` is None where the sides are free to be drawn.

    `had_before` is the rater's own lapsed hold on it, which is taken up again.
    """

    pair: Pair
    kind: AssignmentKind
    left_is_a: bool | None
    had_before: int | None


def draw_extra(rater: Enrolment, at: datetime, shown: Sequence[str]) -> Extra | None:
    """The gold or repeated pair that comes now; None for most draws, and where there is none to give.

    `shown` is what is fetched of the pair. One query where the draw asks for something, none otherwise. The
    rater is locked, so that no other claim of theirs draws at the same time. What the rater does not want to
    get they do not get this way either.
    """
    if kind := drawn_kind(rater):
        unwanted = [*rater.opted_out, *beyond_exposure(rater, at)]
        return {AssignmentKind.GOLD: _gold, AssignmentKind.REPEAT: _repeat}[kind](rater, unwanted, shown)
    return None


def drawn_kind(rater: Enrolment) -> AssignmentKind | None:
    """Gold or repeat with the study's chances, None for the rest."""
    study = rater.study
    if not study.gold_percent and not study.repeat_percent:
        return None
    percent = 100 * draws.draw(study.seed, "kind", rater.code, rater.offered) / 2**draws.POSITION_BITS
    if percent < study.gold_percent:
        return AssignmentKind.GOLD
    return AssignmentKind.REPEAT if percent < study.gold_percent + study.repeat_percent else None


def _gold(rater: Enrolment, unwanted: list[str], shown: Sequence[str]) -> Extra | None:
    """The next gold pair of the round that this rater has not had; each rater begins elsewhere."""
    begin = draws.draw(rater.study.seed, "gold", rater.code)
    had = Assignment.objects.filter(pair=OuterRef("pk"), enrolment=rater)
    lapsed = had.filter(kind=AssignmentKind.GOLD, state=AssignmentState.EXPIRED)
    live = {"gold__study": rater.study_id, "gold__use": GoldUse.CHECK, "gold__retired_at__isnull": True}
    pairs = Pair.objects.filter(**live).outside(unwanted).exclude(Exists(had.that_count()))
    pairs = pairs.select_related("prompt", "response_a", "response_b").only(*shown)
    first_round = Case(When(gold__place__gte=begin, then=Value(0)), default=Value(1))
    pairs = pairs.annotate(had_before=Subquery(lapsed.values("pk")[:1]))
    pair = pairs.order_by(first_round, "gold__place", "pk").first()
    return Extra(pair, AssignmentKind.GOLD, None, pair.had_before) if pair else None


def _repeat(rater: Enrolment, unwanted: list[str], shown: Sequence[str]) -> Extra | None:
    """What the rater judged REPEAT_GAP pairs ago or a little longer, with the sides swapped."""
    again = rater.assignments.filter(pair=OuterRef("pair"), kind=AssignmentKind.REPEAT)
    lapsed = again.filter(state=AssignmentState.EXPIRED)
    judged = rater.assignments.rated().filter(state=AssignmentState.SUBMITTED, pair__state=PairState.OPEN)
    judged = judged.exclude(Exists(again.that_count()) | Q(pair__prompt__harm_category__in=unwanted))
    judged = judged.select_related("pair__prompt", "pair__response_a", "pair__response_b")
    judged = judged.only("left_is_a", *(f"pair__{name}" for name in shown))
    judged = judged.annotate(had_before=Subquery(lapsed.values("pk")[:1]))
    for first in judged.order_by("-submitted_at", "-pk")[REPEAT_GAP : REPEAT_GAP + 1]:
        return Extra(first.pair, AssignmentKind.REPEAT, not first.left_is_a, first.had_before)
    return None
