"""What models write is shown whole, and can do nothing."""

import html
import re
import time

import pytest
from django.utils.safestring import SafeString

from annotation.errors import DomainError
from annotation.text import LONGEST_MARKDOWN, TAGS, Kept, refuse_hidden, spelt_out, to_html

ATTACKS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=data:text/html,x></object>",
    "<embed src=//evil.example>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example>",
    "<form action=//evil.example><input name=q><button>Submit</button></form>",
    "</div></section></form><h1>Free</h1>",
    "</textarea><script>alert(1)</script>",
    "<input type=radio name=safer value=3 checked>",
    "<a href='//evil.example' target=_top>here</a>",
    "<b style='position:fixed;inset:0'>over</b>",
    "<div class='response' id='submit' hx-get='/admin/' hx-trigger='load'>x</div>",
    "<div data-current data-do='skip'>x</div>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!-- <script>alert(1)</script> -->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#10;script:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](//evil.example)",
    "[x](https://evil.example \"onclick='alert(1)'\")",
    "[x](<https://evil.example> '\"><script>alert(1)</script>')",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "<javascript:alert(1)>",
    '<https://evil.example/?q="onmouseover=alert(1)>',
    "![x](https://evil.example/pixel.png)",
    '![x](https://evil.example/pixel.png "title")',
    '![" onerror="alert(1)](x)',
    "[![x](https://evil.example/a.png)](https://evil.example)",
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "``` onmouseover=alert(1)\nx\n```",
    "`<img src=x onerror=alert(1)>`",
    "    <script>alert(1)</script>",
    "# <img src=x onerror=alert(1)>",
    "> <script>alert(1)</script>",
    "- <svg onload=alert(1)>",
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\<script>alert(1)\\</script>",
    "{{ 7 * 7 }} {% load i18n %}",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_becomes_text(attack):
    shown = to_html(attack)
    for tag, attributes in re.findall(r"<(/?\w+)([^>]*)>", shown):
        assert tag.lstrip("/") in TAGS | {"mark"}
        assert re.fullmatch(r'( (dir="auto"|start="\d+"|data-level="[1-6]"))*', attributes), attributes
    assert "<" not in re.sub(r"</?\w+[^<>]*>", "", shown)


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
    "hidden", ["\u202e", "\u2066", "\u200b", "\u00ad", "\x1b", "\x00", "\ufeff", "\u3164"]
)
def test_a_name_that_is_not_all_to_be_seen_is_refused(hidden):
    with pytest.raises(DomainError, match=f"The name holds hidden characters .⟦U.{ord(hidden):04X}⟧"):
        refuse_hidden("The name", f"a{hidden}b")


@pytest.mark.parametrize("name", ["", "arm-1", "Ärm 2", "मॉडल", "می‌خواهم", "模型", "👩‍🔬", "two\nlines"])
def test_a_name_in_any_writing_is_taken(name):
    refuse_hidden("The name", name)
    assert spelt_out(name) == name


def test_what_a_terminal_would_obey_is_spelt_out():
    assert spelt_out("a\x1b[2Jb\u202ec\ud800") == "a⟦U+001B⟧[2Jb⟦U+202E⟧c⟦U+D800⟧"
