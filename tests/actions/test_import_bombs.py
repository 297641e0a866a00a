"""Small files that would become large: what is looked at of them, and what is refused before it is there."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.actions.imports import parquets, preview
from annotation.actions.imports.files import read_records
from annotation.actions.imports.formats import recognise
from annotation.actions.imports.mapping import Mapping
from annotation.errors import ImportRefused
from tests.cast import a_study

LONG = 400_000  # characters


def long_rows(folder: Path, rows: int = 60) -> Path:
    path = folder / "long.jsonl.gz"
    row = {"prompt": "Why?", "chosen": "x" * LONG, "rejected": "y"}
    path.write_bytes(gzip.compress((json.dumps(row) + "\n").encode() * rows))
    return path


def test_a_format_is_recognised_without_holding_the_first_rows_whatever_their_length(tmp_path):
    path = long_rows(tmp_path)
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    found = recognise(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.name == "trl_preference" and peak < 30 * LONG


@pytest.mark.django_db
def test_a_preview_looks_at_fewer_rows_where_they_are_long(tmp_path):
    path = long_rows(tmp_path)
    shown = preview.preview(a_study(), path, recognise(path), Mapping(constants={"intent": "benign"}))
    assert shown.looked_at == shown.taken == 11  # the eleventh reaches four megabytes


@pytest.mark.parametrize("ending", ["jsonl", "json"])
@pytest.mark.parametrize(
    "row, reason",
    [({f"c{n}": 1 for n in range(1_001)}, "1,001 fields"), ({"x" * 1_001: 1}, "name of a field is longer")],
)
def test_an_object_of_countless_or_endless_names_is_a_bad_row(tmp_path, ending, row, reason):
    path = tmp_path / f"a.{ending}"
    path.write_text(json.dumps(row if ending == "jsonl" else [row]))
    (record,) = read_records(path)
    assert reason in record.problem and not record.values


def test_rows_that_all_have_other_columns_are_no_page_of_columns(tmp_path):
    row = {"prompt": "Why?", "chosen": "x", "rejected": "y"}
    rows = [row | {f"c{line}-{n}": 1 for n in range(900)} for line in range(3)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert len(recognise(tmp_path / "a.jsonl").found) == 1_000


def read(path: Path):
    with path.open("rb") as file:
        yield from parquets.read_parquet(path, file)


def test_a_text_that_every_row_of_a_parquet_file_has_is_in_memory_once(tmp_path):
    path, text = tmp_path / "a.parquet", "x" * LONG
    pq.write_table(pa.table({"a": [text] * 200, "b": [["z"]] * 200}), path, store_schema=False)
    before, records = pa.total_allocated_bytes(), read(path)
    assert next(records).values == {"a": text, "b": ["z"]}
    assert pa.total_allocated_bytes() - before < 20 * LONG
    assert sum(record.values["a"] == text for record in records) == 199


LISTS = {
    "lists": [[0] * 600],
    "lists of lists": [[[0] * 300, [0] * 300]],
    "lists of objects": [[{"a": 0, "b": 0}] * 200],
    "nothing": pa.array([[None] * 600], pa.list_(pa.null())),
}


@pytest.mark.parametrize("kind", LISTS)
def test_rows_of_endless_lists_are_refused_before_they_are_values(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(parquets, "MOST_VALUES_AT_ONCE", 500)
    pq.write_table(pa.table({"a": LISTS[kind]}), tmp_path / "a.parquet")
    with pytest.raises(ImportRefused, match="rows from 1 on are too long"):
        list(read(tmp_path / "a.parquet"))


def test_a_parquet_file_of_countless_values_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(parquets, "MOST_VALUES", 500)
    pq.write_table(pa.table({"a": LISTS["nothing"]}), tmp_path / "a.parquet")
    with pytest.raises(ImportRefused, match="fewer rows in a row group"):
        list(read(tmp_path / "a.parquet"))


def test_maps_and_empty_columns_of_parquet_are_read_as_before(tmp_path):
    maps = pa.array([[], None], pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({"a": maps, "b": pa.nulls(2)}), tmp_path / "a.parquet")
    found = [record.values for record in read(tmp_path / "a.parquet")]
    assert found == [{"a": [], "b": None}, {"a": None, "b": None}]
