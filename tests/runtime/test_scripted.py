"""The backend for tests."""

import json
import time
from pathlib import Path

import pytest

from models_runtime.errors import ModelNotLoadable
from models_runtime.registry import load_backend
from models_runtime.types import FailedRequest, GenerationRequest, Message, ModelSpec, with_system_prompt
from tests.runtime.asking import GREEDY, HOT, answers, ask, texts

pytestmark = pytest.mark.once


def scripted(model: str):
    return load_backend(ModelSpec("scripted", model))


def test_it_reads_answers_from_a_file(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"Why?": "Because."}))
    known, unknown = scripted(str(script)).generate([ask("Why?"), ask("How?")], GREEDY)
    assert known.text == "Because."
    assert unknown == FailedRequest("How?", unknown.reason)
    assert "no answer to this prompt" in unknown.reason


def test_echo_differs_by_system_prompt_without_showing_it() -> None:
    question = [Message(role="user", content="Why?")]
    requests = [
        GenerationRequest("a", with_system_prompt(question, prompt), 0)
        for prompt in ("Arm one.", "Arm two.", "Arm three.")
    ]
    replies = texts(scripted("echo"), requests, GREEDY)
    assert len(set(replies)) > 1
    assert all(reply.endswith(" Why?") and "arm" not in reply.lower() for reply in replies)


def test_the_seed_shows_in_a_sampled_answer() -> None:
    assert texts(scripted("echo"), [ask("Why?", seed=42)], HOT)[0].endswith("Why? (wording 42)")


def test_slow_sleeps_on_every_request() -> None:
    backend = scripted("slow:0.05")
    started = time.perf_counter()
    backend.generate([ask("a"), ask("b")], GREEDY)
    assert time.perf_counter() - started >= 0.1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("fail:the disk is gone", "the disk is gone"),
        ("slow:soon", "number of seconds"),
        ("/no/such/script.json", "/no/such/script.json"),
    ],
)
def test_it_says_why_it_does_not_load(model: str, message: str) -> None:
    with pytest.raises(ModelNotLoadable, match=message):
        scripted(model)


@pytest.mark.parametrize("content", ["[1]", '{"a": 1}', "{", "\x80"])
def test_it_refuses_a_script_that_is_none(tmp_path: Path, content: str) -> None:
    script = tmp_path / "script.json"
    script.write_bytes(content.encode("latin-1"))
    with pytest.raises(ModelNotLoadable, match=r"script\.json"):
        scripted(str(script))


def test_what_a_script_thinks_is_no_part_of_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"Why?": "<think>Hm.</think>Because."}))
    completion = answers(load_backend(ModelSpec("scripted", str(path))), [ask("Why?")], GREEDY)[0]
    assert (completion.text, completion.reasoning) == ("Because.", "Hm.")
