"""A throwaway installation on its own PostgreSQL with real web processes, for the benchmarks of rating.

Nothing of the environment's database is used. `site()` gives it all and removes it in the end.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.postgres import Throwaway, kept_server, throwaway_server  # noqa: E402

START_LIMIT = 60  # seconds
PROMPT = "How would somebody explain this to a person who has never heard of it? " * 4
ANSWER = "It depends on what is meant, and a careful reply says so before it goes into detail. " * 12
RESPONSES_PER_ARM = 10
"""Of each prompt: every one of them is paired with every one of the other arm."""


@dataclass
class Web:
    """Granian as `make run` starts it: two processes with four threads each."""

    application: str
    environment: dict[str, str]
    log: Path
    port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen | None = None

    def start(self) -> None:
        """Return once it answers, whatever it answers. Raises SystemExit with its last words."""
        options = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port)]
        options += ["--workers", "2", "--blocking-threads", "4", "--no-ws", "--respawn-failed-workers"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "granian", *options, self.application],
                cwd=ROOT / "benchmarks" if self.application.startswith("bare") else ROOT,
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and self.process and self.process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                probe.sendall(b"GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if probe.recv(12).startswith(b"HTTP/"):
                    return
            time.sleep(0.05)
        raise SystemExit(f"The web server did not start:\n{self.log.read_text()[-3000:]}")

    def workers(self) -> list[int]:
        """The numbers of its worker processes."""
        assert self.process
        return children(self.process.pid)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def children(pid: int) -> list[int]:
    """The numbers of the processes that this one started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def processor_seconds(pids: list[int]) -> dict[int, float]:
    """The processor time that each of these processes has taken so far, in it and in the kernel for it.

    One that has ended meanwhile (a vacuum's) is left out.
    """
    taken = {}
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            taken[pid] = (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
    return taken


def seconds_between(before: dict[int, float], after: dict[int, float]) -> float:
    """What processes took in between; one that has ended counts with what it had before."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Site:
    """The installation: its database server, the folder of its files, and the product's web server."""

    server: Throwaway
    folder: Path
    web: Web

    @property
    def environment(self) -> dict[str, str]:
        return self.web.environment


@contextmanager
def site(durable: bool = False, keep: Path | None = None) -> Iterator[Site]:
    """A migrated installation; its web server is not started yet. Sets up Django in this process.

    It is empty, and removed in the end; with `keep` it stays in that folder, and is used again.
    """
    with ExitStack() as opened:
        server = opened.enter_context(kept_server(keep) if keep else throwaway_server(durable=durable))
        folder = keep / "var" if keep else Path(opened.enter_context(_temporary_folder()))
        folder.mkdir(exist_ok=True)
        environment = {
            "DATABASE_URL": server.url,
            "EVENHAND_VAR": str(folder),
            "DJANGO_SETTINGS_MODULE": "annotation.settings",
            "DEBUG": "0",
        }
        os.environ.update(environment)
        _set_up_django()
        web = Web("annotation.wsgi:application", environment, folder / "web.log")
        try:
            yield Site(server, folder, web)
        finally:
            web.stop()


def _temporary_folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="evenhand-rating-")


def _set_up_django() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)


def a_study(slug: str, pairs: int, overlap: int = 3, **rules):
    """An open study of so many pairs (a multiple of the square of RESPONSES_PER_ARM), written by SQL."""
    from django.db import connection

    from annotation.actions.arms import add_arm
    from annotation.actions.studies import create_study
    from annotation.models import Study

    study = create_study(slug, slug, state="open", overlap=overlap, **rules)
    arms = [add_arm(study, name, backend="") for name in ("one", "two")]
    each = RESPONSES_PER_ARM
    given = {"study": study.pk, "prompts": pairs // each**2, "each": each, "overlap": overlap}
    given |= {"a": arms[0].pk, "b": arms[1].pk, "prompt": PROMPT, "answer": ANSWER}
    with connection.cursor() as cursor:
        for statement in (PROMPTS, RESPONSES, PAIRS):
            cursor.execute(statement, given)
            # Beside an earlier study PostgreSQL would take the new one for a row and plan the next for that.
            cursor.execute("ANALYZE")
    made = study.pairs.count()
    Study.objects.filter(pk=study.pk).update(pair_count=made, arrivals=1)
    return Study.objects.get(pk=study.pk)


PROMPTS = """
INSERT INTO annotation_prompt (study_id, key, messages, intent, harm_category, subset, family,
                               language)
SELECT %(study)s, 'prompt-' || n, jsonb_build_array(jsonb_build_object('role', 'user', 'content',
       %(prompt)s || n)), (ARRAY['benign', 'dual_use', 'malicious'])[1 + n %% 3], 'illicit', '[]', '', 'en'
FROM generate_series(1, %(prompts)s) n
"""
RESPONSES = """
INSERT INTO annotation_response (study_id, prompt_id, arm_id, sample, text, reasoning, finish_reason,
                                 provenance, scanner)
SELECT %(study)s, p.id, arm, sample, %(answer)s || p.id || arm || sample, '', 'imported', '{}', ''
FROM annotation_prompt p, unnest(ARRAY[%(a)s, %(b)s]) arm, generate_series(1, %(each)s) sample
WHERE p.study_id = %(study)s
"""
PAIRS = """
INSERT INTO annotation_pair (study_id, prompt_id, response_a_id, response_b_id, position, place, overlap,
                             open_slots, state, decision, scanner)
SELECT %(study)s, a.prompt_id, a.id, b.id, place, place, %(overlap)s, %(overlap)s, 'open', '', ''
FROM annotation_response a JOIN annotation_response b ON b.prompt_id = a.prompt_id AND b.arm_id = %(b)s,
     LATERAL (SELECT (('x' || md5(a.id || ':' || b.id))::bit(62)::bigint) AS place) drawn
WHERE a.study_id = %(study)s AND a.arm_id = %(a)s
"""


def a_token(study, name: str) -> str:
    """The API token of a new rater of the study."""
    from annotation.actions.enrolment import enrol
    from annotation.actions.tokens import make_token
    from annotation.models import User

    user, _ = User.objects.get_or_create(username=name)
    enrol(study, user)
    return make_token(user, "load", ["rate"])[1]


# A rater's connection --------------------------------------------------------------------------------


class Connection:
    """One rater's HTTP connection, as light as can be: the load client shares the machine with the server."""

    def __init__(self, port: int, headers: str = ""):
        self.port, self.headers = port, headers
        self.socket: socket.socket | None = None

    def post(self, path: str, body: bytes = b"", headers: str = "") -> tuple[int, bytes]:
        """Status and body. Raises OSError when there was no whole answer."""
        request = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{self.headers}{headers}\r\n"
        )
        try:
            if self.socket is None:
                self.open()
            assert self.socket
            self.socket.sendall(request.encode() + body)
            return self._answer(self.socket)
        except OSError:
            self.close()
            raise

    def open(self) -> None:
        """Connect, anew if need be: a server closes what was idle for half a minute."""
        self.close()
        self.socket = socket.create_connection(("127.0.0.1", self.port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _answer(self, connected: socket.socket) -> tuple[int, bytes]:
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += _some(connected)
        head = bytes(received[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        while len(received) < end + 4 + length:
            received += _some(connected)
        return int(head[9:12]), bytes(received[end + 4 :])

    def close(self) -> None:
        if self.socket:
            self.socket.close()
        self.socket = None


def _some(connected: socket.socket) -> bytes:
    if not (data := connected.recv(65_536)):
        raise ConnectionError("The server closed the connection in the middle of an answer.")
    return data
