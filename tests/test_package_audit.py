"""The audit of packages fails for a known hole, and for nothing else."""

import json

import pytest

from tests import package_audit

pytestmark = pytest.mark.once

HOLE = {"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}


def told(**vulns) -> str:
    return json.dumps({"dependencies": [{"name": n, "version": "1.0", "vulns": v} for n, v in vulns.items()]})


def test_a_known_hole_is_named_with_its_remedy():
    found = package_audit.read(told(kite=[HOLE], string=[]), 2)
    assert found.holes == (("kite", "1.0", "PYSEC-1", "1.1"),)
    assert "kite 1.0: PYSEC-1, mended in 1.1" in str(found) and "2 of 2 asked about" in str(found)


def test_a_hole_that_was_accepted_is_not(monkeypatch):
    monkeypatch.setattr(package_audit, "ACCEPTED", {"PYSEC-1": "We have no strings."})
    assert package_audit.read(told(kite=[HOLE]), 1).holes == ()


@pytest.mark.parametrize(
    "said", ["", "no connection", "[]", '{"dependencies": [{"name": "a", "skip_reason": "?"}]}']
)
def test_without_an_answer_it_passes_and_says_so(said):
    found = package_audit.read(said, 1)
    assert found.holes == () and "0 of 1 asked about" in str(found) and "did not tell" in str(found)


def test_every_pinned_package_is_asked_about():
    names = [line.partition("==")[0] for line in package_audit.pinned()]
    assert {"Django", "psycopg", "celery", "trl", "ruff"} <= set(names)
    assert all(line.count("==") == 1 and "[" not in line for line in package_audit.pinned())
