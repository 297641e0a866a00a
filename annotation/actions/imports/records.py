"""One record of a file, whatever kind of file it is, and the limits that all kinds share."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from annotation.errors import ImportRefused

LONGEST = 32 * 1024 * 1024  # of a line in bytes, of a record in characters: keeps an open quote out of memory
MOST_COLUMNS = 1_000
LONGEST_COLUMN = 1_000  # characters of its name
MOST_LOOKED_AT = 4 * 1024 * 1024  # characters of a file's first records, which a page holds together
BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Record:
    """`values` by column as the file gives them; with a `problem` it cannot be used. `size` in characters.

    `line` is where it begins, or its number where the file has no lines: no two records have the same.
    """

    line: int
    size: int
    values: dict = field(default_factory=dict)
    problem: str = ""


def of_object(line: int, size: int, value: object, problem: str = "") -> Record:
    """The record that a value of JSON is: an object whose names can be columns, else a problem."""
    if not isinstance(value, dict):
        problem = problem or "Not a JSON object with named fields."
    elif len(value) > MOST_COLUMNS:
        problem = f"The object has {len(value):,} fields; {MOST_COLUMNS:,} is the most."
    elif any(len(name) > LONGEST_COLUMN for name in value):
        problem = f"The name of a field is longer than {LONGEST_COLUMN:,} characters."
    return Record(line, size, problem=problem) if problem else Record(line, size, value)


def beginning(records: Iterable[Record], most: int) -> Iterator[Record]:
    """The first `most` records or fewer: it ends with the one that reaches MOST_LOOKED_AT.

    A packed file of a few megabytes may begin with rows that fill a machine's memory.
    """
    size = 0
    for record in islice(records, most):
        yield record
        size += record.size
        if size >= MOST_LOOKED_AT:
            return


class Bounded(RawIOBase):
    """What unpacking gives, up to the most that a file may unpack to: a small file may hold terabytes."""

    def __init__(self, path: Path, packed: BinaryIO):
        self._name, self._packed, self._read = path.name, packed, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        """Fill the buffer. Raises ImportRefused for what is broken, or unpacks to too much."""
        try:
            part = self._packed.read(len(buffer))
        except (EOFError, OSError, ValueError, ArithmeticError) as error:  # cut off, another format, damaged
            raise ImportRefused([], f"“{self._name}” is not a whole gzip file: {error}.") from error
        self._read += len(part)
        if self._read > settings.IMPORT_MOST_UNPACKED:
            raise ImportRefused(
                [],
                f"“{self._name}” unpacks to more than {settings.IMPORT_MOST_UNPACKED / 1e9:,.1f} GB. "
                "Cut it into parts, or raise IMPORT_MOST_UNPACKED.",
            )
        buffer[: len(part)] = part
        return len(part)


def bounded(path: Path, packed: BinaryIO) -> BufferedReader:
    """An unpacked stream with that bound."""
    return BufferedReader(Bounded(path, packed), 1024 * 1024)


def skip_mark(path: Path, file: BufferedReader) -> None:
    """Pass over a byte-order mark. Raises ImportRefused for an empty file and for UTF-16."""
    start = file.peek(4)
    if not start or start == BOM:
        raise ImportRefused([], f"“{path.name}” is empty.")
    if start[:2] in UTF_16:
        raise ImportRefused([], f"“{path.name}” is UTF-16 text. Save it as UTF-8.")
    if start.startswith(BOM):
        file.read(len(BOM))
