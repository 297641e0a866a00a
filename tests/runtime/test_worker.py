"""One loaded model per process."""

import pytest

from models_runtime.errors import ModelNotLoadable, RuntimeFailure, UnknownBackend
from models_runtime.types import ModelSpec
from models_runtime.worker import BackendCache
from tests.runtime.asking import GREEDY, ask, texts

pytestmark = pytest.mark.once
ECHO = ModelSpec("scripted", "echo")
SLOW = ModelSpec("scripted", "slow:0")


def test_the_same_spec_is_loaded_once() -> None:
    cache = BackendCache()
    assert cache.get(ECHO) is cache.get(ModelSpec("scripted", "echo"))


def test_another_spec_closes_the_old_model() -> None:
    cache = BackendCache()
    old = cache.get(ECHO)
    new = cache.get(SLOW)
    assert new is not old
    with pytest.raises(RuntimeFailure, match="closed"):
        old.generate([ask("Why?")], GREEDY)
    assert texts(new, [ask("Why?")], GREEDY)


def test_a_failed_load_leaves_a_cache_that_loads_again() -> None:
    cache = BackendCache()
    cache.get(ECHO)
    with pytest.raises(ModelNotLoadable):
        cache.get(ModelSpec("scripted", "fail:no luck"))
    assert texts(cache.get(ECHO), [ask("Why?")], GREEDY)


def test_an_unknown_backend_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownBackend, match=r"'magic'.*scripted, transformers_local"):
        BackendCache().get(ModelSpec("magic", "x"))
