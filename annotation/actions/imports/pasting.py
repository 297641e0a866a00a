"""Prompts that somebody pastes: one a line, or the lines of a CSV file with their header."""

import csv
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from annotation.actions.imports.files import read_records
from annotation.actions.imports.loading import Imported, load, plain_records
from annotation.actions.imports.mapping import Mapping
from annotation.actions.imports.preview import rows_and_problems
from annotation.actions.imports.responses import COMMON_NAMES, PromptLoader, ResponseRow, guess_prompt
from annotation.errors import ImportRefused
from annotation.models import Study, User
from annotation.text import storable

LONGEST_PASTE = 1_000_000
"""Characters; more comes in as a file."""


@dataclass(frozen=True)
class Pasted:
    """What was pasted: the rows as they would be kept, and why others cannot be, each by its line.

    `lacks_intent`: neither the rows nor the form say what the prompts are.
    """

    rows: Sequence[ResponseRow]
    problems: Sequence[tuple[int, str]]
    lacks_intent: bool


def look_at_prompts(study: Study, text: str, intent: str = "", harm_category: str = "") -> Pasted:
    """What `paste_prompts` would keep. Raises ImportRefused for what cannot be read at all."""
    loader = PromptLoader(study)
    with _as_file(text, intent, harm_category) as (path, mapping, columns):
        lacking = loader.missing(lambda name: mapping.gives(name, columns))
        if "intent" in lacking:
            return Pasted((), (), True)
        rows, problems = rows_and_problems(loader, mapping, plain_records(loader, read_records(path)))
    return Pasted([row for _, row in rows], problems, False)


def paste_prompts(
    study: Study, text: str, intent: str = "", harm_category: str = "", actor: User | None = None
) -> Imported:
    """The prompts, all or none; `intent` and `harm_category` are for those that do not say theirs.

    Raises ImportRefused with every line that cannot be taken.
    """
    with _as_file(text, intent, harm_category) as (path, mapping, _):
        return load(PromptLoader(study), study, path, mapping, actor=actor)


@contextmanager
def _as_file(text: str, intent: str, harm_category: str) -> Iterator[tuple[Path, Mapping, set[str]]]:
    """A file of what was pasted, what its columns mean, and which it has. Raises ImportRefused."""
    text = storable(text).strip("\ufeff")
    if not text.strip():
        raise ImportRefused([], "Nothing was pasted.")
    if len(text) > LONGEST_PASTE:
        raise ImportRefused([], "That is too long to paste. Put it into a file and upload that.")
    columns = _columns_of(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("pasted.csv" if columns else "pasted.jsonl")
        path.write_text(text if columns else _as_json_lines(text), encoding="utf-8")
        yield path, _mapping(columns, intent, harm_category), {*(columns or ["prompt"])}


def _mapping(columns: list[str], intent: str, harm_category: str) -> Mapping:
    guessed = guess_prompt(dict.fromkeys(columns, ""))
    given = {*columns, *guessed}
    same = {"intent": intent, "harm_category": harm_category}
    constants = {name: value for name, value in same.items() if value and name not in given}
    return Mapping(columns=guessed, constants=constants)


def _columns_of(text: str) -> list[str]:
    """The header of pasted CSV; empty where the first line is no header but a prompt."""
    first = next(csv.reader(StringIO(text.splitlines()[0])), [])
    names = {name.strip().lower() for name in first}
    is_header = len(first) > 1 and names & {*COMMON_NAMES["prompt"], *COMMON_NAMES["messages"]}
    return first if is_header else []


def _as_json_lines(text: str) -> str:
    """A row for each line; an empty line stays one, so that lines are counted as they were pasted."""
    return "\n".join(
        json.dumps({"prompt": line.strip()}) if line.strip() else "" for line in text.splitlines()
    )
