"""What of a model's output is its answer: no hidden reasoning, nothing from a stop text on."""

import re
from collections.abc import Sequence

# The brackets in capitals are tokens of some models; in small letters they may be anybody's words.
TAG = re.compile(r"</?(?:think|thinking|reasoning)>|(?-i:\[/?THINK\])", re.IGNORECASE)
CLOSING = "</think>"
OPENED = re.compile(r"(?:<(?:think|thinking|reasoning)>|(?-i:\[THINK\]))\s*\Z", re.IGNORECASE)
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
        closes, piece = "/" in tag[0], output[at : tag.start()]
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


def read_output(output: str, stops: Sequence[str], begins_inside: bool = False) -> tuple[str, str, bool]:
    """Return (answer, reasoning, whether a stop text cut it): cut first, wherever the stop text stands.

    What follows the cut is no part of either, but tells whether the model was still reasoning there.
    begins_inside: whether the prompt opened the reasoning.
    """
    text, is_stopped = cut_at_stop(output, stops)
    following = TAG.search(output, len(text))
    is_reasoning = following is not None and "/" in following[0]
    text = (OPENING if begins_inside else "") + text + (CLOSING if is_reasoning else "")
    return *split_reasoning(text), is_stopped


def cut_at_stop(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """Return the text before whichever stop text comes first, and whether there was one."""
    found = [at for at in map(text.find, stops) if at >= 0]
    return (text[: min(found)], True) if found else (text, False)
