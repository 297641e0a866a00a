"""What a backup holds, as its `manifest.json` tells."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from annotation import strict_json
from annotation.errors import BackupRefused

FORMAT = 1
MANIFEST = "manifest.json"
FILES = "files"
KEPT = ("snapshots", "datasets", "trainings", "reports", "imports", "media")
"""The folders of EVENHAND_VAR that are kept. Queue, logs, drawn figures and static files are made again."""
SECRET_KEY = "secret_key"
TOLD = {"bytes", "sha256"}  # of each file


@dataclass(frozen=True)
class Contents:
    """`files` gives size and SHA-256 by path inside the backup; `tables` the rows of each table as dumped.

    `var` is the folder that the files come from, `audit` the newest seal of each study.
    """

    format: int
    evenhand: str
    made_at: str
    vendor: str
    migrations: list[str]
    tables: dict[str, int]
    audit: dict[str, dict]
    var: str
    files: dict[str, dict]

    @property
    def bytes(self) -> int:
        return sum(file["bytes"] for file in self.files.values())


def write_contents(folder: Path, contents: Contents) -> None:
    """Last of all: a folder without it is no backup."""
    text = json.dumps(asdict(contents), indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_contents(folder: Path) -> Contents:
    """Raises BackupRefused for a folder that is no backup, or one of a format that is not known here."""
    try:
        told = strict_json.read((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        raise BackupRefused(f"“{folder}” holds no backup: it has no {MANIFEST} that can be read.") from error
    except ValueError as error:
        raise BackupRefused(f"{MANIFEST} of “{folder}” cannot be read: {error}") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise BackupRefused(f"“{folder}” is no backup of format {FORMAT}. Use the Evenhand that made it.")
    try:
        contents = Contents(**told)
        safe = all(_is_inside(name) and set(file) == TOLD for name, file in contents.files.items())
    except (AttributeError, TypeError) as error:
        raise BackupRefused(f"{MANIFEST} of “{folder}” lacks what a backup tells.") from error
    if not safe:
        raise BackupRefused(f"{MANIFEST} of “{folder}” names files that lie outside of it.")
    return contents


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts
