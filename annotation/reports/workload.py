"""What an installation has to do, in a few numbers that are cheap to read: for those who watch it."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, OuterRef, Q, Subquery, Sum
from django.utils import timezone

from annotation.models import (
    Assignment,
    Batch,
    Dataset,
    Enrolment,
    Event,
    FileImport,
    GradeBatch,
    Report,
    Seal,
    Study,
    Training,
    WorkerHeartbeat,
)

KINDS = {
    "generation": Batch,
    "grading": GradeBatch,
    "training": Training,
    "dataset": Dataset,
    "import": FileImport,
    "report": Report,
}


@dataclass(frozen=True)
class Workload:
    """`batches` by (kind, state), `workers` alive by queue, `judged` by raters so far, pairs held now, and
    for how many seconds the oldest event has waited for its seal."""

    batches: dict[tuple[str, str], int]
    studies: dict[str, int]
    workers: dict[str, int]
    judged: int
    held: int
    unsealed_seconds: float


def workload(at: datetime | None = None) -> Workload:
    """Eleven queries; the number of judgments is read from the raters, not counted."""
    at = at or timezone.now()
    alive = WorkerHeartbeat.objects.filter(
        seen_at__gte=at - timedelta(seconds=settings.WORKER_SILENT_SECONDS)
    )
    return Workload(
        batches={
            (kind, state): n for kind, model in KINDS.items() for state, n in _by(model.objects, "state")
        },
        studies=dict(_by(Study.objects, "state")),
        workers=dict(Counter(alive.order_by().values_list("queue", flat=True))),
        judged=Enrolment.objects.aggregate(n=Sum("judged"))["n"] or 0,
        held=Assignment.objects.leased().count(),
        unsealed_seconds=_unsealed_seconds(at),
    )


def _by(rows, name: str) -> list[tuple[str, int]]:
    return list(rows.order_by().values_list(name).annotate(n=Count("pk")))


def _unsealed_seconds(at: datetime) -> float:
    last = Seal.objects.filter(study=OuterRef("pk")).order_by("-number")
    first = Event.objects.filter(study=OuterRef("pk")).order_by("created_at", "pk")
    behind = Q(created_at__gt=OuterRef("reach"))
    studies = Study.objects.order_by().annotate(reach=Subquery(last.values("through_at")[:1]))
    unsealed = studies.annotate(
        since=Subquery(first.filter(behind).values("created_at")[:1]),
        ever=Subquery(first.values("created_at")[:1]),
    )
    times = unsealed.values_list("reach", "since", "ever")
    waiting = [since if reach else ever for reach, since, ever in times]
    oldest = min(filter(None, waiting), default=at)
    return max(0.0, (at - oldest).total_seconds())
