"""Read a frozen snapshot: whole and unchanged, or refused."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_runtime.errors import TrainingRefused

PAIR_QUESTIONS = ("safer", "more_helpful", "balance")
RATED = ("safety", "severity", "helpfulness", "mode")
JUDGMENT_COLUMNS = (
    *(
        "counts",
        "pair_key",
        "prompt_key",
        "sample",
        "arm",
        "arm_a",
        "arm_b",
        "shown_a",
        "shown_b",
        "both_bad",
    ),
    *PAIR_QUESTIONS,
    *(prefix + name for prefix in ("", "a_", "b_") for name in RATED),
)
RESPONSE_COLUMNS = ("prompt_key", "messages", "intent", "family", "arm", "sample", "response", "replaced_at")
FORMAT_VERSIONS = (1, 2, 3)
"""Later ones have more tables and columns, none of which a training reads."""


@dataclass(frozen=True)
class Snapshot:
    """`manifest_sha256` names it: the manifest holds the digest of every other file."""

    folder: Path
    manifest: dict[str, Any]
    manifest_sha256: str
    judgments: list[dict[str, Any]]
    responses: list[dict[str, Any]]

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint tells of the snapshot that it was made from."""
        return {
            "manifest_sha256": self.manifest_sha256,
            "study": self.manifest["study"]["slug"],
            "number": self.manifest["number"],
        }

    @property
    def policies(self) -> list[str]:
        """Texts that answers may have been made or judged with."""
        return policies_in(self.manifest)


def policies_in(manifest: dict[str, Any]) -> list[str]:
    """Guidelines and the arms' system prompts, as a snapshot's manifest tells them."""
    texts = [guideline["body"] for guideline in manifest["guidelines"]]
    texts += [arm["system_prompt"] for arm in manifest["arms"]]
    return [text.strip() for text in texts if text and text.strip()]


def read_snapshot(folder: Path) -> Snapshot:
    """Read the judgments that count and the responses that stand; raise TrainingRefused."""
    manifest, digest = _manifest(folder)
    judgments = _table(folder, manifest, "judgments.parquet", JUDGMENT_COLUMNS)
    responses = _table(folder, manifest, "responses.parquet", RESPONSE_COLUMNS)
    return Snapshot(
        folder=folder,
        manifest=manifest,
        manifest_sha256=digest,
        judgments=[row for row in judgments if row["counts"]],
        responses=[row for row in responses if row["replaced_at"] is None],
    )


def _manifest(folder: Path) -> tuple[dict[str, Any], str]:
    path = folder / "manifest.json"
    try:
        content = path.read_bytes()
        manifest = json.loads(content)
        known = (manifest["study"]["slug"], manifest["number"], manifest["guidelines"], manifest["arms"])
        version = manifest["format_version"]
    except OSError as error:
        raise TrainingRefused(
            f"“{folder}” is no snapshot: its manifest.json cannot be read ({error.strerror}). "
            "Make one with: python manage.py freeze_snapshot STUDY --out DIR"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrainingRefused(f"“{path}” is no manifest of a snapshot: {error!r}.") from error
    if odd := _odd_part(manifest):
        raise TrainingRefused(f"“{path}” is no manifest of a snapshot: “{odd}” is not as one has it.")
    if version not in FORMAT_VERSIONS or None in known:
        versions = ", ".join(map(str, FORMAT_VERSIONS))
        raise TrainingRefused(
            f"“{path}” has format version {version}; this program reads {versions}. Freeze the study again."
        )
    return manifest, hashlib.sha256(content).hexdigest()


def _odd_part(manifest: dict[str, Any]) -> str:
    """The first part that a training reads and cannot, or ""."""
    texts = {"guidelines": "body", "arms": "system_prompt"}
    for part, name in texts.items():
        told = manifest[part]
        if not isinstance(told, list) or not all(isinstance(one, dict) and name in one for one in told):
            return part
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(isinstance(told, dict) for told in files.values()):
        return "files"
    return ""


def _table(
    folder: Path, manifest: dict[str, Any], name: str, columns: tuple[str, ...]
) -> list[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    _require_unchanged(folder / name, manifest["files"].get(name, {}).get("sha256"))
    try:
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(
            folder / name, columns=list(columns)
        ).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise TrainingRefused(f"“{folder / name}” cannot be read as a table: {error}") from error
    missing = sorted(set(columns) - set(rows[0])) if rows else []
    if missing:
        raise TrainingRefused(
            f"“{folder / name}” lacks the columns {', '.join(missing)}. Freeze the study again."
        )
    return rows


def _require_unchanged(path: Path, wanted: str | None) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TrainingRefused(f"The snapshot's file “{path}” cannot be read: {error.strerror}.") from error
    if found != wanted:
        raise TrainingRefused(
            f"“{path}” is not the file that the manifest tells of: its SHA-256 differs. "
            "A snapshot is never edited; freeze the study again, or copy the folder anew."
        )
