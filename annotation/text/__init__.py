"""Model output and guidelines as HTML that is safe to show.

The text is hostile: it may try to run script, load from elsewhere, lead the rater away, look like the
page, or hide words. So nothing in it is clickable, nothing is loaded, and nothing is swallowed: where
Markdown would leave out a part of the text, the whole is shown as it was written.
"""

import html
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

from django.utils.safestring import SafeString

from annotation.errors import DomainError
from annotation.text import markdown
from annotation.text.hidden import UNSENDABLE, first_hidden, marked, sendable, spelt_out

__all__ = ["is_cut", "refuse_hidden", "spelt_out", "storable", "to_html", "with_places"]

LONGEST_MARKDOWN = 30_000
"""Characters. Longer text is shown as written, because the time that Markdown takes grows faster than it."""

LONGEST_SHOWN = 100_000
"""Characters. Of a longer text only the beginning is shown, and the page says so."""

MOST_KEPT = 8_000_000
"""Characters, up to four bytes each, of the texts and their HTML that a process remembers."""


def storable(text: str) -> str:
    """The text without what a database cannot keep: NUL and lone surrogates become U+FFFD."""
    return UNSENDABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def refuse_hidden(what: str, name: str) -> None:
    """Raises DomainError where a name holds hidden characters: it would look like another, or read turned."""
    if found := first_hidden(name):
        raise DomainError(f"{what} holds hidden characters ({found}). Write it without them.")


def is_cut(text: str) -> bool:
    """Whether `to_html` shows only the beginning."""
    return len(text) > LONGEST_SHOWN


def to_html(text: str) -> SafeString:
    """`text`, read as CommonMark with tables and formulas, as a fragment of HTML that may be put on a page.

    Has no class, style, link, image or heading. Links and images become their text and address. Control,
    bidirectional and invisible characters are spelt out as `<mark>⟦U+202E⟧</mark>`. What is beyond
    LONGEST_SHOWN is counted, not shown.
    """
    beginning = text[:LONGEST_SHOWN]
    shown = KEPT.get(beginning)
    if shown is None:
        shown = _to_html(beginning)
        KEPT.put(beginning, shown)
    rest = len(text) - len(beginning)
    return SafeString(f"{shown}<p><mark>⟦+{rest:,}⟧</mark></p>") if rest else shown


def _to_html(text: str) -> SafeString:
    readable = sendable(text.replace("\r\n", "\n").replace("\r", "\n"))
    shown = markdown.to_html(readable) if len(readable) <= LONGEST_MARKDOWN else None
    return SafeString(marked(_as_written(readable) if shown is None else shown))


def with_places(text: str, places: Iterable[tuple[int, int]]) -> SafeString:
    """`text` as it was written, escaped, with these places (ascending, apart) in `<mark class="place">`.

    For an element that keeps white space. Hidden characters are spelt out as in `to_html`.
    """
    parts, at = [], 0
    for start, end in places:
        parts += [_plainly(text[at:start]), f'<mark class="place">{_plainly(text[start:end])}</mark>']
        at = end
    return SafeString("".join([*parts, _plainly(text[at:])]))


def _plainly(text: str) -> str:
    return html.escape(spelt_out(text.replace("\r\n", "\n")))


def _as_written(text: str) -> str:
    return f'<pre dir="auto">{html.escape(text)}</pre>'


class Kept:
    """The HTML of the texts that were shown last, limited by size: one text may be as long as thousands.

    Threads may share it.
    """

    def __init__(self, most: int) -> None:
        self._most, self._total = most, 0
        self._html: OrderedDict[str, SafeString] = OrderedDict()
        self._lock = Lock()

    def get(self, text: str) -> SafeString | None:
        """The text's HTML, or None where it is not kept."""
        with self._lock:
            if text in self._html:
                self._html.move_to_end(text)
            return self._html.get(text)

    def put(self, text: str, shown: SafeString) -> None:
        """Keep the HTML, and forget what was not asked for longest where there is too much."""
        with self._lock:
            if text in self._html:  # another thread was faster
                return
            self._html[text] = shown
            self._total += len(text) + len(shown)
            while self._total > self._most:
                self._total -= sum(map(len, self._html.popitem(last=False)))


KEPT = Kept(MOST_KEPT)
