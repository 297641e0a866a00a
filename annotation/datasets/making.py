"""From a snapshot folder and a recipe to a folder of files, or to a look at what they would be."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from annotation.datasets.describing import Tally, card_of, counts_of, items_of, manifest_of, units_of
from annotation.datasets.files import PartFiles, described, line_of
from annotation.datasets.recipe import Aggregation, Format, Recipe
from annotation.datasets.rows import rows_of, schema_of
from annotation.datasets.selecting import Plan, plan_of
from annotation.datasets.source import ROWS_AT_ONCE, Source, Tell, read_source
from annotation.errors import DatasetRefused, SnapshotUnreadable
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
        rows = [json.loads(line_of(row, list(row))) for row in self.rows]
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
        with PartFiles(out, schema, recipe.files) as files:
            _write(source, recipe, plan, files, tally, tell)
        rows = files.written()
        _require_rows(rows, source, plan)
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
        first = tuple(islice(rows_of(source, recipe, plan), ROWS_SHOWN))
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


def _write(
    source: Source, recipe: Recipe, plan: Plan | None, files: PartFiles, tally: Tally, tell: Tell
) -> None:
    total = plan.rows if plan else source.judgments["used"]
    for number, row in enumerate(rows_of(source, recipe, plan)):
        if number % ROWS_AT_ONCE == 0:
            tell("Writing", min(number, total), total)
        files.add(row)
        tally.add(row)


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
