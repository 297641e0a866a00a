"""A response as the desk shows it: unlike a rater's, with everything that is known about it."""

import json
from dataclasses import dataclass

from annotation import text
from annotation.models import Response


@dataclass(frozen=True)
class ResponseCard:
    """`prompt_html` and `html` are safe to show; `provenance` is indented JSON."""

    prompt_key: str
    intent: str
    prompt_html: str
    arm: str
    sample: int
    html: str
    finish: str
    tokens: int | None
    seconds: float | None
    seed: int | None
    provenance: str
    replaced: bool


def response_card(response: Response) -> ResponseCard:
    """The response with its prompt; reads `response.prompt` and `response.arm`."""
    return ResponseCard(
        prompt_key=response.prompt.key,
        intent=response.prompt.get_intent_display(),
        prompt_html=text.to_html(response.prompt.last_message),
        arm=response.arm.name,
        sample=response.sample + 1,
        html=text.to_html(response.text),
        finish=response.get_finish_reason_display(),
        tokens=response.output_tokens,
        seconds=response.seconds,
        seed=response.seed,
        provenance=json.dumps(response.provenance, indent=2, ensure_ascii=False, sort_keys=True),
        replaced=response.replaced_at is not None,
    )
