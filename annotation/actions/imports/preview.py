"""What a file would bring: its first rows as they would be kept, and which column goes where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from annotation.actions.imports.cells import BadRow
from annotation.actions.imports.files import Record, read_records
from annotation.actions.imports.formats import Recognised
from annotation.actions.imports.judgments import JudgmentRow
from annotation.actions.imports.loading import Loader, plain_records
from annotation.actions.imports.mapping import Mapping
from annotation.actions.imports.pairs import PreferenceRow, loader_for
from annotation.actions.imports.records import MOST_COLUMNS, beginning
from annotation.actions.imports.responses import ResponseRow
from annotation.models import Study
from annotation.vocabulary import PAIR_QUESTIONS

LOOKED_AT = 200
SHOWN = 5
MOST_LISTED = 50


@dataclass(frozen=True)
class Shown:
    """A row as it would be kept; `answers` are (arm, text), `judgments` sentences' worth of words."""

    line: int
    prompt_key: str
    prompt: str
    labels: str
    answers: Sequence[tuple[str, str]] = ()
    judgments: Sequence[str] = ()


@dataclass(frozen=True)
class Preview:
    """Of the first `looked_at` rows: how many could be taken, the first of them, and why others could not."""

    found: Recognised
    looked_at: int
    taken: int
    prompts: int
    answers: int
    judgments: int
    rows: Sequence[Shown]
    problems: Sequence[tuple[int, str]]
    missing: Sequence[str]
    unused: Sequence[str]
    sources: dict[str, str] = field(default_factory=dict)


def preview(
    study: Study, path, found: Recognised, given: Mapping, name: str = "", hide: bool = False
) -> Preview:
    """Look at the file's first rows. Raises ImportRefused when it cannot be read at all."""
    mapping, loader = found.mapping(given), loader_for(study, found, given, hide)
    records = list(plain_records(loader, beginning(read_records(path, name), LOOKED_AT)))
    columns = {column for record in records for column in record.values}
    rows, problems = rows_and_problems(loader, mapping, records)
    parts = [part for _, row in rows for part in _parts(row)]
    return Preview(
        found=found,
        looked_at=len(records),
        taken=len(rows),
        prompts=len({part.key for part in parts}),
        answers=sum(isinstance(part, ResponseRow) and bool(part.arm) for part in parts),
        judgments=sum(isinstance(part, JudgmentRow) for part in parts),
        rows=[_shown(line, row) for line, row in rows[:SHOWN]],
        problems=problems[:MOST_LISTED],
        missing=loader.missing(lambda one: mapping.gives(one, columns)) if columns else (),
        unused=sorted(columns - {mapping.column_of(one) for one in loader.fields})[:MOST_COLUMNS],
        sources={one: mapping.column_of(one) for one in loader.fields if mapping.column_of(one) in columns},
    )


def rows_and_problems(
    loader: Loader, mapping: Mapping, records: Iterable[Record]
) -> tuple[list[tuple[int, Any]], list[tuple[int, str]]]:
    """What can be taken of the records, and why the others cannot, each by its line."""
    rows, problems = [], []
    for record in records:
        try:
            if record.problem:
                raise BadRow(record.problem)
            rows.append((record.line, loader.read(mapping.apply(record.values, loader.fields))))
        except BadRow as problem:
            problems.append((record.line, str(problem)))
    return rows, problems


def _parts(row: object) -> Sequence[ResponseRow | JudgmentRow]:
    if isinstance(row, PreferenceRow):
        return [*row.answers, *row.judgments]
    return [row] if isinstance(row, ResponseRow | JudgmentRow) else []


def _shown(line: int, row: object) -> Shown:
    parts = _parts(row)
    answers = [part for part in parts if isinstance(part, ResponseRow)]
    prompt = answers[0] if answers else None
    return Shown(
        line,
        parts[0].key,
        prompt.messages[-1]["content"] if prompt and prompt.messages else "",
        _labels(prompt) if prompt else "",
        [(part.arm, part.text) for part in answers if part.arm],
        [_told(part) for part in parts if isinstance(part, JudgmentRow)],
    )


def _labels(row: ResponseRow) -> str:
    told = [row.intent, row.harm_category, *row.subset, row.family and f"family {row.family}"]
    told += [f"{len(row.messages)} turns"] if row.messages and len(row.messages) > 1 else []
    return ", ".join(filter(None, told))


def _told(row: JudgmentRow) -> str:
    """“dataset: balance 2 towards second”, and what is said about each answer."""
    said = [
        f"{name} {_towards(row, getattr(row, name))}"
        for name in PAIR_QUESTIONS
        if getattr(row, name) is not None
    ]
    said += ["both are bad"] if row.both_bad else []
    for arm, answers in zip(row.arms, row.answers, strict=True):
        told = [
            answers.safety,
            answers.severity,
            answers.helpfulness and f"helpfulness {answers.helpfulness}",
            answers.mode,
        ]
        said += [f"{arm} {', '.join(map(str, filter(None, told)))}"] if any(told) else []
    return f"{row.rater}: {'; '.join(said)}"


def _towards(row: JudgmentRow, step: int) -> str:
    return f"{abs(step)} towards {row.arms[step > 0]}" if step else "about equal"
