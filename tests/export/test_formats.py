"""JSON Lines and Parquet hold the same rows."""

import json
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from annotation.export.formats import SCHEMAS, TableFiles
from annotation.export.rows import response_row
from annotation.models import Arm, Prompt, Response
from annotation.models.model_settings import public_name


def a_response(number):
    return {
        **dict.fromkeys(
            ("prompt_key", "intent", "harm_category", "family", "language", "arm", "finish_reason"), "é\u2028"
        ),
        **dict.fromkeys(("prompt_tokens", "output_tokens", "seconds", "replaced_at"), None),
        "messages": [{"role": "user", "content": 'a\n"b"'}],
        "subset": ["x"],
        "response_id": number,
        "sample": number,
        "response": "",
        "seed": 2**62,
        "provenance": {"sampling": {"temperature": 0.5}},
        "created_at": datetime(2026, 3, 1, 10, 0, 0, 123, tzinfo=UTC),
    }


@pytest.mark.parametrize("rows", [0, 1, 1000, 2001])
def test_both_files_hold_every_row_in_order(tmp_path, rows):
    with TableFiles(tmp_path, "responses") as table:
        for number in range(rows):
            table.add(a_response(number))
    lines = (tmp_path / "responses.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    stored = pq.read_table(tmp_path / "responses.parquet")
    assert stored.schema.equals(SCHEMAS["responses"])
    assert [json.loads(line)["sample"] for line in lines] == list(range(rows)) == stored["sample"].to_pylist()


def test_values_are_the_same_in_both(tmp_path):
    with TableFiles(tmp_path, "responses") as table:
        table.add(a_response(7))
    line = json.loads((tmp_path / "responses.jsonl").read_text(encoding="utf-8"))
    stored = pq.read_table(tmp_path / "responses.parquet").to_pylist()[0]
    assert line.pop("created_at") == "2026-03-01T10:00:00.000123Z"
    assert stored.pop("created_at") == a_response(7)["created_at"]
    assert line == stored and json.loads(line["provenance"]) == {"sampling": {"temperature": 0.5}}


def test_a_row_with_other_columns_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="created_at"), TableFiles(tmp_path, "responses") as table:
        row = a_response(1)
        del row["created_at"]
        table.add(row)


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
    row = response_row(Response(prompt=Prompt(), arm=Arm(name="x"), provenance=told))
    assert row["provenance"] == {
        "model": "one",
        "adapter": "",
        "served": {"root": "one", "max_model_len": 4096},
        "answering_models": ["one", "org/name"],
        "sampling": {"stop": ["."]},
    }
