"""A table as a file: CSV that no spreadsheet runs, Parquet with types, JSON."""

import csv
import io
import json
from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.reports.tables import Column, Table, Value

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula. Such a text gets an apostrophe first, which spreadsheets hide."""

TYPES = {
    "text": pa.string(),
    "count": pa.int64(),
    "share": pa.float64(),
    "number": pa.float64(),
    "p": pa.float64(),
}


def csv_file(table: Table) -> bytes:
    """UTF-8 with a row of column names; numbers as they are stored, nothing where there is no value."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table.names)
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return out.getvalue().encode()


def _cell(value: Value) -> Value:
    if isinstance(value, bool):
        return _word(value)
    return defused(value) if isinstance(value, str) else value


def defused(text: str) -> str:
    """The text, with an apostrophe first where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def parquet_file(table: Table) -> bytes:
    """Each column in the type of its kind; title, caption and labels in the schema's metadata."""
    metadata = {"title": table.title, "caption": table.caption, "n": table.n}
    schema = pa.schema([_field(column) for column in table.columns], metadata=metadata)
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    arrays = [
        pa.array(_typed(column, values), TYPES[column.kind])
        for column, values in zip(table.columns, columns, strict=True)
    ]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), out, compression="zstd")
    return out.getvalue()


def _field(column: Column) -> pa.Field:
    return pa.field(column.name, TYPES[column.kind], metadata={"label": column.label, "kind": column.kind})


def _typed(column: Column, values: Iterable[Value]) -> list[Value]:
    if column.kind == "text":
        return [None if value is None else _word(value) for value in values]
    return list(values)


def _word(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def json_file(table: Table) -> bytes:
    """The whole table: title, caption, columns, rows."""
    return json.dumps(table.as_json(), ensure_ascii=False, allow_nan=False).encode()


WRITERS: dict[str, Callable[[Table], bytes]] = {
    "csv": csv_file,
    "parquet": parquet_file,
    "json": json_file,
}
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
}
