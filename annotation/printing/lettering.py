"""Text that fits its place in a drawing, whatever a name holds.

Nothing is measured with a font: the same table must give the same drawing on every machine, and readers have
other fonts than the server. Widths are estimates on the wide side.
"""

import unicodedata

ELLIPSIS = "…"
NARROW = frozenset("iIjlft.,:;'|!()[] ")
BROAD = frozenset("mwMW@%—")
JOINERS = "\u200c\u200d"  # letters of Persian and of Indian scripts need them


def plain(text: str) -> str:
    """In one line, without characters that no font shows: controls, and marks that turn the reading order."""
    kept = "".join(
        " " if character.isspace() else character
        for character in text
        if character in JOINERS
        or character.isspace()
        or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Cn", "Co"}
    )
    return " ".join(kept.split(" ")).strip()


def width(text: str, size: float) -> float:
    """About how many pixels `text` takes at this size."""
    return size * sum(_ems(character) for character in text)


def shortened(text: str, most: float, size: float) -> str:
    """The plain text within `most` pixels; where it is longer, its beginning and end around an ellipsis.

    The end stays because names in one study often differ there: “checkpoint-1000”, “checkpoint-2000”.
    """
    text = plain(text)
    if width(text, size) <= most:
        return text
    kept = len(text)
    while kept > 2 and width(_around(text, kept), size) > most:
        kept -= 1
    return _around(text, kept)


def _around(text: str, kept: int) -> str:
    tail = kept // 3
    return text[: kept - tail].rstrip() + ELLIPSIS + text[len(text) - tail :].lstrip()


def _ems(character: str) -> float:
    if unicodedata.combining(character) or character in JOINERS:
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return 1
    if character in NARROW:
        return 0.42
    if character in BROAD:
        return 0.98
    return 0.72 if character.isupper() else 0.63
