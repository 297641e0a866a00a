"""A table as Parquet, and Parquet as JSON Lines."""

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

ENGINE = {
    "threads": 1,
    "memory_limit": "128MB",
    "preserve_insertion_order": True,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""One thread, because the others are the raters'; nothing is fetched from anywhere."""

ROWS_AT_ONCE = 2_000
"""That are Python's values at once."""

TEXT, TAGS, TIME = pa.string(), pa.list_(pa.string()), pa.timestamp("us", tz="UTC")
MESSAGES = pa.list_(pa.struct([("role", TEXT), ("content", TEXT)]))


def _answers(prefix: str = "") -> list[tuple[str, pa.DataType]]:
    return [
        (f"{prefix}safety", TEXT),
        (f"{prefix}severity", TEXT),
        (f"{prefix}helpfulness", pa.int8()),
        (f"{prefix}mode", TEXT),
        (f"{prefix}categories", TAGS),
        (f"{prefix}facilitation", pa.bool_()),
    ]


SCHEMAS = {
    "preferences": pa.schema(
        [
            ("prompt", MESSAGES),
            ("chosen", MESSAGES),
            ("rejected", MESSAGES),
            ("margin", pa.float64()),
            ("pair_key", TEXT),
            ("prompt_key", TEXT),
            ("intent", TEXT),
            ("harm_category", TEXT),
            ("subset", TAGS),
            ("family", TEXT),
            ("n_judgments", pa.int32()),
            ("n_both_bad", pa.int32()),
            ("masked", pa.bool_()),
        ]
    ),
    "judgments": pa.schema(
        [
            ("judgment_id", pa.int64()),
            ("rater_id", TEXT),
            ("cohort", TEXT),
            ("rater_paused", pa.bool_()),
            ("source", TEXT),
            ("revision", pa.int32()),
            ("is_current", pa.bool_()),
            ("surplus", pa.bool_()),
            ("withdrawn", pa.bool_()),
            ("counts", pa.bool_()),
            ("pair_key", TEXT),
            ("prompt_key", TEXT),
            ("sample", pa.int32()),
            ("response_id", pa.int64()),
            ("arm", TEXT),
            ("arm_a", TEXT),
            ("arm_b", TEXT),
            ("left_arm", TEXT),
            ("review_decision", TEXT),
            ("shown_a", TEXT),
            ("shown_b", TEXT),
            ("safer", pa.int8()),
            ("more_helpful", pa.int8()),
            ("balance", pa.int8()),
            ("safer_shown", pa.int8()),
            ("more_helpful_shown", pa.int8()),
            ("balance_shown", pa.int8()),
            ("both_bad", pa.bool_()),
            *_answers(),
            *_answers("a_"),
            *_answers("b_"),
            ("confidence", pa.int8()),
            ("rationale", TEXT),
            ("extra", TEXT),
            ("guideline_condition", TEXT),
            ("guideline_version", pa.int32()),
            ("claimed_at", TIME),
            ("submitted_at", TIME),
            ("created_at", TIME),
        ]
    ),
    "pairs": pa.schema(
        [
            ("pair_key", TEXT),
            ("prompt_key", TEXT),
            ("sample", pa.int32()),
            ("arm_a", TEXT),
            ("arm_b", TEXT),
            ("response_a_id", pa.int64()),
            ("response_b_id", pa.int64()),
            ("state", TEXT),
            ("review_decision", TEXT),
            ("marks", TAGS),
            ("marks_a", TAGS),
            ("marks_b", TAGS),
            ("shown_a", TEXT),
            ("shown_b", TEXT),
            ("overlap", pa.int32()),
            ("created_at", TIME),
        ]
    ),
    "responses": pa.schema(
        [
            ("response_id", pa.int64()),
            ("prompt_key", TEXT),
            ("messages", MESSAGES),
            ("intent", TEXT),
            ("harm_category", TEXT),
            ("subset", TAGS),
            ("family", TEXT),
            ("language", TEXT),
            ("arm", TEXT),
            ("sample", pa.int32()),
            ("response", TEXT),
            ("finish_reason", TEXT),
            ("prompt_tokens", pa.int64()),
            ("output_tokens", pa.int64()),
            ("seconds", pa.float64()),
            ("seed", pa.int64()),
            ("provenance", TEXT),
            ("replaced_at", TIME),
            ("created_at", TIME),
        ]
    ),
    "grades": pa.schema(
        [
            ("grading_id", pa.int64()),
            ("response_id", pa.int64()),
            ("prompt_key", TEXT),
            ("arm", TEXT),
            ("sample", pa.int32()),
            ("repeat", pa.int32()),
            ("safety", pa.float64()),
            ("severity", TEXT),
            ("helpfulness", pa.int8()),
            ("mode", TEXT),
            ("reason", TEXT),
            ("failure", TEXT),
            ("created_at", TIME),
        ]
    ),
}


class TableFile:
    """A table's Parquet file, complete once the block ends. Raises OSError, maybe at a later call than the
    one that gave the rows: a thread compresses them while the caller gets the next."""

    def __init__(self, path: Path, schema: pa.Schema):
        self.path, self.schema, self.rows = path, schema, 0

    def __enter__(self) -> "TableFile":
        self._file = pq.ParquetWriter(self.path, self.schema, compression="zstd")
        self._thread = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with closing(self._file), self._thread:
            if error is None:
                self._wait()

    def add(self, rows: pa.Table) -> None:
        """Rows with exactly the schema's columns. Raises ValueError for others."""
        if not rows.schema.equals(self.schema):
            raise ValueError(f"{self.path.name} has other columns: {self.schema}")
        self._wait()  # so that at most two blocks are in memory
        self._written = self._thread.submit(self._file.write_table, rows)
        self.rows += len(rows)

    def _wait(self) -> None:
        if self._written is not None:
            self._written.result()


def write_json_lines(parquet: Path, lines: Path) -> None:
    """The rows of a Parquet file as JSON Lines: moments are ISO 8601 in UTC. Raises OSError.

    One row after the other, at a memory that does not depend on their number. The same rows give the same
    bytes.
    """
    schema = pq.read_schema(parquet)
    columns = ", ".join(_told(field) for field in schema)
    try:
        with duckdb.connect(config=ENGINE) as engine:
            query = f"SELECT {columns} FROM read_parquet({_quoted(parquet)})"
            engine.execute(f"COPY ({query}) TO {_quoted(lines)} (FORMAT json)")
    except duckdb.IOException as error:
        raise OSError(str(error)) from error
    except duckdb.OutOfMemoryException:  # which needs sixteen times what its longest rows have
        _write_long_lines(parquet, lines)


def _write_long_lines(parquet: Path, lines: Path) -> None:
    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_moment)
    with lines.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows_in(parquet):
            file.write(encoder.encode(row))
            file.write("\n")


def rows_in(parquet: Path) -> Iterator[dict]:
    """The rows of a Parquet file, of which one group is in memory at a time."""
    with pq.ParquetFile(parquet) as file:
        for group in range(file.num_row_groups):
            for batch in file.read_row_group(group).to_batches(ROWS_AT_ONCE):
                yield from batch.to_pylist()


def _told(field: pa.Field) -> str:
    if not pa.types.is_timestamp(field.type):
        return f'"{field.name}"'
    moment = f'make_timestamp(epoch_us("{field.name}"))'
    return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ') AS \"{field.name}\""


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def json_text(value: object) -> str:
    """JSON on one line; times are ISO 8601 in UTC."""
    return json.dumps(value, ensure_ascii=False, default=_moment)


def _moment(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} has no place in a snapshot.")
    return moment_text(value)


def moment_text(value: datetime) -> str:
    """ISO 8601 in UTC, to the microsecond."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def described(path: Path, rows: int | None = None) -> dict:
    """A finished file's size and SHA-256; it is on the disk, not only on its way, when this returns."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest} | ({} if rows is None else {"rows": rows})
