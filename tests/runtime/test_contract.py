"""What every backend promises, asked of all of them."""

import json
from collections.abc import Iterator

import pytest

from models_runtime.base import Backend
from models_runtime.demo import ARMS, conversation
from models_runtime.errors import RuntimeFailure
from models_runtime.registry import BACKENDS, load_backend
from models_runtime.types import GenerationRequest, ModelSpec, Sampling
from tests.runtime.asking import GREEDY, HOT, PROMPTS, answers, ask, texts
from tests.runtime.conftest import DEMO
from tests.runtime.http_server import running_server

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def specs() -> Iterator[dict[str, ModelSpec]]:
    """One model of every backend; that of openai_http is served on this machine meanwhile."""
    with running_server() as server:
        yield {
            "scripted": ModelSpec("scripted", "echo"),
            "transformers_local": DEMO,
            "openai_http": server.spec,
        }


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, specs: dict[str, ModelSpec]) -> Backend:
    if request.param == "transformers_local":
        return request.getfixturevalue("demo_model")
    return load_backend(specs[request.param])


def test_it_answers_in_the_order_of_the_requests(backend: Backend) -> None:
    requests = [ask(prompt, seed, f"key {seed}") for seed, prompt in enumerate(PROMPTS)]
    completions = answers(backend, requests, GREEDY)
    assert [(c.key, c.seed) for c in completions] == [(r.key, r.seed) for r in requests]
    assert [c.text for c in completions] == [texts(backend, [request], GREEDY)[0] for request in requests]


def test_it_answers_nothing_when_nothing_is_asked(backend: Backend) -> None:
    assert backend.generate([], GREEDY) == []


def test_greedy_text_does_not_depend_on_the_seed(backend: Backend) -> None:
    assert len(set(texts(backend, [ask(PROMPTS[0], seed) for seed in range(4)], GREEDY))) == 1


def test_the_same_seed_gives_the_same_text(backend: Backend) -> None:
    requests = [ask(prompt, seed=11) for prompt in PROMPTS]
    assert texts(backend, requests, HOT) == texts(backend, requests, HOT)


def test_different_seeds_give_different_texts_at_high_temperature(backend: Backend) -> None:
    requests = [ask(PROMPTS[0], seed) for seed in range(6)]
    assert len(set(texts(backend, requests, Sampling(temperature=3.0, max_new_tokens=40)))) == 6


def test_it_says_when_the_length_cut_an_answer(backend: Backend) -> None:
    known = GenerationRequest("known", conversation(PROMPTS[1], ARMS[0]), 0)
    short, full = (answers(backend, [known], Sampling(max_new_tokens=limit))[0] for limit in (3, 160))
    assert (short.finish_reason, short.output_tokens) == ("length", 3)
    assert full.finish_reason == "stop"
    assert full.output_tokens > 3


def test_it_measures_time_and_counts_tokens(backend: Backend) -> None:
    completion = answers(backend, [ask(PROMPTS[0])], GREEDY)[0]
    assert completion.seconds > 0
    assert completion.prompt_tokens > 0
    assert 0 < completion.output_tokens <= GREEDY.max_new_tokens


def test_it_describes_itself_in_json(backend: Backend) -> None:
    description = json.loads(json.dumps(backend.describe()))
    wanted = {
        "backend",
        "model",
        "revision",
        "dtype",
        "device",
        "device_reason",
        "versions",
        "chat_template_sha256",
    }
    assert wanted <= set(description)
    assert description["backend"] in BACKENDS


@pytest.mark.parametrize("name", BACKENDS)
def test_a_closed_model_refuses_to_answer(specs: dict[str, ModelSpec], name: str) -> None:
    backend = load_backend(specs[name])
    backend.close()
    backend.close()
    with pytest.raises(RuntimeFailure, match="closed"):
        backend.generate([ask(PROMPTS[0])], GREEDY)


def test_the_same_batch_has_the_same_texts_when_loaded_again(
    backend: Backend, specs: dict[str, ModelSpec]
) -> None:
    requests = [ask(prompt, seed) for seed, prompt in enumerate(PROMPTS)]
    again = load_backend(specs[str(backend.describe()["backend"])])
    assert texts(again, requests, HOT) == texts(backend, requests, HOT)
    again.close()


def test_a_stop_text_cuts_the_answer_before_it(backend: Backend) -> None:
    known = GenerationRequest("known", conversation(PROMPTS[1], ARMS[0]), 0)
    whole = answers(backend, [known], Sampling(max_new_tokens=160))[0]
    stop = whole.text[20:24]
    cut = answers(backend, [known], Sampling(max_new_tokens=160, stop=(stop,)))[0]
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason == "stop"
