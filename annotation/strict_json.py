"""JSON from outside: read whole or not at all.

The standard library's reader keeps the last of two equal names, takes NaN, and turns 1e999 into infinity;
it also reads text that no database keeps. Here each of these is a mistake that is said.
"""

import json
import math
import re
from collections import Counter

DEEPEST = 50
"""Lists and objects inside each other. Nothing that we take goes deeper than five."""

UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class NotJSON(ValueError):
    """Text that cannot be taken as JSON; `str()` is the reason, a sentence."""


class CutOff(NotJSON):
    """Text that may only lack its end."""


def read(text: str) -> object:
    """The value that `text` holds. Raises NotJSON."""
    try:
        value = DECODER.decode(text)
    except NotJSON:
        raise
    except ValueError as error:
        raise NotJSON(f"Not valid JSON: {error}.") from error
    except RecursionError as error:
        raise NotJSON(TOO_DEEP) from error
    if not _is_harmless(text):
        _refuse_unstorable(value)
    return value


def read_first(text: str, at: int) -> tuple[object, int]:
    """The value that begins at `at`, and where it ends. Raises CutOff where more of the text could help,
    NotJSON where it could not. What a database cannot keep is still to be asked for (`why_refused`).
    """
    try:
        return DECODER.raw_decode(text, at)
    except NotJSON:
        raise
    except ValueError as error:
        raise CutOff(f"Not valid JSON: {error}.") from error
    except RecursionError as error:
        raise NotJSON(TOO_DEEP) from error


def why_refused(value: object) -> str:
    """Why a value that was read elsewhere cannot be taken, a sentence; "" when it can."""
    try:
        _refuse_unstorable(value)
    except NotJSON as error:
        return str(error)
    return ""


def why_unstorable(text: str) -> str:
    """Why a database cannot keep the text, a sentence; "" when it can."""
    if _is_storable(text):
        return ""
    found = UNSTORABLE.search(text)
    if found[0] == "\0":
        return "A NUL character, which a database cannot keep."
    if "\udc80" <= found[0] <= "\udcff":
        return "Not UTF-8 text."
    return "Half of a character (an unpaired surrogate) that no database can keep."


def _is_harmless(text: str) -> bool:
    """Whether no value read from this text can be unstorable or too deep: a look at the text costs less."""
    return "\\u" not in text and text.count("[") + text.count("{") <= DEEPEST and _is_storable(text)


def _is_storable(text: str) -> bool:
    return "\0" not in text if text.isascii() else UNSTORABLE.search(text) is None


TOO_DEEP = f"Not valid JSON here: lists and objects stand more than {DEEPEST} deep inside each other."


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise NotJSON(
            f"Not valid JSON here: “{_start(twice)}” is there twice. Only you can say which is meant."
        )
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotJSON(f"Not valid JSON here: the number {_start(digits)} is too large.")
    return number


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError as error:  # Python reads no more than 4,300 digits
        raise NotJSON(f"Not valid JSON here: the number {_start(digits)} is too large.") from error


def _start(text: str) -> str:
    start = UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text[:20])
    return start if len(text) <= 20 else f"{start}…"


def _refuse_constant(name: str) -> None:
    raise NotJSON(f"Not valid JSON: {name} is no number that JSON knows.")


def _refuse_unstorable(value: object) -> None:
    """Level by level, because a function that calls itself would be stopped by Python where it is deep."""
    level = [value]
    for _ in range(DEEPEST + 1):
        if problem := next(
            filter(None, (why_unstorable(node) for node in level if isinstance(node, str))), ""
        ):
            raise NotJSON(problem)
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise NotJSON(TOO_DEEP)


def _children(node: object) -> list:
    if isinstance(node, dict):
        return [*node, *node.values()]
    return node if isinstance(node, list) else []


STRICT = {
    "object_pairs_hook": _each_name_once,
    "parse_float": _finite,
    "parse_int": _whole,
    "parse_constant": _refuse_constant,
}
DECODER = json.JSONDecoder(**STRICT)
"""Made once: making one takes as long as reading a judgment's answers."""
