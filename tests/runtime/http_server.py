"""A real HTTP server on this machine that speaks chat completions, well or badly, as a test tells it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from models_runtime.backends.scripted import ScriptedBackend
from models_runtime.types import Completion, GenerationRequest, ModelSpec, Sampling

MODEL = "example-chat"
Reply = Callable[["Handler", dict[str, Any]], None]


@dataclass
class Log:
    """What the server has seen. `arrivals` are clock readings in seconds."""

    payloads: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0


class Handler(BaseHTTPRequestHandler):
    """Answers a list of models itself, and completions by what the server was told."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.note_key()
        self.send(self.server.models_status, {"data": [{"id": MODEL, "max_model_len": 4096, "secret": "no"}]})

    def do_POST(self) -> None:
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        log = self.server.log
        self.note_key()
        with self.server.lock:
            log.payloads.append(payload)
            log.arrivals.append(time.monotonic())
            log.at_once += 1
            log.most_at_once = max(log.most_at_once, log.at_once)
            reply = self.server.replies.pop(0) if self.server.replies else self.server.otherwise
        try:
            reply(self, payload)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client went away, as a test of stalling wants it
        finally:
            with self.server.lock:
                log.at_once -= 1

    def note_key(self) -> None:
        self.server.log.keys.append(self.headers["Authorization"])

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """Send a whole reply; a body that is bytes goes as it is, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """`replies` are used up one by one, then `otherwise` answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.log = Log()
        self.lock = threading.Lock()
        self.replies: list[Reply] = []
        self.otherwise: Reply = answer_well
        self.models_status = 200

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec("openai_http", MODEL, base_url=self.base_url)


@contextmanager
def running_server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer_well(handler: Handler, payload: dict[str, Any]) -> None:
    """Answer as the scripted backend would."""
    request = GenerationRequest("", tuple(payload["messages"]), payload.get("seed", 0))
    sampling = Sampling(temperature=payload.get("temperature", 0.0), max_new_tokens=payload["max_tokens"])
    answer = ScriptedBackend.load(ModelSpec("scripted", "echo")).generate([request], sampling)[0]
    assert isinstance(answer, Completion)
    usage = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.output_tokens}
    handler.send(200, completion(answer.text, answer.finish_reason) | {"usage": usage})


def completion(text: str | None, finish_reason: str | None = "stop", **message: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish_reason}
    return {"model": f"{MODEL}-v7", "system_fingerprint": "fp_1", "choices": [choice]}


def saying(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Return a reply that sends this body and nothing else."""
    return lambda handler, payload: handler.send(status, body, headers)


def stall(handler: Handler, payload: dict[str, Any]) -> None:
    """Begin a reply and then send a byte now and then, for longer than any test waits."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(30):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def silence(handler: Handler, payload: dict[str, Any]) -> None:
    """Send nothing for a while, then hang up."""
    time.sleep(1.0)
    handler.close_connection = True


def truncate(handler: Handler, payload: dict[str, Any]) -> None:
    """Promise more than is sent, and hang up."""
    data = json.dumps(completion("half an answ")).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data) + 100))
    handler.end_headers()
    handler.wfile.write(data)
    handler.close_connection = True
