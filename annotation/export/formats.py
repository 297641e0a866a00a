"""One table as JSON Lines and as Parquet, written row by row."""

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_AT_ONCE = 1000

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


class TableFiles:
    """`NAME.jsonl` and `NAME.parquet` in a folder, complete once the block ends. Raises OSError.

    Nested values without a schema of their own (provenance) are JSON text in both files.
    """

    def __init__(self, folder: Path, name: str):
        self.schema = SCHEMAS[name]
        self.paths = (folder / f"{name}.jsonl", folder / f"{name}.parquet")
        self.rows = 0
        self._waiting: list[dict] = []

    def __enter__(self) -> "TableFiles":
        self._lines = self.paths[0].open("w", encoding="utf-8", newline="\n")
        self._parquet = pq.ParquetWriter(self.paths[1], self.schema, compression="zstd")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._write()
        finally:
            self._lines.close()
            self._parquet.close()

    def add(self, row: dict) -> None:
        """One row, with exactly the schema's columns."""
        if row.keys() != set(self.schema.names):
            raise ValueError(f"Columns differ from the schema: {row.keys() ^ set(self.schema.names)}.")
        self._waiting.append({key: json_text(v) if isinstance(v, dict) else v for key, v in row.items()})
        self.rows += 1
        if len(self._waiting) == ROWS_AT_ONCE:
            self._write()

    def _write(self) -> None:
        if self._waiting:
            self._lines.writelines(json_text(row) + "\n" for row in self._waiting)
            self._parquet.write_table(pa.Table.from_pylist(self._waiting, self.schema))
        self._waiting = []


def json_text(value: object) -> str:
    """JSON on one line; times are ISO 8601 in UTC."""
    return json.dumps(value, ensure_ascii=False, default=_moment)


def _moment(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} has no place in a snapshot.")
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def described(path: Path, rows: int | None = None) -> dict:
    """A finished file's size and SHA-256; it is on the disk, not only on its way, when this returns."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest} | ({} if rows is None else {"rows": rows})
