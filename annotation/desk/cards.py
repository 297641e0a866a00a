"""A response as the desk shows it: unlike a rater's, with everything that is known about it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.db.models.functions import Left
from django.utils.safestring import SafeString

from annotation import text
from annotation.models import Response, Study

EXCERPT = 10_000
"""Characters of a text on the page. With twenty whole answers of megabytes it took a quarter of a minute."""


@dataclass(frozen=True)
class ResponseCard:
    """`prompt_html` and `html` are safe to show and hold the start of a long text; `provenance` is indented
    JSON.
    """

    pk: int
    prompt_pk: int
    prompt_key: str
    intent: str
    prompt_html: SafeString
    prompt_is_cut: bool
    arm: str
    sample: int
    html: SafeString
    is_cut: bool
    finish: str
    tokens: int | None
    seconds: float | None
    seed: int | None
    provenance: str
    replaced: bool


def response_keys(study: Study) -> QuerySet[Response]:
    """The primary keys of the study's responses, prompt by prompt."""
    # Prompts of the study alone, which an index has in this order: PostgreSQL then sorts those of a page.
    rows = study.responses.filter(prompt__study=study)
    return rows.order_by("prompt__key", "sample", "arm__position", "pk").values_list("pk", flat=True)


def response_cards(study: Study, keys: Sequence[int]) -> list[ResponseCard]:
    """These responses of the study, in this order. Two queries, which read the start of each text."""
    rows = study.responses.select_related("arm").prefetch_related("prompt").defer("text")
    # One character more than is shown says whether there is more.
    found = rows.annotate(excerpt=Left("text", EXCERPT + 1)).in_bulk(keys)
    return [_card(found[pk]) for pk in keys if pk in found]


def _card(response: Response) -> ResponseCard:
    asked = response.prompt.last_message
    return ResponseCard(
        pk=response.pk,
        prompt_pk=response.prompt_id,
        prompt_key=response.prompt.key,
        intent=response.prompt.get_intent_display(),
        prompt_html=text.to_html(asked[:EXCERPT]),
        prompt_is_cut=len(asked) > EXCERPT,
        arm=response.arm.name,
        sample=response.sample + 1,
        html=text.to_html(response.excerpt[:EXCERPT]),
        is_cut=len(response.excerpt) > EXCERPT,
        finish=response.get_finish_reason_display(),
        tokens=response.output_tokens,
        seconds=response.seconds,
        seed=response.seed,
        provenance=json.dumps(response.provenance, indent=2, ensure_ascii=False, sort_keys=True),
        replaced=response.replaced_at is not None,
    )
