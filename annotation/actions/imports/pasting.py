"""Prompts that somebody pastes: one a line, or the lines of a CSV file with their header."""

import csv
import json
import tempfile
from io import StringIO
from pathlib import Path

from annotation.actions.imports.loading import Imported, load
from annotation.actions.imports.mapping import Mapping
from annotation.actions.imports.responses import COMMON_NAMES, PromptLoader, guess_prompt
from annotation.errors import ImportRefused
from annotation.models import Study, User
from annotation.text import storable

LONGEST_PASTE = 1_000_000
"""Characters; more comes in as a file."""


def paste_prompts(
    study: Study, text: str, intent: str = "", harm_category: str = "", actor: User | None = None
) -> Imported:
    """The prompts, all or none; `intent` and `harm_category` are for those that do not say theirs.

    Raises ImportRefused with every line that cannot be taken.
    """
    text = storable(text).strip("\ufeff")
    if not text.strip():
        raise ImportRefused([], "Nothing was pasted.")
    if len(text) > LONGEST_PASTE:
        raise ImportRefused([], "That is too long to paste. Put it into a file and upload that.")
    columns = _columns_of(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("pasted.csv" if columns else "pasted.jsonl")
        path.write_text(text if columns else _as_json_lines(text), encoding="utf-8")
        same = {"intent": intent, "harm_category": harm_category}
        guessed = guess_prompt(dict.fromkeys(columns, ""))
        given = {*columns, *guessed}
        constants = {name: value for name, value in same.items() if value and name not in given}
        return load(
            PromptLoader(study), study, path, Mapping(columns=guessed, constants=constants), actor=actor
        )


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
