"""The whole results of a study: all tables, and what they were made from."""

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import scipy

from annotation.models import Study
from annotation.reports import agreement_tables, preference_tables
from annotation.reports.filters import Filters
from annotation.reports.from_snapshot import manifest_digest, manifest_in
from annotation.reports.rows import Answers
from annotation.reports.tables import Table
from annotation.reports.winrates import Headline, headlines_of
from annotation.version import evenhand_version

LAYOUT = 1
"""Goes up when results that were kept can no longer be read; they are made anew then."""

MAKERS = (preference_tables.tables, agreement_tables.tables)
STUDY_FIELDS = ("slug", "title", "question", "overlap", "allow_tie", "guideline_condition", "seed")


@dataclass(frozen=True)
class Results:
    """`about` holds JSON values: the study, where its data came from, filters, counts, versions.

    Made from a snapshot, the same files and the same code give the same bytes of `text()`.
    """

    about: dict
    tables: tuple[Table, ...]

    @property
    def headlines(self) -> tuple[Headline, ...]:
        """Who is ahead of whom; empty where nothing was compared."""
        return headlines_of(self.table("headline"))

    def table(self, name: str) -> Table:
        """Raises KeyError for a name that none has."""
        return next((table for table in self.tables if table.name == name), None) or _none_of(name)

    def as_json(self) -> dict:
        """What `from_json` reads."""
        return {"about": self.about, "tables": [table.as_json() for table in self.tables]}

    @classmethod
    def from_json(cls, told: dict) -> "Results":
        return cls(told["about"], tuple(map(Table.from_json, told["tables"])))

    def text(self) -> str:
        """Canonical JSON."""
        return canonical(self.as_json())


def _none_of(name: str) -> Table:
    raise KeyError(f"The results have no table “{name}”.")


def canonical(told: object) -> str:
    """The same bytes for the same values. Raises ValueError for NaN, which no JSON has."""
    return json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def results_of(answers: Answers, study: dict, source: dict, filters: Filters | None = None) -> Results:
    """The results of the answers that the filters let through.

    `study` is what `study_told` says, or a snapshot's manifest; `source` what `live` or `frozen` says.
    """
    filters = filters or Filters()
    kept = answers.filtered(filters)
    about = {
        "layout": LAYOUT,
        "study": {name: study.get(name) for name in STUDY_FIELDS},
        "source": source,
        "filters": {"query": filters.as_query(), "words": filters.in_words()},
        "counts": _counts(kept),
        "arms": list(answers.arms),
        "grader": asdict(answers.grader) if answers.grader else None,
        "versions": versions(),
    }
    return Results(about, tuple(table for make in MAKERS for table in make(kept)))


def results_of_study(study: Study, filters: Filters, fingerprint: str, at: datetime) -> Results:
    """From the database as it is now; `fingerprint` was read just before."""
    return results_of(Answers.of_study(study), study_told(study), live(fingerprint, at), filters)


def results_of_snapshot(folder: Path, filters: Filters | None = None) -> Results:
    """From a snapshot's files, without a database. Raises SnapshotUnreadable, also for files that changed."""
    manifest = manifest_in(folder)
    return results_of(Answers.of_snapshot(folder), manifest["study"], frozen(folder, manifest), filters)


def study_told(study: Study) -> dict:
    return {name: getattr(study, name) for name in STUDY_FIELDS}


def live(fingerprint: str, at: datetime) -> dict:
    """The database, with the moment when it was read."""
    return {"kind": "live", "fingerprint": fingerprint, "read_at": at.isoformat(timespec="seconds")}


def frozen(folder: Path, manifest: dict) -> dict:
    """A snapshot, named by the SHA-256 of its manifest, which in turn names every file's."""
    return {
        "kind": "snapshot",
        "number": manifest["number"],
        "manifest_sha256": manifest_digest(folder),
        "created_at": manifest["created_at"],
    }


@cache
def versions() -> dict[str, str]:
    """Of what computes."""
    return {
        "evenhand": evenhand_version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def _counts(answers: Answers) -> dict[str, int]:
    pairs, responses = answers.of_pairs, answers.of_responses
    return {
        "pair_judgments": len(pairs),
        "response_judgments": len(responses),
        "raters": _distinct(pairs["rater"], responses["rater"]),
        "pairs": _distinct(pairs["pair"]),
        "responses": _distinct(responses["response"]),
        "prompts": _distinct(pairs["prompt"], responses["prompt"]),
        "graded_responses": len(answers.of_grades),
    }


def _distinct(*columns: Iterable) -> int:
    return len(np.unique(np.concatenate(columns)))
