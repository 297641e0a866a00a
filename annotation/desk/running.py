"""Is it going well? One page that keeps itself up to date while raters and workers work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from annotation import access, tasks
from annotation.desk import words
from annotation.desk.quality import Cell, cell
from annotation.desk.views import desk_page, rendered
from annotation.models import Study
from annotation.reports.running import (
    SILENT_AFTER,
    ActiveRater,
    Counted,
    Running,
    running_report,
    seconds_left,
)
from annotation.vocabulary import StudyState

SIGNALS = ("gold", "consistent", "agreeing", "hasty")
"""What is shown of each rater at work; the page of the raters shows more."""


@dataclass(frozen=True)
class Needs:
    """Something that waits for the researcher; `page` is the address's name."""

    told: str
    page: str


@desk_page
@require_safe
@vary_on_headers("HX-Request")
def running(request: HttpRequest, slug: str) -> HttpResponse:
    """The results so far are shown to whoever asks for them: looking at them tempts to stop too early."""
    study = access.study_for(request.user, slug)
    found = tasks.look_at_pulse(study)
    now = running_report(study)
    peeks = request.GET.get("results") == "shown"
    context = {
        "counted": found,
        "now": now,
        "sentence": sentence(study, found, now),
        "needs": needs_of(found, now),
        "run_sentence": words.run_sentence(now.progress) if now.progress else "",
        "at_work": _with_signals(study, now.active),
        "left": _left(found, now),
        "age": _age(found),
        "peeks": peeks,
        "query": "?results=shown" if peeks else "",
        "strata": [(one, _percent(one.given, one.needed)) for one in found.strata] if found else [],
    }
    return rendered(request, "_running" if request.htmx else "running", study, **context)


def _with_signals(study: Study, raters: Sequence[ActiveRater]) -> list[tuple[ActiveRater, list[Cell]]]:
    """Each rater with SIGNALS, in a large study as a worker counted them last."""
    found = {one.pk: one for one in tasks.look_at_signals(study, [rater.pk for rater in raters])}
    return [(rater, [cell(getattr(found[rater.pk], name), True) for name in SIGNALS]) for rater in raters]


def sentence(study: Study, found: Counted | None, now: Running) -> str:
    """How it goes, in a sentence."""
    if found is None:
        return "The numbers of this study are being counted for the first time."
    if not found.pairs:
        return "There is nothing to rate yet."
    so_far = f"{found.judgments:,} of {words.count(found.needed, 'judgment')}"
    if found.needed and found.judgments >= found.needed:
        return f"All {words.count(found.needed, 'judgment')} are there."
    if study.state != StudyState.OPEN:
        return f"The study is {study.get_state_display().lower()}, with {so_far}."
    if not now.raters:
        return f"Nobody can rate: no rater is active in this study. {so_far} are there."
    if now.last_hour or now.active_count:
        pace = f"{now.last_hour:,} in the last hour"
        left = _left(found, now)
        return f"It is moving: {so_far}, {pace}{f'; about {left} left at this pace' if left else ''}."
    if now.last_at is None:
        return f"Nobody has begun yet: {so_far}."
    return f"It stands still: {so_far}, and none since {_since(now.last_at)}."


def _since(last_at: datetime) -> str:
    quiet = timezone.now() - last_at
    return f"{words.duration(quiet.total_seconds())} ago" if quiet > SILENT_AFTER else "a moment ago"


def _left(found: Counted | None, now: Running) -> str:
    seconds = seconds_left(found, now) if found else None
    if seconds is None:
        return ""
    days = timedelta(seconds=seconds).days
    return f"{days + 1} days" if days >= 2 else words.duration(seconds)


def _age(found: Counted | None) -> str:
    """How old the counted numbers are; "" for new ones."""
    if found is None:
        return ""
    seconds = (timezone.now() - found.taken_at).total_seconds()
    return words.duration(seconds) if seconds > 5 else ""


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0


def needs_of(found: Counted | None, now: Running) -> list[Needs]:
    """What waits for the researcher, the most urgent first."""
    told = []
    if now.progress and now.progress.state == "failed":
        told.append(Needs("A run has stopped by a failure", "setup_generation"))
    if not now.workers.alive:
        told.append(Needs("No worker is alive: nothing is generated, frozen or imported", "setup_generation"))
    if now.raters_missing and found and found.judgments < found.needed:
        more = words.count(now.raters_missing, "more rater")
        told.append(Needs(f"No pair can have all of its judgments yet: enrol {more}", "raters"))
    if now.appeals:
        told.append(Needs(f"{words.count(now.appeals, 'paused rater')} asked to go on", "quality"))
    if now.flagged:
        told.append(Needs(f"{words.count(now.flagged, 'pair')} flagged as broken", "flags"))
    if found and found.waiting:
        told.append(
            Needs(
                f"{words.count(found.waiting, 'pair')} marked by the scanner, held until reviewed", "review"
            )
        )
    if found and found.disputed:
        told.append(Needs(f"{words.count(found.disputed, 'disputed pair')} without a ruling", "disputes"))
    return told
