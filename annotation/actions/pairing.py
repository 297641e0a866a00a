"""Responses of different arms to one prompt become pairs."""

from collections.abc import Iterator
from itertools import combinations, groupby

from django.db import transaction
from django.db.models import F

from annotation import draws
from annotation.actions import events
from annotation.models import Pair, Response, Study, User

CHUNK = 250  # prompts read, paired and written at once


def make_pairs(study: Study, actor: User | None = None) -> int:
    """Pair what is not yet paired: every two arms, same prompt, same sample. Returns how many were new.

    Calling it again, or twice at once, makes nothing twice. Each chunk is a transaction of its own.
    """
    made = sum(_keep(study, list(_possible_pairs(study, prompts))) for prompts in _chunks_of_prompts(study))
    if made:
        events.record(study, "make_pairs", actor, made=made)
    return made


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


def _possible_pairs(study: Study, prompts: list[int]) -> Iterator[Pair]:
    responses = (
        Response.objects.filter(study=study, prompt__in=prompts)
        .select_related("arm", "prompt")
        .defer("text", "provenance", "prompt__messages")
        .order_by("prompt_id", "sample", "arm__position")
    )
    for _, group in groupby(responses, key=lambda response: (response.prompt_id, response.sample)):
        for a, b in combinations(group, 2):
            yield new_pair(study, a, b)


def new_pair(study: Study, a: Response, b: Response) -> Pair:
    """An unsaved pair in canonical order, at its place in the study's shuffled order."""
    position = draws.pair_position(study.seed, a.prompt.key, a.arm.name, b.arm.name, a.sample)
    return Pair(
        study=study,
        prompt=a.prompt,
        response_a=a,
        response_b=b,
        position=position,
        place=position,
        overlap=study.overlap,
        open_slots=study.overlap,
    )


@transaction.atomic
def _keep(study: Study, pairs: list[Pair]) -> int:
    # The lock on the study makes two pairings take turns; pair_count is then exact.
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    known = set(
        Pair.objects.filter(response_a__in=[pair.response_a_id for pair in pairs]).values_list(
            "response_a_id", "response_b_id"
        )
    )
    new = [pair for pair in pairs if (pair.response_a_id, pair.response_b_id) not in known]
    strata = [(pair.prompt.intent, pair.prompt.harm_category) for pair in new]
    for pair, place in zip(new, draws.mixed(study.seed, strata, [p.position for p in new]), strict=True):
        pair.place = place
    Pair.objects.bulk_create(new)
    if new:  # they may stand behind raters who are on their way: those look from the start again
        counted = {"pair_count": F("pair_count") + len(new), "arrivals": F("arrivals") + 1}
        Study.objects.filter(pk=study.pk).update(**counted)
    return len(new)
