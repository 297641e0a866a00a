"""What a server's JSON says: a completion, or why it is none. An error body is never an answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models_runtime.backends.http_sending import Passing, RequestRefused
from models_runtime.backends.reasoning import read_output
from models_runtime.types import FinishReason

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "eos_token": "stop",  # these two: text-generation-inference
    "stop_sequence": "stop",
}
TOLD = ("root", "parent", "max_model_len", "owned_by")  # of a model, beyond its name
LONGEST_NAME = 200  # characters
MOST_TOKENS = 2**31 - 1  # what a database can count; a server that tells of more is wrong


@dataclass(frozen=True)
class Answer:
    """A usable completion. source: what the server says of itself, "model" and "system_fingerprint"."""

    text: str
    reasoning: str
    finish_reason: FinishReason
    prompt_tokens: int
    output_tokens: int
    source: dict[str, str]


def answer_of(body: Any, stops: Sequence[str]) -> Answer:
    """Read a chat completion; raise Passing where it is none, RequestRefused where it holds no answer."""
    choice = _choice(body)
    content, thoughts = _texts(choice)
    said = choice.get("finish_reason")
    if not isinstance(said, str) or said not in FINISH_REASONS:
        raise RequestRefused(f"The server ended without an answer; its reason was {_named(said)}.")
    text, inner_thoughts, is_stopped = read_output(content, stops)
    usage = body.get("usage")
    return Answer(
        text=text,
        reasoning="\n".join(part for part in (thoughts, inner_thoughts) if part),
        finish_reason="stop" if is_stopped else FINISH_REASONS[said],
        prompt_tokens=_count(usage, "prompt_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
        source={name: _plain(body.get(name)) for name in ("model", "system_fingerprint")},
    )


def served_model(body: Any, name: str) -> dict[str, Any]:
    """Return what a list of models tells of one; raise RequestRefused where the model is not in it."""
    entries = body.get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise Passing("answered with JSON that is no list of models")
    served = {str(entry.get("id")): entry for entry in entries if isinstance(entry, dict)}
    if name not in served:
        known = ", ".join(sorted(served)[:10]) or "none"
        raise RequestRefused(f"The server does not serve a model named {name!r}; it serves {known}.")
    told = {key: served[name].get(key) for key in TOLD}
    return {key: value if isinstance(value, int) else _plain(value) for key, value in told.items() if value}


def _choice(body: Any) -> dict[str, Any]:
    choices = body.get("choices") if isinstance(body, dict) else None
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        raise Passing("answered with JSON that is no chat completion")
    choice: dict[str, Any] = choices[0]
    return choice


def _texts(choice: dict[str, Any]) -> tuple[str, str]:
    """Return the message's content and the reasoning that the server has split off already."""
    message = choice.get("message")
    if not isinstance(message, dict):
        raise Passing("answered with JSON that is no chat completion")
    content = message.get("content") or ""
    thoughts = message.get("reasoning_content") or message.get("reasoning") or ""
    if not (isinstance(content, str) and isinstance(thoughts, str)):
        raise Passing("answered with JSON that is no chat completion")
    return content, thoughts.strip()


def _plain(name: Any) -> str:
    """Return what a server calls something, without what no record can hold; "" where it is no text."""
    return "".join(filter(str.isprintable, name[:LONGEST_NAME])) if isinstance(name, str) else ""


def _named(reason: Any) -> str:
    return _plain(reason)[:60] or "not given"


def _count(usage: Any, name: str) -> int:
    """Return a token count of the server's, 0 where it tells none that can be one."""
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if type(count) is int and 0 <= count <= MOST_TOKENS else 0
