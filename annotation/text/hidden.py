"""Characters that are not seen, or that turn the order of others, spelt out."""

import re
import unicodedata

# Invisible, though Unicode files them under letters, marks or symbols.
BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
VARIATION_SELECTORS = "\u180b-\u180d\ufe00-\ufe0f\U000e0100-\U000e01ef"
JOINERS = "\u200c\u200d"
EMOJI_STYLE = "\ufe0f"
LONGEST_RUN_SPELT_OUT = 8


def _hidden_class() -> str:
    """A character class of everything that has no shape of its own or turns the order of others."""
    kept = {"\n", "\t", *JOINERS}
    hidden = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zl", "Zp"} and chr(code) not in kept
    ]
    return re.escape("".join(hidden)) + BLANK


# A joiner or an emoji style belongs to the writing between two characters beyond ASCII; elsewhere, or
# repeated, it only carries something unseen.
HIDDEN = re.compile(
    rf"(?:[{_hidden_class()}]"
    rf"|(?<![^\x00-\x7f{JOINERS}])[{JOINERS}]"
    rf"|[{JOINERS}](?![^\x00-\x7f{JOINERS}])"
    rf"|(?<![^\x00-\x7f{VARIATION_SELECTORS}])(?<![0-9#*]){EMOJI_STYLE}"
    rf"|(?!{EMOJI_STYLE})[{VARIATION_SELECTORS}])+"
)
UNSENDABLE = re.compile("[\x00\ud800-\udfff]")  # no UTF-8, or lost by the parser


def sendable(text: str) -> str:
    """`text` with what no page can carry spelt out."""
    return UNSENDABLE.sub(_spelt_out, text)


def spelt_out(text: str) -> str:
    """`text` with all of its hidden characters spelt out, for plain text such as on a terminal."""
    return HIDDEN.sub(_spelt_out, sendable(text))


def first_hidden(text: str) -> str:
    """The first run of hidden characters, spelt out; "" where there is none."""
    if text.isascii() and text.isprintable():  # most names; a search costs ten times as much
        return ""
    found = HIDDEN.search(text)
    return _spelt_out(found) if found else ""


def marked(shown: str) -> str:
    """HTML with its hidden characters as `<mark>⟦U+202E⟧</mark>`."""
    return HIDDEN.sub(lambda match: f"<mark>{_spelt_out(match)}</mark>", shown)


def _spelt_out(match: re.Match[str]) -> str:
    run = match[0]
    names = [f"U+{ord(character):04X}" for character in run[:LONGEST_RUN_SPELT_OUT]]
    rest = len(run) - len(names)
    return f"⟦{' '.join(names)}{f' and {rest} more hidden' if rest else ''}⟧"
