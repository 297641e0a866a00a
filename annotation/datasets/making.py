"""From a snapshot folder and a recipe to a folder of files, or to a look at what they would be."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from annotation.datasets.describing import Tally, card_of, counts_of, items_of, manifest_of, units_of
from annotation.datasets.files import PartFiles, write_kind
from annotation.datasets.recipe import Aggregation, FileKind, Format, Recipe
from annotation.datasets.rows import judgments_of, rows_of, schema_of
from annotation.datasets.selecting import Plan, plan_of
from annotation.datasets.source import ROWS_AT_ONCE, Source, Tell, read_source
from annotation.errors import DatasetRefused, SnapshotUnreadable
from annotation.export.formats import described, json_text
from annotation.stats.errors import BadInput

ROWS_SHOWN = 3


@dataclass(frozen=True)
class Preview:
    """What a recipe would make: `judgments` and `items` as in the manifest, what the rules could not do as
    asked, and the first rows."""

    judgments: dict
    items: dict
    notes: dict[str, str]
    rows: tuple[dict, ...]

    def as_json(self) -> dict:
        """JSON values; times as the files have them."""
        rows = [json.loads(json_text(row)) for row in self.rows]
        return {"judgments": self.judgments, "items": self.items, "notes": self.notes, "rows": rows}


def quietly(step: str, done: int, total: int) -> None:
    """For whoever wants to be told nothing."""


def make_dataset(snapshot: Path, recipe: Recipe, out: Path, tell: Tell = quietly) -> dict:
    """Write the dataset's files into the empty folder `out`; returns the manifest, which is written last.

    The same snapshot and recipe give the same bytes. Raises SnapshotUnreadable, DatasetRefused where no row
    is left, OSError, and whatever `tell` raises; then `out` holds part of a dataset: throw it away.
    """
    with _opened(snapshot, recipe, tell, out) as (source, plan):
        schema, tally = schema_of(source, recipe), Tally()
        with PartFiles(out, schema) as files:
            _write(source, recipe, plan, files, tally, tell)
        _require_rows(files.rows(), source, plan)
        rows = _in_every_kind(out, files.rows(), recipe.files, tell)
        counts = counts_of(source, plan, tally)
        card = out / "README.md"
        card.write_text(card_of(source, recipe, plan, counts, rows), encoding="utf-8")
        told = {name: described(out / name, n) for name, n in rows.items()}
        told[card.name] = described(card)
        manifest = manifest_of(source, recipe, plan, counts, told)
        text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
        (out / "manifest.json").write_text(text, encoding="utf-8")
        return manifest


def preview(snapshot: Path, recipe: Recipe) -> Preview:
    """What `make_dataset` would make. Raises SnapshotUnreadable and DatasetRefused."""
    with _opened(snapshot, recipe, quietly, None) as (source, plan):
        first = tuple(islice(_rows(source, recipe, plan), ROWS_SHOWN))
        notes = dict(plan.notes) if plan else {}
        return Preview(source.judgments, items_of(source, plan), notes, first)


@contextmanager
def _opened(
    snapshot: Path, recipe: Recipe, tell: Tell, scratch: Path | None
) -> Iterator[tuple[Source, Plan | None]]:
    source = read_source(snapshot, recipe, tell, scratch)
    try:
        tell("Deciding", 0, 1)
        yield source, None if recipe.format == Format.JUDGMENTS else plan_of(source, recipe)
    except BadInput as error:
        method = Aggregation(recipe.aggregation).label
        raise DatasetRefused(f"{method} cannot be used on this snapshot: {error}") from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise SnapshotUnreadable(f"The snapshot in “{snapshot}” cannot be read: {error}.") from error
    finally:
        source.texts.close()


def _rows(source: Source, recipe: Recipe, plan: Plan | None) -> Iterator[dict]:
    if plan is not None:
        return rows_of(source, recipe, plan)
    return (row for _, rows in judgments_of(source, recipe) for row in rows.to_pylist())


def _write(
    source: Source, recipe: Recipe, plan: Plan | None, files: PartFiles, tally: Tally, tell: Tell
) -> None:
    if plan is None:
        _write_judgments(source, recipe, files, tally, tell)
        return
    for number, row in enumerate(rows_of(source, recipe, plan)):
        if number % ROWS_AT_ONCE == 0:
            tell("Writing", min(number, plan.rows), plan.rows)
        files.add(row)
        tally.add(row)


def _write_judgments(source: Source, recipe: Recipe, files: PartFiles, tally: Tally, tell: Tell) -> None:
    done = 0
    for part, rows in judgments_of(source, recipe):
        tell("Writing", done, source.judgments["used"])
        files.add_table(part, rows)
        tally.add_table(part, rows)
        done += len(rows)


def _in_every_kind(out: Path, rows: dict[str, int], kinds: tuple[str, ...], tell: Tell) -> dict[str, int]:
    """From the Parquet file of each part the files that were asked for; returns rows by file name."""
    pa.default_memory_pool().release_unused()  # what rows needed would lie there beside what DuckDB needs
    written = {}
    for part, n in rows.items():
        parquet = out / f"{part}.{FileKind.PARQUET}"
        for kind in kinds:
            path = parquet
            if kind != FileKind.PARQUET:
                tell(f"Writing {part}.{kind}", 0, n)
                path = write_kind(kind, parquet)
            written[path.name] = n
        if FileKind.PARQUET not in kinds:
            parquet.unlink()
    return written


def _require_rows(rows: dict[str, int], source: Source, plan: Plan | None) -> None:
    if rows:
        return
    items = items_of(source, plan)
    reasons = [f"{n} {reason.replace('_', ' ')}" for reason, n in items["left_out"].items() if n]
    why = f" Left out: {', '.join(reasons)}." if reasons else ""
    raise DatasetRefused(
        f"By these rules no row is left of {items['judged']:,} {units_of(items)}.{why} "
        "Loosen a rule; nothing was kept."
    )
