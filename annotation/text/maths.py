r"""LaTeX as MathML: `$x$`, `\(x\)`, and on lines of their own `$$x$$` and `\[x\]`.

A formula becomes MathML only where all that it says can be seen; any other stays as it was written. The
library's output is not trusted: only the elements and attributes named here are written, each text escaped.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from annotation.text.hidden import HIDDEN

LONGEST_FORMULA = 1_000
"""Characters."""

MOST_FORMULAS = 200
"""Of one text; what follows is shown as written."""

PLACE = "\U000f0000"
"""Stands around a formula's number until the rest is sanitised. A text that has it has no formulas."""

ELEMENTS = {"math", "mrow", "mi", "mn", "mo", "mtext", "mfrac", "msqrt", "mroot", "mtable", "mtr", "mtd"}
ELEMENTS |= {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
ATTRIBUTES = {
    "mathvariant": re.compile("normal"),
    "stretchy": re.compile("true|false"),
    "fence": re.compile("true|false"),
    "accent": re.compile("true|false"),
    "linethickness": re.compile("0(pt|em|px)?"),
}
COMMANDS = re.compile(r"\\(?:begin|end)\s*\{\w+\*?\}|\\[A-Za-z]+|[{}]")
DELIMITERS = {"$$": "$$", "$": "$", r"\(": r"\)", r"\[": r"\]"}


@lru_cache(maxsize=2_000)
def to_mathml(latex: str, block: bool = False) -> str | None:
    """The formula as MathML; None where it cannot be read or would lose a letter or digit of what it says."""
    unclear = "%" in latex or HIDDEN.search(latex) or html.unescape(latex) != latex
    if len(latex) > LONGEST_FORMULA or unclear:
        return None
    try:
        tree = convert_to_element(latex)
    except Exception:  # the library raises whatever its parser stumbles over, recursion included
        return None
    said = Counter(filter(str.isalnum, COMMANDS.sub("", latex)))
    if said - Counter(filter(str.isalnum, _plain("".join(tree.itertext())))):
        return None
    return f'<math display="{"block" if block else "inline"}">{"".join(map(_element, tree))}</math>'


def _plain(text: str) -> str:
    """What the library wrote as entities; without the unseen operators that it adds of its own."""
    return HIDDEN.sub("", html.unescape(text))


def _element(element: Element) -> str:
    """The element with what it holds; of one that is not allowed, only what it holds."""
    inside = html.escape(_plain(element.text or "")) + "".join(map(_element, element))
    name = element.tag if element.tag in ELEMENTS else "mrow"
    given = {key: value for key, value in element.attrib.items() if key in ATTRIBUTES}
    kept = [f' {key}="{value}"' for key, value in given.items() if ATTRIBUTES[key].fullmatch(value)]
    return f"<{name}{''.join(kept)}>{inside}</{name}>"


# Finding formulas in Markdown -------------------------------------------------------------------------


def install(parser: MarkdownIt) -> None:
    """Let the parser find formulas; `fill` puts them into the rendered page."""
    parser.inline.ruler.before("escape", "formula", _inline)
    parser.block.ruler.before("fence", "formulas", _block, {"alt": ["paragraph", "blockquote", "list"]})
    parser.add_render_rule("formula", _place)


def fill(shown: str, tokens: list[Token]) -> str:
    """The sanitised page with its formulas in their places."""
    formulas = [token.meta["mathml"] for token in _formulas(tokens)]
    return re.sub(f"{PLACE}(\\d+){PLACE}", lambda match: formulas[int(match[1])], shown)


def _formulas(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "formula":
            yield token
        yield from _formulas(token.children or [])


def _place(renderer, tokens: list[Token], index: int, options, env: dict) -> str:
    number = env["placed"] = env.get("placed", -1) + 1
    return f"{PLACE}{number}{PLACE}"


def _inline(state: StateInline, silent: bool) -> bool:
    opening = next((mark for mark in DELIMITERS if state.src.startswith(mark, state.pos)), None)
    latex = _enclosed(state.src, state.pos, opening) if opening else None
    if opening is None or latex is None:
        return False
    end = state.pos + len(opening) + len(latex) + len(DELIMITERS[opening])
    block = opening in ("$$", r"\[")
    mathml = _mathml(state.env, latex, block)
    if mathml is None:
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.meta = state.src[state.pos : end], {"mathml": mathml}
    state.pos = end
    return True


def _enclosed(text: str, start: int, opening: str) -> str | None:
    """What stands between the mark at `start` and the next closing one; None where it is no formula.

    Around a single dollar sign the rules are narrow, because prices and variables of shells have it too.
    """
    begin = start + len(opening)
    end = text.find(DELIMITERS[opening], begin, begin + LONGEST_FORMULA + 2)
    inside = text[begin:end] if end > begin else ""
    if not inside.strip():
        return None
    if opening == "$":
        around = text[max(start - 1, 0) : start] + text[end + 1 : end + 2]
        if inside != inside.strip() or any(map(str.isalnum, around)) or "$" in around:
            return None
    return inside


def _mathml(env: dict, latex: str, block: bool) -> str | None:
    env["formulas"] = env.get("formulas", 0) + 1
    return to_mathml(latex, block) if env["formulas"] <= MOST_FORMULAS else None


def _block(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """A formula whose marks begin and end lines; Markdown would read `=` and `-` inside as its own."""
    begin = state.bMarks[first] + state.tShift[first]
    opening = next((mark for mark in ("$$", r"\[") if state.src.startswith(mark, begin)), None)
    if opening is None or state.is_code_block(first):
        return False
    lines = []
    for line in range(first, min(last, first + 50)):
        lines.append(state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]])
        text = "\n".join(lines).rstrip()
        if len(text) > len(opening) and text.endswith(DELIMITERS[opening]):
            break
        if not lines[-1].strip() or state.sCount[line] < state.blkIndent:
            return False
    else:
        return False
    latex = text[len(opening) : -len(opening)]
    if not latex.strip() or DELIMITERS[opening] in latex:
        return False
    mathml = _mathml(state.env, latex, block=True)
    if mathml is None:
        return False
    if silent:
        return True
    for kind, nesting in (("paragraph_open", 1), ("formula", 0), ("paragraph_close", -1)):
        token = state.push(kind, "p", nesting)
        token.map = [first, line + 1]
        if kind == "formula":
            token.content, token.meta = text, {"mathml": mathml}
    state.line = line + 1
    return True
