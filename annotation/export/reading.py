"""Rows out of the database into Arrow, block by block, by the connection that Django has."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
import pyarrow.csv
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.expressions import Combinable

BLOCK_BYTES = 4 * 2**20
"""How much text of PostgreSQL is made into a table at once; a single row may be larger."""

ROWS_AT_ONCE = 2_000
"""How many rows of SQLite are made into a table at once."""

ONE_MOMENT = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL work_mem = '32MB'",  # sorting a million judgments with less means many small files
    "SET LOCAL jit = off",  # compiling fifty columns takes longer than it saves
)
CONVERSION = {
    "null_values": [""],  # unquoted, PostgreSQL's CSV means NULL by it, and quoted an empty text
    "strings_can_be_null": True,
    "quoted_strings_can_be_null": False,
    "true_values": ["t"],
    "false_values": ["f"],
}


@dataclass(frozen=True)
class Query:
    """One SELECT: `columns` says what each column of `schema` is made from. JSON is read as its text."""

    rows: QuerySet
    columns: dict[str, Combinable]
    schema: pa.Schema

    def sql(self) -> tuple[str, tuple]:
        expressions = [self.columns[name] for name in self.schema.names]
        return self.rows.values_list(*expressions).query.sql_with_params()


@contextmanager
def one_moment() -> Iterator[None]:
    """All that is read in the block is of one moment. No lock is held: nobody waits for it.

    Inside a transaction of the caller's, each SELECT is of a moment of its own on PostgreSQL.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in ONE_MOMENT:
                cursor.execute(statement)
            yield
    else:
        with _reading_transaction():
            yield


@contextmanager
def _reading_transaction() -> Iterator[None]:
    """Django's own would take SQLite's write lock."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")  # nothing was written


def tables_of(query: Query) -> Iterator[pa.Table]:
    """The rows in their order, some megabytes of them at once; none of the tables is empty."""
    read = _copied if connection.vendor == "postgresql" else _fetched
    return read(query)


def _copied(query: Query) -> Iterator[pa.Table]:
    """By COPY, which costs a fifth of what rows cost as Python's values.

    A thread takes the next block from the server while the last one is parsed and written.
    """
    sql, parameters = query.sql()
    with (
        connection.cursor() as cursor,
        cursor.cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT csv)", parameters) as copied,
        ThreadPoolExecutor(1) as reader,
    ):
        lines = iter(copied)
        following = reader.submit(_block, lines)
        while block := following.result():
            following = reader.submit(_block, lines)
            yield _parsed(block, query.schema)


def _block(lines: Iterator[bytes]) -> bytearray:
    """The next rows; empty when there are no more."""
    block = bytearray()
    for line in lines:
        block += line  # a list to be joined at the end costs three times as much
        if len(block) >= BLOCK_BYTES:
            break
    return block


def _parsed(block: bytearray, schema: pa.Schema) -> pa.Table:
    return pyarrow.csv.read_csv(
        pa.BufferReader(block),
        pyarrow.csv.ReadOptions(column_names=schema.names, block_size=len(block) + 1),
        pyarrow.csv.ParseOptions(newlines_in_values=True),
        pyarrow.csv.ConvertOptions(column_types=schema, **CONVERSION),
    )


def _fetched(query: Query) -> Iterator[pa.Table]:
    sql, parameters = query.sql()
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        while rows := list(islice(cursor, ROWS_AT_ONCE)):
            columns = zip(*rows, strict=True)
            arrays = [_array(values, kind) for values, kind in zip(columns, query.schema.types, strict=True)]
            yield pa.Table.from_arrays(arrays, schema=query.schema)


def _array(values: tuple, kind: pa.DataType) -> pa.Array:
    """SQLite's moments come without their zone, which is UTC, and truth values may come as 0 and 1."""
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.timestamp(kind.unit)).cast(kind)
    if pa.types.is_boolean(kind):
        return pa.array([value if value is None else bool(value) for value in values], kind)
    return pa.array(values, kind)
