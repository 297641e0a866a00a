"""What the scanner sees in responses and pairs becomes marks, and marked pairs wait for review."""

from collections.abc import Sequence
from itertools import groupby

from django.db.models import Q

from annotation import scan
from annotation.models import Mark, Pair, Response
from annotation.vocabulary import PairState

TEXTS_AT_ONCE = 20


def marks_of(pairs: Sequence[Pair]) -> list[Mark]:
    """Marks of pairs, saved or not, and of their responses by this version of the scanner.

    Those that are there already, and unsaved ones for what it has not seen yet. Goes prompt by prompt, so
    that few texts are in memory at once.
    """
    by_prompt: dict[int, list[Pair]] = {}
    for pair in pairs:
        by_prompt.setdefault(pair.prompt_id, []).append(pair)
    responses = _responses_of(pairs)
    rows = Response.objects.filter(pk__in=responses).select_related("prompt").order_by("prompt_id", "pk")
    marks = list(Mark.objects.filter(response__in=responses, scanner=scan.VERSION))
    for prompt, group in groupby(rows.iterator(chunk_size=TEXTS_AT_ONCE), key=lambda row: row.prompt_id):
        read = {response.pk: response for response in group}
        for response in read.values():
            marks += [] if response.scanner == scan.VERSION else _marks_of_response(response)
        for pair in by_prompt[prompt]:
            marks += _marks_of_pair(pair, read[pair.response_a_id].text, read[pair.response_b_id].text)
    return marks


def marks_of_new(pairs: Sequence[Pair]) -> list[Mark]:
    """Marks of unsaved pairs and of their responses, unsaved too, which are noted as looked at."""
    responses = {id(one): one for pair in pairs for one in (pair.response_a, pair.response_b)}
    asked = [(one.text, one.prompt.last_message, one.finish_reason) for one in responses.values()]
    marks = []
    for response, found in zip(responses.values(), scan.scan_responses(asked), strict=True):
        response.scanner = scan.VERSION
        marks += [_mark(finding, response=response) for finding in found]
    for pair in pairs:
        marks += _marks_of_pair(pair, pair.response_a.text, pair.response_b.text)
    return marks


def refer_to_saved(marks: Sequence[Mark]) -> None:
    """Have marks know the primary keys of what they are about, as far as it is saved by now."""
    for mark in marks:
        mark.response, mark.pair = mark.response, mark.pair


def _responses_of(pairs: Sequence[Pair]) -> set[int]:
    return {pk for pair in pairs for pk in (pair.response_a_id, pair.response_b_id)}


def _marks_of_response(response: Response) -> list[Mark]:
    found = scan.scan_response(response.text, response.prompt.last_message, response.finish_reason)
    return [_mark(finding, response=response) for finding in found]


def _marks_of_pair(pair: Pair, a: str, b: str) -> list[Mark]:
    return [_mark(finding, pair=pair) for finding in scan.scan_pair(a, b)]


def _mark(finding: scan.Finding, **about: Response | Pair) -> Mark:
    return Mark(kind=finding.kind, detail=finding.detail, scanner=scan.VERSION, **about)


def marked_among(pairs: Sequence[Pair], marks: Sequence[Mark]) -> list[Pair]:
    """Those of the pairs that a mark is about, themselves or by a response."""
    responses = {mark.response_id for mark in marks} - {None}
    themselves = {id(mark.pair) for mark in marks if mark.response_id is None}
    return [
        pair
        for pair in pairs
        if id(pair) in themselves or responses & {pair.response_a_id, pair.response_b_id}
    ]


def hold_marked(pairs: Sequence[Pair], marks: Sequence[Mark]) -> None:
    """Have unsaved pairs that a mark is about wait for review."""
    for pair in marked_among(pairs, marks):
        pair.state = PairState.HELD


def keep_marks(pairs: Sequence[Pair], marks: Sequence[Mark]) -> None:
    """Save the marks of these saved pairs, once each, and that this scanner has looked at all of them."""
    kept, responses = {pair.pk for pair in pairs}, _responses_of(pairs)
    wanted = [mark for mark in marks if mark.pk is None and _is_about(mark, kept, responses)]
    Mark.objects.bulk_create(wanted, ignore_conflicts=True)
    unseen = ~Q(scanner=scan.VERSION)
    Response.objects.filter(unseen, pk__in=responses).update(scanner=scan.VERSION)
    Pair.objects.filter(unseen, pk__in=kept).update(scanner=scan.VERSION)


def _is_about(mark: Mark, pairs: set[int], responses: set[int]) -> bool:
    if mark.response_id is not None:
        return mark.response_id in responses
    mark.pair = mark.pair  # its primary key is known by now
    return mark.pair_id in pairs
