"""Where a study's freezing stands."""

from dataclasses import dataclass

from annotation.models import Freezing, Study
from annotation.models.snapshot import UNFINISHED
from annotation.reports.stored import missing_worker
from annotation.vocabulary import BatchState


@dataclass(frozen=True)
class FreezingProgress:
    """`sentence` says where it stands, `missing` which worker is needed, `failure` why nothing was frozen."""

    freezing: Freezing
    sentence: str
    is_unfinished: bool
    can_be_stopped: bool
    missing: str
    failure: str

    @property
    def expected(self) -> int:
        return _expected(self.freezing)


def freezing_progress(study: Study) -> FreezingProgress | None:
    """Of the newest that a worker was asked for; None where it, or one after it, became a snapshot."""
    newest = study.freezings.select_related("asked_by").first()
    if newest is None or newest.state == BatchState.DONE:
        return None
    is_unfinished = newest.state in UNFINISHED
    if not is_unfinished and study.snapshots.filter(created_at__gt=newest.asked_at).exists():
        return None
    return FreezingProgress(
        freezing=newest,
        sentence=_sentence(newest),
        is_unfinished=is_unfinished,
        can_be_stopped=is_unfinished and not newest.stop_asked,
        missing=missing_worker() if newest.state == BatchState.QUEUED else "",
        failure=newest.error if newest.state == BatchState.FAILED else "",
    )


def _sentence(freezing: Freezing) -> str:
    if freezing.state == BatchState.QUEUED:
        return "Waits for a worker."
    if freezing.state == BatchState.CANCELLED:
        return "The last freezing was stopped. Nothing of it was kept."
    if freezing.state == BatchState.FAILED:
        return "The last snapshot was not frozen."
    if freezing.stop_asked:
        return "Stopping: the rows in hand are finished, and nothing is kept."
    if not freezing.table:
        return "Starting."
    return f"Writing {freezing.table}: {freezing.rows_written:,} of about {_expected(freezing):,} rows."


def _expected(freezing: Freezing) -> int:
    """About how many rows there will be: they are counted ahead, and judged meanwhile."""
    return max(freezing.rows_expected, freezing.rows_written)
