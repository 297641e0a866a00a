"""Bring an installation up to date before something runs on it: tables and static files."""

import os
from collections.abc import Callable
from hashlib import sha256

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

Say = Callable[[str], None]


def quietly(step: str) -> None:
    """For whoever tells nobody what is done."""


def prepare(say: Say = quietly) -> None:
    """Migrate, and collect the static files if any of them changed; `say` is told each step as it begins."""
    say("Preparing the database; the first time this takes some seconds …")
    call_command("migrate", interactive=False, verbosity=0)
    collect_static_files(say)


def collect_static_files(say: Say = quietly) -> None:
    """Collect the static files if any of them changed since the last time."""
    stamp = settings.VAR / "static.stamp"
    now = static_files_fingerprint()
    if stamp.exists() and stamp.read_text() == now:
        return
    say("Collecting what the pages look like …")
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(now)


def static_files_fingerprint() -> str:
    """A digest of every static file's place, size and time of change, and of where they are collected."""
    digest = sha256(f"{settings.STATIC_ROOT} {settings.STORAGES['staticfiles']}".encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            facts = os.stat(storage.path(path))
            digest.update(f"{path} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
