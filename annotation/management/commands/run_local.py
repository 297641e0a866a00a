"""``python manage.py run_local``: the whole of Evenhand on one machine, until Ctrl-C.

Prepares the database, the static files and the demo study, then starts the web server, two Celery workers
(three where training is installed) and Celery's beat as child processes, each in a process group of its own,
and watches over them.
"""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.management import installation
from models_runtime.backends.openai_http import HOSTS_VARIABLE

START_LIMIT = 60  # seconds until the first page must have answered
# Seconds a service is given to finish before it is killed. An idle Celery worker takes 4 to 6, because it
# looks for a shutdown only between two polls of 2 seconds.
STOP_LIMIT = 8
SHORT_LIFE = 10  # a service that dies younger than this is broken, not unlucky
PR_SET_PDEATHSIG = 1
LOOPBACK = ("127.0.0.1", "localhost", "::1")

WORKER_OPTIONS = ["--pool", "prefork", "--concurrency", "1", "--loglevel", "INFO"]
# One machine has nobody to gossip with; without these the filesystem queue carries no idle chatter.
WORKER_OPTIONS += ["--without-gossip", "--without-mingle", "--without-heartbeat"]


@dataclass
class Service:
    """A child process with its own log file, in its own process group."""

    name: str
    arguments: list[str]
    process: subprocess.Popen | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)

    @property
    def log(self) -> Path:
        return settings.VAR / "log" / f"{self.name}.log"

    def start(self) -> None:
        self.started_at = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.arguments],
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, signum: int, *, group: bool = False) -> None:
        """Signal the process, or its whole group; one that is gone already is fine."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.process.pid, signum)

    def last_words(self, lines: int = 12) -> str:
        end = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n    ".join([f"{self.log} ends:", *end])

    def how_it_ended(self) -> str:
        code = self.process.returncode if self.process else None
        return f"killed by signal {-code}" if code is not None and code < 0 else f"exit status {code}"


def _end_with_parent() -> None:
    """On Linux the kernel stops a service whose parent was killed; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def services(host: str, port: int) -> list[Service]:
    """The processes of a local installation; `docs/decisions/` says why these options."""
    granian = ["granian", "--interface", "wsgi", "--host", host, "--port", str(port)]
    granian += ["--workers", "2", "--blocking-threads", "4", "--no-ws", "--respawn-failed-workers"]
    return [
        Service("web", [*granian, "annotation.wsgi:application"]),
        Service("worker-gpu", _worker("gpu")),
        Service("worker-default", _worker("default")),
        *([Service("worker-train", _worker("train"))] if settings.TRAINS else []),
        Service("beat", ["celery", "-A", "annotation", "beat", "--loglevel", "INFO", "--pidfile="]),
    ]


def _worker(queue: str) -> list[str]:
    return ["celery", "-A", "annotation", "worker", "-Q", queue, "-n", f"{queue}@%h", *WORKER_OPTIONS]


class Supervisor:
    """Starts services, watches over them until asked to stop, and stops them."""

    def __init__(self, services: list[Service], say: Callable[[str], None]) -> None:
        self.services = services
        self.say = say
        self.asked_to_stop = False

    def ask_to_stop(self, signum: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True

    def start(self) -> None:
        for service in self.services:
            if service.log.exists():
                service.log.replace(service.log.with_suffix(".log.1"))
            service.start()

    def wait_for_page(self, address: str) -> None:
        """Return once the address answers or a stop is asked for; CommandError if it does not in time."""
        deadline = time.monotonic() + START_LIMIT
        while not self.asked_to_stop and not _answers(address):
            self.revive_the_dead()
            if time.monotonic() > deadline:
                raise CommandError(
                    f"No page at {address} after {START_LIMIT} seconds. {self.services[0].last_words()}"
                )
            time.sleep(0.05)

    def watch(self) -> None:
        while not self.asked_to_stop:
            self.revive_the_dead()
            time.sleep(0.2)

    def revive_the_dead(self) -> None:
        """Start a service again that died after a while; CommandError for one that dies at once."""
        for service in self.services:
            if service.is_running() or self.asked_to_stop:
                continue
            death = f"{service.name} stopped by itself ({service.how_it_ended()})"
            if time.monotonic() - service.started_at < SHORT_LIFE:
                raise CommandError(f"{death} right after its start. {service.last_words()}")
            self.say(f"{death}; starting it again. Its log is {service.log}.")
            service.send(signal.SIGKILL, group=True)  # what it may have left behind
            service.start()

    def stop(self) -> None:
        """Ask every service to finish, wait a little, kill the rest; unfinished work is queued again."""
        for service in self.services:
            service.send(signal.SIGTERM)
        deadline = time.monotonic() + STOP_LIMIT
        while any(service.is_running() for service in self.services) and time.monotonic() < deadline:
            time.sleep(0.05)
        for service in self.services:
            service.send(signal.SIGKILL, group=True)
            if service.process:
                service.process.wait()


def _answers(address: str) -> bool:
    """Whether the first page (for a stranger: the log-in it leads to) is really there."""
    # Behind a proxy that speaks HTTPS, a page asked for otherwise leads there.
    asked = urllib.request.Request(address, headers={"X-Forwarded-Proto": "https"} if settings.HTTPS else {})
    try:
        with urllib.request.urlopen(asked, timeout=5) as reply:
            return reply.status == 200
    except OSError:  # no connection yet, or an error page
        return False


class Command(BaseCommand):
    help = "Run Evenhand on this machine: web server, workers and beat, with a demo study, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1")
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000", help="default: $PORT or 8000")

    def handle(self, *args: object, host: str, port: str, **options: object) -> None:
        # While nothing is started yet, either signal simply interrupts.
        self.interrupted = False
        signal.signal(signal.SIGINT, self.interrupt)
        signal.signal(signal.SIGTERM, self.interrupt)
        try:
            with _only_one_here():
                self.run(host, usable_port(host, port))
        except KeyboardInterrupt:
            self.say("Stopped before anything was started.")

    def interrupt(self, signum: int, frame: FrameType | None) -> None:
        # Remembered too: an exception raised inside a callback of the database or of a destructor is lost.
        self.interrupted = True
        raise KeyboardInterrupt

    def run(self, host: str, port: int) -> None:
        log_ins = self.prepare()
        if self.interrupted:
            raise KeyboardInterrupt
        os.environ["HOST"] = host  # the services' settings allow requests for it
        if host in LOOPBACK:  # whoever reaches the desk then is at this machine, as its model servers are
            os.environ.setdefault(HOSTS_VARIABLE, ",".join(LOOPBACK))
        supervisor = Supervisor(services(host, port), self.say)
        # From here on a signal must not interrupt between starting a process and remembering it.
        signal.signal(signal.SIGINT, supervisor.ask_to_stop)
        signal.signal(signal.SIGTERM, supervisor.ask_to_stop)
        try:
            supervisor.start()
            self.say("Starting the web server and the workers …")
            supervisor.wait_for_page(address_of(host, port))
            if not supervisor.asked_to_stop:
                self.welcome(address_of(host, port), log_ins)
            supervisor.watch()
        finally:
            self.say("Stopping; this takes some seconds …")
            supervisor.stop()
        self.say("Stopped. Your data is kept.")

    def prepare(self) -> str:
        """Bring database, static files and demo study up to date; return what to say about the log-ins."""
        installation.prepare(self.say)
        empty_broker()
        self.say("Preparing the demo study …")
        said = StringIO()
        call_command("load_demo", stdout=said)
        return said.getvalue().rstrip()

    def welcome(self, address: str, log_ins: str) -> None:
        logs = settings.VAR / "log"
        self.say(f"\nEvenhand runs at {address}\n\n{log_ins}\n\nLogs are in {logs}. Ctrl-C stops everything.")

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def address_of(host: str, port: int) -> str:
    """Where this machine finds the first page; “everywhere” is found at localhost."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{port}/"


def empty_broker() -> None:
    """Remove messages that earlier workers never read: the rows are the queue, the beat hints again."""
    if settings.CELERY_BROKER_URL.startswith("filesystem://"):
        for message in (settings.BROKER_FOLDER / "messages").glob("*.msg"):
            message.unlink(missing_ok=True)


def usable_port(host: str, port: str) -> int:
    """The port as a number; CommandError if it is none, taken, or not allowed."""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise CommandError(f"PORT is {port!r}; it must be a number from 1 to 65535.")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            raise CommandError(
                f"Port {port} on {host} cannot be used: {error.strerror}. Nothing was started. "
                f"Choose another one, for example: make run PORT={int(port) % 60000 + 1024}"
            ) from error
    return int(port)


@contextmanager
def _only_one_here() -> Iterator[None]:
    """Hold the lock of this VAR folder; CommandError when another run_local holds it."""
    with open(settings.VAR / "run_local.lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise CommandError(
                f"Evenhand is already running from {settings.VAR} (process {lock.read().strip()}). "
                "Nothing was started. Stop it with Ctrl-C, or name another folder in EVENHAND_VAR."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
