"""A frozen snapshot as numbers in memory and texts on the disk.

Of each judgment, answer and prompt some tens of bytes are held; texts, however long, wait in a file without a
name and are read one at a time.
"""

import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from annotation.datasets.recipe import PARTS, Keep, Recipe, Split
from annotation.errors import SnapshotUnreadable
from annotation.reports.from_snapshot import manifest_digest, manifest_in
from annotation.vocabulary import PAIR_QUESTIONS, ResponseMode, SafetyLevel, Severity
from models_runtime.training.rows import (
    family_of_prompts,
    policy_in,
    spoken_digest,
    without_system,
    words_digest,
)
from models_runtime.training.snapshots import policies_in

Ints = NDArray[np.int64]
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
Tell = Callable[[str, int, int], None]
"""Told how far a step is: its name, how much is done, of how much. May raise to stop the making."""

ROWS_AT_ONCE = 2_000
LEAST_FORMAT = 2
UNANSWERED = -128
SCALES = {"safety": SafetyLevel.values, "severity": Severity.values, "mode": ResponseMode.values}
RESPONSE = np.dtype(
    [
        ("id", np.int64),
        ("prompt", np.int64),
        ("start", np.int64),
        ("length", np.int64),
        ("sample", np.int64),
        ("words", np.uint64),
        ("stands", np.bool_),
        ("forges", np.bool_),
    ]
)
PROMPT = np.dtype(
    [
        ("start", np.int64),
        ("length", np.int64),
        ("words", np.uint64),
        ("holds_policy", np.bool_),
        ("has_system", np.bool_),
        ("one_turn", np.bool_),
        ("in_turns", np.bool_),
        ("forges", np.bool_),
    ]
)
PART_OF = {"train": "train", "calibration": "validation", "test": "test"}
PROMPT_COLUMNS = ("prompt_key", "messages", "intent", "harm_category", "subset", "family", "language")
FORGES = re.compile(r"[\r\n][ \t]*(Human|Assistant):")
"""A line that begins like a turn of a transcript."""


class Texts:
    """Texts in a file without a name: kept one after the other, then read by where they stand."""

    def __init__(self, folder: Path | None = None):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 — closed by `close`
        self._end = 0

    def keep(self, text: str) -> tuple[int, int]:
        """Where the text stands: its first byte and its length."""
        content = text.encode()
        place = self._end, len(content)
        self._file.write(content)
        self._end += len(content)
        return place

    def finish(self) -> None:
        """Nothing more comes; from now on texts are read."""
        self._file.flush()

    def read(self, place: tuple[int, int] | NDArray[np.int64]) -> str:
        start, length = int(place[0]), int(place[1])
        return os.pread(self._file.fileno(), length, start).decode()

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Prompts:
    """`place` (n, 2) of each prompt's JSON in the texts; `part` indexes PARTS."""

    keys: list[str]
    families: list[str]
    place: Ints
    words: NDArray[np.uint64]
    part: Ints
    holds_policy: Flags
    has_system: Flags
    one_turn: Flags
    in_turns: Flags
    forges: Flags


@dataclass(frozen=True)
class Responses:
    """In the order of their ids. `words` is a digest of the text; `stands` until the answer was replaced."""

    ids: Ints
    prompt: Ints
    place: Ints
    sample: Ints
    words: NDArray[np.uint64]
    stands: Flags
    forges: Flags


@dataclass(frozen=True)
class Pairs:
    """`a`, `b` index responses; `shown_a`, `shown_b` (n, 2) are places of what was read, -1 if unmasked."""

    keys: pa.Array
    a: Ints
    b: Ints
    shown_a: Ints
    shown_b: Ints

    @cached_property
    def masked(self) -> Flags:
        return (self.shown_a[:, 0] >= 0) | (self.shown_b[:, 0] >= 0)


@dataclass(frozen=True)
class Votes:
    """Answers about pairs, one row a judgment, the earliest first. Leanings -3 to b's 3, or UNANSWERED."""

    pair: Ints
    rater: Ints
    leanings: dict[str, NDArray[np.int8]]
    both_bad: Flags


@dataclass(frozen=True)
class Parts:
    """Answers about one response, one row a judgment and response, the earliest first.

    `safety`, `severity` and `mode` index SCALES, `helpfulness` is 1..4; UNANSWERED where nothing was said.
    `masked` where a name was masked for this judgment.
    """

    response: Ints
    rater: Ints
    safety: NDArray[np.int8]
    severity: NDArray[np.int8]
    helpfulness: NDArray[np.int8]
    mode: NDArray[np.int8]
    masked: Flags


@dataclass(frozen=True)
class Source:
    """All that a dataset is made of. `judgments` counts what was read, what is used, and why not the rest."""

    folder: Path
    manifest: dict
    digest: str
    texts: Texts
    prompts: Prompts
    responses: Responses
    pairs: Pairs
    votes: Votes
    parts: Parts
    judgments: dict

    def prompt(self, number: int) -> dict:
        """The prompt's columns as they are in the snapshot."""
        return json.loads(self.texts.read(self.prompts.place[number]))

    def part_of(self, number: int) -> str:
        """The part of the split in which the prompt is."""
        return PARTS[self.prompts.part[number]]


def read_source(folder: Path, recipe: Recipe, tell: Tell, scratch: Path | None = None) -> Source:
    """Read the snapshot's tables; the texts go to a file in `scratch`. Raises SnapshotUnreadable."""
    texts = Texts(scratch)
    try:
        return _Reader(folder, recipe, tell, texts).source()
    except (ValueError, LookupError, TypeError, AttributeError, pa.ArrowException) as error:
        texts.close()
        raise SnapshotUnreadable(f"The snapshot in “{folder}” cannot be read: {error}.") from error
    except BaseException:
        texts.close()
        raise


@dataclass
class _Reader:
    folder: Path
    recipe: Recipe
    tell: Tell
    texts: Texts

    def source(self) -> Source:
        self.manifest = manifest_in(self.folder)
        if self.manifest["format_version"] < LEAST_FORMAT:
            raise SnapshotUnreadable(
                f"The snapshot in “{self.folder}” is of format {self.manifest['format_version']}, which "
                f"lacks what datasets need; they are made of {LEAST_FORMAT} and newer. Freeze again."
            )
        prompts, responses = self._responses()
        pairs = self._pairs(responses)
        votes, parts, counts = self._judgments(responses, pairs)
        self.texts.finish()
        digest = manifest_digest(self.folder)
        return Source(
            self.folder,
            self.manifest,
            digest,
            self.texts,
            prompts,
            responses,
            pairs,
            votes,
            parts,
            counts,
        )

    def _batches(self, name: str, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        """The table in pieces; of the columns those that are there."""
        with open_table(self.folder, self.manifest, name) as file:
            there = [column for column in columns if column in file.schema_arrow.names]
            done = 0
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=there):
                self.tell(f"Reading {name}", done, file.metadata.num_rows)
                yield batch
                done += len(batch)

    def _responses(self) -> tuple[Prompts, Responses]:
        columns = (*PROMPT_COLUMNS, "response_id", "sample", "response", "replaced_at")
        book = _PromptBook(self.texts, policies_in(self.manifest), self.recipe)
        pieces = [np.empty(0, RESPONSE)]
        for batch in self._batches("responses", columns):
            told = [self._response(row, book) for row in batch.to_pylist()]
            pieces.append(np.array(told, RESPONSE))
        rows = np.sort(np.concatenate(pieces), order="id")
        return book.prompts(), Responses(
            ids=rows["id"],
            prompt=rows["prompt"],
            place=np.column_stack([rows["start"], rows["length"]]),
            sample=rows["sample"],
            words=rows["words"],
            stands=rows["stands"],
            forges=rows["forges"],
        )

    def _response(self, row: dict, book: "_PromptBook") -> tuple:
        text = row["response"]
        words = _short(hashlib.sha256(text.encode()).digest())
        forges = FORGES.search(text) is not None
        stands = row["replaced_at"] is None
        place = self.texts.keep(text)
        return (row["response_id"], book.number(row), *place, row["sample"], words, stands, forges)

    def _pairs(self, responses: Responses) -> Pairs:
        columns = ("pair_key", "response_a_id", "response_b_id", "shown_a", "shown_b")
        keys, numbers = [pa.array([], pa.string())], [np.empty((0, 6), np.int64)]
        for batch in self._batches("pairs", columns):
            keys.append(batch["pair_key"])
            ids = [_whole(batch[f"response_{side}_id"]) for side in "ab"]
            shown = [self._shown(batch[f"shown_{side}"]) for side in "ab"]
            numbers.append(np.column_stack([*ids, *shown]))
        rows = np.concatenate(numbers)
        a, b = (_places(responses.ids, rows[:, column]) for column in (0, 1))
        return Pairs(pa.concat_arrays(keys), a, b, rows[:, 2:4], rows[:, 4:6])

    def _shown(self, texts: pa.Array) -> Ints:
        places = [(-1, -1) if text is None else self.texts.keep(text) for text in texts.to_pylist()]
        return np.array(places, np.int64).reshape(-1, 2)

    def _judgments(self, responses: Responses, pairs: Pairs) -> tuple[Votes, Parts, dict]:
        gate, used = Gate(self.recipe), _Columns(self._rows_of("judgments"))
        raters: dict[str, int] = {}
        keys = _PairKeys(pairs.keys)
        for batch in self._batches("judgments", JUDGMENT_COLUMNS):
            used.add(_numbers(gate.kept(batch), raters, responses, keys))
        used.finish(raters)
        pa.default_memory_pool().release_unused()
        return used.votes(), used.parts(pairs), gate.counts()

    def _rows_of(self, name: str) -> int:
        with open_table(self.folder, self.manifest, name) as file:
            return file.metadata.num_rows


class _PromptBook:
    """The prompts of the responses, each kept once."""

    def __init__(self, texts: Texts, policies: list[str], recipe: Recipe):
        self._texts, self._policies, self._recipe = texts, policies, recipe
        self._numbers: dict[str, int] = {}
        self._families: list[str] = []
        self._digests: list[bytes] = []
        self._facts: list[tuple] = []
        self._pieces = [np.empty(0, PROMPT)]

    def number(self, row: dict) -> int:
        """The place of the row's prompt."""
        key = row["prompt_key"]
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._families.append(sys.intern(row["family"]))
            self._digests.append(spoken_digest(row["messages"]))
            self._facts.append(self._fact(row))
            if len(self._facts) == ROWS_AT_ONCE:
                self._pack()
        return self._numbers[key]

    def _pack(self) -> None:
        """A tuple takes many times the room of its numbers."""
        self._pieces.append(np.array(self._facts, PROMPT))
        self._facts = []

    def _linked(self) -> Iterator[dict]:
        """What links prompts; a digest of the words does it as well as the words, and is short."""
        for key, family, digest in zip(self._numbers, self._families, self._digests, strict=True):
            said = [{"role": "user", "content": digest.hex()}]
            yield {"prompt_key": key, "family": family, "messages": said}

    def _fact(self, row: dict) -> tuple:
        kept = {name: row.get(name, "") for name in PROMPT_COLUMNS}
        bare = without_system(row["messages"])
        asked = bare if self._recipe.system_messages == Keep.LEAVE_OUT else row["messages"]
        return (
            *self._texts.keep(json.dumps(kept, ensure_ascii=False)),
            _short(words_digest(row["messages"])),
            self._recipe.system_messages == Keep.LEAVE_OUT and policy_in(asked, self._policies) != "",
            len(bare) < len(row["messages"]),
            [turn["role"] for turn in bare] == ["user"],
            _in_turns([turn["role"] for turn in bare]),
            any(FORGES.search(turn["content"]) for turn in bare),
        )

    def prompts(self) -> Prompts:
        self._pack()
        facts = np.concatenate(self._pieces)
        families = family_of_prompts(self._linked())
        names = [families[key] for key in self._numbers]
        return Prompts(
            keys=list(self._numbers),
            families=names,
            place=np.column_stack([facts["start"], facts["length"]]),
            words=facts["words"],
            part=np.array([self._part(name) for name in names], np.int64),
            holds_policy=facts["holds_policy"],
            has_system=facts["has_system"],
            one_turn=facts["one_turn"],
            in_turns=facts["in_turns"],
            forges=facts["forges"],
        )

    def _part(self, family: str) -> int:
        if self._recipe.split == Split.NONE:
            return 0
        return PARTS.index(PART_OF[self._recipe.shares.split_of(family)])


def _in_turns(roles: list[str]) -> bool:
    """Whether user and assistant take turns, and the user has the first and the last."""
    return len(roles) % 2 == 1 and all(role == ("user", "assistant")[n % 2] for n, role in enumerate(roles))


# Judgments ------------------------------------------------------------------------------------------------

ANSWERS = ("safety", "severity", "helpfulness", "mode")
JUDGMENT_COLUMNS = (
    *("counts", "is_current", "surplus", "withdrawn", "rater_id", "cohort", "rater_paused", "created_at"),
    *("pair_key", "response_id", "both_bad", *PAIR_QUESTIONS),
    *(prefix + name for prefix in ("", "a_", "b_") for name in ANSWERS),
)
NO_RESPONSE = "a pair or a judgment names a response that is not in the table of responses"
WHY_NOT = ("superseded", "surplus", "withdrawn", "not_counted", "paused", "rater", "cohort")


class Gate:
    """Which judgments are used; the others are counted by the first reason that holds."""

    def __init__(self, recipe: Recipe):
        self._recipe = recipe
        self._read = 0
        self._left_out = dict.fromkeys(WHY_NOT, 0)

    def kept(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        unused = np.zeros(len(batch), bool)
        for reason, found in self._reasons(batch):
            self._left_out[reason] += int((found & ~unused).sum())
            unused |= found
        self._read += len(batch)
        return batch.filter(pa.array(~unused))

    def _reasons(self, batch: pa.RecordBatch) -> Iterator[tuple[str, Flags]]:
        yield "superseded", ~_flags(batch, "is_current", missing=True)
        yield "surplus", _flags(batch, "surplus")
        yield "withdrawn", _flags(batch, "withdrawn")
        yield "not_counted", ~_flags(batch, "counts")
        if self._recipe.paused_raters == Keep.LEAVE_OUT:
            yield "paused", _flags(batch, "rater_paused")
        yield "rater", _is_in(batch["rater_id"], self._recipe.leave_out_raters)
        if self._recipe.cohorts:
            yield "cohort", ~_is_in(batch["cohort"], self._recipe.cohorts)

    def counts(self) -> dict:
        used = self._read - sum(self._left_out.values())
        return {"read": self._read, "used": used, "left_out": self._left_out}


def _is_in(column: pa.Array, names: tuple[str, ...]) -> Flags:
    return pc.is_in(column, pa.array(names, pa.string())).to_numpy(zero_copy_only=False)


def _flags(batch: pa.RecordBatch, name: str, missing: bool = False) -> Flags:
    if name not in batch.schema.names:
        return np.full(len(batch), missing)
    return batch[name].fill_null(missing).to_numpy(zero_copy_only=False)


class _PairKeys:
    """Finds pairs by their keys: sorted once, where `pc.index_in` would hash all of them for every batch."""

    def __init__(self, keys: pa.Array):
        numbers = _key_numbers(keys)
        self._order = np.argsort(numbers, kind="stable").astype(np.int32)
        self._sorted = numbers[self._order]

    def places(self, wanted: pa.Array) -> NDArray[np.int32]:
        """Of each key the pair's place. Raises LookupError for one of no pair."""
        missing = "a judgment is about a pair that is not in the table of pairs"
        return self._order[_places(self._sorted, _key_numbers(wanted), missing)]


def _key_numbers(keys: pa.Array) -> NDArray[np.uint64]:
    """The numbers that keys of 16 hexadecimal digits spell. Raises ValueError where one is no such key."""
    if not pc.all(pc.match_substring_regex(keys, "^[0-9a-f]{16}$"), min_count=0).as_py():
        raise ValueError("a pair's key is not of 16 hexadecimal digits")
    return np.frombuffer(bytes.fromhex("".join(keys.to_pylist())), ">u8").astype(np.uint64)


def _numbers(
    batch: pa.RecordBatch, raters: dict[str, int], responses: Responses, keys: _PairKeys
) -> dict[str, NDArray]:
    """Judgments as columns of COLUMNS. `target` indexes pairs where `of_pair`, else responses."""
    of_pair = pc.not_equal(batch["pair_key"], "").to_numpy(zero_copy_only=False)
    target = np.empty(len(batch), np.int64)
    target[of_pair] = keys.places(batch["pair_key"].filter(pa.array(of_pair)))
    target[~of_pair] = _places(responses.ids, _whole(batch["response_id"])[~of_pair])
    codes = batch["rater_id"].to_pylist()
    for code in codes:
        raters.setdefault(code, len(raters))
    columns = {
        "of_pair": of_pair,
        "target": target,
        "rater": [raters[code] for code in codes],
        "moment": _whole(batch["created_at"].cast(pa.int64())),
        "both_bad": _flags(batch, "both_bad"),
        **{name: _small(batch[name]) for name in PAIR_QUESTIONS},
    }
    for prefix in ("", "a_", "b_"):
        columns |= {prefix + name: _coded(batch, prefix, name) for name in ANSWERS}
    return columns


COLUMNS = {
    "of_pair": np.bool_,
    "target": np.int32,
    "rater": np.int32,
    "moment": np.int64,
    "both_bad": np.bool_,
    **dict.fromkeys(PAIR_QUESTIONS, np.int8),
    **{prefix + name: np.int8 for prefix in ("", "a_", "b_") for name in ANSWERS},
}


class _Columns:
    """All judgments as columns of numbers, some thirty bytes each.

    Each column is one piece of memory from the beginning: many small ones would leave gaps, and putting them
    together would take as much again.
    """

    def __init__(self, most: int):
        self._columns = {name: np.empty(most, kind) for name, kind in COLUMNS.items()}
        self._end = 0

    def add(self, numbers: dict[str, NDArray]) -> None:
        """The next judgments."""
        start, self._end = self._end, self._end + len(numbers["of_pair"])
        for name, values in numbers.items():
            self._columns[name][start : self._end] = values

    def finish(self, raters: dict[str, int]) -> None:
        """Sort them, the earliest first; raters, who are numbered as `raters` says, become their ranks."""
        # By their codes, as reports number them: models that draw their starts then start alike.
        ranks = np.argsort(np.argsort(np.array(list(raters), dtype=np.str_))).astype(np.int32)
        order = np.argsort(self._columns.pop("moment")[: self._end], kind="stable")
        for name in self._columns:
            self._columns[name] = self._columns[name][: self._end][order]
        if len(ranks):
            self._columns["rater"] = ranks[self._columns["rater"]]

    def votes(self) -> Votes:
        chosen = self._columns["of_pair"]
        return Votes(
            pair=self._columns["target"][chosen],
            rater=self._columns["rater"][chosen],
            leanings={name: self._columns.pop(name)[chosen] for name in PAIR_QUESTIONS},
            both_bad=self._columns.pop("both_bad")[chosen],
        )

    def parts(self, pairs: Pairs) -> Parts:
        """Of a judgment of a pair both answers, one after the other; the columns are gone then."""
        of_pair = self._columns["of_pair"]
        start = np.cumsum(of_pair + np.int32(1), dtype=np.int32) - of_pair - np.int32(1)
        places = {"a_": start[of_pair], "b_": start[of_pair] + np.int32(1), "": start[~of_pair]}
        del start
        pair = self._columns["target"][of_pair]
        responses = {"a_": pairs.a[pair], "b_": pairs.b[pair], "": self._columns.pop("target")[~of_pair]}
        masks = {f"{side}_": getattr(pairs, f"shown_{side}")[pair, 0] >= 0 for side in "ab"}
        masks[""] = np.zeros(len(places[""]), bool)
        rater = self._columns.pop("rater")
        raters = {"a_": rater[of_pair], "b_": rater[of_pair], "": rater[~of_pair]}
        answers = {}
        for name in ANSWERS:
            told = {prefix: self._columns.pop(prefix + name) for prefix in places}
            of_each = {prefix: told[prefix][~of_pair if prefix == "" else of_pair] for prefix in places}
            answers[name] = _woven(places, of_each, np.int8)
        return Parts(
            response=_woven(places, responses, np.int32),
            rater=_woven(places, raters, np.int32),
            masked=_woven(places, masks, np.bool_),
            **answers,
        )


def _woven(places: dict[str, NDArray], values: dict[str, NDArray], kind: type) -> NDArray:
    """One column, each of the values at its place."""
    woven = np.empty(sum(map(len, places.values())), kind)
    for name, place in places.items():
        woven[place] = values[name]
    return woven


def _whole(column: pa.Array) -> Ints:
    return column.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def _small(column: pa.Array) -> NDArray[np.int8]:
    return column.cast(pa.int8()).fill_null(UNANSWERED).to_numpy(zero_copy_only=False)


def _coded(batch: pa.RecordBatch, prefix: str, name: str) -> NDArray[np.int8]:
    column = batch[prefix + name]
    if name == "helpfulness":
        return _small(column)
    places = pc.index_in(column, pa.array(SCALES[name])).fill_null(UNANSWERED)
    unknown = pc.and_(pc.equal(places, UNANSWERED), pc.not_equal(column, ""))
    if pc.any(unknown).as_py():
        raise ValueError(f"“{name}” of a judgment has a word that is not on the scale")
    return places.to_numpy(zero_copy_only=False).astype(np.int8)


def _places(ids: NDArray, wanted: NDArray, missing: str = NO_RESPONSE) -> Ints:
    """Where each wanted id stands among the sorted `ids`. Raises LookupError for one that does not."""
    if not len(wanted):
        return np.empty(0, np.int64)
    places = np.searchsorted(ids, wanted).clip(max=max(0, len(ids) - 1))
    if not len(ids) or (ids[places] != wanted).any():
        raise LookupError(missing)
    return places


def _short(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big")


# Files ----------------------------------------------------------------------------------------------------


def open_table(folder: Path, manifest: dict, name: str) -> pq.ParquetFile:
    """The snapshot's table, unchanged since it was frozen. Raises SnapshotUnreadable."""
    path = folder / f"{name}.parquet"
    told = manifest["files"].get(path.name)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SnapshotUnreadable(f"“{path}” cannot be read: {error.strerror}.") from error
    if not isinstance(told, dict) or told.get("sha256") != digest:
        raise SnapshotUnreadable(f"“{path}” is not the file that the snapshot's manifest names.")
    return pq.ParquetFile(path)
