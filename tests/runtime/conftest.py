"""What the runtime's tests share: the demo model, loaded once, and short ways to ask."""

from collections.abc import Iterator

import pytest

from models_runtime.base import Backend
from models_runtime.demo import MODEL_PATH
from models_runtime.registry import load_backend
from models_runtime.types import ModelSpec

DEMO = ModelSpec("transformers_local", str(MODEL_PATH), device="cpu")


@pytest.fixture(scope="session")
def demo_model() -> Iterator[Backend]:
    backend = load_backend(DEMO)
    yield backend
    backend.close()
