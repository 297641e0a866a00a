"""What the two import commands share: their options, and what they say."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.imports import Imported, Mapping
from annotation.actions.imports.files import unit_of
from annotation.errors import DomainError, ImportRefused
from annotation.text import spelt_out

SECONDS_BETWEEN_LINES = 1.0
SKIPPING = "Correct them, or import the others with --skip-bad."


def add_file_arguments(parser: CommandParser, fields: Sequence[str]) -> None:
    """STUDY, FILE and the options that fit a foreign file to our fields."""
    parser.add_argument("study", metavar="STUDY", help="The study's short name.")
    parser.add_argument("file", metavar="FILE", type=Path, help="Ends in .jsonl or .csv; UTF-8.")
    for option, form, says in (
        ("column", "FIELD=COLUMN", "The file's column that gives a field."),
        ("value", "FIELD:FROM=TO", "Reads a value of the file as ours; * in FROM stands for any text."),
        ("set", "FIELD=VALUE", "The same value for every row."),
    ):
        parser.add_argument(f"--{option}", action="append", default=[], metavar=form, help=says)
    parser.add_argument("--skip-bad", action="store_true", help="Keep the good rows and report the others.")
    parser.epilog = f"Fields: {', '.join(fields)}. See docs/import.md."


def mapping_from(options: dict, fields: Sequence[str]) -> Mapping:
    """The mapping that --column, --value and --set describe."""
    return Mapping.parse(fields, options["column"], options["value"], options["set"])


class Importing:
    """Speaks on stderr while a file comes in, and on stdout when it is in."""

    def __init__(self, command: BaseCommand, path: Path):
        self.command, self.unit = command, unit_of(path.name)
        self.spoke_at = time.monotonic()

    def progress(self, rows: int) -> None:
        """A line now and then."""
        if time.monotonic() - self.spoke_at >= SECONDS_BETWEEN_LINES:
            self.spoke_at = time.monotonic()
            self._say(f"{rows:,} rows read …")

    def skip(self, line: int, reason: str) -> None:
        """One row that is left out."""
        self._say(f"Skipped {self.unit} {line}: {reason}")

    def done(self, result: Imported, what: str) -> None:
        """What the file brought."""
        if result.unused_columns:
            self._say(f"Columns not used: {', '.join(result.unused_columns)}.")
        parts = [f"{result.new:,} {what} imported"]
        parts += [f"{result.already_there:,} were there already"] if result.already_there else []
        parts += [f"{result.bad:,} bad rows skipped"] if result.bad else []
        for name in ("prompts", "arms", "raters", "pairs", "judgments"):
            count = getattr(result, f"new_{name}")
            parts += [f"{count:,} new {name}"] if count else []
        self.command.stdout.write("; ".join(parts) + ".")

    @contextmanager
    def refusals_in_words(self) -> Iterator[None]:
        """Turns what the domain refuses into the command's error, with the bad rows listed."""
        try:
            yield
        except ImportRefused as error:
            listed = [f"{self.unit.capitalize()} {line}: {reason}" for line, reason in error.problems]
            advice = [SKIPPING] if listed else []
            raise CommandError(spelt_out("\n".join([*listed, str(error), *advice]))) from error
        except DomainError as error:
            raise CommandError(spelt_out(str(error))) from error

    def _say(self, text: str) -> None:
        self.command.stderr.write(spelt_out(text), style_func=str)
