"""Send JSON to a server that may be slow, busy or broken: limits of time and size, retries, clear reasons."""

import email.utils
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import httpx2 as httpx

from models_runtime.addresses import EVERYTHING, AddressRefused, Allowed, GuardedTransport
from models_runtime.errors import RuntimeFailure

KEY_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
NOT_FOUND = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
LONGEST_BODY = 32 * 2**20  # bytes; a server that sends more than any answer can be is broken
LONGEST_QUOTE = 300  # characters
LONGEST_RETRY_AFTER = 300.0  # seconds

Read = TypeVar("Read")


@dataclass(frozen=True)
class Limits:
    """How much is asked at once, and how long for. Times in seconds; attempts include the first."""

    concurrency: int = 32
    connect_seconds: float = 10.0
    answer_seconds: float = 600.0
    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 60.0


class RequestRefused(Exception):
    """The server will not answer this one request, however often it is asked."""


class StillFailing(Exception):
    """This one request failed in every attempt, in ways that might have passed."""


class ServerUnusable(RuntimeFailure):
    """The server answers nothing: it is not there, or it refuses the key or the address."""


class NoSuchAddress(ServerUnusable):
    """The server knows neither the address nor, perhaps, the model."""


class Passing(Exception):
    """Trouble that may pass, so the request is worth another attempt."""

    def __init__(self, reason: str, retry_after: float = 0.0, is_absent: bool = False) -> None:
        """reason: a clause that follows "the server". retry_after: seconds that the server asks to wait."""
        super().__init__(reason)
        self.retry_after = retry_after
        self.is_absent = is_absent


class Sender:
    """Sends to one server, from several threads at once. `give_up` ends all waiting."""

    def __init__(self, base_url: str, key: str, limits: Limits, allowed: Allowed = EVERYTHING) -> None:
        """key: sent as a bearer token and never told in a reason; may be empty.

        allowed: which hosts beside public ones may be reached.
        """
        self._key = key
        self._limits = limits
        self._given_up = threading.Event()
        self._base_url = base_url
        pool = httpx.Limits(max_connections=limits.concurrency)
        self._client = httpx.Client(
            base_url=base_url,
            transport=None if allowed.everything else GuardedTransport(allowed, pool),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(limits.answer_seconds, connect=limits.connect_seconds),
            limits=pool,
        )

    def send(self, method: str, path: str, read: Callable[[Any], Read], payload: Any | None = None) -> Read:
        """Return what `read` makes of the answered JSON; `read` may raise Passing or RequestRefused.

        Raises RequestRefused, StillFailing (this request alone) or ServerUnusable (all of them).
        """
        attempt = 1
        while True:
            try:
                return read(self._answer(method, path, payload))
            except Passing as trouble:
                if attempt >= self._limits.attempts or self._given_up.is_set():
                    raise self._in_the_end(trouble, attempt) from trouble
                self._given_up.wait(self._pause(attempt, trouble.retry_after))
            attempt += 1

    def begin(self) -> None:
        """Wait and try again from here on, even after `give_up`."""
        self._given_up.clear()

    def give_up(self) -> None:
        """Let no thread wait or try again; requests under way are not cut off."""
        self._given_up.set()

    def close(self) -> None:
        self.give_up()
        self._client.close()

    def _pause(self, attempt: int, retry_after: float) -> float:
        """Seconds before the next attempt: doubling, with jitter so that threads do not come back as one."""
        doubled = self._limits.first_wait * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
        return max(min(doubled, self._limits.longest_wait), min(retry_after, LONGEST_RETRY_AFTER))

    def _in_the_end(self, trouble: Passing, attempts: int) -> Exception:
        if trouble.is_absent:
            return ServerUnusable(
                f"The server {self._base_url} {trouble} ({attempts} attempts). "
                "Start it, or correct the base URL; what was generated before is kept."
            )
        return StillFailing(f"In {attempts} attempts the server gave no usable answer: at last it {trouble}.")

    def _answer(self, method: str, path: str, payload: Any | None) -> Any:
        """Return the JSON of a successful answer; raise what the other answers mean."""
        status, headers, body = self._exchange(method, path, payload)
        if status == HTTPStatus.OK:
            return _json(body)
        quote = self._quote(body)
        if status in KEY_REFUSED:
            raise ServerUnusable(
                f"The server {self._base_url} refuses the key (status {status}). Set, where the "
                "worker runs, the environment variable that the settings name to a valid key, and restart it."
            )
        if status in NOT_FOUND or 300 <= status < 400:
            raise NoSuchAddress(
                f"The server {self._base_url} has no such address or model (status {status}{quote}). "
                "Check the base URL, which usually ends in /v1, and the model's name."
            )
        if status in BUSY or status >= 500:
            wait = _retry_after(headers.get("retry-after", ""))
            raise Passing(f"answered with status {status}{quote}", wait)
        raise RequestRefused(f"The server refused this request (status {status}{quote}).")

    def _exchange(self, method: str, path: str, payload: Any | None) -> tuple[int, httpx.Headers, bytes]:
        deadline = time.monotonic() + self._limits.answer_seconds
        body = bytearray()
        try:
            with self._client.stream(method, path, json=payload) as response:
                for piece in response.iter_bytes():
                    body += piece
                    self._check(deadline, len(body))
                return response.status_code, response.headers, bytes(body)
        except AddressRefused as error:
            raise ServerUnusable(f"The server {self._base_url} is not asked: {error}") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Passing(f"cannot be reached ({error})", is_absent=True) from error
        except httpx.TimeoutException as error:
            raise Passing(f"had not answered after {self._limits.answer_seconds:g} seconds") from error
        except httpx.RequestError as error:
            raise Passing(f"broke off its answer ({error})") from error

    def _check(self, deadline: float, size: int) -> None:
        """Raise Passing for an answer without end: each piece comes in time, the last one never."""
        if time.monotonic() > deadline:
            raise Passing(f"had not answered in full after {self._limits.answer_seconds:g} seconds")
        if size > LONGEST_BODY:
            raise Passing(f"sent more than {LONGEST_BODY // 2**20} MiB")

    def _quote(self, body: bytes) -> str:
        """Return what the server says of an error, shortened, without the key."""
        text = body.decode(errors="replace")
        for written in _ways_to_write(self._key):
            text = text.replace(written, "[key]")
        return f": {' '.join(text.split())[:LONGEST_QUOTE]}" if text.strip() else ""


def _ways_to_write(key: str) -> list[str]:
    """Return the key as it may stand in an answer: plain, and as JSON escapes it; none where it is empty."""
    escaped = json.dumps(key)[1:-1]
    return [key, escaped, escaped.replace("/", "\\/")] if key else []


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Passing("answered with something that is no JSON") from error


def _retry_after(header: str) -> float:
    """Return seconds from a Retry-After header, which holds seconds or a date; 0 where it holds neither."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 0.0
