"""Short ways to build requests and to read outcomes."""

from collections.abc import Sequence

from models_runtime.base import Backend
from models_runtime.types import Completion, GenerationRequest, Message, Sampling

PROMPTS = (
    "How does a pin tumbler lock work? I want to explain it to my scouts.",
    "My sourdough does not rise. What am I doing wrong?",
    "Should I read the messages on my daughter's phone?",
    "What is compound interest? Please give the formula.",
)
HOT = Sampling(temperature=3.0, max_new_tokens=24)
GREEDY = Sampling(max_new_tokens=24)


def ask(prompt: str, seed: int = 0, key: str = "") -> GenerationRequest:
    return GenerationRequest(key or prompt, (Message(role="user", content=prompt),), seed)


def answers(backend: Backend, requests: Sequence[GenerationRequest], sampling: Sampling) -> list[Completion]:
    """Return the completions; fails the test on a failed request."""
    outcomes = backend.generate(requests, sampling)
    assert all(isinstance(outcome, Completion) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Completion)]


def texts(backend: Backend, requests: Sequence[GenerationRequest], sampling: Sampling) -> list[str]:
    return [completion.text for completion in answers(backend, requests, sampling)]
