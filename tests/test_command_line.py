"""`manage.py`: what is typed and cannot be read."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "words",
    [
        [b"import_responses", b"caf\xe9", b"rows.jsonl"],
        [b"import_responses", b"kites", b"caf\xe9.jsonl"],
        [b"import_judgments", b"kites", b"rows.jsonl", b"--set", b"rationale=caf\xe9"],
        [b"runs", b"caf\xe9", b"status"],
        [b"caf\xe9"],
    ],
)
def test_words_that_are_not_utf_8_are_refused_in_a_sentence(tmp_path, words):
    answer = subprocess.run(
        [sys.executable.encode(), b"manage.py", *words],
        cwd=settings.BASE_DIR,
        env={**os.environ, "EVENHAND_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 1 and not answer.stdout
    assert "caf?" in answer.stderr and "is not UTF-8 text. Nothing was done." in answer.stderr
    assert answer.stderr.count("\n") == 1
