"""Parquet files, a few rows in memory at a time; their values become those that JSON has."""

import math
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings

from annotation import strict_json
from annotation.actions.imports.cells import BadRow
from annotation.actions.imports.records import LONGEST, MOST_COLUMNS, Record
from annotation.errors import ImportRefused

ROWS_AT_ONCE = 250
MOST_AT_ONCE = 512 * 1024 * 1024  # bytes of these rows, unpacked
MOST_VALUES = 2**27  # of a column in a row group: a few bytes can say that there are billions
MOST_VALUES_AT_ONCE = 2**24  # of these rows, each in a list counted
MAGIC = b"PAR1"


def read_parquet(path: Path, file: BinaryIO) -> Iterator[Record]:
    """Every row; `line` is the row's number, from 1."""
    try:
        table = _opened(path, file)
        number = 0
        for batch in table.iter_batches(batch_size=ROWS_AT_ONCE):
            values = sum(map(_values_in, batch.columns))
            if batch.nbytes > MOST_AT_ONCE or values > MOST_VALUES_AT_ONCE:
                raise ImportRefused(
                    [], f"“{path.name}”: rows from {number + 1:,} on are too long to be read."
                )
            for row in range(batch.num_rows):
                number += 1
                yield _record(number, batch, row)
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise ImportRefused([], f"“{path.name}” cannot be read as Parquet: {_first_line(error)}.") from error


def _opened(path: Path, file: BinaryIO) -> pq.ParquetFile:
    """The file, its texts read as they are packed: one long text that all rows have is in memory once."""
    table = pq.ParquetFile(file)
    _refuse_odd(path, table)
    columns = (table.schema.column(place) for place in range(len(table.schema)))
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    file.seek(0)
    return pq.ParquetFile(file, read_dictionary=texts)


def _values_in(column: pa.Array) -> int:
    """How many values a column of some rows holds, those in lists and structs included."""
    if isinstance(column, pa.MapArray):
        return len(column) + _values_in(column.keys) + _values_in(column.items)
    if isinstance(column, LISTS):
        return len(column) + _values_in(column.flatten())
    if isinstance(column, pa.StructArray):
        return len(column) + sum(map(_values_in, column.flatten()))
    return len(column)


LISTS = (pa.ListArray, pa.LargeListArray, pa.FixedSizeListArray)


def _refuse_odd(path: Path, table: pq.ParquetFile) -> None:
    names = table.schema_arrow.names
    if len(names) > MOST_COLUMNS:
        raise ImportRefused([], f"“{path.name}” has {len(names):,} columns; {MOST_COLUMNS:,} is the most.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ImportRefused([], f"“{path.name}” has more than one column named {', '.join(twice)}.")
    groups = [table.metadata.row_group(number) for number in range(table.num_row_groups)]
    columns = (group.column(place) for group in groups for place in range(group.num_columns))
    if any(column.num_values > MOST_VALUES for column in columns):
        raise ImportRefused(
            [], f"“{path.name}” has a column of too many values. Write it with fewer rows in a row group."
        )
    if sum(group.total_byte_size for group in groups) > settings.IMPORT_MOST_UNPACKED:
        most = f"{settings.IMPORT_MOST_UNPACKED / 1e9:,.1f} GB"
        raise ImportRefused([], f"“{path.name}” unpacks to more than {most}. Cut it into parts.")


def _record(number: int, batch: pa.RecordBatch, row: int) -> Record:
    """One row. A value that is no text, number, list or object is the row's problem."""
    try:
        values = {
            name: _plain(column[row].as_py(), name)
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        }
    except (BadRow, ValueError, OverflowError, pa.ArrowException) as error:  # also text that is not UTF-8
        return Record(number, 1, problem=_first_line(error))
    size = sum(len(value) if isinstance(value, str) else len(str(value)) for value in values.values())
    if size > LONGEST:
        return Record(number, 1, problem=f"The row has more than {LONGEST // 2**20} MB.")
    if problem := strict_json.why_refused(values):
        return Record(number, size, problem=problem)
    return Record(number, size, values)


def _plain(value: object, name: str) -> object:
    """As JSON would have it; times as ISO 8601. A struct's empty fields are left out, as JSON Lines does."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadRow(f"“{name}” is {value}, which is no number that can be kept.")
        return value
    if isinstance(value, list):
        return [_plain(part, name) for part in value]
    if isinstance(value, dict):
        return {key: _plain(part, name) for key, part in value.items() if part is not None}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise BadRow(f"“{name}” holds a {type(value).__name__}; text, numbers and lists can be read.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
