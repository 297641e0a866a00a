"""One loaded model per worker process."""

from models_runtime.base import Backend
from models_runtime.registry import load_backend
from models_runtime.types import ModelSpec


class BackendCache:
    """Keep the model asked for last. The old one is closed *before* the next loads: both may not fit."""

    def __init__(self) -> None:
        self._spec: ModelSpec | None = None
        self._backend: Backend | None = None

    def get(self, spec: ModelSpec) -> Backend:
        """Return the loaded model of spec, loading it if it is not the one held; raises like load_backend."""
        if self._backend is None or self._spec != spec:
            self.close()
            self._backend = load_backend(spec)
            self._spec = spec
        return self._backend

    def close(self) -> None:
        """Close the held model, if any."""
        backend, self._backend, self._spec = self._backend, None, None
        if backend is not None:
            backend.close()
