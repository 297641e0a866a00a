"""Addresses and keys of servers: what is refused, and that no key is ever told."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from models_runtime.backends.http_sending import Limits
from models_runtime.backends.openai_http import OpenAIHttpBackend
from models_runtime.errors import ModelNotLoadable, RuntimeFailure
from models_runtime.registry import load_backend
from models_runtime.types import FailedRequest, ModelSpec
from tests.runtime.asking import GREEDY, PROMPTS, answers, ask
from tests.runtime.http_server import Server, running_server, saying

pytestmark = pytest.mark.once
QUICK = Limits(concurrency=2, connect_seconds=0.5, answer_seconds=0.5, attempts=2, first_wait=0.01)
KEY = "example-key-0123456789"


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def spec(server: Server, monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    monkeypatch.setenv("MODEL_KEY_EXAMPLE", KEY)
    return replace(server.spec, api_key_variable="MODEL_KEY_EXAMPLE")


def test_the_key_is_sent_and_never_told(server: Server, spec: ModelSpec) -> None:
    backend = OpenAIHttpBackend.load(spec, QUICK)
    answers(backend, [ask("Why?")], GREEDY)
    assert server.log.keys == [f"Bearer {KEY}"] * 2
    assert KEY not in json.dumps(backend.describe()) + repr(spec)


def test_a_server_that_repeats_the_key_in_its_error_does_not_leak_it(server: Server, spec: ModelSpec) -> None:
    server.otherwise = saying({"error": f"key {KEY} may not do this"}, 400)
    outcome = OpenAIHttpBackend.load(spec, QUICK).generate([ask("Why?")], GREEDY)[0]
    assert isinstance(outcome, FailedRequest)
    assert "[key]" in outcome.reason and KEY not in outcome.reason


def test_a_key_is_known_again_as_json_writes_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", 'ab/cd"ef')
    backend = OpenAIHttpBackend.load(replace(server.spec, api_key_variable="MODEL_KEY"), QUICK)
    server.otherwise = saying(b'{"error": "ab\\/cd\\"ef and ab/cd\\"ef"}', 400)
    outcome = backend.generate([ask("Why?")], GREEDY)[0]
    assert isinstance(outcome, FailedRequest) and '"[key] and [key]"' in outcome.reason


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_found_when_loading(server: Server, spec: ModelSpec, status: int) -> None:
    server.models_status = status
    with pytest.raises(ModelNotLoadable, match=f"refuses the key .status {status}"):
        OpenAIHttpBackend.load(spec, QUICK)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_that_concerns_every_request_stops_the_batch(server: Server, status: int) -> None:
    server.otherwise = saying({"error": "no"}, status)
    backend = OpenAIHttpBackend.load(server.spec, QUICK)
    with pytest.raises(RuntimeFailure, match=f"status {status}"):
        backend.generate([ask(prompt) for prompt in PROMPTS * 10], GREEDY)
    assert len(server.log.payloads) < 10


def test_a_server_that_is_back_answers_the_next_batch(server: Server) -> None:
    backend = OpenAIHttpBackend.load(server.spec, QUICK)
    server.replies = [saying({}, 401)]
    with pytest.raises(RuntimeFailure):
        backend.generate([ask("Why?")], GREEDY)
    server.replies = [saying({}, 500)]
    assert answers(backend, [ask("Why?")], GREEDY)


def test_a_server_that_is_not_there_is_named(server: Server) -> None:
    spec = replace(server.spec, base_url="http://127.0.0.1:9/v1")
    with pytest.raises(ModelNotLoadable, match=r"127\.0\.0\.1:9/v1 cannot be reached.*Start it"):
        OpenAIHttpBackend.load(spec, QUICK)


def test_a_server_that_goes_away_stops_the_batch_at_once() -> None:
    with running_server() as server:
        backend = OpenAIHttpBackend.load(server.spec, replace(QUICK, attempts=3))
    started = time.monotonic()
    with pytest.raises(RuntimeFailure, match="cannot be reached"):
        backend.generate([ask(str(number)) for number in range(500)], GREEDY)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("status", [404, 400])
def test_a_model_that_is_not_served_is_refused_with_those_that_are(server: Server, status: int) -> None:
    server.otherwise = saying({"error": "no such model"}, status)
    with pytest.raises(ModelNotLoadable, match="'other'; it serves example-chat"):
        OpenAIHttpBackend.load(replace(server.spec, model="other"), QUICK)


def test_a_model_that_the_server_serves_without_listing_it_is_loaded(server: Server) -> None:
    backend = OpenAIHttpBackend.load(replace(server.spec, model="unlisted"), QUICK)
    assert backend.describe()["served"] == {}
    assert answers(backend, [ask("Why?")], GREEDY)[0].text


@pytest.mark.parametrize("status", [404, 405, 500])
def test_a_server_that_cannot_list_its_models_is_asked_one_thing(server: Server, status: int) -> None:
    server.models_status = status
    assert OpenAIHttpBackend.load(server.spec, QUICK).describe()["served"] == {}
    assert server.log.payloads[0]["max_tokens"] == 1
    server.otherwise = saying({}, 500)
    with pytest.raises(ModelNotLoadable, match=f"status {status}"):
        OpenAIHttpBackend.load(server.spec, QUICK)


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        ("", "names no server"),
        ("localhost:8000", "names no server"),
        ("ftp://host/v1", "names no server"),
        ("http://host:port/v1", "is none"),
        ("http://me:word@host/v1", "holds a name"),
        ("http://host/v1?key=1", "holds a name"),
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(base_url: str, message: str) -> None:
    with pytest.raises(ModelNotLoadable, match=message):
        OpenAIHttpBackend.load(ModelSpec("openai_http", "m", base_url=base_url))


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "HF_TOKEN", "MODEL_KEYS", "model_key", "A B"])
def test_no_other_variable_can_be_sent_to_a_server(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "of no concern to a server")
    with pytest.raises(ModelNotLoadable, match="MODEL_KEY"):
        load_backend(replace(server.spec, api_key_variable=name))
    assert server.log.keys == []


@pytest.mark.parametrize(
    "setting",
    [
        {"adapter": "a"},
        {"quantization": "4bit"},
        {"chat_template": "x"},
        {"dtype": "float32"},
        {"device": "cpu"},
    ],
)
def test_what_only_the_server_can_set_is_refused(server: Server, setting: dict[str, str]) -> None:
    with pytest.raises(ModelNotLoadable, match=f"openai_http has no use for {next(iter(setting))}"):
        load_backend(replace(server.spec, **setting))


@pytest.mark.parametrize(("value", "message"), [(None, "not set"), ("", "not set"), ("a\nb", "no key")])
def test_a_key_that_cannot_be_used_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, value: str | None, message: str
) -> None:
    monkeypatch.delenv("MODEL_KEY_EXAMPLE", raising=False)
    if value is not None:
        monkeypatch.setenv("MODEL_KEY_EXAMPLE", value)
    spec = ModelSpec("openai_http", "m", base_url="http://host/v1", api_key_variable="MODEL_KEY_EXAMPLE")
    with pytest.raises(ModelNotLoadable, match=f"MODEL_KEY_EXAMPLE.*{message}"):
        OpenAIHttpBackend.load(spec)


@pytest.mark.parametrize("name", ["CONCURRENCY", "SECONDS", "ATTEMPTS"])
@pytest.mark.parametrize("value", ["many", "0", "nan", "inf", "1e9"])
def test_a_limit_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"OPENAI_HTTP_{name}", value)
    with pytest.raises(ModelNotLoadable, match="OPENAI_HTTP_"):
        OpenAIHttpBackend.load(ModelSpec("openai_http", "m", base_url="http://host/v1"))


def test_the_environment_sets_the_concurrency(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_HTTP_CONCURRENCY", "7")
    assert OpenAIHttpBackend.load(server.spec).describe()["concurrency"] == 7


def test_a_server_inside_the_network_is_not_asked_unless_it_is_allowed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_PRIVATE_HOSTS", "gpu.example, 10.0.0.0/8")
    with pytest.raises(ModelNotLoadable, match="not a public address.*MODEL_PRIVATE_HOSTS"):
        OpenAIHttpBackend.load(server.spec, QUICK)
    assert server.log.keys == []
    monkeypatch.setenv("MODEL_PRIVATE_HOSTS", "127.0.0.0/8")
    assert answers(OpenAIHttpBackend.load(server.spec, QUICK), [ask("Why?")], GREEDY)[0].text
