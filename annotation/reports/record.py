"""A study's record for people: who did what and when, newest first, a page or a file at a time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from django.db.models import Exists, F, OuterRef, Q, Subquery, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from annotation.models import Enrolment, Event, Membership, Seal, Study, User
from annotation.models.event import OF_JUDGING, EventQuerySet

A_PAGE = 50
SYSTEM = "system"
LONGEST_SHOWN = 300  # characters of what an event tells; the file has all of it


@dataclass(frozen=True)
class Asked:
    """Which events: by a person's name or SYSTEM, of a verb, in these days (UTC), with judgments or not."""

    by: str = ""
    verb: str = ""
    since: date | None = None
    until: date | None = None
    judging: bool = False


@dataclass(frozen=True)
class Entry:
    """One event as it is told. `who` is a rater's code, a researcher's name, or SYSTEM."""

    pk: int
    at: datetime
    who: str
    verb: str
    told: str
    is_sealed: bool


@dataclass(frozen=True)
class Page:
    """`older` is where the next page begins, None on the last."""

    entries: tuple[Entry, ...]
    older: str | None


@dataclass(frozen=True)
class Choices:
    """What can be asked for in this study."""

    people: tuple[str, ...]
    verbs: tuple[str, ...] = field(default=())


def record_page(study: Study, asked: Asked, before: str = "") -> Page:
    """A_PAGE events, older than `before` (a page's `older`)."""
    rows = list(_events(study, asked, before)[: A_PAGE + 1])
    shown, sealed = rows[:A_PAGE], study.seals.first()
    older = _place(shown[-1]) if len(rows) > A_PAGE else None
    return Page(tuple(_entry(event, sealed) for event in shown), older)


def record_rows(study: Study, asked: Asked) -> Iterator[tuple[str, str, str, str, str]]:
    """(number, time, who, what, what it tells as JSON) of every event asked for, newest first."""
    for event in _events(study, asked).iterator(chunk_size=2000):
        at = event.created_at.astimezone(UTC).isoformat()
        yield str(event.pk), at, _who(event), event.verb, json.dumps(event.detail, ensure_ascii=False)


def record_choices(study: Study) -> Choices:
    """The people and the verbs that occur, without the raters and their work."""
    events = study.events.without_judging().order_by()
    actors = User.objects.filter(pk__in=events.values("actor"))
    raters = study.enrolments.filter(user__isnull=False).values("user")
    named = actors.filter(Q(pk__in=study.memberships.values("user")) | ~Q(pk__in=raters))
    names = named.values_list("username", flat=True)
    verbs = events.values_list("verb", flat=True).distinct()
    return Choices(tuple(sorted(names)), tuple(sorted(verbs)))


def _with_roles(events: EventQuerySet) -> EventQuerySet:
    """Each with whether its actor is a member of the study, and their code where they rate in it, or ""."""
    theirs = {"study": OuterRef("study"), "user": OuterRef("actor")}
    places = Enrolment.objects.filter(**theirs).values("code")[:1]
    place = Coalesce(Subquery(places), Value(""))
    return events.annotate(place=place, is_member=Exists(Membership.objects.filter(**theirs)))


def _events(study: Study, asked: Asked, before: str = "") -> EventQuerySet:
    events = _with_roles(study.events.select_related("actor").newest_first())
    if not asked.judging and asked.verb not in OF_JUDGING:
        events = events.without_judging()
    if asked.verb:
        events = events.filter(verb=asked.verb)
    if asked.by == SYSTEM:
        events = events.filter(actor=None)
    elif asked.by:  # without what they did as a rater, which is told by the code alone
        as_raters = ~Q(place="") & Q(told_of=F("place"))
        told_of = Coalesce(KT("detail__rater"), Value(""), output_field=TextField())
        events = events.filter(actor__username=asked.by).alias(told_of=told_of).exclude(as_raters)
    if asked.since:
        events = events.filter(created_at__gte=datetime.combine(asked.since, time.min, UTC))
    if asked.until:
        events = events.filter(created_at__lte=datetime.combine(asked.until, time.max, UTC))
    if place := _place_named(before):
        events = events.before(*place)
    return events


def _place(event: Event) -> str:
    return f"{event.created_at.astimezone(UTC).isoformat()}~{event.pk}"


def _place_named(text: str) -> tuple[datetime, int] | None:
    """The place that an address names; None for none, and for what names none."""
    at, _, pk = text.partition("~")
    try:
        moment = datetime.fromisoformat(at.replace(" ", "+"))
        number = int(pk)
    except ValueError:
        return None
    return (moment, number) if moment.tzinfo and 0 <= number < 2**63 else None


def _entry(event: Event, sealed: Seal | None) -> Entry:
    told = ", ".join(f"{name}: {_value(value)}" for name, value in event.detail.items())
    cut = told if len(told) <= LONGEST_SHOWN else f"{told[:LONGEST_SHOWN]}…"
    is_sealed = sealed is not None and (event.created_at, event.pk) <= (
        sealed.through_at,
        sealed.through_event,
    )
    return Entry(event.pk, event.created_at, _who(event), event.verb, cut, is_sealed)


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _who(event: Event) -> str:
    """Raters are told by their code, what they did as such and, unless they are researchers, all else."""
    if event.actor is None:
        return SYSTEM
    is_researcher = event.is_member or event.actor.is_staff or event.actor.is_superuser
    if event.place and (event.detail.get("rater") == event.place or not is_researcher):
        return event.place
    return event.actor.username
