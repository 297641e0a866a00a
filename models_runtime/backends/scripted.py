"""Answers from a script: no model, no chance. For tests and for trying the app without a model.

`model` is one of
- the path of a JSON file {prompt text: answer};
- "echo": repeats the prompt behind an opening that depends on the system prompt, so that two arms differ;
- "slow:SECONDS": like echo, and sleeps that long on every request;
- "fail:REASON": does not load.
A temperature above 0 adds an ending that depends on the seed alone. What stands in `<think>` is reasoning.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models_runtime.backends.reasoning import cut_at_stop, split_reasoning
from models_runtime.base import Backend
from models_runtime.errors import ModelNotLoadable, RuntimeFailure
from models_runtime.types import (
    Completion,
    FailedRequest,
    GenerationRequest,
    Message,
    ModelSpec,
    Outcome,
    Sampling,
)

OPENINGS = (
    "Here is your request again:",
    "This is what was asked:",
    "The question was:",
    "You wrote:",
    "Repeating your words:",
    "In your own words:",
    "Your message reads:",
)


class ScriptedBackend(Backend):
    """See the module. Tokens are words between white space; `max_new_tokens` cuts after that many words."""

    takes = frozenset({"revision", "dtype", "device"})  # written down, as every arm has them

    def __init__(
        self, spec: ModelSpec, answers: Mapping[str, str] | None, seconds_per_request: float = 0.0
    ) -> None:
        """answers: the script, or None to echo."""
        self._spec = spec
        self._answers = answers
        self._seconds_per_request = seconds_per_request
        self._is_closed = False

    @classmethod
    def load(cls, spec: ModelSpec) -> "ScriptedBackend":
        """Read the script that spec.model names; raise ModelNotLoadable."""
        cls.check(spec)
        kind, _, argument = spec.model.partition(":")
        if kind == "fail":
            raise ModelNotLoadable(
                f"The scripted model was told not to load: {argument or 'no reason given'}."
            )
        if kind == "slow":
            return cls(spec, None, _seconds(argument))
        if spec.model == "echo":
            return cls(spec, None)
        return cls(spec, _read_script(Path(spec.model)))

    def generate(self, requests: Sequence[GenerationRequest], sampling: Sampling) -> list[Outcome]:
        if self._is_closed:
            raise RuntimeFailure("This model was closed; load it again before generating.")
        return [self._answer(request, sampling) for request in requests]

    def describe(self) -> dict[str, Any]:
        script = json.dumps(self._answers, sort_keys=True) if self._answers is not None else ""
        return {
            "backend": "scripted",
            "model": self._spec.model,
            "revision": self._spec.revision,
            "script_sha256": _digest(script) if script else "",
            "dtype": "none",
            "device": "cpu",
            "device_reason": "A script needs no accelerator.",
            "versions": {},
            "chat_template_sha256": "",
        }

    def close(self) -> None:
        self._is_closed = True

    def _answer(self, request: GenerationRequest, sampling: Sampling) -> Outcome:
        started = time.perf_counter()
        time.sleep(self._seconds_per_request)
        text = self._text(request.messages)
        if text is None:
            return FailedRequest(
                request.key, "The script holds no answer to this prompt; add one to its file."
            )
        if sampling.temperature > 0:
            text = f"{text} (wording {request.seed})"
        text, is_cut = _cut(cut_at_stop(text, sampling.stop)[0], sampling.max_new_tokens)
        answer, reasoning = split_reasoning(text)
        return Completion(
            key=request.key,
            text=answer,
            finish_reason="length" if is_cut else "stop",
            prompt_tokens=sum(len(message["content"].split()) for message in request.messages),
            output_tokens=len(text.split()),
            seconds=time.perf_counter() - started,
            seed=request.seed,
            reasoning=reasoning,
        )

    def _text(self, messages: Sequence[Message]) -> str | None:
        prompt = _last(messages, "user")
        if self._answers is not None:
            return self._answers.get(prompt)
        choice = int(_digest(_last(messages, "system"))[:8], 16) % len(OPENINGS)
        return f"{OPENINGS[choice]} {prompt}"


def _last(messages: Sequence[Message], role: str) -> str:
    return next((message["content"] for message in reversed(messages) if message["role"] == role), "")


def _cut(text: str, limit: int) -> tuple[str, bool]:
    """Return text and False, or its first `limit` words (white space simplified) and True."""
    words = text.split()
    return (" ".join(words[:limit]), True) if len(words) > limit else (text, False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _seconds(argument: str) -> float:
    try:
        seconds = float(argument)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ModelNotLoadable(f"slow:{argument} needs a number of seconds from 0 to 3600, such as slow:0.5.")
    return seconds


def _read_script(path: Path) -> dict[str, str]:
    try:
        answers = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelNotLoadable(
            f"The script {path} could not be read ({error}). "
            "Name a JSON file of prompts and answers or 'echo'."
        ) from error
    if not isinstance(answers, dict) or not all(isinstance(answer, str) for answer in answers.values()):
        raise ModelNotLoadable(f"The script {path} must be one JSON object of prompt texts and answer texts.")
    return answers
