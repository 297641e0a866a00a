"""The one-file report: made from a snapshot's files alone, and made again to the same bytes."""

import re
import shutil
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from annotation import tasks
from annotation.actions import printing
from annotation.actions.claims import claim_next_pair
from annotation.actions.judging import submit_judgment
from annotation.actions.snapshots import freeze_snapshot
from annotation.actions.studies import add_guideline
from annotation.errors import SnapshotUnreadable
from annotation.models import Snapshot
from annotation.printing import pdf
from annotation.printing.pdf import pdf_of
from annotation.printing.report import report_html
from annotation.reports.from_snapshot import manifest_digest
from tests import cast
from tests.reports.studies import a_varied_study

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture(scope="module")
def snapshot(module_db, tmp_path_factory) -> Snapshot:
    study = a_varied_study(3)
    add_guideline(study, "Judge what the reply gives, <not> how the request sounds.", cast.alice())
    return freeze_snapshot(study, cast.alice(), tmp_path_factory.mktemp("snapshots") / "first")


@pytest.fixture(scope="module")
def html(snapshot) -> str:
    return report_html(Path(snapshot.folder))


@pytest.fixture
def quick(monkeypatch, html) -> None:
    """The report that was made once, and a PDF of nothing, where a test is about what becomes of them.

    A report takes two seconds, and its PDF ten.
    """
    monkeypatch.setattr("annotation.actions.printing.report_html", lambda folder: html)
    monkeypatch.setattr("annotation.actions.printing.pdf_of", lambda html: pdf_of("<p>A report</p>"))


def goes_on(snapshot: Snapshot) -> None:
    """More judgments in the study, after the snapshot."""
    study = snapshot.study
    prompt = cast.a_prompt(study, "later")
    for arm in study.arms.all():
        cast.a_response(prompt, arm)
    cast.make_pairs(study)
    for rater in study.enrolments.all():
        submit_judgment(claim_next_pair(rater), cast.answers(), uuid.uuid4().hex)


def test_a_report_is_made_again_to_the_same_bytes_also_when_the_study_went_on(snapshot, html):
    goes_on(snapshot)
    assert report_html(Path(snapshot.folder)) == html


@pytest.mark.once  # of the same page, and no row of the database
def test_a_page_is_printed_again_to_the_same_bytes(html):
    printed = pdf_of(html)
    assert printed.startswith(b"%PDF-")
    assert pdf_of(html) == printed


def test_a_report_names_its_snapshot_and_says_how_the_study_was_made(snapshot, html):
    assert manifest_digest(Path(snapshot.folder)) in html
    assert f"{snapshot.number} of “kites”" in html
    assert "Judge what the reply gives, &lt;not&gt; how the request sounds." in html
    for heading in ("Methods", "Limits", "Raters", "Preferences and ties", "Randomness and versions"):
        assert f">{heading}<" in html
    assert "2\u00a0raters judged" in html
    assert f"seed, {snapshot.manifest['study']['seed']}" in html


def test_a_report_stands_alone_and_holds_nothing_that_acts(html):
    assert "<script" not in html and "<link" not in html and "<img" not in html
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg"}


def test_no_text_of_prompts_or_answers_is_in_it(html):
    assert "How does kites-0 work?" not in html and "Answer p to question" not in html


def test_a_file_that_changed_is_refused(snapshot, tmp_path):
    folder = shutil.copytree(snapshot.folder, tmp_path / "copy")
    file = folder / "judgments.parquet"
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(SnapshotUnreadable, match="not the file that was frozen"):
        report_html(folder)


def test_without_pango_the_html_is_made_and_the_reason_told(snapshot, quick, client, monkeypatch):
    def without(html: str) -> bytes:
        raise pdf.PdfUnavailable(pdf.HOW_TO_INSTALL)

    monkeypatch.setattr("annotation.actions.printing.pdf_of", without)
    tasks.print_report(snapshot.pk, cast.alice().pk)
    client.force_login(cast.alice())
    page = client.get(reverse("desk:snapshots", args=["kites"])).content.decode()
    assert "apt-get install" in page
    assert client.get(reverse("desk:report", args=["kites", 1, "html"])).status_code == 200
    assert client.get(reverse("desk:report", args=["kites", 1, "pdf"])).status_code == 404


def test_a_report_is_asked_for_on_the_desk_and_fetched_when_it_is_there(snapshot, quick, client, monkeypatch):
    asked = []
    monkeypatch.setattr(tasks.print_report, "delay", lambda *ids: asked.append(ids))
    client.force_login(cast.alice())
    page = client.post(reverse("desk:ask_report", args=["kites", 1]), follow=True).content.decode()
    assert "A worker makes the report" in page and "Make the report" not in page and "hx-trigger" in page
    assert client.post(reverse("api:report", args=["kites", 1])).status_code == 202
    assert len(asked) == 1  # who asks again waits for the same
    assert client.get(reverse("desk:report", args=["kites", 1, "html"])).status_code == 404
    tasks.print_report(*asked[0])
    page = client.get(reverse("desk:snapshots", args=["kites"])).content.decode()
    assert reverse("desk:report", args=["kites", 1, "pdf"]) in page and "hx-trigger" not in page
    asks_for = {"report-told-1": True, "snapshots": False}  # a freezing's page asks again and again, too
    for target, says_so in asks_for.items():
        headers = {"HX-Request": "true", "HX-Target": target}
        part = client.get(reverse("desk:snapshots", args=["kites"]), headers=headers).content.decode()
        assert ("The report is there." in part) == says_so
    found = client.get(reverse("desk:report", args=["kites", 1, "pdf"]))
    assert b"".join(found.streaming_content).startswith(b"%PDF-")
    assert found["Content-Disposition"] == 'attachment; filename="kites-snapshot-1-report.pdf"'
    answer = client.get(reverse("api:report", args=["kites", 1])).json()
    assert answer["made"] == ["html", "pdf"]
    assert client.get(reverse("api:report_file", args=["kites", 1, "html"])).status_code == 200


def test_a_report_that_never_came_is_awaited_no_longer(snapshot, client, monkeypatch):
    printing.note_asked(snapshot, cast.alice())
    monkeypatch.setattr("annotation.reports.progress.REPORT_AWAITED", timedelta(0))
    client.force_login(cast.alice())
    page = client.get(reverse("desk:snapshots", args=["kites"])).content.decode()
    assert "did not come" in page and "Make the report" in page and "hx-trigger" not in page


def test_a_snapshot_of_somebody_else_has_no_report(snapshot, client):
    client.force_login(cast.mallory())
    assert client.post(reverse("desk:ask_report", args=["kites", 1])).status_code == 404
    assert client.get(reverse("desk:report", args=["kites", 1, "html"])).status_code == 404
    assert client.get(reverse("api:report", args=["kites", 1])).status_code == 404


def test_the_command_writes_the_newest_snapshots_report(snapshot, html, tmp_path):
    out = tmp_path / "report.html"
    call_command("report", "kites", out=out)
    assert out.read_text(encoding="utf-8") == html


def test_the_command_says_what_it_needs(snapshot, tmp_path):
    with pytest.raises(CommandError, match="neither .html nor .pdf"):
        call_command("report", "kites", out=tmp_path / "report.doc")
    with pytest.raises(CommandError, match="has no snapshot 9. Its snapshots: 1"):
        call_command("report", "kites", snapshot=9, out=tmp_path / "report.html")


@pytest.mark.parametrize("name", ["a-file/report.html", "a\0b/report.html", "x" * 300 + ".html"])
def test_a_place_that_cannot_be_written_is_told(snapshot, quick, tmp_path, name):
    (tmp_path / "a-file").write_text("mine")
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("report", "kites", out=tmp_path / name)
    assert not [path for path in tmp_path.iterdir() if "report" in path.name or "xxx" in path.name]
