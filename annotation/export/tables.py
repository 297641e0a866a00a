"""A study's tables into a folder."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.export import queries
from annotation.export.formats import SCHEMAS, TableFile, described, write_json_lines
from annotation.export.preferences import (
    EXCLUSIONS,
    UNRATED,
    by_pair,
    counted,
    preference_rows,
    tally,
)
from annotation.export.reading import Query, one_moment, tables_of
from annotation.export.shaping import (
    Names,
    Raters,
    grade_rows,
    judgment_rows,
    pair_rows,
    response_rows,
    whole_pairs,
)
from annotation.models import Grading, Study
from annotation.vocabulary import PairState

Tell = Callable[[str, int], None]
"""Told which file is being written and how many more rows of it are; may raise to end the writing."""


def quietly(name: str, rows: int) -> None:
    """For whoever wants to be told nothing."""


@dataclass(frozen=True)
class Written:
    """`files`: by name, with bytes, rows and SHA-256. `counts`: what the manifest reports. `gradings`: as
    they were when their grades were read."""

    files: dict[str, dict]
    counts: dict
    gradings: list[Grading]


def write_tables(
    study: Study, folder: Path, min_judgments: int, secret: str, tell: Tell = quietly
) -> Written:
    """All tables as Parquet and JSON Lines into an existing folder. Raises OSError, and what `tell` raises.

    The secret makes the raters' pseudonyms. All rows are of one moment; even where they cannot be (see
    `one_moment`), everything that is judged or graded is there, because it is read after what refers to it.
    """
    counts: Counter = Counter()
    with one_moment():
        tallies = write_judgments(study, folder, secret, counts, tell)
        counts.update(counted(tallies, min_judgments))
        write = partial(_write_each, folder, counts=counts, tell=tell)
        write("preferences", queries.preferred_of(study), _preferring(tallies, min_judgments))
        write("pairs", queries.pairs_of(study), _counting(counts))
        gradings = list(study.gradings.select_related("guideline").order_by("pk"))
        write("grades", queries.grades_of(study), grade_rows)
        write("responses", queries.responses_of(study), response_rows)
    return Written(_finished(folder, counts, tell), _report(counts), gradings)


def _finished(folder: Path, counts: Counter, tell: Tell) -> dict[str, dict]:
    """The Parquet files and, written here, their JSON Lines, described by name."""
    files = {}
    pa.default_memory_pool().release_unused()  # what blocks needed would lie there beside what DuckDB needs
    for name in SCHEMAS:
        parquet, lines = folder / f"{name}.parquet", folder / f"{name}.jsonl"
        tell(lines.name, 0)
        write_json_lines(parquet, lines)
        tell(lines.name, counts[name])
        files |= {path.name: described(path, counts[name]) for path in (lines, parquet)}
    return files


def write_judgments(
    study: Study, folder: Path, secret: str, counts: Counter, tell: Tell = quietly
) -> NDArray:
    """The judgments' Parquet file; returns what became of each pair, as `by_pair` does."""
    raters, names, tallies = (
        Raters.of(queries.raters_of(study), secret),
        Names.of(*queries.names_of(study)),
        [],
    )
    blocks = chain.from_iterable(map(tables_of, queries.judgments_of(study)))
    with TableFile(folder / "judgments.parquet", SCHEMAS["judgments"]) as file:
        for read in whole_pairs(blocks):
            rows = judgment_rows(read, raters, names, file.rows)
            file.add(rows)
            tell(file.path.name, len(rows))
            tallies.append(tally(read, rows))
            _count_judgments(rows, counts)
    counts["judgments"] = file.rows
    return by_pair(tallies)


def _write_each(
    folder: Path,
    name: str,
    query: Query,
    shaped: Callable[[pa.Table], pa.Table],
    *,
    counts: Counter,
    tell: Tell,
) -> None:
    with TableFile(folder / f"{name}.parquet", SCHEMAS[name]) as file:
        for read in tables_of(query):
            file.add(shaped(read))
            tell(file.path.name, len(read))
    counts[name] = file.rows


def _preferring(tallies: NDArray, min_judgments: int) -> Callable[[pa.Table], pa.Table]:
    return lambda read: preference_rows(read, tallies, min_judgments)


def _counting(counts: Counter) -> Callable[[pa.Table], pa.Table]:
    """`pair_rows` that also counts the pairs that raters did not get."""

    def rows(read: pa.Table) -> pa.Table:
        waits = pc.and_not(pc.equal(read["state"], PairState.HELD.value), read["judged"])
        counts["waiting"] += _sum(waits)
        counts["dropped"] += _sum(pc.equal(read["state"], PairState.DROPPED.value))
        counts["replaced"] += _sum(pc.equal(read["state"], PairState.REPLACED.value))
        return pair_rows(read)

    return rows


def _count_judgments(rows: pa.Table, counts: Counter) -> None:
    counts["judgments_counted"] += _sum(rows["counts"])
    counts["judgments_superseded"] += _sum(pc.invert(rows["is_current"]))
    counts["judgments_surplus"] += _sum(rows["surplus"])
    counts["judgments_withdrawn"] += _sum(rows["withdrawn"])


def _sum(column: pa.ChunkedArray) -> int:
    return pc.sum(column, min_count=0).as_py()


def _report(counts: Counter) -> dict:
    names = (
        "judgments_counted",
        "judgments_superseded",
        "judgments_surplus",
        "judgments_withdrawn",
        "pairs_judged",
        "votes",
        "both_bad_votes",
    )
    return {
        **{name: counts[name] for name in (*SCHEMAS, *names)},
        "pairs_left_out": {name: counts[name] for name in (*EXCLUSIONS, *UNRATED)},
    }
