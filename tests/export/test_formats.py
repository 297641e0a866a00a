"""JSON Lines and Parquet hold the same rows."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.export.formats import SCHEMAS, TableFile, write_json_lines
from annotation.export.shaping import public_provenance
from annotation.models.model_settings import public_name

HOSTILE = "\u202e\x00\x01\"\\\r\n\t\U0001f600\u2028,,'{}"


def a_response(number):
    return {
        **dict.fromkeys(
            ("prompt_key", "intent", "harm_category", "family", "language", "arm", "finish_reason"), "é\u2028"
        ),
        **dict.fromkeys(("prompt_tokens", "output_tokens", "replaced_at"), None),
        "seconds": 0.1 + 0.2,
        "messages": [{"role": "user", "content": 'a\n"b"'}],
        "subset": ["x"],
        "response_id": number,
        "sample": number,
        "response": HOSTILE,
        "seed": 2**62,
        "provenance": '{"sampling": {"temperature": 0.5}}',
        "created_at": datetime(2026, 3, 1, 10, 0, 0, 123, tzinfo=UTC),
    }


def written(folder, rows):
    """The rows as both files, which are returned."""
    files = folder / "responses.parquet", folder / "responses.jsonl"
    with TableFile(files[0], SCHEMAS["responses"]) as file:
        for start in range(0, len(rows), 700):
            file.add(pa.Table.from_pylist(rows[start : start + 700], SCHEMAS["responses"]))
    write_json_lines(*files)
    return files


@pytest.mark.parametrize("rows", [0, 1, 2001])
def test_both_files_hold_every_row_in_order(tmp_path, rows):
    parquet, lines = written(tmp_path, [a_response(number) for number in range(rows)])
    found = lines.read_text(encoding="utf-8").split("\n")[:-1]
    stored = pq.read_table(parquet)
    assert stored.schema.equals(SCHEMAS["responses"])
    assert [json.loads(line)["sample"] for line in found] == list(range(rows)) == stored["sample"].to_pylist()


def test_values_are_the_same_in_both(tmp_path):
    parquet, lines = written(tmp_path, [a_response(7)])
    line = json.loads(lines.read_text(encoding="utf-8"))
    stored = pq.read_table(parquet).to_pylist()[0]
    assert line.pop("created_at") == "2026-03-01T10:00:00.000123Z"
    assert stored.pop("created_at") == a_response(7)["created_at"]
    assert line == stored and json.loads(line["provenance"]) == {"sampling": {"temperature": 0.5}}
    assert line["response"] == HOSTILE and line["seconds"] == 0.1 + 0.2


@pytest.mark.slow
def test_a_response_of_many_megabytes_is_written_too(tmp_path):
    """What DuckDB needs for it is more than it may have."""
    longest = a_response(1) | {"response": (HOSTILE + "é" * 1_000) * 16_000}
    parquet, lines = written(tmp_path, [a_response(0), longest, a_response(2)])
    with lines.open(encoding="utf-8", newline="\n") as file:
        found = [json.loads(line) for line in file]
    assert [row["response_id"] for row in found] == [0, 1, 2]
    assert found[1]["response"] == longest["response"]
    again = tmp_path / "again.jsonl"
    write_json_lines(parquet, again)
    assert again.read_bytes() == lines.read_bytes()


def test_a_table_with_other_columns_is_an_error(tmp_path):
    schema = SCHEMAS["responses"]
    with (
        pytest.raises(ValueError, match="created_at"),
        TableFile(tmp_path / "responses.parquet", schema) as file,
    ):
        file.add(pa.Table.from_pylist([a_response(1)], schema).drop_columns("created_at"))


@pytest.mark.parametrize(
    ("model", "public"),
    [
        ("/home/ada/models/one", "one"),
        ("/home/ada/models/one/", "one"),
        ("./one", "one"),
        ("~/one", "one"),
        (r"C:\Users\ada\one", "one"),
        ("C:/Users/ada/one", "one"),
        ("org/name", "org/name"),
        ("", ""),
    ],
)
def test_a_local_folder_tells_nobodys_home(model, public):
    assert public_name(model) == public


def test_a_provenance_tells_nobodys_home_either():
    told = {
        "model": "/home/ada/one",
        "adapter": "",
        "worker": "gpu0@ada",
        "base_url": "http://ada:8000/v1",
        "served": {"root": "/home/ada/one", "max_model_len": 4096},
        "answering_models": ["/home/ada/one", "org/name"],
        "sampling": {"stop": ["."]},
    }
    assert json.loads(public_provenance(json.dumps(told))) == {
        "model": "one",
        "adapter": "",
        "served": {"root": "one", "max_model_len": 4096},
        "answering_models": ["one", "org/name"],
        "sampling": {"stop": ["."]},
    }
