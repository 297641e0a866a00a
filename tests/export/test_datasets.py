"""A snapshot loads with the `datasets` library, offline, the way a trainer would load it."""

import json
import os
import subprocess
import sys

import pytest

from annotation.actions.snapshots import freeze_snapshot
from tests.cast import a_judgment, a_rateable_study, a_rater, answers, bob

pytestmark = pytest.mark.django_db

LOAD = """
import json, os, sys
from datasets import load_dataset
folder = sys.argv[1]
loaded = {
    "jsonl": load_dataset("json", data_files=f"{folder}/preferences.jsonl", split="train"),
    "parquet": load_dataset("parquet", data_files=f"{folder}/preferences.parquet", split="train"),
    "folder": load_dataset(folder, "preferences", split="train"),
    "default": load_dataset(folder, split="train"),
    "judgments": load_dataset(folder, "judgments", split="train"),
    "responses": load_dataset(folder, "responses", split="train"),
    "streamed": load_dataset(folder, "preferences", split="train", streaming=True),
}
print(json.dumps({name: list(data) for name, data in loaded.items()}, default=str), flush=True)
os._exit(0)  # the library's threads may still be at work, and end an ordinary exit with an abort
"""


@pytest.fixture
def frozen(tmp_path):
    study = a_rateable_study(pairs=2)
    rater = a_rater(study, bob())
    for balance in (2, -3):
        a_judgment(rater, answers(balance=balance))
    freeze_snapshot(study, out=tmp_path / "out")
    return tmp_path / "out"


def loaded_offline(folder, cache):
    """In a process of its own: the library reads its environment when it is imported."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(cache), "HF_DATASETS_CACHE": str(cache / "datasets")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder)], env=os.environ | offline, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_it_loads_offline_in_every_way(frozen, tmp_path):
    loaded = loaded_offline(frozen, tmp_path / "cache")
    expected = [json.loads(line) for line in (frozen / "preferences.jsonl").read_text().splitlines()]
    for way in ("jsonl", "parquet", "folder", "default", "streamed"):
        assert loaded[way] == expected and len(expected) == 2, way
    assert sorted(row["margin"] for row in expected) == [2.0, 3.0]
    assert (len(loaded["judgments"]), len(loaded["responses"])) == (2, 4)
