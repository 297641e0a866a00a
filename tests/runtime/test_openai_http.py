"""The backend for servers, against a real one here that answers well, badly, late or not at all."""

import json
import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from models_runtime.backends.http_sending import Limits
from models_runtime.backends.openai_http import OpenAIHttpBackend
from models_runtime.errors import RuntimeFailure
from models_runtime.types import FailedRequest, Sampling
from tests.runtime.asking import GREEDY, PROMPTS, answers, ask, texts
from tests.runtime.http_server import (
    Reply,
    Server,
    answer_well,
    completion,
    running_server,
    saying,
    silence,
    stall,
    truncate,
)

pytestmark = pytest.mark.once
QUICK = Limits(concurrency=4, connect_seconds=0.5, answer_seconds=0.3, attempts=3, first_wait=0.01)
ECHO = "Why?"


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def backend(server: Server) -> Iterator[OpenAIHttpBackend]:
    backend = OpenAIHttpBackend.load(server.spec, QUICK)
    yield backend
    backend.close()


PASSING = {
    "busy": saying({"error": "slow down"}, 429),
    "broken": saying({"error": "internal"}, 500),
    "gateway": saying(b"<html>Bad gateway</html>", 502),
    "no json": saying(b"\x00 no json"),
    "error as answer": saying({"error": {"message": "out of memory"}}),
    "no choices": saying(completion("x") | {"choices": []}),
    "text of a wrong kind": saying(completion("x") | {"choices": [{"message": {"content": 7}}]}),
    "truncated": truncate,
    "silent": silence,
    "stalling": stall,
}


@pytest.mark.slow
@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
def test_what_may_pass_is_tried_again(server: Server, backend: OpenAIHttpBackend, trouble: Reply) -> None:
    server.replies = [trouble, trouble]
    assert texts(backend, [ask(ECHO)], GREEDY)[0].endswith(ECHO)
    assert len(server.log.payloads) == 3


@pytest.mark.slow
@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
def test_what_does_not_pass_is_a_failure_and_never_an_answer(
    server: Server, backend: OpenAIHttpBackend, trouble: Reply
) -> None:
    server.otherwise = trouble
    outcome = backend.generate([ask(ECHO)], GREEDY)[0]
    assert isinstance(outcome, FailedRequest)
    assert "In 3 attempts" in outcome.reason
    assert len(server.log.payloads) == 3


def test_one_failing_request_leaves_the_others_their_answers(
    server: Server, backend: OpenAIHttpBackend
) -> None:
    def fail_one(handler, payload) -> None:
        is_poison = "poison" in payload["messages"][0]["content"]
        (saying({}, 500) if is_poison else answer_well)(handler, payload)

    server.otherwise = fail_one
    outcomes = backend.generate([ask(PROMPTS[0]), ask("poison"), ask(PROMPTS[1])], GREEDY)
    assert [isinstance(outcome, FailedRequest) for outcome in outcomes] == [False, True, False]


def test_a_server_that_fails_every_request_of_a_batch_stops_it(
    server: Server, backend: OpenAIHttpBackend
) -> None:
    server.otherwise = saying({}, 503)
    with pytest.raises(RuntimeFailure, match="None of 4 requests was answered.*status 503"):
        backend.generate([ask(prompt) for prompt in PROMPTS], GREEDY)


def test_a_refused_request_is_not_repeated_and_says_why(server: Server, backend: OpenAIHttpBackend) -> None:
    server.otherwise = saying({"error": {"message": "maximum context length is 4096 tokens"}}, 400)
    outcome = backend.generate([ask(ECHO)], GREEDY)[0]
    assert isinstance(outcome, FailedRequest) and "maximum context length" in outcome.reason
    assert len(server.log.payloads) == 1


@pytest.mark.slow
@pytest.mark.parametrize("header", ["1", "date"])
def test_retry_after_is_honoured(server: Server, backend: OpenAIHttpBackend, header: str) -> None:
    value = formatdate(time.time() + 2, usegmt=True) if header == "date" else header
    server.replies = [saying({}, 429, {"Retry-After": value})]
    answers(backend, [ask(ECHO)], GREEDY)
    first, second = server.log.arrivals
    assert 0.9 <= second - first < 3


def test_waits_grow_and_are_not_equal(server: Server) -> None:
    limits = Limits(attempts=5, first_wait=0.05, answer_seconds=2)
    server.otherwise = saying({}, 500)
    OpenAIHttpBackend.load(server.spec, limits).generate([ask(ECHO)], GREEDY)
    times = server.log.arrivals
    waits = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    for number, wait in enumerate(waits):
        assert 0.5 * 0.05 * 2**number <= wait < 0.05 * 2**number + 0.2
    assert waits[-1] > 2 * waits[0]


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_requests_run_at_once_than_allowed(server: Server, limit: int) -> None:
    def slowly(handler, payload) -> None:
        time.sleep(0.05)
        answer_well(handler, payload)

    server.otherwise = slowly
    backend = OpenAIHttpBackend.load(server.spec, Limits(concurrency=limit))
    requests = [ask(f"question {number}") for number in range(9)]
    assert [text.split()[-1] for text in texts(backend, requests, GREEDY)] == [str(n) for n in range(9)]
    assert server.log.most_at_once == limit


@pytest.mark.parametrize(
    ("said", "message"),
    [("content_filter", "content_filter"), ("abort", "abort"), (None, "not given"), (["stop"], "not given")],
)
def test_an_ending_that_is_no_answer_fails_with_its_reason(
    server: Server, backend: OpenAIHttpBackend, said: str | None, message: str
) -> None:
    server.otherwise = saying(completion("I am sor", said))
    outcome = backend.generate([ask(ECHO)], GREEDY)[0]
    assert isinstance(outcome, FailedRequest) and message in outcome.reason
    assert len(server.log.payloads) == 1


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart(server: Server, backend: OpenAIHttpBackend, field: str) -> None:
    server.replies = [saying(completion("<think>twice</think>Yes.", **{field: "They ask why."}))]
    answer = answers(backend, [ask(ECHO)], GREEDY)[0]
    assert (answer.text, answer.reasoning) == ("Yes.", "They ask why.\ntwice")


def test_an_answer_cut_while_reasoning_has_no_text(server: Server, backend: OpenAIHttpBackend) -> None:
    server.replies = [saying(completion(None, "length", reasoning_content="Hm"))]
    answer = answers(backend, [ask(ECHO)], GREEDY)[0]
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("", "Hm", "length")


def test_a_stop_text_that_the_server_left_in_is_cut(server: Server, backend: OpenAIHttpBackend) -> None:
    server.replies = [saying(completion("One. END Two.", "length"))]
    answer = answers(backend, [ask(ECHO)], Sampling(stop=("END",)))[0]
    assert (answer.text, answer.finish_reason) == ("One. ", "stop")
    assert server.log.payloads[0]["stop"] == ["END"]


def test_it_sends_every_setting_and_the_unusual_ones_only_where_set(
    server: Server, backend: OpenAIHttpBackend
) -> None:
    answers(backend, [ask(ECHO, seed=2**63 + 5)], Sampling(temperature=0.5, top_p=0.9, max_new_tokens=7))
    answers(backend, [ask(ECHO)], Sampling(top_k=40, repetition_penalty=1.2))
    plain, unusual = server.log.payloads
    assert plain == {
        "model": server.spec.model,
        "messages": [{"role": "user", "content": ECHO}],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 7,
        "seed": 5,
    }
    assert (unusual["top_k"], unusual["repetition_penalty"]) == (40, 1.2)


@pytest.mark.parametrize("count", [None, -1, 2**31, 10**400, True, 1.5, "7", []])
def test_counts_that_are_none_are_zero(server: Server, backend: OpenAIHttpBackend, count: object) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": count}
    server.replies = [saying(completion("Yes.") | ({} if count is None else {"usage": usage}))]
    answer = answers(backend, [ask(ECHO)], GREEDY)[0]
    assert (answer.prompt_tokens, answer.output_tokens) == (0, 0)


def test_it_describes_what_the_server_tells_of_itself(server: Server, backend: OpenAIHttpBackend) -> None:
    server.replies = [saying(completion("Yes."))]
    answers(backend, [ask(ECHO)], GREEDY)
    description = json.loads(json.dumps(backend.describe()))
    assert description["served"] == {"max_model_len": 4096}
    assert description["answering_models"] == ["example-chat-v7"]
    assert description["system_fingerprints"] == ["fp_1"]


def test_a_batch_is_not_said_to_be_answered_by_who_answered_an_earlier_one(
    server: Server, backend: OpenAIHttpBackend
) -> None:
    server.replies = [saying(completion("Yes.") | {"model": name}) for name in ("old", "new")]
    for name in ("old", "new"):
        answers(backend, [ask(ECHO)], GREEDY)
        assert backend.describe()["answering_models"] == [name]


def test_names_that_no_record_can_hold_are_cleaned_and_cut(
    server: Server, backend: OpenAIHttpBackend
) -> None:
    names = {"model": "\ud800a\x00\u202eb" + "c" * 1000, "system_fingerprint": ["fp"]}
    server.replies = [saying(completion("Yes.") | names)]
    answers(backend, [ask(ECHO)], GREEDY)
    described = backend.describe()
    assert described["answering_models"][0].startswith("abccc")
    assert len(described["answering_models"][0]) <= 200
    assert described["system_fingerprints"] == []
