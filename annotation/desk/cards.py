"""A response as the desk shows it: unlike a rater's, with everything that is known about it."""

import json
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


def shown_responses(study: Study) -> QuerySet[Response]:
    """The study's responses with what a card reads; of the texts only the `excerpt`."""
    rows = study.responses.select_related("arm").prefetch_related("prompt").defer("text")
    # One character more than is shown says whether there is more.
    return rows.annotate(excerpt=Left("text", EXCERPT + 1))


def response_card(response: Response) -> ResponseCard:
    """One of `shown_responses` with its prompt."""
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
