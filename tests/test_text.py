"""What models write is shown whole, and can do nothing."""

import html
import re
import time
from html.parser import HTMLParser

import pytest
from django.utils.safestring import SafeString

from annotation.errors import DomainError
from annotation.text import (
    LONGEST_MARKDOWN,
    LONGEST_SHOWN,
    Kept,
    hidden,
    is_cut,
    refuse_hidden,
    spelt_out,
    to_html,
)
from annotation.text.markdown import TAGS
from annotation.text.maths import ELEMENTS, to_mathml
from tests.attacks import ATTACKS

ATTRIBUTE = r"""(dir="auto"|start="\d+"|data-level="[1-6]")"""
OF_MATHS = r"""(display="(inline|block)"|mathvariant="normal"|linethickness="0(em|pt|px)?")"""
OF_OPERATORS = r"""(stretchy|fence|accent)="(true|false)\""""


class Reading(HTMLParser):
    """What a parser makes of the HTML: elements with their attributes, text, comments and declarations."""

    def __init__(self, shown: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, list]] = []
        self.text, self.other = "", []
        self.feed(shown)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    handle_decl = unknown_decl = handle_pi = handle_comment


def test_the_corpus_is_large():
    assert len(set(ATTACKS)) >= 200


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack[:40].encode("unicode_escape").decode())
def test_an_attack_becomes_text(attack):
    started = time.process_time()
    read = Reading(to_html(attack))
    for tag, attributes in read.elements:
        assert tag in TAGS | ELEMENTS | {"mark"}
        allowed = f"{OF_MATHS}|{OF_OPERATORS}" if tag in ELEMENTS else ATTRIBUTE
        assert [f for f in attributes if not re.fullmatch(allowed, '{}="{}"'.format(*f))] == []
    assert read.other == []
    assert hidden.HIDDEN.search(read.text) is None
    assert time.process_time() - started < 3  # seconds; milliseconds where it was measured


def visible(shown: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", shown)).strip()


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("[the page](https://a.example/x)", "the page (https://a.example/x)"),
        ("<https://a.example/x>", "https://a.example/x"),
        ("[t](https://a.example 'and more')", "t (https://a.example “and more”)"),
        ("![a kite](https://a.example/k.png)", "image: a kite (https://a.example/k.png)"),
        ("[//]: # (said in secret)", "[//]: # (said in secret)"),
        ("<!-- said in secret -->", "<!-- said in secret -->"),
        ("```python said in secret\nx\n```", "python said in secret\nx"),
    ],
)
def test_addresses_titles_and_comments_can_be_read(text, seen):
    assert visible(to_html(text)) == seen


@pytest.mark.parametrize(
    "text",
    [
        "| a | b |\n|---|---|\n| 1 | 2 | a third cell that the table drops |",
        ">" * 40 + " a line below the deepest level",
        "- " * 60 + "a list below the deepest level",
    ],
)
def test_what_markdown_would_swallow_is_shown_as_written(text):
    assert to_html(text).startswith("<pre") and visible(to_html(text)) == text


def test_markdown_is_read():
    shown = to_html("# Kites\n\nThey **fly**:\n\n3. high\n4. low\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    assert "<strong>fly</strong>" in shown and "<td" in shown and '<ol start="3"' in shown


def test_a_heading_is_bold_text_and_no_part_of_the_pages_outline():
    shown = to_html("# One\n\nTwo\n---\n\n###### Six")
    assert not re.search(r"<h[1-6]", shown)
    assert re.findall(r'data-level="(\d)"', shown) == ["1", "2", "6"]


def test_a_line_break_stays_a_line_break():
    assert "<br" in to_html("one\ntwo")


def test_every_block_finds_its_own_direction():
    for block in ("p", "blockquote", "li", "td", "pre"):
        assert f'<{block} dir="auto"' in to_html("مرحبا\n\n> a\n\n- b\n\n|a|\n|-|\n|b|\n\n```\nc\n```")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a\u202eb", "U+202E"),
        ("a\u2066b", "U+2066"),
        ("a\u200bb", "U+200B"),
        ("a\u200db", "U+200D"),
        ("a\ufeffb", "U+FEFF"),
        ("a\u00adb", "U+00AD"),
        ("a\u001bb", "U+001B"),
        ("a\u2028b", "U+2028"),
        ("a\u3164b", "U+3164"),
        ("a\ufe0fb", "U+FE0F"),
        ("☃\ufe01", "U+FE01"),
        ("a\U000e0041b", "U+E0041"),
        ("a\U000e0100b", "U+E0100"),
        ("a&#x202e;b", "U+202E"),
        ("a&rlm;b", "U+200F"),
        ("`a\u202eb`", "U+202E"),
        ("[a](https://b\u202e.example)", "U+202E"),
        ("```x\u202e\ny\n```", "U+202E"),
    ],
)
def test_a_hidden_character_is_spelt_out(text, name):
    assert f"<mark>⟦{name}⟧</mark>" in to_html(text)


def test_what_cannot_be_sent_is_spelt_out():
    assert "⟦U+D800⟧" in to_html("a\ud800b").encode().decode()
    assert "⟦U+0000⟧" in to_html("a\x00b")


def test_a_long_hidden_message_is_counted():
    assert "and 92 more hidden⟧" in to_html("a" + "\U000e0041" * 100)


@pytest.mark.parametrize("text", ["👩‍💻 ❤️ 1️⃣", "می‌خواهم", "क्‍ष", "a\tb", "naïve – “quoted” …"])
def test_writing_that_needs_joiners_is_left_alone(text):
    assert "⟦" not in to_html(text) and visible(to_html(text)) == text


def test_carriage_returns_are_line_ends():
    assert to_html("a\r\n\r\nb\rc") == to_html("a\n\nb\nc")


def test_nothing_is_nothing():
    assert to_html("") == ""


def test_a_very_long_text_is_shown_as_written():
    text = "**word** " * (LONGEST_MARKDOWN // 9 + 1)
    assert to_html(text) == f'<pre dir="auto">{text}</pre>'


def test_what_is_remembered_has_a_limit_of_size():
    kept = Kept(most=10)
    for text in ("one", "two"):
        kept.put(text, SafeString(text[0]))
    kept.put("two", SafeString("t"))  # by another thread, a moment later
    assert kept.get("one") == "o"
    kept.put("six", SafeString("s"))
    assert [kept.get(text) for text in ("one", "two", "six")] == ["o", None, "s"]
    kept.put("longer than all", SafeString("l"))
    assert [kept.get(text) for text in ("one", "six", "longer than all")] == [None, None, None]


def test_a_text_is_read_once():
    text = "Kites *fly*, read once."
    assert to_html(text) is to_html(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["[", "![", "*a ", "_a*", ">", "<", "[a](", "&", "|a", "`", "- ", "\\", "~", "**a"]
)
def test_repetition_does_not_hang(piece):
    text = piece * (LONGEST_MARKDOWN // len(piece))
    started = time.process_time()
    to_html(text)
    assert (
        time.process_time() - started < 10
    )  # seconds; some milliseconds to one second where it was measured


@pytest.mark.parametrize(
    "letter", ["\u202e", "\u2066", "\u200b", "\u00ad", "\x1b", "\x00", "\ufeff", "\u3164"]
)
def test_a_name_that_is_not_all_to_be_seen_is_refused(letter):
    with pytest.raises(DomainError, match=f"The name holds hidden characters .⟦U.{ord(letter):04X}⟧"):
        refuse_hidden("The name", f"a{letter}b")


@pytest.mark.parametrize("name", ["", "arm-1", "Ärm 2", "मॉडल", "می‌خواهم", "模型", "👩‍🔬", "two\nlines"])
def test_a_name_in_any_writing_is_taken(name):
    refuse_hidden("The name", name)
    assert spelt_out(name) == name


def test_what_a_terminal_would_obey_is_spelt_out():
    assert spelt_out("a\x1b[2Jb\u202ec\ud800") == "a⟦U+001B⟧[2Jb⟦U+202E⟧c⟦U+D800⟧"


# Formulas ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["$E=mc^2$", r"\(E=mc^2\)", r"\[E=mc^2\]", "$$E=mc^2$$", "$$\nE\n= mc^2\n$$", "- $$E=mc^2$$"]
)
def test_a_formula_is_mathml(text):
    shown = to_html(text)
    assert "<msup><mi>c</mi><mn>2</mn></msup></mrow></math>" in shown and "$" not in shown and "=<" in shown


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5, or $6 there, and US$7/$8.",
        "export PATH=$HOME/bin:$PATH",
        "$x=$y; $z++;",
        "`$x$`",
        r"\$x$",
        "$ x $",
        "$$x",
        r"\(x",
        "$$$$",
    ],
)
def test_a_dollar_sign_is_not_yet_a_formula(text):
    assert "<math" not in to_html(text)


@pytest.mark.parametrize(
    "latex",
    [
        "x % said in secret",
        r"\color{white}{x}",
        r"\href{https://evil.example}{x}",
        r"\text{&rlm;}",
        "x\u202ey",
        "{",
        "a_b_c",
        r"\left(x",
        "x" * 1_001,
        "{" * 900,
    ],
)
def test_a_formula_that_would_not_show_all_it_says_stays_as_written(latex):
    assert to_mathml(latex) is None and "<math" not in to_html(f"${latex}$")


def test_what_a_formula_hides_is_seen():
    assert visible(to_html(r"$\phantom{secret}$")) == "secret"


def test_a_text_with_the_mark_of_formulas_has_none():
    assert "<math" not in to_html("\U000f00000\U000f0000 $x$")


def test_a_paragraph_may_begin_with_an_escape():
    assert to_html(r"\*a").startswith("<p")


# Size -------------------------------------------------------------------------------------------------


def test_of_a_huge_text_the_beginning_is_shown_and_the_rest_counted_within_a_second():
    text = "<b>\u202e words</b> " * 333_000
    started = time.process_time()
    shown = to_html(text)
    assert time.process_time() - started < 1
    assert shown.endswith(f"<p><mark>⟦+{len(text) - LONGEST_SHOWN:,}⟧</mark></p>")
    assert is_cut(text) and not is_cut(text[:LONGEST_SHOWN])
    assert len(shown) < 10 * LONGEST_SHOWN
