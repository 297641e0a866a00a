"""Markdown as sanitised HTML in which nothing is clickable and nothing is loaded."""

import html
from collections.abc import Iterator

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from annotation.text import maths

DEEPEST_NESTING = 20
BLOCKS = {"p", "ul", "ol", "li", "blockquote", "pre", "table", "th", "td"}
TAGS = BLOCKS | {"br", "hr", "strong", "em", "code", "small", "thead", "tbody", "tr"}


def to_html(text: str) -> str | None:
    """`text` as sanitised HTML with formulas; None where Markdown would lose a letter or digit of it."""
    forged = maths.PLACE in html.unescape(text)
    parser = PLAIN if forged else PARSER
    tokens = parser.parse(text)
    if words("".join(_shown(tokens))) != words(text):
        return None
    shown = SANITISER.clean(parser.renderer.render(tokens, parser.options, {}))
    return shown if forged else maths.fill(shown, tokens)


def words(text: str) -> str:
    """Only letters and digits, entities resolved: what must survive."""
    return "".join(filter(str.isalnum, html.unescape(text)))


def _shown(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.meta.get("ours"):
            continue
        if token.type in ("fence", "list_item_open"):
            yield token.info
        yield from _shown(token.children) if token.children else [token.content]


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


PLAIN = _parser()
PARSER = _parser()
maths.install(PARSER)
SANITISER = nh3.Cleaner(
    tags=TAGS,
    clean_content_tags=set(),
    attributes={"ol": {"start"}},
    tag_attribute_values={"p": {"data-level": set("123456")}},
    set_tag_attribute_values={block: {"dir": "auto"} for block in BLOCKS},
    url_schemes=set(),
    link_rel=None,
)
