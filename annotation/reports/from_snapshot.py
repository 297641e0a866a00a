"""A study's judgments as the Parquet files of a snapshot tell them; `docs/export.md` says what they hold."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.db.models import TextChoices
from numpy.typing import NDArray

from annotation.errors import SnapshotUnreadable
from annotation.models.joining import IMPORTED
from annotation.reports.assembling import JUDGED, LOOK, PAIR, PART, RESPONSE, Told
from annotation.reports.manifest_shape import oddities
from annotation.reports.row_types import (
    UNANSWERED,
    UNKNOWN,
    Grader,
    PromptLabels,
    RaterLabels,
    Rows,
)
from annotation.vocabulary import (
    PAIR_QUESTIONS,
    PAIRS_OF_STUDY,
    GradingState,
    JudgmentSource,
    ResponseMode,
    SafetyLevel,
    Severity,
    StudyState,
)

OLDEST_FORMAT, NEWEST_FORMAT = 1, 3
SCALES: dict[str, type[TextChoices]] = {
    "safety": SafetyLevel,
    "severity": Severity,
    "mode": ResponseMode,
}


def told_by_snapshot(folder: Path) -> Told:
    """What the folder's files tell. Raises SnapshotUnreadable.

    What an older snapshot lacks is "" or not there: languages, cohorts (but for imported raters), grades.
    """
    try:
        return _Files(folder).told()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, pa.ArrowException) as error:
        raise SnapshotUnreadable(f"The snapshot in “{folder}” cannot be read: {error}.") from error


def manifest_digest(folder: Path) -> str:
    """SHA-256 of the manifest, which holds the digests of all other files."""
    try:
        return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    except OSError as error:
        raise SnapshotUnreadable(f"“{folder}” holds no readable manifest of a snapshot: {error}.") from error


def manifest_in(folder: Path) -> dict:
    """The folder's manifest, with all that readers ask of it. Raises SnapshotUnreadable."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        version = manifest["format_version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SnapshotUnreadable(f"“{folder}” holds no readable manifest of a snapshot: {error}.") from error
    if version not in range(OLDEST_FORMAT, NEWEST_FORMAT + 1):
        raise SnapshotUnreadable(f"The snapshot in “{folder}” is of format {version}, which is not known.")
    if odd := next(oddities(manifest), ""):
        raise SnapshotUnreadable(f"The manifest in “{folder}” is not as a snapshot's is written: {odd}.")
    return manifest


@dataclass(frozen=True)
class _Files:
    folder: Path

    def told(self) -> Told:
        judged, codes = self._judged()
        return Told(
            arms=tuple(self.arms),
            prompts=self.prompts,
            raters=self._raters(codes),
            responses=self._responses(),
            pairs=self._pairs,
            judged=judged,
            parts=self._parts(judged),
            seen=tuple(self.seen),
            looks=self._looks(),
            grader=self._grader(),
            is_open=self.manifest["study"]["state"] == StudyState.OPEN,
        )

    @cached_property
    def manifest(self) -> dict:
        return manifest_in(self.folder)

    @cached_property
    def responses(self) -> pa.Table:
        columns = ["response_id", "prompt_key", "arm", "sample", "replaced_at"]
        labels = ["intent", "harm_category", "subset", "family", "language"]
        return self._table("responses", [*columns, *labels, "response"])

    @cached_property
    def pairs(self) -> pa.Table:
        responses = ("response_a_id", "response_b_id", "shown_a", "shown_b")
        return self._table("pairs", ["pair_key", *responses, "state", "overlap"])

    @cached_property
    def counting(self) -> pa.Table:
        """The judgments that count, in the order of the file."""
        table = self._table("judgments", None)
        if "submitted_at" not in table.column_names:
            table = table.append_column("submitted_at", _first_given(table))
        return table.filter(table["counts"])

    @cached_property
    def seen(self) -> dict[tuple[str, ...], int]:
        """The different lists of harm categories that raters saw in a response, with their places."""
        names = [f"{prefix}categories" for prefix in ("", "a_", "b_")]
        lists = (tuple(seen or ()) for name in names for seen in self.counting[name].to_pylist())
        return {seen: place for place, seen in enumerate(dict.fromkeys([(), *lists]))}

    @cached_property
    def arms(self) -> dict[str, int]:
        return {arm["name"]: number for number, arm in enumerate(self.manifest["arms"])}

    @cached_property
    def response_ids(self) -> NDArray[np.int64]:
        return _numbers(self.responses["response_id"])

    @cached_property
    def prompts(self) -> tuple[PromptLabels, ...]:
        """By key. A prompt's labels are the same in all of its rows."""
        names = ["prompt_key", "intent", "harm_category", "subset", "family", "language"]
        table = self.responses.select([name for name in names if name in self.responses.column_names])
        first = np.unique(_encoded(table["prompt_key"])[0], return_index=True)[1]
        rows = table.take(pa.array(first)).to_pylist()
        return tuple(
            PromptLabels(
                key=row["prompt_key"],
                intent=row["intent"],
                harm_category=row["harm_category"],
                subset=tuple(row["subset"]),
                family=row["family"],
                language=row.get("language") or "",
            )
            for row in sorted(rows, key=lambda row: row["prompt_key"])
        )

    def _table(self, name: str, columns: list[str] | None) -> pa.Table:
        path = self.folder / f"{name}.parquet"
        self._refuse_changed(path)
        there = pq.read_schema(path).names
        wanted = JUDGMENT_COLUMNS if columns is None else columns
        return pq.read_table(path, columns=[column for column in wanted if column in there])

    def _refuse_changed(self, path: Path) -> None:
        """What is not the file that the manifest names is not the snapshot's."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self.manifest["files"][path.name]["sha256"]:
            raise SnapshotUnreadable(f"“{path}” is not the file that the snapshot's manifest names.")

    def _responses(self) -> Rows:
        table = self.responses
        rows = np.empty(len(table), RESPONSE)
        places = {prompt.key: number for number, prompt in enumerate(self.prompts)}
        rows["prompt"] = _mapped(table["prompt_key"], places)
        rows["arm"] = _mapped(table["arm"], self.arms)
        rows["length"] = _lengths(table["response"])
        rows["stands"] = table["replaced_at"].is_null().to_numpy()
        return rows

    @cached_property
    def _pairs(self) -> Rows:
        rows = np.empty(len(self.pairs), PAIR)
        for side in "ab":
            rows[side] = np.searchsorted(self.response_ids, _numbers(self.pairs[f"response_{side}_id"]))
            rows[f"shown_{side}"] = _lengths(self.pairs[f"shown_{side}"])
        of_study = pc.is_in(self.pairs["state"], pa.array(PAIRS_OF_STUDY)).to_numpy()
        rows["overlap"] = np.where(of_study, _numbers(self.pairs["overlap"]), 0)
        return rows

    def _judged(self) -> tuple[Rows, list[str]]:
        """The judgments that count, and the raters' codes in order."""
        table = self.counting
        rows = np.empty(len(table), JUDGED)
        codes = sorted(pc.unique(table["rater_id"]).to_pylist())
        rows["id"] = _numbers(table["judgment_id"])
        rows["rater"] = _mapped(table["rater_id"], {code: number for number, code in enumerate(codes)})
        keys = {key: number for number, key in enumerate(self.pairs["pair_key"].to_pylist())}
        rows["pair"] = _mapped(table["pair_key"], {"": UNKNOWN, **keys})
        for question in PAIR_QUESTIONS:
            rows[question] = _numbers(table[question], UNANSWERED)
        rows["both_bad"] = table["both_bad"].to_numpy()
        rows["left_is_a"] = _left_is_a(table)
        rows["confidence"] = _numbers(table["confidence"], UNANSWERED)
        rows["guideline"] = _numbers(table["guideline_version"], 0)
        for name in ("claimed", "submitted", "created"):
            rows[name] = _numbers(table[f"{name}_at"].cast(pa.int64()), UNKNOWN)
        return rows, codes

    def _raters(self, codes: list[str]) -> tuple[RaterLabels, ...]:
        table = self.counting
        name = "cohort" if "cohort" in table.column_names else "source"
        of_code = dict(zip(table["rater_id"].to_pylist(), table[name].to_pylist(), strict=True))
        if name == "source":
            of_code = {
                code: IMPORTED if source == JudgmentSource.IMPORTED else ""
                for code, source in of_code.items()
            }
        return tuple(RaterLabels(code, of_code[code]) for code in codes)

    def _parts(self, judged: Rows) -> Rows:
        of_pair = judged["pair"] != UNKNOWN
        pairs = self._pairs[judged["pair"]] if len(self.pairs) else np.zeros(len(judged), PAIR)
        a, b = (self._part(judged, pairs[side], f"{side}_")[of_pair] for side in "ab")
        single = self._part(judged, self._single_responses(), "")[~of_pair]
        return np.concatenate([a, b, single])

    def _part(self, judged: Rows, responses: NDArray, prefix: str) -> Rows:
        table = self.counting
        rows = np.empty(len(judged), PART)
        rows["judgment"], rows["response"] = judged["id"], responses
        for name, scale in SCALES.items():
            places = {word: number for number, word in enumerate(scale.values)}
            rows[name] = _mapped(table[f"{prefix}{name}"], {"": UNANSWERED, **places})
        rows["helpfulness"] = _numbers(table[f"{prefix}helpfulness"], UNANSWERED)
        rows["seen"] = [self.seen[tuple(seen or ())] for seen in table[f"{prefix}categories"].to_pylist()]
        rows["facilitation"] = _numbers(table[f"{prefix}facilitation"].cast(pa.int8()), UNANSWERED)
        return rows

    def _single_responses(self) -> NDArray[np.int64]:
        """Where each judgment's single response stands; of older snapshots by what names it."""
        table = self.counting
        if "response_id" in table.column_names:
            return np.searchsorted(self.response_ids, _numbers(table["response_id"], UNKNOWN))
        names = ("prompt_key", "arm", "sample")
        current = self.responses.filter(self.responses["replaced_at"].is_null())
        ids = zip(*(current[name].to_pylist() for name in names), strict=True)
        place = dict(
            zip(ids, np.searchsorted(self.response_ids, _numbers(current["response_id"])), strict=True)
        )
        asked = zip(*(table[name].to_pylist() for name in names), strict=True)
        return np.array([place.get(key, 0) for key in asked], np.int64)

    @cached_property
    def grading(self) -> dict | None:
        """The newest finished one."""
        done = [one for one in self.manifest.get("gradings", []) if one["state"] == GradingState.DONE]
        return max(done, key=lambda one: one["grading_id"], default=None)

    def _looks(self) -> Rows:
        if self.grading is None:
            return np.empty(0, LOOK)
        columns = ["grading_id", "response_id", "safety", "helpfulness", "severity", "failure"]
        table = self._table("grades", columns)
        usable = pc.and_(
            pc.equal(table["grading_id"], self.grading["grading_id"]), pc.equal(table["failure"], "")
        )
        table = table.filter(usable)
        rows = np.empty(len(table), LOOK)
        rows["response"] = np.searchsorted(self.response_ids, _numbers(table["response_id"]))
        rows["safety"] = table["safety"].to_numpy()
        rows["helpfulness"] = _numbers(table["helpfulness"])
        places = {word: number for number, word in enumerate(Severity.values)}
        rows["severity"] = _mapped(table["severity"], {"": UNANSWERED, **places})
        return rows

    def _grader(self) -> Grader | None:
        if self.grading is None:
            return None
        model, rubric, keep, repeats = (
            self.grading[name] for name in ("model", "rubric_version", "keep", "repeats")
        )
        return Grader(model, rubric, keep, repeats)


FURTHER = ("helpfulness", "facilitation", "categories")
JUDGMENT_COLUMNS = [
    *("judgment_id", "rater_id", "cohort", "source", "revision", "counts", "pair_key", "prompt_key"),
    *("sample", "response_id", "arm", "arm_a", "left_arm", *PAIR_QUESTIONS, "both_bad", "confidence"),
    *(f"{prefix}{name}" for prefix in ("", "a_", "b_") for name in (*SCALES, *FURTHER)),
    *("guideline_version", "claimed_at", "submitted_at", "created_at"),
]


def _first_given(table: pa.Table) -> pa.ChunkedArray:
    """When each rated judgment was first given, where the file does not say: as its first revision was."""
    of_first = table.filter(pc.equal(table["revision"], 1))
    names = ("rater_id", "pair_key")
    keys = zip(*(of_first[name].to_pylist() for name in names), strict=True)
    given = dict(zip(keys, of_first["created_at"].to_pylist(), strict=True))
    asked = zip(*(table[name].to_pylist() for name in (*names, "source")), strict=True)
    moments = [
        given.get((rater, pair)) if source == JudgmentSource.RATED else None for rater, pair, source in asked
    ]
    return pa.chunked_array([pa.array(moments, table["created_at"].type)])


def _left_is_a(table: pa.Table) -> NDArray[np.int8]:
    is_a = pc.equal(table["left_arm"], table["arm_a"]).to_numpy()
    known = pc.not_equal(table["left_arm"], "").to_numpy()
    return np.where(known, is_a, UNANSWERED).astype(np.int8)


def _numbers(column: pa.ChunkedArray, missing: int = UNKNOWN) -> NDArray:
    return column.fill_null(missing).to_numpy()


def _lengths(column: pa.ChunkedArray) -> NDArray:
    """Characters; UNKNOWN where there is no text."""
    return pc.utf8_length(column).fill_null(UNKNOWN).to_numpy()


def _encoded(column: pa.ChunkedArray) -> tuple[NDArray, list]:
    """Places in the list of distinct values, and that list."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()


def _mapped(column: pa.ChunkedArray, values: dict[str, int]) -> NDArray[np.int64]:
    """Each text's number. Raises KeyError for one that has none."""
    indices, words = _encoded(column)
    return np.array([values[word] for word in words], np.int64)[indices]
