"""Whether a study is going well: what is counted from time to time, and what is cheap to ask at once."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Count, F, Max, Sum
from django.utils import timezone

from annotation.models import (
    Adjudication,
    Appeal,
    Assignment,
    Enrolment,
    FileImport,
    Judgment,
    Pulse,
    Run,
    Study,
)
from annotation.reports.disputes import disputed_pairs, judged_twice
from annotation.reports.flags import flagged_pairs
from annotation.reports.planning import assumptions_for
from annotation.reports.progress import (
    FailedItem,
    RunProgress,
    Workers,
    failed_items,
    least_overlap,
    rating_totals,
    run_progress,
    stranded_by_review,
    workers,
)
from annotation.reports.rows import UNANSWERED, Answers, counting, first_of_each
from annotation.stats.agreement import raw_agreement
from annotation.stats.ratings import Ratings
from annotation.vocabulary import PAIRS_OF_STUDY, AppealState, BatchState, EnrolmentState, Intent, RunState

COUNTED_AT_ONCE = 3_000
"""Judgments. Of a larger study the numbers are counted by a worker, because a page would wait for it."""

PACE_WINDOW = timedelta(hours=1)
SILENT_AFTER = timedelta(hours=1)
MOST_FAILURES = 5
MOST_RATERS = 12
MOST_DISPUTES = 200


@dataclass(frozen=True)
class Stratum:
    """The study's pairs of one intent: `given` of the `needed` judgments are there or being made."""

    intent: str
    pairs: int
    needed: int
    given: int

    @property
    def label(self) -> str:
        return Intent(self.intent).label


@dataclass(frozen=True)
class Counted:
    """What takes time to count; see `progress.RatingTotals`. `taken_at` is when.

    `disputed` pairs, of those `disputed_in_all`, have no ruling yet. `disputes` are the disputed questions of
    MOST_DISPUTES pairs by their keys, those without a ruling first; of the pairs `judged_twice`.
    `assumptions` are for planning. `by_rater` counts each rater's judgments that count, by key. `headlines`
    are sentences, `agreement` one or "". `stranded`: see `progress.stranded_by_review`.
    """

    taken_at: datetime
    pairs: int
    full: int
    judgments: int
    needed: int
    imported: int
    waiting: int
    dropped: int
    replaced: int
    strata: tuple[Stratum, ...]
    disputed: int
    disputed_in_all: int
    disputes: dict[str, list[str]]
    judged_twice: int
    assumptions: dict
    by_rater: dict[str, int]
    agreement: str
    stranded: int = 0
    headlines: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As a pulse keeps it."""
        return json.dumps(asdict(self), default=datetime.isoformat)

    @classmethod
    def from_json(cls, body: str) -> "Counted":
        """What a newer version keeps beside it is left aside, so that both may be at work."""
        told = {name: value for name, value in json.loads(body).items() if name in cls.__dataclass_fields__}
        told["taken_at"] = datetime.fromisoformat(told["taken_at"])
        told["strata"] = tuple(Stratum(**one) for one in told["strata"])
        return cls(**{**told, "headlines": tuple(told["headlines"])})


@dataclass(frozen=True)
class ActiveRater:
    """Somebody with a pair on the screen, or who judged within the last hour."""

    pk: int
    code: str
    judged: int
    holds: bool
    last_at: datetime | None


@dataclass(frozen=True)
class Running:
    """What is asked at each look.

    `last_hour` counts judgments that count, as what is needed does; an active rater's all that they judged.
    `raters_missing`: as `progress.raters_missing`, and 0 where as many rate as the study asks for.
    """

    workers: Workers
    run: Run | None
    progress: RunProgress | None
    failures: tuple[FailedItem, ...]
    imports: tuple[FileImport, ...]
    queued: int
    active: tuple[ActiveRater, ...]
    active_count: int
    last_hour: int
    last_at: datetime | None
    flagged: int
    appeals: int
    paused: int
    raters: int
    raters_missing: int = 0


def is_small(study: Study) -> bool:
    """Whether its numbers can be counted while somebody waits. Never counts further than that."""
    return study.judgments.all()[: COUNTED_AT_ONCE + 1].count() <= COUNTED_AT_ONCE


def kept_counted(study: Study) -> Counted | None:
    """The numbers of the study's last pulse; None where it had none. One query."""
    pulse = Pulse.objects.filter(study=study).first()
    return Counted.from_json(pulse.body) if pulse else None


def counted(study: Study, answers: Answers, at: datetime | None = None) -> Counted:
    """The numbers as they are now, without headlines; `answers` are the study's pairs."""
    totals = rating_totals(study)
    ruled = set(Adjudication.objects.filter(pair__study=study).values_list("pair", flat=True))
    disputed = disputed_pairs(study)
    first = sorted(disputed, key=lambda pair: (pair in ruled, pair))[:MOST_DISPUTES]
    rated = counting(study).order_by().values("enrolment").annotate(n=Count("pk"))
    return Counted(
        taken_at=at or timezone.now(),
        **asdict(totals),
        strata=_strata(study),
        disputed=len(set(disputed) - ruled),
        disputed_in_all=len(disputed),
        disputes={str(pair): disputed[pair] for pair in first},
        judged_twice=judged_twice(study),
        assumptions=asdict(assumptions_for(answers, study.overlap)),
        by_rater={str(row["enrolment"]): row["n"] for row in rated},
        agreement=_agreement(answers),
        stranded=stranded_by_review(study),
    )


def _strata(study: Study) -> tuple[Stratum, ...]:
    rows = study.pairs.filter(state__in=PAIRS_OF_STUDY).order_by().values("prompt__intent")
    told = rows.annotate(n=Count("pk"), all=Sum("overlap"), free=Sum("open_slots"))
    found = {row["prompt__intent"]: row for row in told}
    return tuple(
        Stratum(intent, row["n"], row["all"], row["all"] - row["free"])
        for intent in Intent.values
        if (row := found.get(intent))
    )


def _agreement(answers: Answers) -> str:
    rows = first_of_each(answers.of_pairs, "pair")
    rows = rows[rows["balance"] != UNANSWERED]
    ratings = Ratings.from_rows(rows["pair"], rows["rater"], np.sign(rows["balance"]).astype(int))
    found = raw_agreement(ratings, bootstrap=0)
    if found.value is None:
        return ""
    pairs = f"{found.n:,} pair{'s' if found.n != 1 else ''}"
    share = f"{100 * found.value:.0f}\u00a0%"
    return f"Two raters of a pair name the same side, or both a tie, {share} of the time ({pairs})."


def running_report(study: Study, at: datetime | None = None) -> Running:
    """How things stand at this moment. At most twenty-one queries, none of which reads all judgments."""
    at = at or timezone.now()
    run = study.runs.numbered().first()
    unfinished = run is not None and run.state not in (RunState.DONE, RunState.CANCELLED)
    progress = run_progress(run, at) if unfinished else None
    since = at - PACE_WINDOW
    recent = Judgment.objects.filter(study=study, created_at__gte=since, assignment__isnull=False)
    places = Enrolment.objects.filter(study=study, user__isnull=False)
    holding, counts = _holding(study), _recent(recent)
    raters = places.filter(state=EnrolmentState.ACTIVE).count()
    return Running(
        workers=workers(at),
        run=run if unfinished else None,
        progress=progress,
        failures=failed_items(run, MOST_FAILURES) if run else (),
        imports=tuple(study.file_imports.filter(state__in=(BatchState.QUEUED, BatchState.CLAIMED))[:5]),
        queued=run.batches.filter(state=BatchState.QUEUED).count() if unfinished else 0,
        active=_active(places, holding, counts),
        active_count=len(holding | set(counts)),
        last_hour=recent.that_count().count(),
        last_at=_last_at(study),
        flagged=flagged_pairs(study).count(),
        appeals=Appeal.objects.filter(enrolment__study=study, state=AppealState.OPEN).count(),
        paused=places.filter(state=EnrolmentState.PAUSED).count(),
        raters=raters,
        # Not asked where the study has its raters: it reads all pairs.
        raters_missing=max(0, least_overlap(study) - raters) if raters < study.overlap else 0,
    )


def _holding(study: Study) -> set[int]:
    """Who has a pair on the screen."""
    held = Assignment.objects.leased().filter(enrolment__study=study, lease_until__gt=timezone.now())
    return set(held.order_by().values_list("enrolment", flat=True))


def _recent(rows) -> dict[int, tuple[int, datetime]]:
    """By rater, how many judgments of the last hour, and the last one's time."""
    told = rows.order_by().values("enrolment").annotate(n=Count("pk"), last=Max("created_at"))
    return {row["enrolment"]: (row["n"], row["last"]) for row in told}


def _active(places, holding: set[int], counts: dict) -> tuple[ActiveRater, ...]:
    wanted = sorted(holding | set(counts), key=lambda pk: -counts.get(pk, (0, None))[0])[:MOST_RATERS]
    rows = {row.pk: row for row in places.filter(pk__in=wanted).only("code", "judged")}
    return tuple(
        ActiveRater(
            pk, rows[pk].code, counts.get(pk, (0, None))[0], pk in holding, counts.get(pk, (0, None))[1]
        )
        for pk in wanted
        if pk in rows
    )


def _last_at(study: Study) -> datetime | None:
    """When a judgment came last; by the index of study and time."""
    return study.judgments.order_by(F("created_at").desc()).values_list("created_at", flat=True).first()


def seconds_left(found: Counted, now: Running) -> float | None:
    """How long the judgments that lack would take at the pace of the last hour; None where that does not
    tell, or raters lack."""
    lacking = found.needed - found.judgments
    if lacking <= 0 or not now.last_hour or now.raters_missing:
        return None
    return lacking / now.last_hour * PACE_WINDOW.total_seconds()
