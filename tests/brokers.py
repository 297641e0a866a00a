"""Real brokers for the tests: each started on free ports, in a folder of its own, and stopped again."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

START_LIMIT = 180  # seconds; RabbitMQ takes 5 to 15, and more on a very busy machine
# The script in PATH changes the user, or refuses to.
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
PR_SET_PDEATHSIG = 1


def free_ports(count: int) -> list[int]:
    """Ports of loopback that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
    finally:
        for probe in sockets:
            probe.close()


@contextmanager
def filesystem(folder: Path, port: int = 0) -> Iterator[str]:
    """The default: no server at all, and nothing to start."""
    yield "filesystem://"


@contextmanager
def redis(folder: Path, port: int = 0) -> Iterator[str]:
    """A Redis that keeps nothing on disk."""
    port = port or free_ports(1)[0]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with _server(command, folder / "redis.log", dict(os.environ), port):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rabbitmq(folder: Path, port: int = 0) -> Iterator[str]:
    """A RabbitMQ node with its own name, cookie and port mapper; `folder` keeps the queues of a port."""
    distribution, mapper, free = free_ports(3)
    port = port or free
    environment = os.environ | {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    # Started here, because a mapper that the node starts is a daemon, and outlives the node.
    epmd = ["epmd", "-address", "127.0.0.1", "-port", str(mapper)]
    with (
        _server(epmd, folder / "epmd.log", environment, mapper),
        _server([str(RABBITMQ)], folder / "rabbitmq.log", environment, port),
    ):
        yield f"amqp://guest:guest@127.0.0.1:{port}//"


BROKERS: dict[str, Callable] = {"filesystem": filesystem, "redis": redis, "rabbitmq": rabbitmq}


def missing(name: str) -> str:
    """Why a broker cannot be started here, as a sentence; empty when it can."""
    if name == "redis" and shutil.which("redis-server") is None:
        return "redis-server is not installed (Debian: apt-get install redis-server)"
    if name == "rabbitmq" and not RABBITMQ.exists():
        return "rabbitmq-server is not installed (Debian: apt-get install rabbitmq-server)"
    return ""


@contextmanager
def _server(command: list[str], log: Path, environment: dict[str, str], port: int) -> Iterator[None]:
    with open(log, "ab") as said:
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    try:
        _wait_for(process, log, port)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_with_parent() -> None:
    """On Linux the kernel stops a server when the test run is killed and its `finally` cannot."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_for(process: subprocess.Popen, log: Path, port: int) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args[0]} did not start. Its log ends: {log.read_text()[-1500:]}")
