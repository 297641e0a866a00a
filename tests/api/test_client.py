"""The Python client and the guide to the API, against the live server."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx2
import pytest
from django.conf import settings as django_settings
from django.db import connection
from evenhand_client import Evenhand, EvenhandError, NotFinished, UnsafeName

from annotation import tasks
from annotation.actions import runs
from annotation.actions.snapshots import freeze_snapshot
from annotation.models import Judgment, Study
from annotation.vocabulary import TokenScope
from models_runtime.worker import BackendCache
from tests import cast
from tests.reports.studies import a_varied_study

pytestmark = pytest.mark.once
ROOT = Path(django_settings.BASE_DIR)
BLOCKS = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def work(run) -> None:
    """What workers would do, beside the server."""

    def generate() -> None:
        try:
            while tasks.generate_next(run.pk, "beside", BackendCache()):
                pass
            run.refresh_from_db()
            runs.finish_run(run)
        finally:
            connection.close()

    threading.Thread(target=generate).start()


@pytest.fixture
def url(request, committed_db, monkeypatch) -> str:
    live_server = request.getfixturevalue("live_server")
    monkeypatch.setattr(tasks, "hint", work)
    cast.alice()
    return live_server.url


@pytest.fixture
def evenhand(url):
    with Evenhand(url, cast.a_token(cast.alice())) as client:
        yield client


def test_a_write_that_is_still_under_way_is_asked_for_again(monkeypatch):
    """The server took longer than the client waited, so the second attempt meets the first."""
    replies = [None, 409, 409, 201]
    keys = set()

    def answer(request: httpx2.Request) -> httpx2.Response:
        keys.add(request.headers["Idempotency-Key"])
        if (status := replies.pop(0)) is None:
            raise httpx2.ReadTimeout("too slow", request=request)
        return httpx2.Response(status, json={"detail": "It is under way.", "code": "key-in-use"})

    monkeypatch.setattr("evenhand_client.client.time.sleep", lambda seconds: None)
    with Evenhand("http://nowhere.example", "token") as client:
        client._http = httpx2.Client(
            base_url="http://nowhere.example", transport=httpx2.MockTransport(answer)
        )
        assert client.post("studies/", {})["code"] == "key-in-use"
        replies.append(409)
        with pytest.raises(EvenhandError):  # at the first attempt the key is somebody else's
            client.post("studies/", {})
    assert not replies and len(keys) == 2


@pytest.mark.slow
def test_every_block_of_the_guide_runs(url, monkeypatch, tmp_path, capsys):
    for name, value in {
        "EVENHAND_URL": url,
        "EVENHAND_TOKEN": cast.a_token(cast.alice()),
        "RATER": cast.bob().username,
        "RATER_TOKEN": cast.a_token(cast.bob(), TokenScope.RATE),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    blocks = BLOCKS.findall((ROOT / "docs/api.md").read_text())
    exec(compile("\n".join(blocks), "docs/api.md", "exec"), {})
    said = capsys.readouterr().out
    assert "6 responses" in said and "3 judgments" in said and "judgments.parquet" in said
    assert Judgment.objects.filter(study__slug="boats").count() == 3


def test_a_refusal_is_told_with_its_reason(evenhand):
    with pytest.raises(EvenhandError) as refused:
        evenhand.study("nowhere")
    assert (refused.value.status, refused.value.code) == (404, "not-found")
    with pytest.raises(EvenhandError) as refused:
        evenhand.make_study("kites", "")
    assert "title" in refused.value.errors


def test_a_token_that_was_not_made_for_it_is_told_which_scope_it_lacks(url):
    with Evenhand(url, cast.a_token(cast.alice(), TokenScope.READ)) as reader:
        assert list(reader.studies()) == []
        with pytest.raises(EvenhandError, match="scope “write”") as refused:
            reader.make_study("kites", "Kites")
    assert refused.value.status == 403 and not Study.objects.exists()


def test_lists_come_page_by_page(evenhand):
    for number in range(3):
        cast.a_study(f"study-{number}")
    asked = evenhand.pages("studies/", {"page_size": 2})
    assert [study["slug"] for study in asked] == ["study-2", "study-1", "study-0"]


def test_a_file_is_uploaded_and_waited_for(evenhand, monkeypatch, tmp_path):
    monkeypatch.setattr(tasks.import_file, "delay", lambda pk: tasks.import_file(pk))
    cast.a_study()
    file = tmp_path / "rows.jsonl"
    row = '{"prompt_key": "lamp", "prompt": "How?", "intent": "benign", "arm": "%s", "response": "So, %s."}\n'
    file.write_text(row % ("calm", "gently") + row % ("bold", "at once"))
    job = evenhand.upload("kites", file)
    assert (job["state"], job["rows_read"]) == ("done", 2)
    assert Study.objects.get().pair_count == 1


def test_a_run_that_stops_is_not_waited_for(evenhand, monkeypatch):
    study = cast.a_generating_study()
    monkeypatch.setattr(tasks, "hint", lambda run: runs.pause_run(run))
    run = evenhand.start_run(study.slug)
    with pytest.raises(NotFinished, match="paused"):
        evenhand.wait_for_run(study.slug, run["id"])


@pytest.mark.slow
def test_a_broken_download_goes_on_and_every_file_is_compared(evenhand, tmp_path, monkeypatch):
    study = a_varied_study(3)
    snapshot = freeze_snapshot(study, cast.alice())
    files = evenhand.download(study.slug, 1, tmp_path)
    assert {file.name for file in files} == {*snapshot.manifest["files"], "manifest.json"}
    whole = (tmp_path / "judgments.parquet").read_bytes()
    (tmp_path / "judgments.parquet").unlink()
    (tmp_path / "judgments.parquet.part").write_bytes(whole[:100])
    asked = []
    evenhand._http.event_hooks = {"request": [lambda request: asked.append(request.headers.get("Range"))]}
    evenhand.download(study.slug, 1, tmp_path)
    assert "bytes=100-" in asked and (tmp_path / "judgments.parquet").read_bytes() == whole
    (tmp_path / "judgments.parquet").unlink()
    (tmp_path / "judgments.parquet.part").write_bytes(b"x" * 100)
    with pytest.raises(NotFinished, match="not come whole"):
        evenhand.download(study.slug, 1, tmp_path)


ODD_NAMES = [
    *("", ".", "..", "../up.parquet", "in/side.parquet", "/etc/passwd"),
    *("..\\up", "C:up", "C:\\up", "\\\\host\\up", "CON", "nul.txt", "dot."),
    *("-rf", ".profile", "a\x00b", "a\nb", "two words", "ａ.parquet", "a" * 201),
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_whose_name_may_lead_elsewhere_is_refused_before_anything_is_written(name, tmp_path):
    """Whoever answers instead of the server writes nothing outside of the folder."""
    told = {"manifest": {"files": {"judgments.parquet": {"sha256": "0"}, name: {"sha256": "0"}}}}
    asked = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return httpx2.Response(200, json=told)

    home = tmp_path / "snapshot"
    with Evenhand("http://server", "token") as client:
        client._http = httpx2.Client(base_url="http://server/api/v1/", transport=httpx2.MockTransport(answer))
        with pytest.raises(UnsafeName, match="Nothing was written"):
            client.download("kites", 1, home)
    assert asked == ["/api/v1/studies/kites/snapshots/1/"] and list(tmp_path.iterdir()) == []


def test_a_write_that_broke_off_is_sent_again_under_the_same_key(evenhand, monkeypatch):
    asked, send = [], evenhand._http.request

    def breaks_once(method, address, **given):
        asked.append(given["headers"]["Idempotency-Key"])
        answer = send(method, address, **given)
        if len(asked) == 1:
            raise httpx2.ReadError("The connection broke.")
        return answer

    monkeypatch.setattr(evenhand._http, "request", breaks_once)
    assert evenhand.make_study("kites", "Kites")["slug"] == "kites"
    assert len(asked) == 2 == len(set(asked)) + 1 and Study.objects.count() == 1


@pytest.mark.slow
def test_the_client_is_typed_throughout():
    told = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "clients/python/evenhand_client"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout
    assert (ROOT / "clients/python/evenhand_client/py.typed").exists()
