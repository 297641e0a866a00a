"""Rows into files of every kind: Parquet as they come, the other kinds from the finished Parquet file.

So no two kinds can disagree, and nothing of Python's runs for each row of JSON Lines.
"""

import csv
import gzip
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.datasets.recipe import PARTS, FileKind
from annotation.export.formats import moment_text, rows_in, write_json_lines
from annotation.reports.table_files import defused

ROWS_AT_ONCE = 2_000
CHARACTERS_AT_ONCE = 8_000_000


class PartFiles:
    """`PART.parquet` for every part that gets a row; complete when the block ends.

    The same rows give the same bytes. Raises OSError.
    """

    def __init__(self, folder: Path, schema: pa.Schema):
        self._folder, self._schema = folder, schema
        self._columns = set(schema.names)  # pyarrow makes the names anew whenever it is asked
        self._parts: dict[str, _Part] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "PartFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        with self._stack:
            if kind is None:
                for part in self._parts.values():
                    part.write()

    def add(self, row: dict) -> None:
        """One row, with exactly the schema's columns, into the part that its `split` names."""
        if row.keys() != self._columns:
            raise ValueError(f"Columns differ from the schema: {row.keys() ^ self._columns}.")
        self._part(row["split"]).add(row)

    def add_table(self, name: str, rows: pa.Table) -> None:
        """Rows of one part, with exactly the schema's columns in their order."""
        if not rows.schema.equals(self._schema):
            raise ValueError(f"Columns differ from the schema: {rows.schema}.")
        if len(rows):
            self._part(name).add_table(rows)

    def _part(self, name: str) -> "_Part":
        if name not in self._parts:
            path = self._folder / f"{name}.{FileKind.PARQUET}"
            file = self._stack.enter_context(pq.ParquetWriter(path, self._schema, compression="zstd"))
            self._parts[name] = _Part(file, self._schema)
        return self._parts[name]

    def rows(self) -> dict[str, int]:
        """How many each part has, in the order of PARTS."""
        return {part: self._parts[part].rows for part in PARTS if part in self._parts}


class _Part:
    """Rows wait until they are many or long."""

    def __init__(self, file: pq.ParquetWriter, schema: pa.Schema):
        self._file, self._schema = file, schema
        self._waiting: list[dict] = []
        self._characters = 0
        self.rows = 0

    def add(self, row: dict) -> None:
        self._waiting.append(row)
        self._characters += _length(row)
        self.rows += 1
        if len(self._waiting) == ROWS_AT_ONCE or self._characters > CHARACTERS_AT_ONCE:
            self.write()

    def add_table(self, rows: pa.Table) -> None:
        self.write()  # what came before stands before
        self._file.write_table(rows)
        self.rows += len(rows)

    def write(self) -> None:
        if self._waiting:
            self._file.write_table(pa.Table.from_pylist(self._waiting, self._schema))
        self._waiting, self._characters = [], 0


def _length(value: object) -> int:
    """About how many characters a value holds."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_length, value.values()))
    return sum(map(_length, value)) if isinstance(value, list) else 0


# Other kinds ----------------------------------------------------------------------------------------------


def write_kind(kind: str, parquet: Path) -> Path:
    """The rows of a finished Parquet file as a file of another kind beside it. Raises OSError.

    The same rows give the same bytes; memory does not grow with their number.
    """
    path = parquet.with_name(f"{parquet.stem}.{kind}")
    WRITERS[kind](parquet, path)
    return path


def _write_packed_lines(parquet: Path, path: Path) -> None:
    # Without name and time in its head, so that the same rows give the same bytes.
    with (
        tempfile.NamedTemporaryFile(dir=path.parent, suffix=".jsonl") as lines,
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
    ):
        write_json_lines(parquet, Path(lines.name))
        with open(lines.name, "rb") as written:
            shutil.copyfileobj(written, packed, 2**20)


def _write_csv(parquet: Path, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(pq.read_schema(parquet).names)
        writer.writerows(map(cell, row.values()) for row in rows_in(parquet))


def cell(value: object) -> object:
    """A value as a spreadsheet takes it: lists and messages as JSON, and no text as a formula.

    A text that begins with = + - @, a tab or a carriage return gets an apostrophe first. Times are ISO 8601
    in UTC.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime):
        return moment_text(value)
    return defused(value) if isinstance(value, str) else value


WRITERS: dict[str, Callable[[Path, Path], None]] = {
    FileKind.JSONL.value: write_json_lines,
    FileKind.CSV.value: _write_csv,
    FileKind.JSONL_GZ.value: _write_packed_lines,
}
