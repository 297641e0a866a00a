"""An installation beside the one of the tests: a database and a folder of its own, for child processes."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection


@contextmanager
def another_place(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of an empty installation, with a database of the kind that the tests have."""
    environment = os.environ | {"EVENHAND_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "annotation.settings"}
    environment.pop("EVENHAND_TEST_VAR", None)
    if connection.vendor == "sqlite":
        environment.pop("DATABASE_URL", None)
        yield environment
        return
    name = f"elsewhere_{uuid.uuid4().hex}"  # of its own: other test processes share the server
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            url, _, _ = os.environ["DATABASE_URL"].rpartition("/")
            yield environment | {"DATABASE_URL": f"{url}/{name}"}
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run_there(environment: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, where `another_place` is."""
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True)
