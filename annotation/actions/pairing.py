"""Responses of different arms to one prompt become pairs; what the scanner marks waits for review."""

from collections.abc import Iterator, Sequence
from itertools import combinations, groupby

from django.db import transaction
from django.db.models import F

from annotation import draws, scan
from annotation.actions import bulk, events, marking
from annotation.models import Mark, Pair, Response, Study, User
from annotation.vocabulary import PairingRule, PairState

CHUNK = 250  # prompts read, paired and written at once
PAIR = bulk.Blueprint(Pair)


def make_pairs(study: Study, actor: User | None = None) -> int:
    """Pair what is not yet paired by the study's rule: same prompt, same sample. Returns how many were new.

    Calling it again, or twice at once, makes nothing twice. Each chunk is a transaction of its own.
    """
    made = sum(_pair(study, prompts) for prompts in _chunks_of_prompts(study))
    if made:
        events.record(study, "make_pairs", actor, made=made)
    return made


def lacks_pairs(study: Study) -> bool:
    """Whether `make_pairs` would make any."""
    chunks = _chunks_of_prompts(study)
    return any(_unknown(list(_possible_pairs(study, prompts))) for prompts in chunks)


def _chunks_of_prompts(study: Study) -> Iterator[list[int]]:
    """The study's prompts by primary key. Every read is closed before its chunk is used.

    On SQLite a write that begins while an older read is still open fails at once when anybody has
    committed in between; no timeout helps.
    """
    last = 0
    while chunk := list(
        study.prompts.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]
    ):
        yield chunk
        last = chunk[-1]


def _pair(study: Study, prompts: list[int]) -> int:
    """Pairs of these prompts; says how many were new. Texts are read before anything is locked."""
    new = _unknown(list(_possible_pairs(study, prompts)))
    return _keep(study, new, marking.marks_of(new)) if new else 0


def _possible_pairs(study: Study, prompts: list[int]) -> Iterator[Pair]:
    responses = (
        Response.objects.current()
        .filter(study=study, prompt__in=prompts)
        .select_related("arm", "prompt")
        .defer("text", "provenance", "prompt__messages")
        .order_by("prompt_id", "sample", "arm__position")
    )
    against_first = study.pairing == PairingRule.FIRST
    first = study.arms.order_by("position").values_list("pk", flat=True).first() if against_first else None
    for _, group in groupby(responses, key=lambda response: (response.prompt_id, response.sample)):
        for a, b in combinations(group, 2):
            if not against_first or a.arm_id == first:
                yield new_pair(study, a, b)


def _unknown(pairs: Sequence[Pair]) -> list[Pair]:
    known = set(
        Pair.objects.filter(response_a__in={pair.response_a_id for pair in pairs}).values_list(
            "response_a_id", "response_b_id"
        )
    )
    return [pair for pair in pairs if (pair.response_a_id, pair.response_b_id) not in known]


def new_pair(study: Study, a: Response, b: Response) -> Pair:
    """An unsaved pair in canonical order, at its place in the study's shuffled order."""
    position = draws.pair_position(study.seed, a.prompt.key, a.arm.name, b.arm.name, a.sample)
    values = {
        "position": position,
        "place": position,
        "overlap": study.overlap,
        "open_slots": study.overlap,
    }
    return PAIR({"study": study, "prompt": a.prompt, "response_a": a, "response_b": b}, values)


@transaction.atomic
def _keep(study: Study, pairs: list[Pair], marks: list[Mark]) -> int:
    # The lock on the study makes two pairings take turns; pair_count is then exact.
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    new = _still_wanted(_unknown(pairs))
    _give_other_positions(study, new)
    _mix(study, new)
    marking.hold_marked(new, marks)
    Pair.objects.bulk_create(new)
    marking.keep_marks(new, marks)
    _count(study, new)
    return len(new)


def keep_imported(study: Study, responses: Sequence[Response], pairs: Sequence[Pair]) -> int:
    """Save responses and pairs, none of which is there yet, with their marks; says how many pairs.

    The caller holds the study's lock. Pairs of two of the `responses` are scanned from memory and saved once,
    as seen; others as `make_pairs` would.
    """
    unsaved = {id(response) for response in responses}
    fresh = [pair for pair in pairs if {id(pair.response_a), id(pair.response_b)} <= unsaved]
    others = [pair for pair in pairs if not {id(pair.response_a), id(pair.response_b)} <= unsaved]
    marks = marking.marks_of_new(fresh)
    bulk.insert(responses)
    kept = _keep_fresh(study, fresh, marks)
    bulk.refer_to_saved(others, "response_a", "response_b")
    return kept + (_keep(study, others, marking.marks_of(others)) if others else 0)


def _keep_fresh(study: Study, pairs: Sequence[Pair], marks: Sequence[Mark]) -> int:
    bulk.refer_to_saved(pairs, "response_a", "response_b")
    for pair in pairs:
        pair.scanner = scan.VERSION
    marking.refer_to_saved(marks)
    _mix(study, pairs)
    marking.hold_marked(pairs, marks)
    bulk.insert(pairs)
    marking.refer_to_saved(marks)
    bulk.insert(marks)
    _count(study, pairs)
    return len(pairs)


def _count(study: Study, new: Sequence[Pair]) -> None:
    """New pairs may stand behind raters who are on their way: those look from the start again."""
    if new:
        counted = {"pair_count": F("pair_count") + len(new), "arrivals": F("arrivals") + 1}
        Study.objects.filter(pk=study.pk).update(**counted)


def _still_wanted(pairs: list[Pair]) -> list[Pair]:
    """Those whose responses nobody has replaced since they were read."""
    responses = {pk for pair in pairs for pk in (pair.response_a_id, pair.response_b_id)}
    there = set(Response.objects.current().filter(pk__in=responses).values_list("pk", flat=True))
    return [pair for pair in pairs if {pair.response_a_id, pair.response_b_id} <= there]


def _give_other_positions(study: Study, pairs: list[Pair]) -> None:
    """A pair that takes another's place stands elsewhere: positions name pairs in files."""
    withdrawn = Pair.objects.filter(
        study=study, state=PairState.REPLACED, prompt__in={pair.prompt_id for pair in pairs}
    )
    taken = set(withdrawn.values_list("position", flat=True))
    for pair in pairs if taken else ():
        while pair.position in taken:
            pair.position = draws.draw(study.seed, "position", pair.position)


def _mix(study: Study, pairs: list[Pair]) -> None:
    """Places along which every rater meets a mix of intents and categories."""
    strata = [(pair.prompt.intent, pair.prompt.harm_category) for pair in pairs]
    places = draws.mixed(study.seed, strata, [pair.position for pair in pairs])
    for pair, place in zip(pairs, places, strict=True):
        pair.place = place
