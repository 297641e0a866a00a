"""Files come in from the desk: looked at, mapped, taken in by a worker, stopped and gone on with."""

import json
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation import tasks
from annotation.actions.imports import formats, jobs, loading, recognise
from annotation.models import FileImport, Judgment, Response
from tests.cast import a_study, alice, bob, mallory

pytestmark = pytest.mark.django_db

ROWS = [{"prompt": f"Why {n}?", "chosen": f"Because {n}.", "rejected": f"No {n}."} for n in range(10)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The imports that workers were told of, instead of telling them."""
    found: list[int] = []
    monkeypatch.setattr(tasks.import_file, "delay", found.append)
    return found


def desk(user=None) -> Client:
    client = Client()
    client.force_login(user or alice())
    return client


def upload(client: Client, rows=ROWS, name="a.jsonl", body: bytes | None = None, slug="kites"):
    body = "".join(json.dumps(row) + "\n" for row in rows).encode() if body is None else body
    file = SimpleUploadedFile(name, body)
    return client.post(reverse("desk:imports", args=[slug]), {"file": file}, follow=True)


def work() -> None:
    """What a worker does with everything that waits."""
    for pk in FileImport.objects.waiting().values_list("pk", flat=True):
        tasks.import_file(pk)


def page(client: Client, job: FileImport, name="import", *more) -> str:
    return client.get(reverse(f"desk:{name}", args=[job.study.slug, job.pk, *more])).content.decode()


def press(client: Client, job: FileImport, control: str) -> None:
    assert (
        client.post(reverse("desk:control_import", args=[job.study.slug, job.pk, control])).status_code == 302
    )


def test_a_file_is_looked_at_mapped_and_taken_in(told, django_capture_on_commit_callbacks):
    study, client = a_study(), desk()
    rows = [*ROWS, {"prompt": "Why?", "chosen": "x", "rejected": "x"}]
    shown = upload(client, rows).content.decode()
    job = study.file_imports.get()
    assert "Read as TRL preference" in shown and "Because 0." in shown and not study.prompts.exists()
    assert "Say below where intent comes from" in shown and "Import the file" not in shown
    said = {"format": "trl_preference", "set-intent": "benign", "column-prompt": "0"}
    client.post(reverse("desk:remap_import", args=["kites", job.pk]), said)
    shown = page(client, job)
    assert "Import the file" in shown and "10 of the first 11 rows can be taken" in shown
    press(client, job, "start")
    assert told == [job.pk]
    with django_capture_on_commit_callbacks(execute=True):
        work()
    shown = page(client, job)
    assert "Done: 11 rows read, 10 new, 1 left out." in shown
    assert study.pairs.count() == study.judgments.count() == 10
    left_out = client.get(reverse("desk:import_problems", args=["kites", job.pk]))
    lines = b"".join(left_out.streaming_content).decode()
    assert lines.startswith('line,reason\r\n11,"The two answers are the same text')
    verbs = list(study.events.order_by("pk").values_list("verb", flat=True))
    assert verbs[-3:] == ["receive_import", "start_import", "import_preferences"]
    assert not job.file.exists()


def started(study, rows=ROWS, **more) -> FileImport:
    job = jobs.receive(study, "a.jsonl", ["".join(json.dumps(row) + "\n" for row in rows).encode()])
    jobs.remap(job, "", [], [], ["intent=benign"], hide_raters=False)
    jobs.start(job)
    return job


def test_an_import_that_is_stopped_goes_on_where_it_stopped(monkeypatch):
    monkeypatch.setattr(loading, "CHUNK", 3)
    study, parts = a_study(), []
    job = started(study, [*ROWS, ROWS[0]])
    keep = jobs._keep_mark

    def keep_two(job, result, bad):
        keep(job, result, bad)
        parts.append(result.rows)
        if len(parts) == 2:
            jobs.stop(job)

    monkeypatch.setattr(jobs, "_keep_mark", keep_two)
    assert not jobs.run(jobs.claim(job.pk, "w"))
    job.refresh_from_db()
    assert (job.state, job.rows_read, study.pairs.count()) == ("cancelled", 6, 6)
    assert jobs.claim(job.pk, "w") is None
    jobs.start(job)
    assert jobs.run(jobs.claim(job.pk, "w"))
    job.refresh_from_db()
    assert (job.state, job.rows_read, job.counts["new"], study.judgments.count()) == ("done", 11, 10, 10)
    assert parts == [3, 6, 9, 11]


def test_a_worker_that_lost_its_claim_keeps_nothing_more(monkeypatch):
    study = a_study()
    job = started(study)
    lost = jobs.claim(job.pk, "dead")
    FileImport.objects.filter(pk=job.pk).update(lease_until="2020-01-01T00:00Z")
    assert jobs.requeue_stale() == 1
    again = jobs.claim(job.pk, "alive")
    assert not jobs.run(lost) and not Response.objects.exists()
    assert jobs.run(again) and Response.objects.count() == 20


def test_a_failure_keeps_what_came_in_and_says_what_to_do(monkeypatch):
    monkeypatch.setattr(loading, "CHUNK", 4)
    monkeypatch.setattr(formats, "LOOKED_AT", 5)
    study, client = a_study(), desk()
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    job = jobs.receive(study, "a.json", [b"[" + lines.replace(b"}\n", b"},\n").strip(b",\n") + b"\n"])
    jobs.remap(job, "", [], [], ["intent=benign"], hide_raters=False)
    jobs.start(job)
    assert not jobs.run(jobs.claim(job.pk, "w"))
    shown = page(client, job)
    assert "line 11: A comma or the end of the list is missing" in shown.replace("&quot;", '"')
    assert "continues after row 8" in shown and study.pairs.count() == 8


def test_the_same_judgment_twice_in_a_file_is_told_also_after_a_stop(monkeypatch):
    monkeypatch.setattr(loading, "CHUNK", 1)
    study = a_study()
    row = ROWS[0] | {"rater_id": "r1"}
    job = started(study, [row, row])
    assert jobs.run(jobs.claim(job.pk, "w"))
    assert job.problems.get().reason == "Rater “r1” has judged this pair in an earlier row already."


BAD = {
    "unknown": ("a.jsonl", b'{"colour": 1}\n', "in no format that is known"),
    "ending": ("a.exe", b"MZ", "does not end in .jsonl"),
    "empty": ("a.csv", b" ", "has no rows"),
    "zip": ("a.csv", b"PK\x03\x04" + b"x" * 50, "is a ZIP archive"),
    "large": ("a.jsonl", b"x" * 5_001, "is larger than"),
}


@pytest.mark.parametrize("name, body, reason", BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_read_is_not_kept(monkeypatch, name, body, reason):
    monkeypatch.setattr(settings, "IMPORT_MOST_UPLOADED", 5_000)
    study = a_study()
    assert reason in upload(desk(), name=name, body=body).content.decode()
    assert not study.file_imports.exists()
    assert not settings.IMPORTS.exists() or not list(settings.IMPORTS.iterdir())


def test_several_files_at_once_are_no_way_round_the_limit(monkeypatch):
    monkeypatch.setattr(settings, "IMPORT_MOST_UPLOADED", 5_000)
    study, body = a_study(), b"prompt,arm,response\n" + b"x" * 3_000
    files = {name: SimpleUploadedFile(f"{name}.csv", body) for name in ("first", "file")}
    answer = desk().post("/desk/kites/import/", files)
    assert "is larger than" in answer.content.decode() and not study.file_imports.exists()


def test_hostile_names_and_texts_are_spelt_out():
    a_study()
    rows = [
        {"prompt": "<script>alert(1)</script>", "chosen": "a\u202eb", "rejected": "=1+1", "x<b>\u202e": 1}
    ]
    shown = upload(desk(), rows, name="<b>\u202e.jsonl").content.decode()
    assert "<script>alert" not in shown and "\u202e" not in shown and "<b>" not in re.sub(r"<b>$", "", shown)
    assert "⟦U+202E⟧" in shown


@pytest.mark.parametrize("user", [bob, mallory])
def test_nobody_else_sees_or_moves_an_import(user):
    study = a_study()
    job = started(study)
    client = desk(user())
    own = [reverse("desk:imports", args=["kites"])]
    own += [reverse(f"desk:{name}", args=["kites", job.pk]) for name in ("import", "import_problems")]
    assert {client.get(address).status_code for address in own} == {404}
    posts = [own[0], reverse("desk:remap_import", args=["kites", job.pk])]
    posts += [reverse("desk:control_import", args=["kites", job.pk, name]) for name in ("stop", "discard")]
    assert {client.post(address).status_code for address in posts} == {404}
    assert FileImport.objects.get().state == "queued"


def test_an_upload_needs_the_forms_token():
    a_study()
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice())
    assert upload(client).status_code == 403 and not FileImport.objects.exists()


def test_the_command_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loading, "CHUNK", 3)
    study, path = a_study(), tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    keep = jobs._keep_mark

    def interrupted(job, result, bad):
        if result.rows > 6:
            raise KeyboardInterrupt
        keep(job, result, bad)

    monkeypatch.setattr(jobs, "_keep_mark", interrupted)
    with pytest.raises(CommandError, match="was stopped. It has come to row 6; --resume goes on"):
        call_command("import_preferences", "kites", path, "--set", "intent=benign", "--in-parts")
    monkeypatch.setattr(jobs, "_keep_mark", keep)
    call_command("import_preferences", "kites", path, "--resume")
    assert study.judgments.count() == 10 and Judgment.objects.count() == 10
    with pytest.raises(CommandError, match="No import of “a.jsonl” into “kites” has stopped"):
        call_command("import_preferences", "kites", path, "--resume")
    assert path.exists()


@pytest.mark.parametrize("worker, left", [("command line", 60), ("host-7", -1)])
def test_the_command_goes_on_after_one_that_was_killed(tmp_path, monkeypatch, worker, left):
    """A killed one holds its claim. At the command line nobody waits for a lease or a beat."""
    monkeypatch.setattr(loading, "CHUNK", 3)
    study, path = a_study(), tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    job = jobs.refer_to(study, path, recognise(path))
    jobs.remap(job, job.format, [], [], ["intent=benign"], False)
    jobs.start(job)
    killed = jobs.claim(job.pk, worker)
    FileImport.objects.update(lease_until=timezone.now() + timedelta(seconds=left))
    call_command("import_preferences", "kites", path, "--resume")
    assert study.judgments.count() == 10
    assert jobs.run(killed) is False and study.judgments.count() == 10  # should it live, it keeps nothing


def test_the_command_takes_no_import_from_a_worker_at_work(tmp_path):
    study, path = a_study(), tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    job = jobs.refer_to(study, path, recognise(path))
    jobs.remap(job, job.format, [], [], ["intent=benign"], False)
    jobs.start(job)
    jobs.claim(job.pk, "host-7")
    with pytest.raises(CommandError, match="Another worker has this import in hand"):
        call_command("import_preferences", "kites", path, "--resume")


def test_each_part_of_a_file_renews_the_lease(monkeypatch):
    """At the command line nobody else does, and another worker would take it over in the middle."""
    monkeypatch.setattr(loading, "CHUNK", 3)
    study = a_study()
    upload(desk())
    job = FileImport.objects.get()
    jobs.remap(job, job.format, [], [], ["intent=benign"], False)
    jobs.start(job)
    claimed, seen = jobs.claim(job.pk, "w"), []
    keep = jobs._keep_mark

    def watched(held, result, bad):
        FileImport.objects.update(lease_until=timezone.now() - timedelta(hours=1))
        keep(held, result, bad)
        seen.append(FileImport.objects.get().lease_until > timezone.now())

    monkeypatch.setattr(jobs, "_keep_mark", watched)
    assert jobs.run(claimed) and all(seen) and len(seen) == 4 and study.judgments.count() == 10


def test_the_command_previews_and_keeps_nothing(tmp_path, capsys):
    study, path = a_study(), tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row | {"source": "x"}) + "\n" for row in ROWS))
    call_command("import_preferences", "kites", path, "--preview")
    said = capsys.readouterr().out
    assert "10 of the first 10 rows can be taken. Nothing was kept." in said
    assert "Needed, and not there: intent" in said and "Not used: source." in said
    assert "dataset: balance 1 towards" in said and not study.prompts.exists()
