"""A study's tables into a folder."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from annotation.export.formats import SCHEMAS, TableFiles, described
from annotation.export.preferences import EXCLUSIONS, preference
from annotation.export.rows import in_chunks, judgment_row, judgments_of, response_row, responses_of
from annotation.models import Study


@dataclass(frozen=True)
class Written:
    """`files`: by name, with bytes, rows and SHA-256. `counts`: what the manifest reports."""

    files: dict[str, dict]
    counts: dict


def write_tables(study: Study, folder: Path, min_judgments: int) -> Written:
    """All tables as JSON Lines and Parquet into an existing folder. Raises OSError.

    Preferences and judgments are made from the same read, so they never disagree.
    """
    counts: Counter = Counter()
    with ExitStack() as stack:
        tables = {name: stack.enter_context(TableFiles(folder, name)) for name in SCHEMAS}
        _write_judgments(study, tables, min_judgments, counts)
        for response in in_chunks(responses_of(study)):
            tables["responses"].add(response_row(response))
    files = {path.name: described(path, table.rows) for table in tables.values() for path in table.paths}
    return Written(files, _report(counts, {name: table.rows for name, table in tables.items()}))


def _write_judgments(
    study: Study, tables: dict[str, TableFiles], min_judgments: int, counts: Counter
) -> None:
    judgments = in_chunks(judgments_of(study))
    for pair_id, group in groupby(judgments, key=lambda judgment: judgment.pair_id):
        counting, pair = [], None
        for judgment in group:
            row = judgment_row(judgment)
            tables["judgments"].add(row)
            _count(row, counts)
            pair = judgment.pair
            if pair_id and judgment.counts:
                counting.append(judgment)
        if pair and (row := preference(pair, counting, min_judgments, counts)):
            tables["preferences"].add(row)
        counts["pairs_judged"] += pair is not None


def _count(row: dict, counts: Counter) -> None:
    counts["judgments_counted"] += row["counts"]
    counts["judgments_superseded"] += not row["is_current"]
    counts["judgments_surplus"] += row["surplus"]


def _report(counts: Counter, rows: dict[str, int]) -> dict:
    names = (
        "judgments_counted",
        "judgments_superseded",
        "judgments_surplus",
        "pairs_judged",
        "votes",
        "both_bad_votes",
    )
    return {
        **rows,
        **{name: counts[name] for name in names},
        "pairs_left_out": {name: counts[name] for name in EXCLUSIONS},
    }
