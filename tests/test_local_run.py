"""`manage.py run_local`: it starts everything, stops everything, and says plainly when it cannot."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management.base import CommandError
from django.http.request import validate_host

from annotation.management import installation
from annotation.management.commands import run_local

pytestmark = pytest.mark.once

SLEEPER = ["timeit", "-n", "1", "-r", "1", "import time; time.sleep(60)"]
BROKEN = ["no_such_module"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def group_is_gone(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder in which the first start prepares the database and the static files, for all that follow."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def local(home, tmp_path):
    """A function that starts `run_local`, by default in the folder of all; in the end all is stopped."""
    started = []

    def start(port: int, folder: Path = home) -> subprocess.Popen:
        inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        own = {
            "DJANGO_SETTINGS_MODULE": "annotation.settings",
            "EVENHAND_VAR": str(folder),
            "PORT": str(port),
        }
        command = [sys.executable, "-u", "manage.py", "run_local"]
        with open(tmp_path / f"said-{len(started)}", "wb") as said:
            process = subprocess.Popen(
                command, cwd=settings.BASE_DIR, env=inherited | own, stdout=said, stderr=subprocess.STDOUT
            )
        process.said = tmp_path / f"said-{len(started)}"
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.wait()


def services_of(process: subprocess.Popen) -> list[int]:
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True
    ).stdout
    return [int(pid) for pid in children.split()]


@pytest.mark.slow
def test_it_runs_survives_a_killed_worker_and_stops_without_an_orphan(local):
    port = free_port()
    process = local(port)
    wait_until(lambda: "Evenhand runs at" in process.said.read_text())
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/accounts/login/") as page:
        assert page.status == 200
    second = local(free_port())
    assert second.wait(timeout=180) == 1
    assert "already running" in second.said.read_text()
    services, awaited = (
        services_of(process),
        4 + settings.TRAINS,
    )  # web, worker, GPU worker, beat, and one that trains
    assert len(services) == awaited
    time.sleep(run_local.SHORT_LIFE)
    assert services_of(process) == services, process.said.read_text()
    os.kill(services[1], signal.SIGKILL)
    wait_until(lambda: "worker-gpu stopped by itself (killed by signal 9)" in process.said.read_text())
    wait_until(lambda: len(services_of(process)) == awaited)
    services = services_of(process) + services
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=run_local.STOP_LIMIT + 30) == 0
    # The killed may lie as zombies for a moment, until the system's first process has collected them.
    wait_until(lambda: all(group_is_gone(pid) for pid in services), seconds=30)


@pytest.mark.slow
@pytest.mark.parametrize("awaited", ["Preparing the database", "Starting"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_while_it_is_starting(local, home, tmp_path, awaited, signum):
    process = local(free_port(), home if awaited == "Starting" else tmp_path)
    wait_until(lambda: awaited in process.said.read_text())
    services = services_of(process)
    process.send_signal(signum)
    assert process.wait(timeout=run_local.STOP_LIMIT + 30) == 0
    assert "Stopped" in process.said.read_text()
    # The killed may lie as zombies for a moment, until the system's first process has collected them.
    wait_until(lambda: all(group_is_gone(pid) for pid in services), seconds=30)


def test_it_says_what_it_does_before_each_step(monkeypatch, tmp_path):
    said: list[str] = []
    monkeypatch.setattr(settings, "VAR", tmp_path)
    for module in (installation, run_local):
        monkeypatch.setattr(module, "call_command", lambda name, **options: said.append(name))
    command = run_local.Command()
    monkeypatch.setattr(command, "say", said.append)
    command.prepare()
    assert [step.split()[0] for step in said if "…" in step] == ["Preparing", "Collecting", "Preparing"]
    assert [step for step in said if "…" not in step] == ["migrate", "collectstatic", "load_demo"]
    command.prepare()
    assert said.count("collectstatic") == 1  # nothing changed meanwhile


def test_it_refuses_a_busy_port_before_it_starts_anything():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(
            CommandError, match=r"cannot be used: Address already in use. Nothing was started"
        ):
            run_local.usable_port("127.0.0.1", str(busy.getsockname()[1]))


@pytest.mark.parametrize("port", ["", "eight", "0", "65536", "-1"])
def test_it_refuses_a_port_that_is_none(port):
    with pytest.raises(CommandError, match="must be a number from 1 to 65535"):
        run_local.usable_port("127.0.0.1", port)


@pytest.fixture
def supervisor(monkeypatch):
    said: list[str] = []
    sleeper = run_local.Service("sleeper", SLEEPER)
    supervisor = run_local.Supervisor([sleeper], said.append)
    supervisor.said = said
    supervisor.start()
    yield supervisor
    supervisor.stop()


def test_a_service_that_dies_after_a_while_is_started_again(supervisor, monkeypatch):
    monkeypatch.setattr(run_local, "SHORT_LIFE", 0)
    sleeper = supervisor.services[0]
    first = sleeper.process
    sleeper.send(signal.SIGKILL)
    first.wait()
    supervisor.revive_the_dead()
    assert sleeper.is_running() and sleeper.process is not first
    assert re.search(
        r"sleeper stopped by itself \(killed by signal 9\); starting it again", supervisor.said[0]
    )


def test_a_service_that_dies_at_once_ends_the_run(supervisor):
    broken = run_local.Service("broken", BROKEN)
    supervisor.services.append(broken)
    broken.start()
    broken.process.wait()
    with pytest.raises(CommandError, match="(?s)right after its start.*No module named no_such_module"):
        supervisor.revive_the_dead()


def test_the_static_files_fingerprint_follows_their_content(monkeypatch, tmp_path):
    before = installation.static_files_fingerprint()
    assert installation.static_files_fingerprint() == before
    (tmp_path / "new.css").write_text("p { color: inherit }")
    monkeypatch.setattr(installation, "get_finders", lambda: [OneFolder(tmp_path)])
    assert installation.static_files_fingerprint() != before


class OneFolder:
    """A static-file finder, and its storage, of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self, ignored: list[str]):
        return [(path.name, self) for path in self.folder.iterdir()]

    def path(self, name: str) -> str:
        return str(self.folder / name)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/"),
        ("0.0.0.0", "http://127.0.0.1:80/"),
        ("::1", "http://[::1]:80/"),
        ("::", "http://[::1]:80/"),
    ],
)
def test_the_address_is_one_that_a_browser_here_can_open(host, address):
    assert run_local.address_of(host, 80) == address


def test_messages_that_nobody_read_are_cleared_at_the_start(monkeypatch, tmp_path):
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / "1.gpu.msg").write_text("{}")
    monkeypatch.setattr(settings, "BROKER_FOLDER", tmp_path)
    monkeypatch.setattr(settings, "CELERY_BROKER_URL", "filesystem://")
    run_local.empty_broker()
    assert not any((tmp_path / "messages").iterdir())


@pytest.mark.parametrize(
    ("variables", "allowed", "refused"),
    [
        ({}, ["localhost", "127.0.0.1", "[::1]"], ["lab.example"]),
        ({"HOST": "192.0.2.7"}, ["192.0.2.7", "localhost"], ["lab.example"]),
        ({"HOST": "2001:db8::7"}, ["[2001:db8::7]"], ["lab.example"]),
        ({"HOST": "0.0.0.0"}, ["127.0.0.1", "lab.example"], []),
        ({"HOST": "::", "ALLOWED_HOSTS": "lab.example"}, ["[::1]", "lab.example"], ["192.0.2.7"]),
    ],
)
def test_the_page_may_be_asked_for_where_it_listens(variables, allowed, refused, tmp_path):
    read = "import json; from annotation import settings; print(json.dumps(settings.ALLOWED_HOSTS))"
    clean = {
        k: v for k, v in os.environ.items() if k not in ("HOST", "ALLOWED_HOSTS", "DJANGO_SETTINGS_MODULE")
    }
    environment = clean | {"EVENHAND_VAR": str(tmp_path)} | variables
    said = subprocess.run([sys.executable, "-c", read], env=environment, capture_output=True, check=True)
    patterns = json.loads(said.stdout)
    assert all(validate_host(name, patterns) for name in allowed)
    assert not any(validate_host(name, patterns) for name in refused)


def test_the_services_are_told_where_they_listen(monkeypatch):
    told = []

    def services_then_stop(host, port):
        told.append((host, os.environ["HOST"]))
        raise KeyboardInterrupt

    monkeypatch.setenv("HOST", "127.0.0.1")
    monkeypatch.setattr(run_local, "services", services_then_stop)
    monkeypatch.setattr(run_local.Command, "prepare", lambda self: "")
    command = run_local.Command()
    command.interrupted = False
    with pytest.raises(KeyboardInterrupt):
        command.run("0.0.0.0", 8000)
    assert told == [("0.0.0.0", "0.0.0.0")]
