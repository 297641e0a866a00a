"""Model output and guidelines as HTML that is safe to show.

The text is hostile: it may try to run script, load from elsewhere, lead the rater away, look like the
page, or hide words. So nothing in it is clickable, nothing is loaded, and nothing is swallowed: where
Markdown would leave out a part of the text, the whole is shown as it was written.
"""

import html
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from threading import Lock

import nh3
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from annotation.errors import DomainError

LONGEST_MARKDOWN = 30_000
"""Characters. Longer text is shown as written, because the time that Markdown takes grows faster than it."""

MOST_KEPT = 8_000_000
"""Characters, up to four bytes each, of the texts and their HTML that a process remembers."""

DEEPEST_NESTING = 20
BLOCKS = {"p", "ul", "ol", "li", "blockquote", "pre", "table", "th", "td"}
TAGS = BLOCKS | {"br", "hr", "strong", "em", "code", "small", "thead", "tbody", "tr"}

# Invisible, though Unicode files them under letters, marks or symbols.
BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
VARIATION_SELECTORS = "\u180b-\u180d\ufe00-\ufe0f\U000e0100-\U000e01ef"
JOINERS = "\u200c\u200d"
EMOJI_STYLE = "\ufe0f"
LONGEST_RUN_SPELT_OUT = 8


def storable(text: str) -> str:
    """The text without what a database cannot keep: NUL and lone surrogates become U+FFFD."""
    return UNSENDABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def spelt_out(text: str) -> str:
    """The text with its hidden characters spelt out, for plain text such as on a terminal."""
    return HIDDEN.sub(_spelt_out, UNSENDABLE.sub(_spelt_out, text))


def refuse_hidden(what: str, name: str) -> None:
    """Raises DomainError where a name holds hidden characters: it would look like another, or read turned."""
    if found := HIDDEN.search(name):
        raise DomainError(f"{what} holds hidden characters ({_spelt_out(found)}). Write it without them.")


def to_html(text: str) -> SafeString:
    """`text`, read as CommonMark with tables, as a fragment of HTML that may be put on a page.

    Has no class, style, link, image or heading. Links and images become their text and address. Control,
    bidirectional and invisible characters are spelt out as `<mark>⟦U+202E⟧</mark>`.
    """
    shown = KEPT.get(text)
    if shown is None:
        shown = _to_html(text)
        KEPT.put(text, shown)
    return shown


def _to_html(text: str) -> SafeString:
    readable = UNSENDABLE.sub(_spelt_out, text.replace("\r\n", "\n").replace("\r", "\n"))
    shown = _markdown(readable)
    return SafeString(HIDDEN.sub(_marked, _as_written(readable) if shown is None else shown))


def _markdown(text: str) -> str | None:
    """`text` as sanitised HTML; None where reading it as Markdown would take too long or lose something."""
    if len(text) > LONGEST_MARKDOWN:
        return None
    tokens = PARSER.parse(text)
    if _words("".join(_shown(tokens))) != _words(text):
        return None
    return SANITISER.clean(PARSER.renderer.render(tokens, PARSER.options, {}))


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
    return HIDDEN.sub(_spelt_out, html.escape(UNSENDABLE.sub(_spelt_out, text.replace("\r\n", "\n"))))


def _as_written(text: str) -> str:
    return f'<pre dir="auto">{html.escape(text)}</pre>'


def _words(text: str) -> str:
    """Only letters and digits, entities resolved: what must survive."""
    return "".join(filter(str.isalnum, html.unescape(text)))


def _shown(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.meta.get("ours"):
            continue
        yield token.info
        yield from _shown(token.children) if token.children else [token.content]


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


# Hidden characters -----------------------------------------------------------------------------------


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


def _spelt_out(match: re.Match[str]) -> str:
    run = match[0]
    names = [f"U+{ord(character):04X}" for character in run[:LONGEST_RUN_SPELT_OUT]]
    rest = len(run) - len(names)
    return f"⟦{' '.join(names)}{f' and {rest} more hidden' if rest else ''}⟧"


def _marked(match: re.Match[str]) -> str:
    return f"<mark>{_spelt_out(match)}</mark>"


# Markdown --------------------------------------------------------------------------------------------


def _unlink(state: StateCore) -> None:
    """Replace links and images by their text and address."""
    for token in state.tokens:
        if token.children:
            token.children = list(_without_links(token.children))


def _without_links(tokens: list[Token]) -> Iterator[Token]:
    opened: list[Token] = []
    for token in tokens:
        if token.type == "link_open":
            opened.append(token)
        elif token.type == "link_close":
            link = opened.pop()
            if link.markup != "autolink":  # whose text is the address
                yield _plain(_address(link, "href"))
        elif token.type == "image":
            yield _plain("image: ", ours=True)
            yield _plain(token.content + _address(token, "src"))
        else:
            yield token


def _address(token: Token, attribute: str) -> str:
    title = token.attrs.get("title")
    return f" ({token.attrs[attribute]}{f' “{title}”' if title else ''})"


def _plain(text: str, ours: bool = False) -> Token:
    return Token("text", "", 0, content=text, meta={"ours": ours})


def _heading_open(renderer, tokens: list[Token], index: int, options, env) -> str:
    return f'<p data-level="{tokens[index].tag[1]}"><strong>'


def _heading_close(renderer, tokens: list[Token], index: int, options, env) -> str:
    return "</strong></p>\n"


def _fence(renderer, tokens: list[Token], index: int, options, env) -> str:
    token = tokens[index]
    label = f"<small>{html.escape(token.info.strip())}</small>\n" if token.info.strip() else ""
    return f"<pre>{label}<code>{html.escape(token.content)}</code></pre>\n"


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": DEEPEST_NESTING})
    # A reference definition would vanish from the page; as a paragraph it is seen.
    parser.enable("table").disable("reference")
    # Addresses are only read, so every one is shown as it was written.
    parser.validateLink = lambda url: True
    parser.normalizeLink = parser.normalizeLinkText = lambda url: url
    parser.core.ruler.push("unlink", _unlink)
    for name, rule in (("heading_open", _heading_open), ("heading_close", _heading_close), ("fence", _fence)):
        parser.add_render_rule(name, rule)
    return parser


PARSER = _parser()
SANITISER = nh3.Cleaner(
    tags=TAGS,
    clean_content_tags=set(),
    attributes={"ol": {"start"}},
    tag_attribute_values={"p": {"data-level": set("123456")}},
    set_tag_attribute_values={block: {"dir": "auto"} for block in BLOCKS},
    url_schemes=set(),
    link_rel=None,
)
