"""Pairs that raters flagged as broken."""

from dataclasses import dataclass
from datetime import datetime

from annotation.models import Assignment, Study
from annotation.vocabulary import AssignmentState, FlagReason, PairState

MOST_LISTED = 200


@dataclass(frozen=True)
class Flag:
    """One rater's word on one pair. `still_open` says whether others may get the pair."""

    pair: int
    prompt_key: str
    rater: str
    reason: str
    note: str
    claimed_at: datetime
    still_open: bool


@dataclass(frozen=True)
class FlagsReport:
    """The newest `MOST_LISTED` of `count` flags."""

    count: int
    flags: tuple[Flag, ...]


def flags_report(study: Study) -> FlagsReport:
    """What raters flagged, the newest hold first. Two queries."""
    flagged = Assignment.objects.filter(enrolment__study=study, state=AssignmentState.FLAGGED)
    rows = flagged.select_related("pair__prompt", "enrolment").order_by("-claimed_at", "-pk")
    return FlagsReport(flagged.count(), tuple(_flag(row) for row in rows[:MOST_LISTED]))


def _flag(row: Assignment) -> Flag:
    return Flag(
        pair=row.pair_id,
        prompt_key=row.pair.prompt.key,
        rater=row.enrolment.code,
        reason=FlagReason(row.reason).label,
        note=row.note,
        claimed_at=row.claimed_at,
        still_open=row.pair.open_slots > 0 and row.pair.state == PairState.OPEN,
    )
