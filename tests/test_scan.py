"""The scanner marks what somebody should see before a rater does, says where, and is never kept busy."""

import time

import pytest

from annotation import scan, text
from annotation.vocabulary import FinishReason, MarkKind
from benchmarks.scanner import labelled, measure

pytestmark = pytest.mark.once

PROMPT = "How does a kite stay up in the wind?"
LONG = 5_000_000


def kinds(answer: str, prompt: str = PROMPT, finish_reason: str = FinishReason.STOP) -> list[str]:
    return [finding.kind.value for finding in scan.scan_response(answer, prompt, finish_reason)]


@pytest.mark.parametrize("kind", MarkKind.values)
def test_nine_of_ten_labelled_texts_are_told_rightly(kind):
    rows = labelled()
    assert len(rows) >= 80 and sum(not row["kinds"] for row in rows) >= len(rows) / 2
    found = measure(rows)[kind]
    assert found["texts"] >= 3
    assert found["precision"] >= 0.9 and found["recall"] >= 0.9


def test_a_span_is_where_the_name_stands():
    answer = "Well, I am \N{ZERO WIDTH SPACE}Q\N{ZERO WIDTH SPACE}wen2.5-7B."
    ((start, end, quote),) = scan.identity(answer).detail["spans"]
    assert quote == answer[start:end] == "Q\N{ZERO WIDTH SPACE}wen2.5-7B"


def test_an_accent_or_another_alphabet_does_not_hide_a_name():
    for name in ("Qwén", "Qwеn", "ＱＷＥＮ", "𝐐𝐰𝐞𝐧", "Αnthropic", "0penAI", "CIaude"):
        assert kinds(f"I am {name}.") == ["identity"]


def test_every_mention_of_the_own_name_is_masked_and_no_other():
    answer = "I am Qwen-Max by Alibaba Cloud. Unlike ChatGPT, Qwen likes kites. QWEN!"
    assert scan.mask_names(answer) == "I am ▇▇▇ by ▇▇▇. Unlike ChatGPT, ▇▇▇ likes kites. ▇▇▇!"
    assert scan.mask_names("The Qwen river is long.") == "The Qwen river is long."


@pytest.mark.parametrize(
    "answer",
    [
        "I am **Qwen**, hello.",
        "I am `Qwen`.",
        "- I am *Qwen*\n- made by Alibaba",
        "| I am Qwen |\n|---|\n| Qwen |",
        "> I am Qwen",
    ],
)
def test_a_mask_leaves_the_markdown_as_it_was(answer):
    shown = text.to_html(scan.mask_names(answer))
    assert "Qwen" not in shown and "▇▇▇" in shown
    assert shown == text.to_html(answer).replace("Qwen", "▇▇▇").replace("Alibaba", "▇▇▇")


def test_an_import_is_judged_by_its_end_and_a_generated_answer_by_what_the_model_said():
    cut = "A kite flies because the wind pushes against its sail and the"
    assert kinds(cut, finish_reason=FinishReason.IMPORTED) == ["truncated"]
    assert kinds(cut, finish_reason=FinishReason.STOP) == []
    assert kinds("A whole sentence.", finish_reason=FinishReason.LENGTH) == ["truncated"]


def test_likeness_is_the_jaccard_index_of_the_words():
    words = [f"word{number}" for number in range(20)]
    other = [*words[:-1], "another"]
    shared, all_of_them = len(set(words) & set(other)), len(set(words) | set(other))
    assert scan.similarity(" ".join(words), " ".join(other)) == shared / all_of_them
    assert scan.similarity("a b", "a b") == 1.0


HOSTILE = {
    "names": "qwen " * (LONG // 5),
    "openers": "i am a model of " * (LONG // 16) + "openai",
    "roles": "as a" + " large" * (LONG // 6) + " openai",
    "zero width": "q" + "\u200b" * LONG,
    "zero width between": "q\u200b" * (LONG // 2),
    "token starts": "<|" * (LONG // 2),
    "backticks": "`" * LONG,
    "fences": "```\n" * (LONG // 4),
    "struck": "<s>" * (LONG // 3),
    "spaces": "i" + " " * LONG,
    "lines": "\n" * LONG,
    "one word": "a" * LONG,
    "words": "the quick brown fox " * (LONG // 20),
    "chinese": "我是" * (LONG // 2),
    "look-alikes": "аеорс" * (LONG // 5),
    "commas": "i am," * (LONG // 5),
}


@pytest.mark.slow
@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_text_of_five_megabytes_takes_long(answer):
    started = time.process_time()
    scan.scan_response(answer, answer, FinishReason.IMPORTED)
    scan.scan_pair(answer, answer[:-1] + "x")
    scan.mask_names(answer)
    assert time.process_time() - started < 6


@pytest.mark.slow
def test_time_grows_no_faster_than_the_text():
    """Four times the text takes far less than the sixteen times of a pattern that looks back and forth."""
    seconds = []
    for size in (250_000, 1_000_000):
        hostile = [answer[:size] for answer in HOSTILE.values()]
        started = time.process_time()
        for answer in hostile:
            scan.scan_response(answer, PROMPT, FinishReason.IMPORTED)
        seconds.append(time.process_time() - started)
    assert seconds[1] < 10 * seconds[0]
