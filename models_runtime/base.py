"""The contract of a backend."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar, Self

from models_runtime.errors import ModelNotLoadable
from models_runtime.templates import check_template
from models_runtime.types import GenerationRequest, ModelSpec, Outcome, Sampling


class Backend(ABC):
    """One loaded model. Not for use by several threads at once."""

    takes: ClassVar[frozenset[str]]
    """The settings of a ModelSpec, beyond the model's name, that this kind of backend obeys."""

    @classmethod
    @abstractmethod
    def load(cls, spec: ModelSpec) -> Self:
        """Check the spec and load the model that it names; raise ModelNotLoadable."""

    @classmethod
    def check(cls, spec: ModelSpec) -> None:
        """Raise ModelNotLoadable for settings that can work nowhere. Loads nothing and asks nobody.

        A setting that would be ignored is refused: it would stand on record without having had any effect.
        """
        optional = [field for field in fields(ModelSpec) if field.name not in ("backend", "model")]
        given = [field.name for field in optional if getattr(spec, field.name) != field.default]
        ignored = [name for name in given if name not in cls.takes]
        if ignored:
            raise ModelNotLoadable(
                f"The backend {spec.backend} has no use for {', '.join(ignored)}; leave it at its default."
            )
        if spec.chat_template:
            check_template(spec.chat_template)

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
