"""How far generating and rating have come, and who is there to go on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils import timezone

from annotation.models import (
    Assignment,
    Batch,
    BatchItem,
    Enrolment,
    Event,
    Pair,
    Response,
    Run,
    Study,
    WorkerHeartbeat,
)
from annotation.reports.rows import counting
from annotation.vocabulary import (
    PAIRS_OF_STUDY,
    BatchState,
    EnrolmentState,
    JudgmentSource,
    PairState,
    RunState,
)

RATE_WINDOW = timedelta(minutes=5)
"""The rate of a run is that of its last minutes, so that a pause does not weigh on it for long."""

REPORT_AWAITED = timedelta(hours=1)  # it takes minutes, and may wait behind other work

QUEUE_OF_STATE = {RunState.RUNNING: "gpu", RunState.GENERATED: "default"}


@dataclass(frozen=True)
class WorkingBatch:
    """A batch in a worker's hands."""

    number: int
    arm: str
    worker: str
    attempts: int


@dataclass(frozen=True)
class FailedItem:
    """A request that a model refused to take, with its reason."""

    prompt_key: str
    arm: str
    sample: int
    reason: str


@dataclass(frozen=True)
class RunProgress:
    """`done` counts answered requests, `failed` those that brought no response; both of `total`.

    Rates are per second over the last minutes, or over the whole of a finished run; they and
    `seconds_left` are None where nothing tells them.
    """

    state: str
    error: str
    done: int
    failed: int
    total: int
    items_per_second: float | None
    tokens_per_second: float | None
    seconds_left: float | None
    working: tuple[WorkingBatch, ...]

    @property
    def is_finished(self) -> bool:
        """Whether nothing changes until somebody does something."""
        return self.state not in (RunState.RUNNING, RunState.GENERATED)

    @property
    def controls(self) -> tuple[str, ...]:
        """What can be done with the run now, as `actions.runs.CONTROLS` names it."""
        if self.state == RunState.DONE:
            return ("retry",) if self.failed else ()
        return {
            RunState.RUNNING: ("pause", "cancel"),
            RunState.PAUSED: ("resume", "cancel"),
            RunState.FAILED: ("resume", "cancel"),
        }.get(RunState(self.state), ())


def run_progress(run: Run, at: datetime | None = None) -> RunProgress:
    """Where the run stands. Three queries."""
    at = at or timezone.now()
    counts = _items(run).aggregate(
        total=Count("pk"),
        failed=Count("pk", filter=~Q(failure="")),
        done=Count("pk", filter=Q(failure="", batch__state=BatchState.DONE)),
    )
    items_rate, tokens_rate = _rates(run, at)
    left = counts["total"] - counts["done"] - counts["failed"]
    running = run.state == RunState.RUNNING
    return RunProgress(
        state=run.state,
        error=run.error,
        **counts,
        items_per_second=items_rate,
        tokens_per_second=tokens_rate,
        seconds_left=left / items_rate if running and items_rate else None,
        working=_working(run),
    )


def _items(run: Run) -> QuerySet[BatchItem]:
    return BatchItem.objects.filter(batch__run=run)


def _rates(run: Run, at: datetime) -> tuple[float | None, float | None]:
    """Items and tokens a second; None of a run that stands still."""
    if run.state == RunState.FAILED:
        return None, None
    until = run.finished_at or at
    since = run.created_at if run.finished_at else max(run.created_at, at - RATE_WINDOW)
    seconds = (until - since).total_seconds()
    batches = Batch.objects.filter(run=run, state=BatchState.DONE, finished_at__gte=since)
    sums = batches.aggregate(items=Count("responses"), tokens=Sum("responses__output_tokens"))
    if seconds <= 0 or not sums["items"]:
        return None, None
    return sums["items"] / seconds, (sums["tokens"] or 0) / seconds


def _working(run: Run) -> tuple[WorkingBatch, ...]:
    claimed = run.batches.filter(state=BatchState.CLAIMED).order_by("number")
    rows = claimed.values_list("number", "arm__name", "worker", "attempts")
    return tuple(WorkingBatch(*row) for row in rows)


def failed_items(run: Run, limit: int = 100) -> tuple[FailedItem, ...]:
    """The run's first `limit` requests that brought no response."""
    rows = _items(run).exclude(failure="").order_by("pk")
    fields = ("prompt__key", "batch__arm__name", "sample", "failure")
    return tuple(FailedItem(*row) for row in rows.values_list(*fields)[:limit])


@dataclass(frozen=True)
class Origin:
    """A way in which responses of an arm came about. `additions`: adapter, weights, quantisation, server."""

    arm: str
    model: str
    revision: str
    additions: str
    device: str
    dtype: str
    reason: str
    versions: str


def origins(run: Run) -> dict[Origin, int]:
    """How many of the run's responses came about in each way, by arm in canonical order. Two queries.

    More than one way for an arm: its answers were not all made alike.
    """
    # All responses of a batch have one provenance, so the first of each is enough to read.
    batches = Response.objects.filter(batch__run=run).order_by().values("batch")
    counts = dict(batches.annotate(first=Min("pk"), n=Count("pk")).values_list("first", "n"))
    firsts = Response.objects.filter(pk__in=batches.annotate(first=Min("pk")).values("first"))
    found: Counter[Origin] = Counter()
    for response in (
        firsts.select_related("arm").only("arm__name", "provenance").order_by("arm__position", "pk")
    ):
        found[_origin(response)] += counts.get(response.pk, 0)
    return dict(found)


def _origin(response: Response) -> Origin:
    told = response.provenance
    versions = told.get("versions") or {}
    additions = [f"adapter {told['adapter']}"] if told.get("adapter") else []
    additions += [f"weights {_weights(told)}"] if told.get("weights_sha256") else []
    additions += [told[name] for name in ("quantization", "base_url") if told.get(name)]
    additions += ["own chat template"] if told.get("chat_template_is_override") else []
    return Origin(
        arm=response.arm.name,
        model=told.get("model", ""),
        revision=told.get("commit") or told.get("revision", ""),
        additions=", ".join(additions),
        device=told.get("device", ""),
        dtype=told.get("dtype", ""),
        reason=told.get("device_reason", ""),
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
    )


def _weights(told: dict) -> str:
    """The beginning of the digest of a folder's weights; of several files, of all their digests together."""
    digests = list(told["weights_sha256"].values())
    whole = digests[0] if len(digests) == 1 else sha256("".join(digests).encode()).hexdigest()
    return whole[:12]


@dataclass(frozen=True)
class RatingTotals:
    """`RatingProgress` without its raters."""

    pairs: int
    full: int
    judgments: int
    needed: int
    imported: int
    waiting: int
    dropped: int
    replaced: int


@dataclass(frozen=True)
class RaterProgress:
    """A rater by pseudonym; `judgments` are those that count."""

    code: str
    username: str
    state: str
    judgments: int
    last_at: datetime | None


@dataclass(frozen=True)
class RatingProgress:
    """`judgments` rated here, out of `needed` (each pair's overlap); `full` pairs have all of theirs.

    `imported` judgments take nobody's place: they count in reports and not towards the overlap.
    `waiting` of the pairs wait for review; `dropped` and `replaced` ones have left the study.
    `raters_missing`: how many more raters it takes before any pair can have all of its judgments.
    """

    pairs: int
    full: int
    judgments: int
    needed: int
    imported: int
    waiting: int
    dropped: int
    replaced: int
    raters_missing: int
    raters: tuple[RaterProgress, ...]


def rating_progress(study: Study) -> RatingProgress:
    """How far rating has come. Seven queries."""
    totals = rating_totals(study)
    return RatingProgress(
        **vars(totals),
        raters_missing=raters_missing(study) if totals.pairs else 0,
        raters=raters_progress(study),
    )


def raters_missing(study: Study) -> int:
    """How many more raters it takes before any pair can have all of its judgments. Two queries."""
    return max(0, least_overlap(study) - _who_may_rate(study))


def least_overlap(study: Study) -> int:
    """The fewest raters that one of its pairs waits for; without pairs what the next will have. One query."""
    found = study.pairs.filter(state__in=PAIRS_OF_STUDY).aggregate(least=Min("overlap"))
    return found["least"] or study.overlap


def rating_totals(study: Study) -> RatingTotals:
    """How far rating has come in all. Three queries, which read every judgment."""
    pairs = _pairs(study)
    rated = Count("pk", filter=Q(source=JudgmentSource.RATED))
    judged = counting(study).aggregate(rated=rated, all=Count("pk"))
    per_pair = counting(study).filter(source=JudgmentSource.RATED).order_by().values("pair")
    full = per_pair.annotate(n=Count("pk"), k=Max("pair__overlap")).filter(n__gte=F("k")).count()
    return RatingTotals(
        pairs=pairs["count"],
        full=full,
        judgments=judged["rated"],
        needed=pairs["needed"],
        imported=judged["all"] - judged["rated"],
        waiting=pairs[PairState.HELD],
        dropped=pairs[PairState.DROPPED],
        replaced=pairs[PairState.REPLACED],
    )


def nothing_to_rate(study: Study) -> str:
    """Why raters get nothing though the study may be open, and what to do; "" where it has pairs to give."""
    if study.pairs.filter(state=PairState.OPEN).exists():
        return ""
    if study.pairs.held().exists():
        return "Raters get nothing yet: all of its pairs wait for review. Decide about them, and they come."
    return (
        "Raters get nothing yet, because there are no pairs. They are made when a run finishes, or when "
        "responses are imported; raters get them from then on."
    )


def stranded_by_review(study: Study) -> int:
    """How many active raters could judge a pair that waits for review, and no open one. One query or two.

    A rater who still holds a pair has something to do.
    """
    if not study.is_open or not study.pairs.held().exists():
        return 0
    had = Assignment.objects.that_count().filter(pair=OuterRef("pk"), enrolment=OuterRef(OuterRef("pk")))
    pairs = Pair.objects.filter(study=study).exclude(Exists(had))
    holds = Assignment.objects.leased().filter(enrolment=OuterRef("pk"))
    raters = study.enrolments.filter(user__isnull=False, state=EnrolmentState.ACTIVE)
    without = raters.exclude(Exists(holds)).exclude(Exists(pairs.with_open_slot()))
    return without.filter(Exists(pairs.held())).count()


def _pairs(study: Study) -> dict[str, int]:
    """Pairs of the study and the judgments they need; and how many are in each state."""
    belongs = Q(state__in=PAIRS_OF_STUDY)
    return study.pairs.aggregate(
        count=Count("pk", filter=belongs),
        needed=Sum("overlap", filter=belongs, default=0),
        **{state.value: Count("pk", filter=Q(state=state)) for state in PairState},
    )


def _who_may_rate(study: Study) -> int:
    return study.enrolments.filter(user__isnull=False, state=EnrolmentState.ACTIVE).count()


def raters_progress(study: Study, keys: Sequence[int] | None = None) -> tuple[RaterProgress, ...]:
    """Everybody with a place, by code; with `keys` those of them. Two queries, which read their judgments."""
    judged, rows = counting(study), Enrolment.objects.filter(study=study).order_by("code")
    if keys is not None:
        judged, rows = judged.filter(enrolment__in=keys), rows.filter(pk__in=keys)
    per_rater = judged.order_by().values("enrolment")
    counts = {
        row["enrolment"]: (row["n"], row["last"])
        for row in per_rater.annotate(n=Count("pk"), last=Max("created_at"))
    }
    fields = ("pk", "code", "user__username", "state")
    return tuple(
        RaterProgress(code, username or "", state, *counts.get(pk, (0, None)))
        for pk, code, username, state in rows.values_list(*fields)
    )


def kept_raters(study: Study, counts: Mapping[str, int], keys: Sequence[int]) -> tuple[RaterProgress, ...]:
    """These raters of the study, by code, with the numbers that were counted last, by key. One query."""
    last = Assignment.objects.filter(enrolment=OuterRef("pk"), submitted_at__isnull=False)
    last = last.order_by("-submitted_at").values("submitted_at")[:1]
    rows = study.enrolments.filter(pk__in=keys).order_by("code").annotate(last=Subquery(last))
    fields = ("pk", "code", "user__username", "state", "last")
    return tuple(
        RaterProgress(code, username or "", state, counts.get(str(pk), 0), last_at)
        for pk, code, username, state, last_at in rows.values_list(*fields)
    )


@dataclass(frozen=True)
class Workers:
    """Names of the living by queue; `sentence` is "" unless nobody lives at all."""

    alive: dict[str, tuple[str, ...]]
    sentence: str


def workers(at: datetime | None = None) -> Workers:
    """Who has given a sign of life within WORKER_SILENT_SECONDS."""
    since = (at or timezone.now()) - timedelta(seconds=settings.WORKER_SILENT_SECONDS)
    rows = WorkerHeartbeat.objects.filter(seen_at__gte=since).order_by("name").values_list("queue", "name")
    alive: dict[str, tuple[str, ...]] = {}
    for queue, name in rows:
        alive[queue] = (*alive.get(queue, ()), name)
    return Workers(alive, "" if alive else "No worker is alive.")


def missing_worker(runs: QuerySet[Run], at: datetime | None = None) -> str:
    """What is missing for those of the runs that wait for a worker, in a sentence; "" when nothing is."""
    waiting = runs.filter(state__in=QUEUE_OF_STATE).order_by().values_list("state", flat=True).distinct()
    needed = {QUEUE_OF_STATE[state] for state in waiting}
    if not needed:
        return ""
    living = workers(at)
    silent = sorted(needed - set(living.alive))
    if not silent:
        return ""
    return living.sentence or f"No worker takes work from the queue “{silent[0]}”."


@dataclass(frozen=True)
class ReportAsked:
    """Where a snapshot's report stands: `asked` and not there yet, why it `failed`, what it lacks.

    `is_awaited`: asked for, and not so long ago that no worker can be at it still.
    """

    asked: Event | None
    failed: str
    lacking: str
    is_awaited: bool


def reports_asked(study: Study, at: datetime | None = None) -> dict[int, ReportAsked]:
    """By the snapshot's number, from the last that happened to each. One query."""
    since = (at or timezone.now()) - REPORT_AWAITED
    events = study.events.without_judging().filter(verb__startswith="report_").order_by("pk")
    last = {event.detail["number"]: event for event in events}
    return {
        number: ReportAsked(
            asked=event if event.verb == "report_asked" else None,
            failed=event.detail.get("reason", ""),
            lacking=event.detail.get("lacking", ""),
            is_awaited=event.verb == "report_asked" and event.created_at > since,
        )
        for number, event in last.items()
    }
