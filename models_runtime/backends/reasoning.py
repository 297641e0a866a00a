"""What of a model's output is its answer: no hidden reasoning, nothing from a stop text on."""

import re
from collections.abc import Sequence

TAG = re.compile(r"<(/?)(?:think|thinking|reasoning)>", re.IGNORECASE)
OPENED = re.compile(r"<(?:think|thinking|reasoning)>\s*\Z", re.IGNORECASE)
OPENING = "<think>"


def split_reasoning(output: str) -> tuple[str, str]:
    """Return (answer, reasoning); an output without reasoning tags comes back as it is.

    A block that is never closed is reasoning to its end. Before a closing tag that nothing opened, everything
    is reasoning: a template may have opened the block in the prompt. In doubt text is hidden, not shown.
    """
    answer: list[str] = []
    reasoning: list[str] = []
    is_inside, at = False, 0
    for tag in TAG.finditer(output):
        closes, piece = bool(tag[1]), output[at : tag.start()]
        if closes and not is_inside:
            reasoning += [*answer, piece]
            answer = []
        else:
            (reasoning if is_inside else answer).append(piece)
        is_inside, at = not closes, tag.end()
    if at == 0:
        return output, ""
    (reasoning if is_inside else answer).append(output[at:])
    return "".join(answer).strip(), "".join(reasoning).strip()


def opens_reasoning(prompt: str) -> bool:
    """Whether a rendered prompt ends inside a reasoning block, so that the model's output begins in one."""
    return bool(OPENED.search(prompt))


def cut_at_stop(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """Return the text before whichever stop text comes first, and whether there was one."""
    found = [at for at in map(text.find, stops) if at >= 0]
    return (text[: min(found)], True) if found else (text, False)
