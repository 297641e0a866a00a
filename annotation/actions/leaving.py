"""Pairs leave the study. Their rows stay."""

from collections.abc import Collection

from django.db.models import F

from annotation.actions import adaptive
from annotation.models import Assignment, Pair, Study
from annotation.vocabulary import AssignmentState, PairState


def lock_work(keys: Collection[int]) -> set[int]:
    """Lock the holds and the judged assignments of these pairs; says their primary keys.

    Before the pairs are locked, as whoever submits does; belongs in a transaction.
    """
    live = Assignment.objects.filter(pair__in=keys, slot__isnull=False).order_by("pk")
    return set(live.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))


def take_work(keys: Collection[int], locked: Collection[int]) -> set[int]:
    """Take what `lock_work` locked off these locked pairs, so that none of it counts; says which stay as they
    are, because somebody was given them after that.

    A hold lapses, and what is sent under it is kept as surplus; a judgment is withdrawn and kept.
    """
    live = Assignment.objects.filter(pair__in=keys, slot__isnull=False)
    late = set(live.exclude(pk__in=locked).values_list("pair_id", flat=True))
    free = set(keys) - late
    for old, new in (
        (AssignmentState.LEASED, AssignmentState.EXPIRED),
        (AssignmentState.SUBMITTED, AssignmentState.WITHDRAWN),
    ):
        Assignment.objects.filter(pair__in=free, slot__isnull=False, state=old).update(state=new, slot=None)
    Pair.objects.filter(pk__in=free).update(open_slots=F("overlap"))
    return late


def leave(study: Study, keys: Collection[int], state: PairState, decision: str) -> None:
    """Take pairs out of the study and keep their rows; the study is locked.

    Extra slots of dropped pairs that nobody judged are the budget's again.
    """
    if state == PairState.DROPPED and study.overlap_max is not None:
        adaptive.give_back_unused(study, keys)
    # What raters have read of a dropped pair is kept with it; of a replaced one they have read nothing.
    masked = {} if state == PairState.DROPPED else {"shown_a": None, "shown_b": None}
    left = Pair.objects.of_study().filter(pk__in=keys).update(state=state, decision=decision, **masked)
    Study.objects.filter(pk=study.pk).update(pair_count=F("pair_count") - left)
