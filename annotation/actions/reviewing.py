"""A researcher decides about pairs that wait for review; pairs made earlier are looked at again."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from annotation import scan
from annotation.actions import events, leaving, marking, runs
from annotation.errors import ReviewRefused
from annotation.models import Event, Pair, Response, Run, Study, User
from annotation.reports.review import (
    AGAIN_ALREADY,
    NO_NAME,
    NOT_DECIDED,
    NOT_WAITING,
    RUN_UNFINISHED,
    TAKEN,
    flagged,
    keys_of,
    not_taken,
    renewals,
    taken,
    unseen,
)
from annotation.vocabulary import PAIRS_OF_STUDY, PairState, ReviewDecision

CHUNK = 500  # pairs looked at again at once
MOST_AT_ONCE = 1_000
"""Pairs of one decision: masked texts of all of them are in memory, and one lock covers them."""


@dataclass
class Decided:
    """The pairs (primary keys) that were decided, and how many were not, by reason.

    `run` generates answers again and waits for workers. `event` records it; None where nothing was done.
    """

    pairs: list[int] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    run: Run | None = None
    event: Event | None = None

    @property
    def done(self) -> int:
        return len(self.pairs)

    def refuse(self, reason: str, pairs: int = 1) -> None:
        if pairs:
            self.refused[reason] = self.refused.get(reason, 0) + pairs


def decide(study: Study, pairs: Iterable[int], decision: str, actor: User | None = None) -> Decided:
    """Show, mask, regenerate or drop these pairs (primary keys); each is done or refused with a reason.

    Raises ReviewRefused where nothing at all can be done: for an unknown decision, for more than
    MOST_AT_ONCE pairs, or to regenerate while a run is unfinished.
    """
    if decision not in ReviewDecision.values:
        raise ReviewRefused(f"A pair can be told to {', '.join(ReviewDecision.values)}; nothing was changed.")
    wanted = wanted_keys(pairs)
    masked = _masked(study, wanted) if decision == ReviewDecision.MASK else {}
    with transaction.atomic():
        study, decided = lock_study(study), Decided()
        locked = leaving.lock_work(wanted) if decision == ReviewDecision.DROP else set()
        waiting = _waiting(study, wanted, decision, decided)
        match decision:
            case ReviewDecision.SHOW:
                decided.pairs = _open(waiting)
            case ReviewDecision.MASK:
                decided.pairs = [pair.pk for pair in waiting if _mask(pair, masked.get(pair.pk), decided)]
            case ReviewDecision.REGENERATE:
                _regenerate(study, waiting, decided, actor)
            case ReviewDecision.DROP:
                _drop(study, waiting, locked, decided)
        if decision in (ReviewDecision.SHOW, ReviewDecision.MASK) and decided.pairs:
            _offer(study)
        _record(study, "decide", actor, decided, decision=decision)
    return decided


def wanted_keys(pairs: Iterable[int]) -> list[int]:
    """Each once, in ascending order. Raises ReviewRefused for more than MOST_AT_ONCE."""
    wanted = sorted(set(pairs))
    if len(wanted) > MOST_AT_ONCE:
        raise ReviewRefused(f"At most {MOST_AT_ONCE:,} pairs are decided at once; nothing was changed.")
    return wanted


def lock_study(study: Study) -> Study:
    """The study, locked. Belongs in a transaction."""
    # Two researchers take turns, and so do a decision, a pairing and the start of a run.
    return Study.objects.select_for_update(no_key=True).get(pk=study.pk)


def _record(study: Study, verb: str, actor: User | None, decided: Decided, **detail) -> None:
    if decided.pairs:
        detail |= {"pairs": decided.pairs, "refused": decided.refused, "run": decided.run and decided.run.pk}
        decided.event = events.record(study, verb, actor, **detail)


def _waiting(study: Study, wanted: Collection[int], decision: str, decided: Decided) -> list[Pair]:
    """The wanted pairs that wait and may be told so, locked; all others are refused."""
    locked = Pair.objects.held().filter(study=study, pk__in=wanted).select_for_update(no_key=True)
    waiting = list(locked.order_by("pk"))
    others = set(wanted) - {pair.pk for pair in waiting}
    gone = taken(Pair.objects.filter(study=study, pk__in=others)).count()
    decided.refuse(TAKEN, gone)
    decided.refuse(NOT_WAITING, len(others) - gone)
    if decision == ReviewDecision.SHOW:
        return waiting
    there = Pair.objects.filter(pk__in=[pair.pk for pair in waiting])
    judged = keys_of(taken(there))
    if decision == ReviewDecision.DROP:
        judged -= keys_of(flagged(there))
    decided.refuse(TAKEN, len(judged))
    return [pair for pair in waiting if pair.pk not in judged]


def _open(waiting: Sequence[Pair]) -> list[int]:
    keys = [pair.pk for pair in waiting]
    Pair.objects.held().filter(pk__in=keys).update(state=PairState.OPEN, decision=ReviewDecision.SHOW)
    return keys


def _offer(study: Study) -> None:
    """Opened pairs may stand behind raters who are on their way: those look from the start again."""
    Study.objects.filter(pk=study.pk).update(arrivals=F("arrivals") + 1)


def _masked(study: Study, wanted: Collection[int]) -> dict[int, tuple[str | None, str | None]]:
    """What raters would read of both responses; None where nothing is masked."""
    pairs = Pair.objects.held().filter(study=study, pk__in=wanted).select_related("response_a", "response_b")
    return {
        pair.pk: (without_names(pair.response_a), without_names(pair.response_b))
        for pair in pairs.order_by().iterator(chunk_size=20)
    }


def without_names(response: Response) -> str | None:
    """The response's text with the names masked by which it tells whose it is; None where it does not."""
    masked = scan.mask_names(response.text)
    return None if masked == response.text else masked


def _mask(pair: Pair, shown: tuple[str | None, str | None] | None, decided: Decided) -> bool:
    if shown is None or shown == (None, None):
        decided.refuse(NO_NAME)
        return False
    changes = {"shown_a": shown[0], "shown_b": shown[1], "decision": ReviewDecision.MASK}
    return bool(Pair.objects.held().filter(pk=pair.pk).update(state=PairState.OPEN, **changes))


def _drop(study: Study, waiting: Sequence[Pair], locked: Collection[int], decided: Decided) -> None:
    """Drop pairs that nobody was given, and flagged ones with what was judged of them."""
    keys = {pair.pk for pair in waiting}
    late = leaving.take_work(keys, locked)
    decided.refuse(TAKEN, len(late))
    decided.pairs = sorted(keys - late)
    leaving.leave(study, decided.pairs, PairState.DROPPED, ReviewDecision.DROP)


# Generating again ----------------------------------------------------------------------------------------


def _regenerate(study: Study, waiting: Sequence[Pair], decided: Decided, actor: User | None) -> None:
    """Withdraw every pair of the responses to replace, and queue these in a run of their own."""
    if study.runs.unfinished().exists():
        raise ReviewRefused(f"{RUN_UNFINISHED} Until then no answer can be generated again.")
    _lock_neighbours(waiting)
    replaced: dict[int, Response] = {}
    withdrawn: set[int] = set()
    for pk, renewal in renewals(waiting).items():
        if renewal.reason:
            decided.refuse(renewal.reason)
            continue
        decided.pairs.append(pk)
        withdrawn |= renewal.pairs
        replaced |= {response.pk: response for response in renewal.responses}
    if not replaced:
        return
    leaving.leave(study, withdrawn, PairState.REPLACED, ReviewDecision.REGENERATE)
    Response.objects.current().filter(pk__in=replaced).update(replaced_at=timezone.now())
    requests = [(response.arm, response.prompt, response.sample) for response in replaced.values()]
    decided.run = runs.start_follow_up(study, requests, actor)


def _lock_neighbours(waiting: Sequence[Pair]) -> None:
    """Lock all pairs that share a response with these, so that no rater is given one meanwhile."""
    keys = {pk for pair in waiting for pk in (pair.response_a_id, pair.response_b_id)}
    rows = Pair.objects.filter(response_a__in=keys) | Pair.objects.filter(response_b__in=keys)
    locked = rows.filter(state__in=PAIRS_OF_STUDY).select_for_update(no_key=True)
    list(locked.order_by("pk").values_list("pk", flat=True))


# Taking back ---------------------------------------------------------------------------------------------


def take_back(study: Study, pairs: Iterable[int], actor: User | None = None) -> Decided:
    """Have decided pairs wait again, as long as nobody was given one; each is done or refused with a reason.

    What is generated again cannot be taken back. Raises ReviewRefused for more than MOST_AT_ONCE pairs.
    """
    wanted = wanted_keys(pairs)
    with transaction.atomic():
        study, decided = lock_study(study), Decided()
        rows = Pair.objects.decided().filter(study=study, pk__in=wanted).select_for_update(no_key=True)
        locked = list(rows.order_by("pk"))
        decided.refuse(NOT_DECIDED, len(wanted) - len(locked))
        free = _to_take_back(locked, decided)
        opened = Pair.objects.filter(pk__in=free, state=PairState.OPEN, open_slots=F("overlap"))
        opened.update(state=PairState.HELD, decision="", shown_a=None, shown_b=None)
        dropped = Pair.objects.filter(pk__in=free, state=PairState.DROPPED)
        returned = dropped.update(state=PairState.HELD, decision="")
        Study.objects.filter(pk=study.pk).update(pair_count=F("pair_count") + returned)
        decided.pairs = free
        _record(study, "take_back", actor, decided)
    return decided


def _to_take_back(locked: Sequence[Pair], decided: Decided) -> list[int]:
    keys = [pair.pk for pair in locked]
    gone = keys_of(taken(Pair.objects.filter(pk__in=keys)))
    decided.refuse(TAKEN, len(gone))
    stands = Pair.objects.exclude(state=PairState.REPLACED)
    stands = stands.filter(response_a__replaced_at__isnull=True, response_b__replaced_at__isnull=True)
    free = keys_of(stands.filter(pk__in=set(keys) - gone))
    decided.refuse(AGAIN_ALREADY, len(keys) - len(gone) - len(free))
    return sorted(free)


# Looking again ---------------------------------------------------------------------------------------------


@dataclass
class Rescanned:
    """Pairs that a newer scanner looked at: how many wait since then, and how many do not any more."""

    looked_at: int = 0
    held: int = 0
    opened: int = 0


def rescan(study: Study, actor: User | None = None) -> Rescanned:
    """Have this version of the scanner look at pairs that nobody was given and nobody decided about.

    For pairs from before the scanner, and after its rules or names have changed.
    """
    result = Rescanned()
    for pairs in _chunks(study):
        _rescan(study, pairs, result)
    if result.looked_at:
        events.record(study, "rescan", actor, scanner=scan.VERSION, held=result.held, opened=result.opened)
    return result


def _chunks(study: Study) -> Iterator[list[Pair]]:
    last = 0
    while chunk := list(unseen(study).filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _rescan(study: Study, pairs: list[Pair], result: Rescanned) -> None:
    marks = marking.marks_of(pairs)  # reads the texts, so before anything is locked
    marked = {pair.pk for pair in marking.marked_among(pairs, marks)}
    with transaction.atomic():
        lock_study(study)
        undecided = Pair.objects.of_study().filter(pk__in=[pair.pk for pair in pairs], decision="")
        locked = undecided.select_for_update(no_key=True).order_by("pk")
        keys = list(locked.values_list("pk", flat=True))
        # With the rows locked nobody is given one of them meanwhile.
        free = keys_of(not_taken(Pair.objects.filter(pk__in=keys)))
        marking.keep_marks(pairs, marks)
        wait = Pair.objects.filter(pk__in=free & marked, state=PairState.OPEN, open_slots=F("overlap"))
        result.held += wait.update(state=PairState.HELD)
        opened = Pair.objects.held().filter(pk__in=free - marked).update(state=PairState.OPEN)
        if opened:
            _offer(study)
        result.opened += opened
        result.looked_at += len(free)
