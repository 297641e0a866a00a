"""Models behind a server that speaks OpenAI's chat completions: vLLM, TGI, SGLang, or a paid service.

The server decides what runs together and in which precision, so the same seed need not give the same text
again. It also counts its own tokens, and may add sampling defaults of the model's where a setting is not
sent; see docs/your-own-models.md for how to switch those off.
"""

import os
import platform
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from typing import Any

import httpx2 as httpx

from models_runtime.addresses import Allowed
from models_runtime.backends.http_answers import Answer, answer_of, served_model
from models_runtime.backends.http_sending import (
    Limits,
    NoSuchAddress,
    RequestRefused,
    Sender,
    ServerUnusable,
    StillFailing,
)
from models_runtime.base import Backend
from models_runtime.errors import ModelNotLoadable, RuntimeFailure
from models_runtime.types import (
    Completion,
    FailedRequest,
    GenerationRequest,
    ModelSpec,
    Outcome,
    Sampling,
)

HOSTS_VARIABLE = "MODEL_PRIVATE_HOSTS"
LONGEST_ANSWER = 86_400  # seconds
KEY_VARIABLE = re.compile(r"MODEL_KEY(_[A-Z0-9_]+)?")
"""Names that may hold a server's key. A spec may name no others: it would send their values to its server."""


class OpenAIHttpBackend(Backend):
    """See the module. `load` asks the server which models it serves, so a wrong name is found at once."""

    takes = frozenset({"revision", "base_url", "api_key_variable"})

    def __init__(self, spec: ModelSpec, sender: Sender, limits: Limits, served: dict[str, Any]) -> None:
        """served: what the server tells of the model."""
        self._spec = spec
        self._sender = sender
        self._limits = limits
        self._served = served
        self._seen = _nothing_seen()
        self._is_closed = False

    @classmethod
    def check(cls, spec: ModelSpec) -> None:
        super().check(spec)
        _check_url(spec.base_url)
        if spec.api_key_variable and not KEY_VARIABLE.fullmatch(spec.api_key_variable):
            raise ModelNotLoadable(
                f"A server's key lies in an environment variable named MODEL_KEY or MODEL_KEY_…, "
                f"not in {spec.api_key_variable!r}. Set one where the worker runs, and name it."
            )

    @classmethod
    def load(cls, spec: ModelSpec, limits: Limits | None = None) -> "OpenAIHttpBackend":
        """Find the key, and the model's name on the server; raise ModelNotLoadable."""
        cls.check(spec)
        limits = limits or _limits()
        sender = Sender(spec.base_url, _key(spec.api_key_variable), limits, _allowed())
        try:
            return cls(spec, sender, limits, _served(sender, spec.model))
        except (RequestRefused, StillFailing, RuntimeFailure) as error:
            sender.close()
            raise ModelNotLoadable(str(error)) from error

    def generate(self, requests: Sequence[GenerationRequest], sampling: Sampling) -> list[Outcome]:
        if self._is_closed:
            raise RuntimeFailure("This model was closed; load it again before generating.")
        self._seen = _nothing_seen()  # what an earlier batch was answered by is not this one's provenance
        started = time.perf_counter()
        answers = self._answers(requests, sampling)
        failures = [answer for answer in answers if isinstance(answer, StillFailing)]
        if len(requests) > 1 and len(failures) == len(requests):
            raise ServerUnusable(f"None of {len(requests)} requests was answered. {failures[0]}")
        seconds = (time.perf_counter() - started) / max(1, len(requests))
        pairs = zip(requests, answers, strict=True)
        return [self._outcome(request, answer, seconds) for request, answer in pairs]

    def describe(self) -> dict[str, Any]:
        """As the contract; "answering_models" and "system_fingerprints" are those of the last `generate`."""
        return {
            "backend": "openai_http",
            "model": self._spec.model,
            "revision": self._spec.revision,
            "base_url": self._spec.base_url,
            "served": self._served,
            "answering_models": sorted(self._seen["model"]),
            "system_fingerprints": sorted(self._seen["system_fingerprint"]),
            "dtype": "unknown",
            "device": "server",
            "device_reason": "The server chose the device and the number format, and does not tell them.",
            "concurrency": self._limits.concurrency,
            "versions": {"python": platform.python_version(), "httpx2": version("httpx2")},
            "chat_template_sha256": "",
        }

    def close(self) -> None:
        self._is_closed = True
        self._sender.close()

    def _answers(
        self, requests: Sequence[GenerationRequest], sampling: Sampling
    ) -> list[Answer | RequestRefused | StillFailing]:
        """Ask everything, so many at once; raise ServerUnusable as soon as one request finds it so."""
        self._sender.begin()
        with ThreadPoolExecutor(self._limits.concurrency, "openai_http") as pool:
            futures = [pool.submit(self._ask, request, sampling) for request in requests]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self._sender.give_up()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    def _ask(self, request: GenerationRequest, sampling: Sampling) -> Answer | RequestRefused | StillFailing:
        payload = self._payload(request, sampling)
        try:
            return self._sender.send(
                "POST", "chat/completions", lambda body: answer_of(body, sampling.stop), payload
            )
        except (RequestRefused, StillFailing) as failure:
            return failure

    def _payload(self, request: GenerationRequest, sampling: Sampling) -> dict[str, Any]:
        """Return the request's JSON. What OpenAI's own servers do not know is sent only where it is set."""
        payload: dict[str, Any] = {
            "model": self._spec.model,
            "messages": list(request.messages),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
            "seed": request.seed % 2**63,
        }
        if sampling.stop:
            payload["stop"] = list(sampling.stop)
        if sampling.top_k:
            payload["top_k"] = sampling.top_k
        if sampling.repetition_penalty != 1.0:
            payload["repetition_penalty"] = sampling.repetition_penalty
        return payload

    def _outcome(
        self, request: GenerationRequest, answer: Answer | RequestRefused | StillFailing, seconds: float
    ) -> Outcome:
        if not isinstance(answer, Answer):
            return FailedRequest(request.key, str(answer))
        for name, seen in self._seen.items():
            seen.update(value for value in [answer.source[name]] if value)
        return Completion(
            key=request.key,
            text=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            output_tokens=answer.output_tokens,
            seconds=seconds,
            seed=request.seed,
            reasoning=answer.reasoning,
        )


def _nothing_seen() -> dict[str, set[str]]:
    return {"model": set(), "system_fingerprint": set()}


def _served(sender: Sender, model: str) -> dict[str, Any]:
    """Return what the server tells of the model, nothing where it only answers; raise what it refuses with.

    Some servers serve more than they list, or have no list, so that this is believed after one question only.
    """
    try:
        return sender.send("GET", "models", lambda body: served_model(body, model))
    except (RequestRefused, StillFailing, NoSuchAddress) as error:
        question = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
        try:
            sender.send("POST", "chat/completions", lambda body: answer_of(body, ()), question)
        except (RequestRefused, StillFailing, ServerUnusable):
            raise error from None
        return {}


def _check_url(base_url: str) -> None:
    """Raise ModelNotLoadable unless base_url names a server and holds no secret."""
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError) as error:
        raise ModelNotLoadable(f"The base URL is none ({error}); give one as http://host:8000/v1.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ModelNotLoadable(f"The base URL {base_url!r} names no server; give one as http://host:8000/v1.")
    if url.userinfo or url.query:
        raise ModelNotLoadable(
            "The base URL holds a name, a password or a query, and it is stored with every answer. "
            "Leave them out and name the environment variable that holds the key."
        )


def _allowed() -> Allowed:
    """Which private hosts this worker asks: researchers name servers, and the network is not theirs."""
    return Allowed.read(os.environ.get(HOSTS_VARIABLE, ""), HOSTS_VARIABLE)


def _key(variable: str) -> str:
    """Return the key that the environment variable holds, empty where none is named."""
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ModelNotLoadable(
            f"The environment variable {variable} that should hold the server's key is not set where the "
            "worker runs. Set it there and restart the worker."
        )
    if not (key.isascii() and key.isprintable()):  # a header cannot hold it, and the refusal would quote it
        raise ModelNotLoadable(f"The environment variable {variable} holds something that is no key.")
    return key


def _limits() -> Limits:
    """Return the limits, with those that the environment sets; raise ModelNotLoadable."""
    defaults = Limits()
    try:
        concurrency = int(os.environ.get("OPENAI_HTTP_CONCURRENCY") or defaults.concurrency)
        seconds = float(os.environ.get("OPENAI_HTTP_SECONDS") or defaults.answer_seconds)
        attempts = int(os.environ.get("OPENAI_HTTP_ATTEMPTS") or defaults.attempts)
    except ValueError as error:
        raise ModelNotLoadable(f"An OPENAI_HTTP_… setting is no number ({error}).") from error
    if min(concurrency, attempts) < 1 or not 0 < seconds <= LONGEST_ANSWER:
        raise ModelNotLoadable(
            f"The OPENAI_HTTP_… settings must be above 0, seconds at most {LONGEST_ANSWER:,}."
        )
    return Limits(concurrency=concurrency, answer_seconds=seconds, attempts=attempts)
