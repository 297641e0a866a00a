"""Tables as files: typed, whole, and harmless in a spreadsheet."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.reports.table_files import WRITERS, defused
from annotation.reports.tables import Column, Table

pytestmark = pytest.mark.once

TABLE = Table(
    "headline",
    "Who is ahead",
    "A caption, with “quotes”.",
    (
        Column("arm", "Arm"),
        Column("decided", "Decided"),
        Column("n", "Judgments", "count"),
        Column("rate", "Rate", "share"),
        Column("p", "p", "p"),
    ),
    (
        ("blue", True, 12, 0.1 + 0.2, 1e-300),
        ("=HYPERLINK(1)", False, -3, -0.5, None),
        ('a, "b"\nc', None, 2**40, 1, 0.5),
        ("Größe 🙂", True, 0, None, None),
    ),
    n="n",
)


def test_csv_holds_every_value_and_no_formula():
    rows = list(csv.reader(io.StringIO(WRITERS["csv"](TABLE).decode("utf-8"), newline="")))
    assert rows == [
        ["arm", "decided", "n", "rate", "p"],
        ["blue", "true", "12", "0.30000000000000004", "1e-300"],
        ["'=HYPERLINK(1)", "false", "-3", "-0.5", ""],
        ['a, "b"\nc', "", "1099511627776", "1", "0.5"],
        ["Größe 🙂", "true", "0", "", ""],
    ]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@A1", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_defused(text):
    assert defused(text) == "'" + text


@pytest.mark.parametrize("text", ["", "a=1", "'=1", "1-1", "−1"])
def test_other_texts_stay_as_they_are(text):
    assert defused(text) == text


def test_parquet_has_types_by_kind_and_the_values_as_they_are():
    stored = pq.read_table(io.BytesIO(WRITERS["parquet"](TABLE)))
    assert stored.schema.types == [pa.string(), pa.string(), pa.int64(), pa.float64(), pa.float64()]
    assert [tuple(row.values()) for row in stored.to_pylist()] == [
        ("blue", "true", 12, 0.1 + 0.2, 1e-300),
        ("=HYPERLINK(1)", "false", -3, -0.5, None),
        ('a, "b"\nc', None, 2**40, 1.0, 0.5),
        ("Größe 🙂", "true", 0, None, None),
    ]
    assert stored.schema.metadata[b"caption"].decode() == TABLE.caption
    assert stored.schema.field("rate").metadata[b"label"] == b"Rate"


def test_json_is_the_whole_table():
    assert Table.from_json(json.loads(WRITERS["json"](TABLE))) == TABLE


@pytest.mark.parametrize("ending", WRITERS)
def test_the_same_table_gives_the_same_bytes_and_an_empty_one_a_file(ending):
    empty = Table("none", "None", "Nothing.", TABLE.columns, ())
    assert WRITERS[ending](TABLE) == WRITERS[ending](TABLE)
    assert WRITERS[ending](empty)
    if ending == "parquet":
        assert pq.read_table(io.BytesIO(WRITERS[ending](empty))).num_rows == 0
