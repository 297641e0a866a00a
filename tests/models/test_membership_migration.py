"""Whoever was a researcher of a study owns it after the upgrade, and nobody else does."""

import json
import os
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings

pytestmark = [pytest.mark.slow, pytest.mark.django_db]  # the latter, so that it runs on PostgreSQL, too


@pytest.fixture
def empty_database(tmp_path):
    """The environment of a process with an empty database of its own, of the kind that tests run on."""
    environment = os.environ | {
        "EVENHAND_VAR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "annotation.settings",
    }
    url = environment.pop("DATABASE_URL", "")
    if not url:
        yield environment
        return
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE DATABASE membership_steps")
        try:
            yield environment | {"DATABASE_URL": f"{url.rpartition('/')[0]}/membership_steps"}
        finally:
            server.execute("DROP DATABASE membership_steps WITH (FORCE)")


def test_researchers_of_a_study_become_its_owners_and_the_way_back_keeps_them(empty_database):
    command = [sys.executable, "-m", "tests.models.membership_steps"]
    ran = subprocess.run(
        command, env=empty_database, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["members"] == [
        ["boats", "mallory", "owner"],
        ["kites", "alice", "owner"],
        ["kites", "mallory", "owner"],
    ]
    assert told["back"] == [["boats", "mallory"], ["kites", "alice"], ["kites", "mallory"]]
