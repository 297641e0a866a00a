"""A researcher answers raters who flagged pairs as broken."""

from collections.abc import Collection, Iterable

from django.db import transaction

from annotation.actions import events, leaving
from annotation.actions.reviewing import Decided, lock_study, wanted_keys
from annotation.errors import ReviewRefused
from annotation.models import FlagAnswer, Pair, Study, User
from annotation.reports.flags import pairs_with_flags, waiting_flags
from annotation.vocabulary import FlagDecision, PairState, ReviewDecision

NOT_FLAGGED = "No flag of it waits for an answer."
FLAGGED_AGAIN = "It was flagged again since you looked. Look at it once more."
GIVEN_NOW = "A rater was given it this instant; try again."
LONGEST_NOTE = 1_000


def answer_flags(
    study: Study,
    pairs: Iterable[int],
    decision: str,
    note: str = "",
    actor: User | None = None,
    seen: Collection[int] | None = None,
) -> Decided:
    """Answer every waiting flag of these pairs (primary keys); each pair is done or refused with a reason.

    `seen` are the flags (assignments' primary keys) that the answer is meant for: a pair with another one,
    raised meanwhile, is refused. None means all there are.
    Kept, a pair stays as it is. Held, nobody else gets it until the review decides, and who has it may
    finish. Dropped, it leaves the study for good: what was judged of it is kept and no longer counts. Raises
    ReviewRefused for an unknown decision, a note that is too long, or too many pairs.
    """
    if decision not in FlagDecision.values:
        raise ReviewRefused(f"A flag is answered by: {', '.join(FlagDecision.values)}; nothing was changed.")
    if len(note) > LONGEST_NOTE:
        raise ReviewRefused(f"A note has up to {LONGEST_NOTE:,} characters; nothing was changed.")
    wanted = wanted_keys(pairs)
    with transaction.atomic():
        study, decided = lock_study(study), Decided()
        locked = leaving.lock_work(wanted) if decision == FlagDecision.DROP else set()
        list(study.pairs.filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True).values("pk"))
        decided.pairs = _carry_out(
            study, _open_to(study, wanted, decision, seen, decided), decision, locked, decided
        )
        flags = _answer(study, decided.pairs, FlagDecision(decision), note.strip(), actor)
        if decided.pairs:
            detail = {
                "decision": decision,
                "pairs": decided.pairs,
                "flags": flags,
                "refused": decided.refused,
            }
            decided.event = events.record(study, "answer_flags", actor, **detail)
    return decided


def _open_to(
    study: Study, wanted: Collection[int], decision: str, seen: Collection[int] | None, decided: Decided
) -> list[int]:
    """Those of the pairs that the decision is open to; the others are refused."""
    waiting = dict(waiting_flags(study).filter(pair__in=wanted).values_list("pk", "pair"))
    unseen = set() if seen is None else {waiting[flag] for flag in waiting.keys() - set(seen)}
    keys = sorted(set(waiting.values()) - unseen)
    decided.refuse(FLAGGED_AGAIN, len(unseen))
    decided.refuse(NOT_FLAGGED, len(wanted) - len(keys) - len(unseen))
    closed = {found.pair.pk: found.closed.get(decision, "") for found in pairs_with_flags(study, keys)}
    for reason in filter(None, closed.values()):
        decided.refuse(reason)
    return [pk for pk, reason in closed.items() if not reason]


def _carry_out(
    study: Study, keys: list[int], decision: str, locked: Collection[int], decided: Decided
) -> list[int]:
    """Do it to the locked pairs; says which were done."""
    if decision == FlagDecision.HOLD:
        Pair.objects.filter(pk__in=keys, state=PairState.OPEN).update(state=PairState.HELD, decision="")
    if decision == FlagDecision.DROP:
        late = leaving.take_work(keys, locked)
        decided.refuse(GIVEN_NOW, len(late))
        keys = [pk for pk in keys if pk not in late]
        leaving.leave(study, keys, PairState.DROPPED, ReviewDecision.DROP)
    return keys


def _answer(
    study: Study, keys: Collection[int], decision: FlagDecision, note: str, actor: User | None
) -> int:
    """Answer the waiting flags of these pairs; says how many."""
    flags = list(waiting_flags(study).filter(pair__in=keys))
    FlagAnswer.objects.bulk_create(
        FlagAnswer(assignment=flag, decision=decision, note=note, decided_by=actor) for flag in flags
    )
    return len(flags)
