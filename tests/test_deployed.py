"""The very commands of deploy/compose.yaml, run here with its variables, a real PostgreSQL and a real Redis:
from an empty database to a run that is done, and to a clean stop."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from tests import brokers
from tests.postgres import throwaway_postgres
from tests.test_deploy_files import DEPLOY, compose

pytestmark = [pytest.mark.once, pytest.mark.slow]

SITE = "evenhand.example.org"
LIMIT = 180  # seconds for anything; it takes a few, and more on a busy machine
STUDY = """
from annotation.actions import arms, prompts, runs, studies
from annotation.models import User
alice = User.objects.create_user("alice", password="a long enough password", is_staff=True)
study = studies.create_study("kites", "Kites", alice)
for name in ("one", "two"):
    arms.add_arm(study, name, backend="scripted", model="echo")
prompts.add_prompt(study, "p", "How does a kite fly?", "benign")
runs.start_run(study, 1, alice)
"""


class Site:
    """What compose would start, each with the variables and the command of its service."""

    def __init__(self, folder: Path, database: str, queue: str):
        self.folder, self.database = folder, database
        self.port = brokers.free_ports(1)[0]
        self.running: dict[str, subprocess.Popen] = {}
        self.secrets, self.queue = folder / "secrets", queue
        shutil.copy(DEPLOY / "secrets.sh", folder)
        subprocess.run(["sh", str(folder / "secrets.sh")], check=True)
        (self.secrets / "database_url").chmod(0o600)
        (self.secrets / "database_url").write_text(database)

    def environment(self, service: str) -> dict[str, str]:
        """As written, with this machine's places in the places of containers' own."""
        told = dict(compose()["services"][service]["environment"])
        for name, value in told.items():
            value = value.replace("${SITE:?Name the site, as in SITE=evenhand.example.org}", SITE)
            value = value.replace("${SITE}", SITE).replace("${TRAIN:-0}", "0")
            told[name] = value.replace("/run/secrets", str(self.secrets))
        told |= {"CELERY_BROKER_URL": self.queue, "EVENHAND_VAR": str(self.folder / "var")}
        told |= {"GRANIAN_HOST": "127.0.0.1", "GRANIAN_PORT": str(self.port)}
        if "ALIVE_FILE" in told:
            told["ALIVE_FILE"] = str(self.folder / f"{service}.alive")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.folder), "TMPDIR": str(self.folder), **told}

    def command(self, service: str) -> list[str]:
        image = (Path(settings.BASE_DIR) / "deploy/Dockerfile").read_text()
        own = json.loads(image.rpartition("\nCMD ")[2])
        words = compose()["services"][service].get("command", own)
        return [word.replace("/tmp/", f"{self.folder}/") for word in words]

    def run(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        words = list(command) or self.command(service)
        return subprocess.run(
            words, cwd=settings.BASE_DIR, env=self.environment(service), capture_output=True, text=True
        )

    def start(self, *services: str) -> None:
        for service in services:
            with open(self.folder / f"{service}.log", "wb") as log:
                self.running[service] = subprocess.Popen(
                    self.command(service),
                    cwd=settings.BASE_DIR,
                    env=self.environment(service),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def is_healthy(self, service: str) -> bool:
        """As the service's own health check says."""
        words = compose()["services"][service]["healthcheck"]["test"][1:]
        return (
            self.run(service, *[word.replace(":8000/", f":{self.port}/") for word in words]).returncode == 0
        )

    def get(self, path: str, **headers: str) -> tuple[int, Message, str]:
        address = f"http://127.0.0.1:{self.port}{path}"
        asked = urllib.request.Request(address, headers={"Host": SITE, **headers})
        opener = urllib.request.build_opener(Stay)
        try:
            with opener.open(asked, timeout=30) as reply:
                return reply.status, reply.headers, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def said(self, service: str) -> list[str]:
        return (self.folder / f"{service}.log").read_text().splitlines()

    def stop(self) -> dict[str, int]:
        """SIGTERM to each, as an engine sends it; the exit statuses."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(timeout=LIMIT) for name, process in self.running.items()}

    def kill(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


@contextmanager
def a_site(folder: Path) -> Iterator[Site]:
    with throwaway_postgres() as database, brokers.redis(folder) as queue:
        site = Site(folder, database, queue)
        try:
            yield site
        finally:
            site.kill()


def within_limit(what, *arguments: object) -> None:
    ends = time.monotonic() + LIMIT
    while not what(*arguments):
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.3)


@pytest.mark.skipif(bool(brokers.missing("redis")) and "CI" not in os.environ, reason="there is no Redis")
def test_the_commands_of_the_files_make_a_site(tmp_path):
    with a_site(tmp_path) as site:
        assert site.run("web", "python", "manage.py", "collectstatic", "--noinput").returncode == 0
        site.start("web")
        within_limit(lambda: is_up(site))
        status, _, told = site.get("/readyz")
        assert status == 503 and "manage.py migrate" in json.loads(told)["migrations"]
        migrated = site.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        checked = site.run("web", "python", "manage.py", "check", "--deploy", "--fail-level", "WARNING")
        assert checked.returncode == 0, checked.stderr
        site.start("worker", "gpu-worker", "beat")
        assert site.run("web", "python", "manage.py", "shell", "-c", STUDY).returncode == 0
        with psycopg.connect(site.database, autocommit=True) as database:
            within_limit(lambda: is_done(database))
        within_limit(site.is_healthy, "web")
        within_limit(site.is_healthy, "gpu-worker")
        look_at_pages(site)
        look_at_metrics(site)
        statuses = site.stop()
        assert statuses == {"web": 0, "worker": 0, "gpu-worker": 0, "beat": 0}
        look_at_logs(site)


def is_up(site: Site) -> bool:
    try:
        return site.get("/healthz")[0] == 200
    except OSError:
        return False


def is_done(database: psycopg.Connection) -> bool:
    return database.execute("SELECT state FROM annotation_run").fetchone() == ("done",)


def look_at_pages(site: Site) -> None:
    status, headers, _ = site.get("/accounts/login/")
    assert status == 301 and headers["Location"] == f"https://{SITE}/accounts/login/"
    https = {"X-Forwarded-Proto": "https", "X-Request-ID": "from-the-proxy-1"}
    status, headers, page = site.get("/accounts/login/", **https)
    assert status == 200 and "Log in" in page and headers["X-Request-ID"] == "from-the-proxy-1"
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert "Secure" in headers["Set-Cookie"] and "default-src 'self'" in headers["Content-Security-Policy"]
    status, _, told = site.get("/readyz")
    assert status == 200 and json.loads(told)["queue"] == "fine"


def look_at_metrics(site: Site) -> None:
    assert site.get("/metrics")[0] == 404
    _, _, told = site.get("/metrics", Authorization=f"Bearer {(site.secrets / 'metrics_token').read_text()}")
    lines = told.splitlines()
    assert 'evenhand_batches{kind="generation",state="done"} 2.0' in lines
    assert "evenhand_queue_up 1.0" in lines and "evenhand_database_up 1.0" in lines
    counted = 'evenhand_request_seconds_count{method="GET",route="accounts/login/",status="2xx"} 1.0'
    assert counted in lines


def look_at_logs(site: Site) -> None:
    """Every line of ours is an object; the job's names its task."""
    told = [json.loads(line) for line in site.said("gpu-worker") if line.startswith("{")]
    assert any(line.get("job") == "annotation.tasks.generate_batch" and line["job_id"] for line in told)
    answered = [json.loads(line) for line in site.said("web") if '"answered"' in line]
    page = next(line for line in answered if line.get("request_id") == "from-the-proxy-1")
    assert page["route"] == "accounts/login/" and page["status"] == 200
