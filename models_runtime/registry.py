"""Names of backends, and the one way to load one. To add a backend, write its module and name it here."""

from collections.abc import Callable

from models_runtime.backends.scripted import ScriptedBackend
from models_runtime.backends.transformers_local import TransformersLocalBackend
from models_runtime.base import Backend
from models_runtime.errors import UnknownBackend
from models_runtime.types import ModelSpec

BACKENDS: dict[str, Callable[[ModelSpec], Backend]] = {
    "scripted": ScriptedBackend.load,
    "transformers_local": TransformersLocalBackend.load,
}


def load_backend(spec: ModelSpec) -> Backend:
    """Load the model that spec names; raise UnknownBackend or ModelNotLoadable."""
    if spec.backend not in BACKENDS:
        raise UnknownBackend(f"There is no backend named {spec.backend!r}; known are {', '.join(BACKENDS)}.")
    return BACKENDS[spec.backend](spec)
