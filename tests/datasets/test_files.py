"""The files themselves: whole, the same every time, loadable, and safe to open."""

import csv
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.datasets.making import make_dataset
from annotation.datasets.recipe import PARTS, FileKind, Format, Recipe
from tests.datasets.written import Written, a_written_study, make

pytestmark = pytest.mark.once

ALL_KINDS = tuple(FileKind.values)
HOSTILE = [
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "nul \0 in it",
    "bidi \u202e reversed \u2066 isolate",
    "lines\r\nof\u2028 several\x85 kinds\n",
    '"quoted", with commas;',
    "</script><!-- ---\nyaml: [",
    "x" * 1_000_000,
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    study = Written()
    for number, text in enumerate(HOSTILE):
        study.judgment(study.pair(f"={number}", text, "No", words=f"{text[:50]} {number}"), balance=-2)
    return study.freeze(tmp_path_factory.mktemp("hostile") / "s")


def test_every_kind_holds_the_same_rows_whatever_stands_in_them(hostile, tmp_path):
    rows, manifest = make(hostile, tmp_path / "o", "trl_preference", files=ALL_KINDS, split="none")
    assert [row["chosen"][0]["content"] for row in rows] == HOSTILE
    out = tmp_path / "o"
    packed = gzip.decompress((out / "train.jsonl.gz").read_bytes())
    assert packed == (out / "train.jsonl").read_bytes()
    assert pq.read_table(out / "train.parquet").to_pylist() == rows
    csv.field_size_limit(10_000_000)
    with (out / "train.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [json.loads(row["chosen"]) for row in read] == [row["chosen"] for row in rows]
    for name, told in manifest["files"].items():
        content = (out / name).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (told["sha256"], told["bytes"])


def test_no_cell_of_a_spreadsheet_begins_a_formula(hostile, tmp_path):
    make(hostile, tmp_path / "o", "anthropic_hh", files=("csv",), split="none")
    make(hostile, tmp_path / "p", "trl_preference", files=("csv",), split="none")
    for folder in ("o", "p"):
        with (tmp_path / folder / "train.csv").open(newline="", encoding="utf-8") as file:
            cells = [cell for row in list(csv.reader(file))[1:] for cell in row]
        assert "'=0" in cells and not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


def everything_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("format", Format.values)
def test_making_it_again_gives_the_same_bytes(tmp_path, format):
    snapshot = a_written_study(seed=7).freeze(tmp_path / "s")
    for name in ("one", "two"):
        make(snapshot, tmp_path / name, format, files=ALL_KINDS)
    first = everything_in(tmp_path / "one")
    assert first == everything_in(tmp_path / "two")
    assert {"README.md", "manifest.json", "train.jsonl", "test.parquet"} <= first.keys()


def test_progress_is_told_and_whoever_listens_may_stop_it(tmp_path):
    told: list[tuple] = []
    snapshot = a_written_study().freeze(tmp_path / "s")
    (tmp_path / "o").mkdir()
    make_dataset(snapshot, Recipe("trl_preference"), tmp_path / "o", lambda *step: told.append(step))
    steps = list(dict.fromkeys(step for step, _, _ in told))
    first = ["Reading responses", "Reading pairs", "Reading judgments", "Deciding", "Writing"]
    assert steps == [*first, *(f"Writing {part}.jsonl" for part in PARTS)]
    assert all(0 <= done <= total for _, done, total in told)

    class Enough(Exception):
        pass

    def stop(step: str, done: int, total: int) -> None:
        if step == "Writing":
            raise Enough

    (tmp_path / "p").mkdir()
    with pytest.raises(Enough):
        make_dataset(snapshot, Recipe("trl_preference"), tmp_path / "p", stop)
    assert "manifest.json" not in everything_in(tmp_path / "p")


LOAD = """
import json, os, sys
from datasets import load_dataset
loaded = {}
for format in sys.argv[2:]:
    folder = f"{sys.argv[1]}/{format}"
    whole = load_dataset(folder)
    lines = load_dataset("json", data_files=f"{folder}/train.jsonl", split="train")
    packed = load_dataset("json", data_files=f"{folder}/train.jsonl.gz", split="train")
    parquet = load_dataset("parquet", data_files=f"{folder}/train.parquet", split="train")
    streamed = list(load_dataset(folder, split="train", streaming=True))
    table = load_dataset("csv", data_files=f"{folder}/train.csv", split="train")
    as_text = []
    ways = [whole["train"], lines, packed, parquet, streamed]
    for way in ways:  # times are text in JSON, and read as the library likes
        rows = [{k: v for k, v in row.items() if not k.endswith("_at")} for row in way]
        as_text.append(json.dumps(rows, default=str, sort_keys=True))
    loaded[format] = {
        "parts": {part: len(rows) for part, rows in whole.items()},
        "equal": [text == as_text[3] for text in as_text],
        "csv": [len(table), table.column_names == parquet.column_names],
    }
print(json.dumps(loaded), flush=True)
os._exit(0)  # the library's threads may still be at work, and end an ordinary exit with an abort
"""


@pytest.mark.slow
def test_every_format_loads_offline_in_every_way(tmp_path):
    snapshot = a_written_study(seed=7).freeze(tmp_path / "s")
    made = {format: make(snapshot, tmp_path / format, format, files=ALL_KINDS)[1] for format in Format.values}
    cache = str(tmp_path / "cache")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": cache, "HF_DATASETS_CACHE": cache}
    command = [sys.executable, "-c", LOAD, str(tmp_path), *made]
    done = subprocess.run(command, env=os.environ | offline, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    for format, manifest in made.items():
        parts = {part: told["rows"] for part, told in manifest["counts"]["splits"].items()}
        assert loaded[format]["parts"] == parts and all(loaded[format]["equal"]), (format, loaded[format])
        assert loaded[format]["csv"] == [parts["train"], True], format


PKU = {
    **dict.fromkeys(("prompt", "response_0", "response_1"), pa.string()),
    **dict.fromkeys(("is_response_0_safe", "is_response_1_safe"), pa.bool_()),
    **dict.fromkeys(("response_0_severity_level", "response_1_severity_level"), pa.int64()),
    **dict.fromkeys(("better_response_id", "safer_response_id"), pa.int64()),
}
"""Columns of PKU-SafeRLHF as its own files give them; `datasets` joins equal types alone."""


def test_pku_columns_have_the_types_of_pkus_own(tmp_path):
    make(a_written_study().freeze(tmp_path / "s"), tmp_path / "o", "pku_saferlhf", files=("parquet",))
    schema = pq.read_schema(tmp_path / "o" / "train.parquet")
    assert {name: schema.field(name).type for name in PKU} == PKU


KILLED = """
import os, signal, sys
import django
django.setup()
from pathlib import Path
from annotation.actions import datasets
from annotation.datasets import making
from annotation.datasets.recipe import Recipe

def kill(step, done, total):
    if step == "Writing":
        os.kill(os.getpid(), signal.SIGKILL)

made = making.make_dataset
datasets.make_dataset = lambda snapshot, recipe, out: made(snapshot, recipe, out, kill)
class Snapshot:
    folder = sys.argv[1]
datasets.write_dataset(Snapshot, Recipe("trl_preference"), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_killed_making_leaves_no_dataset_and_the_next_is_whole(tmp_path):
    snapshot = a_written_study().freeze(tmp_path / "s")
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, str(snapshot), str(out)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    assert not out.exists()
    rows, _ = make(snapshot, out, "trl_preference")
    assert rows == make(snapshot, tmp_path / "other", "trl_preference")[0]
