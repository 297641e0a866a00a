"""The one-file report of a study: made from the files of a snapshot alone, so that it can be made again.

The same files give the same bytes with the same version of Evenhand, whatever happened in the study since.
Texts of prompts and responses are not in it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from annotation.errors import SnapshotUnreadable
from annotation.printing import limits
from annotation.printing.methods import methods
from annotation.printing.sections import FILES_ONLY, Piece, Section, sections_of
from annotation.printing.sentences import headline
from annotation.reports.from_snapshot import manifest_digest, manifest_in
from annotation.reports.results import frozen, results_of
from annotation.reports.rows import Answers
from annotation.reports.tables import Table
from annotation.reports.winrates import headlines_of

STYLES = ("tokens", "drawings", "report")
BESIDE = 9
"""Columns. A table with more stands in the appendix, on a page that lies on its side."""


@dataclass(frozen=True)
class Numbered:
    """A piece with the number of its table; `in_appendix` where it does not stand beside its figures."""

    number: int
    piece: Piece
    in_appendix: bool


@dataclass(frozen=True)
class Chapter:
    section: Section
    pieces: tuple[Numbered, ...]


def report_html(folder: Path) -> str:
    """The report of the snapshot in this folder, as one HTML file. Raises SnapshotUnreadable."""
    manifest, digest = manifest_in(folder), manifest_digest(folder)
    _check_files(folder, manifest)
    answers = Answers.of_snapshot(folder)
    results = results_of(answers, manifest["study"], frozen(folder, manifest))
    tables = [table for table in results.tables if table.name not in FILES_ONLY]
    chapters = tuple(_chapters(sections_of(tables)))
    # A report is in English whoever asks for it: the same snapshot, the same bytes.
    with translation.override("en"):
        return render_to_string("printing/report.html", _context(manifest, digest, answers, tables, chapters))


def _check_files(folder: Path, manifest: Mapping) -> None:
    """Raises SnapshotUnreadable where a table is not the one that was frozen."""
    for name, described in sorted(manifest["files"].items()):
        if not name.endswith(".parquet"):
            continue
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise SnapshotUnreadable(f"The snapshot’s file “{name}” cannot be read: {error}.") from error
        if found != described["sha256"]:
            raise SnapshotUnreadable(
                f"“{name}” is not the file that was frozen: its SHA-256 is {found}, the manifest says "
                f"{described['sha256']}. No report was made."
            )


def _context(
    manifest: Mapping, digest: str, answers: Answers, tables: list[Table], chapters: tuple[Chapter, ...]
) -> dict:
    return {
        "manifest": manifest,
        "study": manifest["study"],
        "digest": digest,
        "headlines": [headline(line) for table in tables[:1] for line in headlines_of(table)],
        "chapters": chapters,
        "appendix": [found for chapter in chapters for found in chapter.pieces if found.in_appendix],
        "methods": methods(manifest, answers),
        "few": limits.few(tables),
        "undefined": limits.undefined(tables),
        "system_prompts": [arm for arm in manifest["arms"] if arm["system_prompt"]],
        "files": sorted(manifest["files"].items()),
        "settings": json.dumps(manifest["study"], indent=1, ensure_ascii=False, sort_keys=True),
        "styles": "\n".join(_style(name) for name in STYLES),
        "on_paper": True,
    }


def _chapters(sections: tuple[Section, ...]) -> Iterator[Chapter]:
    number = 0
    for section in sections:
        found = []
        for piece in section.pieces:
            number += 1
            found.append(Numbered(number, piece, len(piece.view.columns) > BESIDE or piece.view.is_long))
        yield Chapter(section, tuple(found))


def _style(name: str) -> str:
    return (settings.BASE_DIR / "static" / "css" / f"{name}.css").read_text(encoding="utf-8")
