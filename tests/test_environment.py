"""Settings come from the environment alone; what is wrong is told at the start, all of it, with a remedy."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from annotation import checks, environment

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def nothing_wrong_yet(monkeypatch):
    monkeypatch.setattr(environment, "problems", [])


def refusal() -> str:
    with pytest.raises(ImproperlyConfigured) as refused:
        environment.refuse_if_wrong()
    return str(refused.value)


def test_what_cannot_be_read_is_told_all_at_once(tmp_path):
    given = {"BATCH_LEASE_SECONDS": "soon", "LOG_FORMAT": "xml", "HTTPS": "perhaps", "HSTS_SECONDS": "-1"}
    given |= {"IMPORT_MOST_UPLOADED": "9" * 30, "EVENHAND_VAR": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env=os.environ | given,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 1 and "Traceback" not in told.stderr
    lines = told.stderr.splitlines()
    assert lines[0] == "Evenhand is not set up correctly: variables of the environment cannot be used."
    asked = "BATCH_LEASE_SECONDS is “soon”. Write a whole number from 1 to 86400, or leave it out (60)."
    assert f"  {asked} (annotation.E011)" in lines
    assert "  HTTPS is “perhaps”. Write 1 or 0. (annotation.E010)" in lines
    assert "  LOG_FORMAT is “xml”. Write one of: text, json. (annotation.E012)" in lines
    assert len(lines) == 5  # HSTS_SECONDS says nothing without HTTPS


@pytest.mark.parametrize(("given", "value"), [("1", True), (" On ", True), ("no", False), ("", True)])
def test_yes_and_no(monkeypatch, given, value):
    monkeypatch.setenv("SOME_FLAG", given)
    assert environment.flag("SOME_FLAG", True) is value
    environment.refuse_if_wrong()


@pytest.mark.parametrize("given", ["0", "11", "1.5", "٣", "1e1", "-3"])
def test_a_number_beyond_its_bounds_is_refused(monkeypatch, given):
    monkeypatch.setenv("SOME_NUMBER", given)
    assert environment.number("SOME_NUMBER", 5, 1, 10) == 5
    assert "annotation.E011" in refusal()


def test_a_secret_may_lie_in_a_file(monkeypatch, tmp_path):
    file = tmp_path / "secret"
    file.write_text("of the file\n")
    monkeypatch.setenv("SOME_SECRET_FILE", str(file))
    assert environment.secret("SOME_SECRET") == "of the file"
    monkeypatch.setenv("SOME_SECRET", "given")
    environment.secret("SOME_SECRET")
    assert "SOME_SECRET and SOME_SECRET_FILE are both set. Leave one of them out." in refusal()


@pytest.mark.parametrize("made", [None, "", " \n", b"\xff\xfe"])
def test_a_file_without_a_secret_is_refused(monkeypatch, tmp_path, made):
    file = tmp_path / "secret"
    if made is not None:
        file.write_bytes(made if isinstance(made, bytes) else made.encode())
    monkeypatch.setenv("SOME_SECRET_FILE", str(file))
    assert environment.secret("SOME_SECRET", "default") == "default"
    told = refusal()
    assert "(annotation.E014)" in told and "Name a file in SOME_SECRET_FILE that this user may read" in told


def test_problems_are_told_once(monkeypatch):
    monkeypatch.setenv("SOME_FLAG", "perhaps")
    environment.flag("SOME_FLAG")
    assert refusal().count("perhaps") == 1
    environment.refuse_if_wrong()  # settings that failed may be imported again


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("CELERY_BROKER_URL", "kafka://host", "E002"),
        ("METRICS_TOKEN", "short", "E003"),
        ("VAR", "/nowhere", "E001"),
    ],
)
def test_every_process_refuses_what_contradicts_itself(monkeypatch, name, value, problem):
    monkeypatch.setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=f"annotation.{problem}"):
        checks.refuse_wrong_settings()


def test_a_site_for_others_is_warned_of_what_is_open(monkeypatch):
    monkeypatch.setattr(settings, "HTTPS", False)
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["*"])
    found = [one.id for check in (checks.https_is_on, checks.hosts_are_named) for one in check(None)]
    assert found == ["annotation.W001", "annotation.W002"]
    monkeypatch.setattr(settings, "HTTPS", True)
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["evenhand.example.org"])
    assert checks.https_is_on(None) == checks.hosts_are_named(None) == []


@pytest.mark.slow
@pytest.mark.parametrize("what", [["worker", "-Q", "default"], ["beat", "--pidfile="]])
def test_workers_and_beat_do_not_start_with_wrong_settings(tmp_path, what):
    given = {"EVENHAND_VAR": str(tmp_path), "METRICS_TOKEN": "short"}
    told = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "annotation", *what],
        cwd=settings.BASE_DIR,
        env=os.environ | given | {"DJANGO_SETTINGS_MODULE": "annotation.settings"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode != 0 and "METRICS_TOKEN has fewer than 16 characters." in told.stderr + told.stdout
