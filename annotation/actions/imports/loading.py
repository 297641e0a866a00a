"""One file through one loader: chunk by chunk, every bad row noted, all or nothing."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from django.db import IntegrityError, OperationalError, transaction

from annotation.actions import events
from annotation.actions.imports.cells import BadRow
from annotation.actions.imports.files import Record, read_records
from annotation.actions.imports.mapping import Mapping
from annotation.actions.imports.records import MOST_COLUMNS
from annotation.errors import ImportRefused
from annotation.models import Study, User

CHUNK = 4_000  # rows
CHUNK_SIZE = 4 * 1024 * 1024  # characters; a chunk ends with the row that reaches it
MOST_LISTED = 50
COLLECT_AFTER = 100_000  # objects, instead of Python's 700

Skipped = Callable[[int, str], None]
Progress = Callable[[int], None]


@dataclass
class Imported:
    """What a file brought. `bad` rows were skipped; the first of them are in `problems`."""

    rows: int = 0
    new: int = 0
    already_there: int = 0
    bad: int = 0
    new_prompts: int = 0
    new_arms: int = 0
    new_raters: int = 0
    new_pairs: int = 0
    new_judgments: int = 0
    judgments_already_there: int = 0
    unused_columns: list[str] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)


class Loader(Protocol):
    """Knows one kind of file. Both methods may raise or note BadRow; `keep` writes one chunk."""

    fields: Sequence[str]
    verb: str
    last_before: int

    def plain(self, values: dict) -> dict:
        """A row of the file as columns by name."""

    def missing(self, has: Callable[[str], bool]) -> list[str]:
        """The fields without which no row can be good."""

    def read(self, row: dict) -> object:
        """A value from a row by our fields. Raises BadRow."""

    def keep(self, rows: list[tuple[int, object]], result: Imported, refuse: Skipped) -> None:
        """Write one chunk of (line, value); calls `refuse` for those that do not fit the study."""

    def finish(self) -> None:
        """After the last chunk."""


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """Have Python look for cycles of garbage less often in the whole process, and not in what was there.

    A chunk makes tens of thousands of objects that are all in use, and going through them and all modules
    again and again took a sixth of an import's time.
    """
    usual = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *usual[1:])
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)


@rarely_collecting()
def load(
    loader: Loader,
    study: Study,
    path: Path,
    mapping: Mapping,
    skip_bad: bool = False,
    actor: User | None = None,
    on_skip: Skipped | None = None,
    on_progress: Progress | None = None,
) -> Imported:
    """Everything in the file, in one transaction. Raises ImportRefused, and then nothing was kept."""
    result = Imported()
    try:
        with transaction.atomic():
            # Two imports into one study take turns. NO KEY: raters go on judging meanwhile (PostgreSQL).
            Study.objects.select_for_update(no_key=True).get(pk=study.pk)
            _load(loader, path, mapping, result, on_skip if skip_bad else None, on_progress)
            if result.bad and not skip_bad:
                raise _refusal(path, result)
            loader.finish()
            if result.new:
                events.record(study, loader.verb, actor, file=path.name, new=result.new, skipped=result.bad)
    except IntegrityError as error:
        raise ImportRefused(
            [], "The study changed while the file came in, so nothing of it was kept. Import it again."
        ) from error
    except OperationalError as error:  # a full disk, or SQLite's write lock held by others for too long
        raise ImportRefused(
            [],
            f"The database gave up ({str(error).strip()}), so nothing of the file was kept. Import it again.",
        ) from error
    return result


@rarely_collecting()
def load_in_parts(
    loader: Loader,
    study: Study,
    records: Iterable[Record],
    name: str,
    mapping: Mapping,
    result: Imported,
    keep_mark: Callable[[Imported, list[tuple[int, str]]], None],
) -> None:
    """Everything after row `result.rows`, each chunk in a transaction of its own; bad rows are left out.

    `keep_mark(result, bad rows of the chunk)` is called inside the chunk's transaction and may raise to undo
    it. Raises ImportRefused when the file as a whole is unusable; what came in before stays.
    """
    for chunk in _chunks(plain_records(loader, islice(records, result.rows, None))):
        columns = {key for record in chunk for key in record.values}
        _refuse_missing(loader, Path(name), mapping, columns)
        unused = {*result.unused_columns, *_unused(loader, mapping, columns)}
        result.unused_columns = sorted(unused)[:MOST_COLUMNS]
        _keep_part(loader, study, mapping, chunk, result, keep_mark)
    if not result.rows:
        raise ImportRefused([], f"“{name}” has no rows.")


def _keep_part(
    loader: Loader,
    study: Study,
    mapping: Mapping,
    chunk: list[Record],
    result: Imported,
    keep_mark: Callable[[Imported, list[tuple[int, str]]], None],
) -> None:
    bad: list[tuple[int, str]] = []

    def refuse(line: int, reason: str) -> None:
        bad.append((line, reason))

    rows = list(_read(loader, mapping, chunk, refuse))
    with transaction.atomic():
        Study.objects.select_for_update(no_key=True).get(pk=study.pk)
        loader.keep(rows, result, refuse)
        result.rows += len(chunk)
        result.bad += len(bad)
        keep_mark(result, bad)


def _load(
    loader: Loader,
    path: Path,
    mapping: Mapping,
    result: Imported,
    on_skip: Skipped | None,
    on_progress: Progress | None,
) -> None:
    unseen = set(mapping.columns.values())

    def refuse(line: int, reason: str) -> None:
        result.bad += 1
        if len(result.problems) < MOST_LISTED:
            result.problems.append((line, reason))
        if on_skip:
            on_skip(line, reason)

    for chunk in _chunks(plain_records(loader, read_records(path))):
        columns = {name for record in chunk for name in record.values}
        if not result.rows:
            _refuse_missing(loader, path, mapping, columns)
            result.unused_columns = _unused(loader, mapping, columns)
        unseen -= columns
        result.rows += len(chunk)
        loader.keep(list(_read(loader, mapping, chunk, refuse)), result, refuse)
        if on_progress:
            on_progress(result.rows)
    if not result.rows:
        raise ImportRefused([], f"“{path.name}” has no rows.")
    if unseen:
        raise ImportRefused([], f"No row of “{path.name}” has a column {_quoted(sorted(unseen))}.")


def plain_records(loader: Loader, records: Iterable[Record]) -> Iterator[Record]:
    """The records with their values as columns."""
    for record in records:
        values = record.values if record.problem else loader.plain(record.values)
        yield record if values is record.values else replace(record, values=values)


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Limited by rows and by size, so that memory stays the same however long the rows are."""
    chunk, size = [], 0
    for record in records:
        chunk.append(record)
        size += record.size
        if len(chunk) >= CHUNK or size >= CHUNK_SIZE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _read(
    loader: Loader, mapping: Mapping, chunk: list[Record], refuse: Skipped
) -> Iterator[tuple[int, object]]:
    for record in chunk:
        try:
            if record.problem:
                raise BadRow(record.problem)
            yield record.line, loader.read(mapping.apply(record.values, loader.fields))
        except BadRow as problem:
            refuse(record.line, str(problem))


def _refuse_missing(loader: Loader, path: Path, mapping: Mapping, columns: set[str]) -> None:
    if not columns:
        return  # no record could be read at all: each says why
    missing = loader.missing(lambda name: mapping.gives(name, columns))
    if missing:
        raise ImportRefused(
            [],
            f"“{path.name}” has no column for {_quoted(missing)}. "
            f"Its columns are: {_quoted(sorted(columns))}. "
            "Use --column FIELD=COLUMN to say which column it is, or --set FIELD=VALUE for all rows.",
        )


def _unused(loader: Loader, mapping: Mapping, columns: set[str]) -> list[str]:
    return sorted(columns - {mapping.column_of(name) for name in loader.fields})


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _refusal(path: Path, result: Imported) -> ImportRefused:
    listed = f" (the first {MOST_LISTED} are listed)" if result.bad > MOST_LISTED else ""
    return ImportRefused(
        result.problems,
        f"{result.bad:,} of {result.rows:,} rows of “{path.name}” are bad{listed}, "
        "so nothing of the file was kept.",
    )
