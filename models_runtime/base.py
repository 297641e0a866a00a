"""The contract of a backend."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from models_runtime.types import GenerationRequest, Outcome, Sampling


class Backend(ABC):
    """One loaded model. Not for use by several threads at once."""

    @abstractmethod
    def generate(self, requests: Sequence[GenerationRequest], sampling: Sampling) -> list[Outcome]:
        """Continue every conversation under one sampling; one outcome per request, in the order of requests.

        A request that can never be generated gives a FailedRequest and does not stop the others.
        """

    def render(self, request: GenerationRequest) -> str:
        """Return the exact text that the model is given for a request; here the conversation as JSON.

        A backend that puts conversations into a model's own format overrides this. Raises RuntimeFailure
        where the format refuses the conversation.
        """
        return json.dumps(list(request.messages), ensure_ascii=False, indent=1)

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return where completions come from, JSON-able: backend, model, revision, device and why."""

    @abstractmethod
    def close(self) -> None:
        """Free the model; harmless when called again. `generate` after `close` raises RuntimeFailure."""
