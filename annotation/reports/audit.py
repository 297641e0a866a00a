"""Whether a study's events are still what was sealed, and which is the first that is not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from annotation import chain
from annotation.models import Event, Seal, Study


@dataclass(frozen=True)
class Verdict:
    """What was found of one study; `broken` says where the chain breaks first, and is empty when it holds.

    `head` is the newest seal's digest: whoever keeps it elsewhere can tell later that no seal was removed.
    """

    study: int
    slug: str
    seals: int
    sealed: int
    unsealed: int
    oldest_unsealed: datetime | None
    head: str
    broken: str = ""

    @property
    def holds(self) -> bool:
        return not self.broken


@dataclass(frozen=True)
class Head:
    """A seal that was kept elsewhere: the study's `number`th had this `digest`.

    `study` is the study's own key, since a deleted study's name may be another's now; None where an earlier
    version kept the seal, which knew studies by name alone.
    """

    number: int
    digest: str
    study: int | None = None


def audit_study(study: Study, kept: Head | None = None) -> Verdict:
    """Recompute the study's whole chain; at most a seal's events are held in memory."""
    seals = list(study.seals.order_by("number").defer("marks"))
    last = seals[-1] if seals else None
    rest = study.events.in_order()
    rest = rest.after(last.through_at, last.through_event) if last else rest
    oldest = rest.first()
    return Verdict(
        study=study.pk,
        slug=study.slug,
        seals=len(seals),
        sealed=sum(seal.events for seal in seals),
        unsealed=rest.count(),
        oldest_unsealed=oldest and oldest.created_at,
        head=last.digest if last else "",
        broken=next(_breaks(study, seals, kept), ""),
    )


def _breaks(study: Study, seals: list[Seal], kept: Head | None) -> Iterator[str]:
    before: Seal | None = None
    for number, seal in enumerate(seals, start=1):
        if seal.number != number:
            yield f"Seal {number} is missing."
        previous = before.digest if before else chain.START.hex()
        if seal.previous != previous:
            yield f"Seal {seal.number} does not follow on the one before it: one of the two was changed."
        yield from _breaks_of(study, before, seal)
        before = seal
    if kept:
        yield from _contradicts(seals, kept)


def _breaks_of(study: Study, before: Seal | None, seal: Seal) -> Iterator[str]:
    events = study.events.in_order().up_to(seal.through_at, seal.through_event)
    if before:
        events = events.after(before.through_at, before.through_event)
    marks = bytes(Seal.objects.values_list("marks", flat=True).get(pk=seal.pk))
    sealed = [marks[at : at + chain.MARK] for at in range(0, len(marks), chain.MARK)]
    digest, rows = bytes.fromhex(seal.previous), list(events[: len(sealed) + 1])
    for event, mark in zip_longest(rows, sealed):
        if event is None:
            yield f"Seal {seal.number}: {len(sealed) - len(rows)} of its last events are missing."
            return
        (digest,) = chain.hashes(digest, [event.sealed_form()])
        if digest[: chain.MARK] != mark:
            yield f"Seal {seal.number}: {_named(event)} is not what was sealed here. {WAYS}"
            return
    if digest.hex() != seal.digest or len(sealed) != seal.events:
        yield f"Seal {seal.number} was changed: its events fit its marks, and not its digest."


WAYS = "It was changed or added, or the one before it was removed."


def _named(event: Event) -> str:
    return f"event {event.pk} ({event.verb}, {event.created_at:%Y-%m-%d %H:%M:%S} UTC)"


def _contradicts(seals: list[Seal], kept: Head) -> Iterator[str]:
    if len(seals) < kept.number:
        yield f"Seal {kept.number}, which was kept elsewhere, is missing."
    elif seals[kept.number - 1].digest != kept.digest:
        yield f"Seal {kept.number} is not the one that was kept elsewhere: the chain was made anew."


def head_of(study: Study, kept: Mapping[str, Head]) -> Head | None:
    """What was kept of this study, whatever it is called now."""
    named = kept.get(study.slug)
    found = next((head for head in kept.values() if head.study == study.pk), None)
    return found or (named if named and named.study is None else None)


def heads_of(told: Mapping[str, object]) -> dict[str, Head]:
    """Heads by study, as `verify_audit --keep` wrote them. Raises ValueError for anything else."""
    try:
        return {slug: _head(one) for slug, one in told.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("It holds no heads.") from error


def _head(told: Mapping[str, object]) -> Head:
    study = told.get("study")
    return Head(int(told["number"]), str(told["digest"]), None if study is None else int(study))
