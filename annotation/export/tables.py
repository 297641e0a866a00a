"""A study's tables into a folder."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from django.db.models import Model, QuerySet

from annotation.export.formats import SCHEMAS, TableFiles, described
from annotation.export.preferences import EXCLUSIONS, UNRATED, preference
from annotation.export.rows import (
    grade_row,
    grades_of,
    in_chunks,
    judgment_row,
    judgments_of,
    pair_row,
    pairs_of,
    response_row,
    responses_of,
)
from annotation.models import Grading, Judgment, Pair, Study
from annotation.vocabulary import PairState

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Written:
    """`files`: by name, with bytes, rows and SHA-256. `counts`: what the manifest reports. `gradings`: as
    they were when their grades were read."""

    files: dict[str, dict]
    counts: dict
    gradings: list[Grading]


def write_tables(study: Study, folder: Path, min_judgments: int) -> Written:
    """All tables as JSON Lines and Parquet into an existing folder. Raises OSError.

    Preferences and judgments are made from the same read, so they never disagree.
    """
    counts: Counter = Counter()
    with ExitStack() as stack:
        tables = {name: stack.enter_context(TableFiles(folder, name)) for name in SCHEMAS}
        _write_judgments(study, tables, min_judgments, counts)
        _write_pairs(study, tables["pairs"], counts)
        # Grades before responses, so that every response that was graded is there.
        gradings = list(study.gradings.select_related("guideline").order_by("pk"))
        _write_each(tables["grades"], grades_of(study), grade_row)
        _write_each(tables["responses"], responses_of(study), response_row)
    files = {path.name: described(path, table.rows) for table in tables.values() for path in table.paths}
    return Written(files, _report(counts, {name: table.rows for name, table in tables.items()}), gradings)


def _write_each(table: TableFiles, rows: QuerySet[Row], told: Callable[[Row], dict]) -> None:
    with in_chunks(rows) as chunks:
        for row in chunks:
            table.add(told(row))


def _write_judgments(
    study: Study, tables: dict[str, TableFiles], min_judgments: int, counts: Counter
) -> None:
    with in_chunks(judgments_of(study)) as judgments:
        for _, group in groupby(judgments, key=lambda judgment: judgment.pair_id):
            pair, counting = _write_group(group, tables["judgments"], counts)
            if pair is None:
                continue
            counts["pairs_judged"] += 1
            if row := preference(pair, counting, min_judgments, counts):
                tables["preferences"].add(row)


def _write_pairs(study: Study, table: TableFiles, counts: Counter) -> None:
    with in_chunks(pairs_of(study)) as pairs:
        for pair in pairs:
            table.add(pair_row(pair))
            counts["dropped"] += pair.state == PairState.DROPPED
            counts["replaced"] += pair.state == PairState.REPLACED
            counts["waiting"] += pair.state == PairState.HELD and not pair.judged


def _write_group(
    group: Iterable[Judgment], table: TableFiles, counts: Counter
) -> tuple[Pair | None, list[Judgment]]:
    """Writes judgments of one pair, and returns it with those that count; (None, []) for single responses."""
    pair, counting = None, []
    for judgment in group:
        row = judgment_row(judgment)
        table.add(row)
        _count(row, counts)
        pair = judgment.pair
        if pair and judgment.counts:
            counting.append(judgment)
    return pair, counting


def _count(row: dict, counts: Counter) -> None:
    counts["judgments_counted"] += row["counts"]
    counts["judgments_superseded"] += not row["is_current"]
    counts["judgments_surplus"] += row["surplus"]
    counts["judgments_withdrawn"] += row["withdrawn"]


def _report(counts: Counter, rows: dict[str, int]) -> dict:
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
        **rows,
        **{name: counts[name] for name in names},
        "pairs_left_out": {name: counts[name] for name in (*EXCLUSIONS, *UNRATED)},
    }
