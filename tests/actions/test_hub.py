"""Folders go to the Hub and come back, over a stand-in of its HTTP interface on this machine."""

import base64
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from annotation import tasks
from annotation.actions import hub
from annotation.actions.snapshots import freeze_snapshot
from annotation.errors import HubRefused
from tests.cast import a_judgment, a_rateable_study, a_rater, alice, bob, mallory

pytestmark = pytest.mark.django_db

SECRET = "hf_a-token-that-nobody-may-see"
REVISION = "a" * 40
BROKEN_AT = 15_000_000  # bytes; the client keeps whole tens of millions of what it has


class StandIn(ThreadingHTTPServer):
    """What the Hub keeps, and what is to go wrong: `failures` of (method, part of the path) → statuses."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.repositories: dict[str, bool] = {}
        self.files: dict[str, bytes] = {}
        self.objects: dict[str, bytes] = {}
        self.failures: dict[tuple[str, str], list[int]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.break_off = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *told: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        self.answer("GET")

    def do_HEAD(self) -> None:
        self.answer("HEAD")

    def do_POST(self) -> None:
        self.answer("POST")

    def do_PUT(self) -> None:
        self.answer("PUT")

    def answer(self, method: str) -> None:
        size = self.headers.get("Content-Length")
        self.body = self.rfile.read(int(size)) if size else self.chunks()
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append((method, path, self.headers.get("Range", "")))
        for (wanted, part), statuses in self.server.failures.items():
            if wanted == method and part in path and statuses:
                return self.send(statuses.pop(0), {"error": "as asked for"})
        if not path.startswith("/lfs/") and self.headers.get("Authorization") != f"Bearer {SECRET}":
            return self.send(401, {"error": "Invalid credentials"})
        return self.take(method, path)

    def chunks(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return b""
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def take(self, method: str, path: str) -> None:
        server = self.server
        if path == "/api/repos/create":
            told = json.loads(self.body)
            name = f"{told.get('organization') or 'me'}/{told['name']}"
            new = name not in server.repositories
            server.repositories.setdefault(name, told.get("private") or told.get("visibility") == "private")
            self.send(200 if new else 409, {"url": f"{server.address}/datasets/{name}", "error": "exists"})
        elif path == "/api/validate-yaml":
            self.send(200, {"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = json.loads(self.body)["files"]
            modes = [
                {"path": one["path"], "uploadMode": "lfs" if one["path"].endswith(".parquet") else "regular"}
                | {"shouldIgnore": False}
                for one in files
            ]
            self.send(200, {"files": modes})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(self.body)["objects"]
            told = [
                one | {"actions": {"upload": {"href": f"{server.address}/lfs/{one['oid']}"}}}
                for one in objects
            ]
            self.send(200, {"objects": told, "transfer": "basic"})
        elif method == "PUT":
            server.objects[path.rpartition("/")[2]] = self.body
            self.send(200, {})
        elif "/commit/" in path:
            self.commit()
        elif "/resolve/" in path:
            self.give(method, path.partition(f"/resolve/{REVISION}/")[2])
        else:
            self.tell(path)

    def commit(self) -> None:
        for line in self.body.splitlines():
            told = json.loads(line)
            value = told["value"]
            if told["key"] == "file":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            elif told["key"] == "lfsFile":
                self.server.files[value["path"]] = self.server.objects[value["oid"]]
            elif told["key"] == "deletedFile":
                del self.server.files[value["path"]]
        self.send(
            200,
            {
                "commitUrl": f"{self.server.address}/datasets/me/kites/commit/{REVISION}",
                "commitOid": REVISION,
                "success": True,
            },
        )

    def tell(self, path: str) -> None:
        name = "/".join(path.split("/")[3:5])
        if name not in self.server.repositories:
            self.send(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return
        siblings = [{"rfilename": one, "size": len(body)} for one, body in self.server.files.items()]
        private = self.server.repositories[name]
        self.send(200, {"id": name, "sha": REVISION, "private": private, "siblings": siblings})

    def give(self, method: str, name: str) -> None:
        body = self.server.files[name]
        start = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{abs(hash(body)):040x}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        if method == "HEAD":
            return
        if self.server.break_off and len(body) > BROKEN_AT and not start:
            self.wfile.write(body[:BROKEN_AT])
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self.wfile.write(body[start:])

    def send(self, status: int, told: dict, headers: dict | None = None) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch):
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setattr(settings, "HUB_ENDPOINT", server.address)
    monkeypatch.setattr(hub, "_wait", lambda asked, left: 0.0)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def snapshot():
    study = a_rateable_study(2)
    a_judgment(a_rater(study, bob()))
    return freeze_snapshot(study)


def test_a_snapshot_goes_up_in_private_and_comes_back_the_same(stand_in, snapshot, tmp_path, capsys):
    call_command("push_to_hub", "kites", "me/kites", "--snapshot", "1")
    assert stand_in.repositories == {"me/kites": True}
    folder = Path(snapshot.folder)
    kept = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    assert stand_in.files == kept and "README.md" in kept and any(name.endswith(".parquet") for name in kept)
    event = snapshot.study.events.get(verb="push_to_hub")
    assert event.detail["revision"] == REVISION and event.detail["snapshot"] == 1
    call_command("pull_from_hub", "me/kites", tmp_path / "pulled")
    pulled = {name: (tmp_path / "pulled" / name).read_bytes() for name in kept}
    assert pulled == kept
    said = capsys.readouterr()
    assert f"revision {REVISION}" in said.out and SECRET not in said.out + said.err + str(event.detail)


def test_another_push_takes_away_what_the_last_one_brought_and_nothing_else(stand_in, snapshot, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    for name in ("README.md", "train.jsonl", "test.jsonl"):
        (folder / name).write_text(name)
    hub.push(snapshot.study, folder, "me/kites", alice())
    stand_in.files["notes.md"] = b"Somebody else's."
    (folder / "test.jsonl").unlink()
    hub.push(snapshot.study, folder, "me/kites", alice())
    assert sorted(stand_in.files) == ["README.md", "notes.md", "train.jsonl"]
    assert snapshot.study.events.filter(verb="push_to_hub").first().detail["removed"] == ["test.jsonl"]


def test_a_repository_that_is_public_gets_nothing_unasked(stand_in, snapshot):
    stand_in.repositories["me/kites"] = False
    with pytest.raises(HubRefused, match="is public already. Say --public"):
        hub.push_snapshot(snapshot, "me/kites")
    assert not stand_in.files
    assert hub.push_snapshot(snapshot, "me/kites", public=True) == REVISION


@pytest.mark.parametrize(
    "status, words", [(401, "Check HF_TOKEN"), (403, "may not do this"), (404, "no such")]
)
def test_a_refusal_is_told_and_not_tried_again(stand_in, snapshot, status, words):
    stand_in.failures["POST", "/commit/"] = [status] * 9
    with pytest.raises(HubRefused, match=words) as caught:
        hub.push_snapshot(snapshot, "me/kites")
    assert len(stand_in.failures["POST", "/commit/"]) == 8 and SECRET not in str(caught.value)
    assert not snapshot.study.events.filter(verb="push_to_hub").exists() and not stand_in.files


@pytest.mark.slow
def test_a_busy_hub_is_tried_again_and_not_forever(stand_in, snapshot):
    stand_in.failures["POST", "/commit/"] = [429, 500, 503]
    assert hub.push_snapshot(snapshot, "me/kites") == REVISION
    stand_in.failures["POST", "/commit/"] = [500] * 9
    with pytest.raises(HubRefused, match="answered with an error .500.. Try again later"):
        hub.push_snapshot(snapshot, "me/kites")
    assert len(stand_in.failures["POST", "/commit/"]) == 9 - hub.TRIES


@pytest.mark.slow
def test_a_download_that_broke_off_goes_on_where_it_stopped(stand_in, tmp_path):
    stand_in.repositories["me/kites"] = True
    stand_in.files = {"train.jsonl": os.urandom(9_000_000).hex().encode(), "README.md": b"# Kites"}
    stand_in.break_off = True
    pulled = hub.pull("me/kites", tmp_path)
    assert (tmp_path / "train.jsonl").read_bytes() == stand_in.files["train.jsonl"]
    ranges = [
        asked for method, path, asked in stand_in.asked if method == "GET" and path.endswith("train.jsonl")
    ]
    assert len(ranges) == 2 and ranges[1].startswith("bytes=") and ranges[1] != "bytes=0-"
    assert pulled.revision == REVISION


def test_files_that_lead_elsewhere_are_not_fetched(stand_in, tmp_path):
    stand_in.repositories["me/kites"] = True
    stand_in.files = {"../../evil.jsonl": b"{}"}
    with pytest.raises(HubRefused, match="leads elsewhere, so nothing was fetched"):
        hub.pull("me/kites", tmp_path)


def test_without_a_token_nothing_is_sent(stand_in, snapshot, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(CommandError, match="No token is configured. Put one in HF_TOKEN"):
        call_command("push_to_hub", "kites", "me/kites", "--snapshot", "1")
    assert not stand_in.asked
    kept = tmp_path / "token"
    kept.write_text(f"{SECRET}\n")
    monkeypatch.setenv("HF_TOKEN_FILE", str(kept))
    assert hub.push_snapshot(snapshot, "me/kites") == REVISION


@pytest.mark.parametrize("name", ["kites", "../x/y", "me/../x", "me/ki tes", "https://x/y", "me/k\u202ex"])
def test_odd_repositories_are_refused_before_anything_is_sent(stand_in, snapshot, name):
    with pytest.raises(HubRefused, match="OWNER/NAME"):
        hub.push_snapshot(snapshot, name)
    assert not stand_in.asked


def test_a_hub_that_is_away_is_told(snapshot, monkeypatch):
    monkeypatch.setattr(settings, "HUB_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "_wait", lambda asked, left: 0.0)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    with pytest.raises(HubRefused, match="does not answer"):
        hub.push_snapshot(snapshot, "me/kites")


def test_the_desk_has_a_worker_push_and_tells_how_it_went(stand_in, snapshot, monkeypatch):
    asked: list[tuple] = []
    monkeypatch.setattr(tasks.push_to_hub, "delay", lambda *told: asked.append(told))
    client, address = Client(), reverse("desk:hub", args=["kites"])
    client.force_login(alice())
    odd = client.post(address, {"snapshot": "1", "repository": "no name"}).content.decode()
    assert "Write a repository as OWNER/NAME." in odd and not asked
    client.post(address, {"snapshot": "1", "repository": "me/kites"})
    tasks.push_to_hub(*asked[0])
    stand_in.failures["POST", "/commit/"] = [403]
    tasks.push_to_hub(*asked[0])
    shown = client.get(address).content.decode()
    assert REVISION in shown and "The token may not do this" in shown and SECRET not in shown
    client.force_login(mallory())
    assert client.get(address).status_code == client.post(address).status_code == 404
