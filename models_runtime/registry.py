"""Names of backends, and the one way to load one. To add a backend, write its module and name it here."""

from models_runtime.backends.openai_http import OpenAIHttpBackend
from models_runtime.backends.scripted import ScriptedBackend
from models_runtime.backends.transformers_local import TransformersLocalBackend
from models_runtime.base import Backend
from models_runtime.errors import UnknownBackend
from models_runtime.types import ModelSpec

BACKENDS: dict[str, type[Backend]] = {
    "scripted": ScriptedBackend,
    "transformers_local": TransformersLocalBackend,
    "openai_http": OpenAIHttpBackend,
}


def _kind(spec: ModelSpec) -> type[Backend]:
    if spec.backend not in BACKENDS:
        raise UnknownBackend(f"There is no backend named {spec.backend!r}; known are {', '.join(BACKENDS)}.")
    return BACKENDS[spec.backend]


def check_spec(spec: ModelSpec) -> None:
    """Raise UnknownBackend or ModelNotLoadable for a spec that can be loaded nowhere."""
    _kind(spec).check(spec)


def load_backend(spec: ModelSpec) -> Backend:
    """Load the model that spec names; raise UnknownBackend or ModelNotLoadable."""
    return _kind(spec).load(spec)
