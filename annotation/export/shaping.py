"""From what was read to a table's rows. Column names are those that the import commands read."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.export.formats import MESSAGES, SCHEMAS, TAGS, TEXT, json_text
from annotation.export.queries import RESPONSE_QUESTIONS
from annotation.models.joining import cohort
from annotation.models.model_settings import public_name
from annotation.vocabulary import AssignmentState, EnrolmentState

PRIVATE_PROVENANCE = ("worker", "base_url")  # name a machine, which may name its owner
MAY_NAME_FOLDERS = ("model", "adapter", "served", "answering_models")  # the last two as a server tells them
DIGITS = 16
NONE = -1
"""Stands for a missing key."""


@dataclass(frozen=True)
class Raters:
    """Everybody who has a place in the study, by its key in ascending order."""

    keys: NDArray[np.int64]
    pseudonyms: pa.Array
    cohorts: pa.Array
    paused: pa.Array

    @classmethod
    def of(cls, places: Iterable[tuple[int, str | None, int | None, str]], secret: str) -> "Raters":
        """`places` as `queries.raters_of` tells them; the secret is the snapshot's own."""
        keys, labels, users, states = zip(*places, strict=True) if places else ((), (), (), ())
        cohorts = [cohort(label, user is not None) for label, user in zip(labels, users, strict=True)]
        return cls(
            np.array(keys, np.int64),
            pa.array([pseudonym(secret, key) for key in keys], TEXT),
            pa.array(cohorts, TEXT),
            pa.array([state == EnrolmentState.PAUSED for state in states], pa.bool_()),
        )

    def at(self, keys: pa.ChunkedArray) -> pa.Array:
        return pa.array(np.searchsorted(self.keys, keys.to_numpy()))


@dataclass(frozen=True)
class Names:
    """What the keys of a study's arms and guidelines stand for."""

    arms: dict[int, str]
    guidelines: dict[int, int]

    @classmethod
    def of(cls, arms: Iterable[tuple[int, str]], guidelines: Iterable[tuple[int, int]]) -> "Names":
        """Both as `queries.names_of` tells them."""
        return cls(dict(arms), dict(guidelines))

    def arm(self, keys: pa.ChunkedArray) -> pa.ChunkedArray:
        """ "" where there is none."""
        return _filled(_looked_up(keys, self.arms, TEXT))

    def guideline(self, keys: pa.ChunkedArray) -> pa.ChunkedArray:
        return _looked_up(keys, self.guidelines, pa.int32())


def _looked_up(keys: pa.ChunkedArray, told: dict, kind: pa.DataType) -> pa.Array:
    """What is told of each key; null stays null."""
    places = pc.index_in(keys, value_set=pa.array(told, pa.int64()))
    return pa.array(told.values(), kind).take(places)


def pseudonym(secret: str, enrolment: int) -> str:
    """Names a rater in one snapshot; without its secret nobody can tell whom, or find them in another."""
    digest = hmac.new(secret.encode(), str(enrolment).encode(), hashlib.sha256).hexdigest()
    return f"rater-{digest[:16]}"


def whole_pairs(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in the same order, cut so that all judgments of a pair are in one table."""
    held = None
    for table in tables:
        table = table if held is None else pa.concat_tables([held, table])
        pairs = numbers(table["pair"])
        start = len(pairs) if pairs[-1] == NONE else int(np.argmax(pairs == pairs[-1]))
        if start:
            yield table.slice(0, start)
        held = table.slice(start)
    if held is not None and len(held):
        yield held


def judgment_rows(read: pa.Table, raters: Raters, names: Names, before: int) -> pa.Table:
    """All judgments of some pairs, `before` of which others come before in the file.

    Pair answers point to `arm_b`; raters appear by their pseudonyms only.
    """
    columns = {name: read[name] for name in read.column_names}
    of_pair = pc.is_valid(read["pair"])
    at = raters.at(read["enrolment"])
    columns |= _answers(read, of_pair)
    columns |= {name: names.arm(read[f"{name}_key"]) for name in ("arm", "arm_a", "arm_b")}
    surplus, withdrawn = (
        _filled(pc.equal(read["state"], state), False)
        for state in (AssignmentState.SURPLUS.value, AssignmentState.WITHDRAWN.value)
    )
    is_current = are_current(read)
    columns |= {
        "judgment_id": pa.array(np.arange(before + 1, before + len(read) + 1)),
        "guideline_version": names.guideline(read["guideline_key"]),
        "review_decision": _filled(read["review_decision"]),
        "rater_id": raters.pseudonyms.take(at),
        "cohort": raters.cohorts.take(at),
        "rater_paused": raters.paused.take(at),
        "is_current": is_current,
        "surplus": surplus,
        "withdrawn": withdrawn,
        "counts": pc.and_not(pc.and_not(is_current, surplus), withdrawn),
        "pair_key": pair_keys(read["position"]),
        "left_arm": _filled(pc.if_else(read["left_is_a"], columns["arm_a"], columns["arm_b"])),
    }
    return table("judgments", columns)


def are_current(read: pa.Table) -> pa.Array:
    """Whether each is the newest revision; imported judgments have one."""
    assignments, revisions = numbers(read["assignment"]), read["revision"].to_numpy()
    order = np.lexsort((revisions, assignments))
    newest = np.empty(len(read), bool)
    newest[order] = np.append(np.diff(assignments[order]) != 0, True)
    return pa.array(newest | (assignments == NONE))


def _answers(read: pa.Table, of_pair: pa.ChunkedArray) -> dict[str, pa.ChunkedArray]:
    """About the two responses; without prefix about a single one, which was read as the first."""
    told = {}
    for name in RESPONSE_QUESTIONS:
        a, b = (_asked(read[f"{side}_{name}"], name) for side in "ab")
        nothing = _asked(pa.nulls(1, read[f"a_{name}"].type), name)[0]
        told |= {
            name: pc.if_else(of_pair, nothing, a),
            f"a_{name}": pc.if_else(of_pair, a, nothing),
            f"b_{name}": b,
        }
        if name == "categories":
            told |= {key: parsed(column, TAGS) for key, column in told.items() if key.endswith(name)}
    return told


def _asked(column: pa.Array | pa.ChunkedArray, name: str) -> pa.Array | pa.ChunkedArray:
    """Words are empty, and numbers null, where nothing was asked or answered."""
    if not pa.types.is_string(column.type):
        return column
    return _filled(column, "[]" if name == "categories" else "")


def pair_rows(read: pa.Table) -> pa.Table:
    """`shown_…` is what raters read where a name was masked, null where they read the response."""
    columns = {name: read[name] for name in read.column_names}
    columns |= {name: _kinds(read[name]) for name in ("marks", "marks_a", "marks_b")}
    return table("pairs", {**columns, "pair_key": pair_keys(read["position"])})


def _kinds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return _by_value(_filled(column), lambda kinds: sorted(kinds.split(",")) if kinds else [], TAGS)


def response_rows(read: pa.Table) -> pa.Table:
    """Each response with its prompt and how it came about."""
    columns = {name: read[name] for name in read.column_names}
    columns["messages"], columns["subset"] = parsed(read["messages"], MESSAGES), parsed(read["subset"], TAGS)
    columns["provenance"] = _by_value(read["provenance"], public_provenance, TEXT)
    return table("responses", columns)


def public_provenance(text: str) -> str:
    """How a response came about, as JSON text, without what tells of machines and people's folders."""
    told = {name: value for name, value in json.loads(text).items() if name not in PRIVATE_PROVENANCE}
    told |= {name: _public(told[name]) for name in MAY_NAME_FOLDERS if name in told}
    return json_text(told)


def _public(told: object) -> object:
    """What a provenance tells, with `public_name` for every model in it."""
    if isinstance(told, dict):
        return {name: _public(value) for name, value in told.items()}
    if isinstance(told, list):
        return [_public(value) for value in told]
    return public_name(told) if isinstance(told, str) else told


def grade_rows(read: pa.Table) -> pa.Table:
    """Each look of a judge at a response: its verdict, or why there is none."""
    return read


def table(name: str, columns: dict[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    """The columns that the table's file has, in its order and with its types."""
    schema = SCHEMAS[name]
    return pa.Table.from_arrays([columns[field].cast(kind) for field, kind in _fields(schema)], schema=schema)


def _fields(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    return list(zip(schema.names, schema.types, strict=True))


def parsed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """Lists that were read as JSON text; most are like another, so each is parsed once."""
    return _by_value(column, json.loads, kind)


def _by_value(column: pa.ChunkedArray, told: Callable[[str], object], kind: pa.DataType) -> pa.Array:
    """What `told` makes of each text, asked once for each different one; null stays null."""
    encoded = column.combine_chunks().dictionary_encode()
    values = pa.array([told(text) for text in encoded.dictionary.to_pylist()], kind)
    return values.take(encoded.indices)


def pair_keys(positions: pa.ChunkedArray) -> pa.Array:
    """Name the pairs in every file, by 16 hexadecimal digits; "" for no pair.

    The same wherever the study is, and silent about the pair's arms.
    """
    digits = pc.fill_null(positions, 0).to_numpy().astype(">u8").tobytes().hex().encode()
    places = np.arange(0, len(digits) + 1, DIGITS, dtype=np.int32)
    buffers = [None, pa.py_buffer(places), pa.py_buffer(digits)]
    keys = pa.Array.from_buffers(TEXT, len(positions), buffers)
    return pc.if_else(pc.is_valid(positions.combine_chunks()), keys, "")


def _filled(column: pa.Array | pa.ChunkedArray, value: str | bool = "") -> pa.Array | pa.ChunkedArray:
    return pc.fill_null(column, value)


def numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Keys, NONE for null."""
    return pc.fill_null(column, NONE).to_numpy()
