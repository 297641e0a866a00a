"""The values that cross the border of the runtime: all frozen, all plain."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypedDict

from models_runtime.errors import InvalidSampling

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length"]
LEAST_TEMPERATURE = 1e-6  # scores divided by much less are infinite in 32 bits, and what is drawn is rubbish


class Message(TypedDict):
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. temperature 0 is greedy; top_k 0 and top_p 1 switch those filters off.

    The first of the `stop` texts that the model writes, wherever it does, ends the answer and is cut off it.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int = 256
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        warmth = _number(self.temperature)
        is_in_range = warmth == 0.0 or LEAST_TEMPERATURE <= warmth <= 10.0
        _require_number("temperature", self.temperature, is_in_range, f"0, or {LEAST_TEMPERATURE:f} to 10")
        _require_number("top_p", self.top_p, 0.0 < _number(self.top_p) <= 1.0, "above 0 and at most 1")
        _require_whole("top_k", self.top_k, 0)
        _require_whole("max_new_tokens", self.max_new_tokens, 1)
        penalty = self.repetition_penalty
        _require_number(
            "repetition_penalty", penalty, 0.0 < _number(penalty) <= 10.0, "above 0 and at most 10"
        )
        for name in ("temperature", "top_p", "repetition_penalty"):  # 0 and 0.0 are one setting, also as text
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "stop", _texts("stop", self.stop))  # a list, as JSON has it, becomes a tuple

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-able names and values; `stop` as a list."""
        return {**asdict(self), "stop": list(self.stop)}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Sampling":
        """Build from names and values; raise InvalidSampling on an unknown name or a bad value."""
        if not isinstance(settings, Mapping):
            raise InvalidSampling(
                f"Sampling settings must be an object of names and numbers, not {settings!r}."
            )
        known = [field.name for field in fields(cls)]
        unknown = sorted(str(name) for name in settings if name not in known)
        if unknown:
            raise InvalidSampling(
                f"Unknown sampling setting {', '.join(unknown)}; known are {', '.join(known)}."
            )
        return cls(**settings)


def _number(value: Any) -> float:
    """Return value as a float, or NaN (which fails every comparison) where it is not a number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if is_number else float("nan")
    except OverflowError:  # a whole number of hundreds of digits
        return float("nan")


def _require_number(name: str, value: Any, is_in_range: bool, wanted: str) -> None:
    if not is_in_range:
        raise InvalidSampling(f"{name} must be a number {wanted}, not {value!r}.")


def _require_whole(name: str, value: Any, minimum: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise InvalidSampling(f"{name} must be a whole number of at least {minimum}, not {value!r}.")


def _texts(name: str, value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, list | tuple) and all(isinstance(text, str) and text for text in value)
    if not is_list:
        raise InvalidSampling(f"{name} must be a list of texts, none of them empty, not {value!r}.")
    return tuple(value)


@dataclass(frozen=True)
class ModelSpec:
    """Which model to load and how. Hashable: two equal specs are one loaded model.

    device: "auto", "cpu", "cuda", "cuda:NUMBER" or "balanced" (layers spread over all GPUs).
    adapter: folder or hub name of a LoRA adapter. quantization: "", "8bit" or "4bit".
    chat_template: text that replaces the model's own template.
    base_url: of a server (openai_http). api_key_variable: the *name* of the environment variable that holds
    its key; the key itself is never part of a spec, so it is never stored.
    """

    backend: str
    model: str
    revision: str = ""
    dtype: str = "auto"
    device: str = "auto"
    adapter: str = ""
    quantization: str = ""
    chat_template: str = ""
    base_url: str = ""
    api_key_variable: str = ""


@dataclass(frozen=True)
class GenerationRequest:
    """One conversation to continue. `key` is the caller's name for it and comes back unchanged."""

    key: str
    messages: tuple[Message, ...]
    seed: int


@dataclass(frozen=True)
class Completion:
    """What the model answered. Token counts are exact, without padding, and include the end token.

    A server counts its own tokens; both counts are 0 where it tells none. `reasoning` is what the model wrote
    to itself before it answered; it is counted in the output tokens, is no part of `text`, never to be shown.
    `seconds` is this request's share of the wall time of the batch it ran in (batch time / batch rows).
    """

    key: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    output_tokens: int
    seconds: float
    seed: int
    reasoning: str = ""


@dataclass(frozen=True)
class FailedRequest:
    """A request that cannot be generated, however often it is tried; `reason` is a sentence."""

    key: str
    reason: str


Outcome = Completion | FailedRequest


def with_system_prompt(messages: Sequence[Message], system_prompt: str) -> tuple[Message, ...]:
    """Return messages opened by system_prompt; an existing opening system message is kept behind it.

    Both go into one message because many chat templates allow only one. Empty: messages as they are.
    """
    if not system_prompt:
        return tuple(messages)
    rest = tuple(messages)
    if rest and rest[0]["role"] == "system":
        system_prompt = f"{system_prompt}\n\n{rest[0]['content']}"
        rest = rest[1:]
    return (Message(role="system", content=system_prompt), *rest)
