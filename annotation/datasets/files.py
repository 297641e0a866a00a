"""Rows into files of every kind, some thousands at a time."""

import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.datasets.recipe import PARTS, FileKind
from annotation.reports.table_files import defused

ROWS_AT_ONCE = 2_000
CHARACTERS_AT_ONCE = 8_000_000
Write = Callable[[list[dict]], None]


class PartFiles:
    """`PART.KIND` for every part that gets a row and every kind asked for; complete when the block ends.

    The same rows give the same bytes. Raises OSError.
    """

    def __init__(self, folder: Path, schema: pa.Schema, kinds: tuple[str, ...]):
        self._folder, self._schema, self._kinds = folder, schema, kinds
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

    def _part(self, name: str) -> "_Part":
        if name not in self._parts:
            writers = [
                self._stack.enter_context(WRITERS[kind](self._folder / f"{name}.{kind}", self._schema))
                for kind in self._kinds
            ]
            self._parts[name] = _Part(writers)
        return self._parts[name]

    def written(self) -> dict[str, int]:
        """Rows by file name, in order; for use after the block."""
        return {
            f"{part}.{kind}": self._parts[part].rows
            for part in PARTS
            if part in self._parts
            for kind in self._kinds
        }


class _Part:
    """Rows wait until they are many or long."""

    def __init__(self, writers: list[Write]):
        self._writers = writers
        self._waiting: list[dict] = []
        self._characters = 0
        self.rows = 0

    def add(self, row: dict) -> None:
        self._waiting.append(row)
        self._characters += _length(row)
        self.rows += 1
        if len(self._waiting) == ROWS_AT_ONCE or self._characters > CHARACTERS_AT_ONCE:
            self.write()

    def write(self) -> None:
        for write in self._writers:
            write(self._waiting)
        self._waiting, self._characters = [], 0


def _length(value: object) -> int:
    """About how many characters a value holds."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_length, value.values()))
    return sum(map(_length, value)) if isinstance(value, list) else 0


def line_of(row: dict, names: list[str]) -> str:
    """The row as JSON on one line, columns in the schema's order; times are ISO 8601 in UTC."""
    return ENCODER.encode({name: row[name] for name in names}) + "\n"


def _moment(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} has no place in a dataset.")
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


ENCODER = json.JSONEncoder(ensure_ascii=False, default=_moment)
"""Made once: one for each row took a fifth of the time of writing it."""


@contextmanager
def _jsonl(path: Path, schema: pa.Schema) -> Iterator[Write]:
    names = schema.names
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yield lambda rows: file.writelines(line_of(row, names) for row in rows)


@contextmanager
def _jsonl_gz(path: Path, schema: pa.Schema) -> Iterator[Write]:
    # Without name and time in its head, so that the same rows give the same bytes.
    names = schema.names
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        yield lambda rows: file.writelines(line_of(row, names).encode() for row in rows)


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        yield lambda rows: file.write_table(pa.Table.from_pylist(rows, schema)) if rows else None


@contextmanager
def _csv(path: Path, schema: pa.Schema) -> Iterator[Write]:
    names = schema.names
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(names)
        yield lambda rows: writer.writerows([cell(row[name]) for name in names] for row in rows)


def cell(value: object) -> object:
    """A value as a spreadsheet takes it: lists and messages as JSON, and no text as a formula.

    A text that begins with = + - @, a tab or a carriage return gets an apostrophe first.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime):
        return _moment(value)
    return defused(value) if isinstance(value, str) else value


WRITERS = {
    FileKind.JSONL.value: _jsonl,
    FileKind.PARQUET.value: _parquet,
    FileKind.CSV.value: _csv,
    FileKind.JSONL_GZ.value: _jsonl_gz,
}


def described(path: Path, rows: int | None = None) -> dict:
    """A finished file's size and SHA-256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest} | ({} if rows is None else {"rows": rows})
