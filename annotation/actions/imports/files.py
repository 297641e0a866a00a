"""Records of a JSON Lines or CSV file, one after another, each with the line where it starts."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from annotation import strict_json
from annotation.errors import ImportRefused
from annotation.strict_json import why_unstorable

LONGEST = 32 * 1024 * 1024  # of a line in bytes, of a record in characters: keeps an open quote out of memory
MOST_COLUMNS = 1_000
BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Record:
    """`values` by column as the file gives them; with a `problem` it cannot be used. `size` in characters."""

    line: int
    size: int
    values: dict = field(default_factory=dict)
    problem: str = ""


def read_records(path: Path) -> Iterator[Record]:
    """Every record of the file, by its ending. Raises ImportRefused when the file as a whole is unusable."""
    ending = path.suffix.lower()
    if ending not in (*JSON_LINES, ".csv"):
        raise ImportRefused([], f"“{path.name}” does not end in .jsonl or .csv, so its format is not known.")
    try:
        if not S_ISREG(path.stat().st_mode):  # a pipe would keep us waiting, a device has no end
            raise ImportRefused(
                [], f"“{path}” cannot be read: it is a folder, a pipe or a device, not a file."
            )
        with path.open("rb") as file:
            _refuse_unreadable(path, file)
            lines = _lines(path, file)
            yield from _csv_records(path, lines) if ending == ".csv" else _json_records(lines)
    except OSError as error:
        raise ImportRefused([], f"“{path}” cannot be read: {error.strerror}.") from error


def _refuse_unreadable(path: Path, file: BinaryIO) -> None:
    start = file.read(3)
    if not start or start == BOM and not file.read(1):
        raise ImportRefused([], f"“{path.name}” is empty.")
    if start[:2] in UTF_16:
        raise ImportRefused([], f"“{path.name}” is UTF-16 text. Save it as UTF-8.")
    file.seek(len(BOM) if start == BOM else 0)


def _lines(path: Path, file: BinaryIO) -> Iterator[str]:
    """Lines as text. Bytes that are not UTF-8 become surrogates, so that the record can be named later."""
    number = 0
    while raw := file.readline(LONGEST):
        number += 1
        if len(raw) == LONGEST:
            most = LONGEST // 2**20
            raise ImportRefused([], f"Line {number} of “{path.name}” is longer than {most} MB.")
        yield raw.decode("utf-8", "surrogateescape")


def _json_records(lines: Iterator[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        if number == 1 and line.lstrip().startswith("["):
            raise ImportRefused([], "The file is one JSON list. JSON Lines has one object on each line.")
        if line.strip():
            yield _json_record(number, line)


def _json_record(number: int, line: str) -> Record:
    try:
        values = strict_json.read(line)
    except strict_json.NotJSON as error:
        return Record(number, len(line), problem=why_unstorable(line) or str(error))
    if not isinstance(values, dict):
        return Record(number, len(line), problem="Not a JSON object with named fields.")
    return Record(number, len(line), values)


class _Taken:
    """Hands lines on and remembers those of the record that is being read."""

    def __init__(self, path: Path, lines: Iterator[str]):
        self._name, self._lines = path.name, lines
        self.first, self.size, self.lines, self.is_at_end = 1, 0, [], False

    def begin(self) -> None:
        """What comes now is another record."""
        self.first += len(self.lines)
        self.size, self.lines = 0, []

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines, None)
        if line is None:
            self.is_at_end = True
            raise StopIteration
        self.size += len(line)
        if self.size > LONGEST:
            raise _left_open(self._name, self)
        self.lines.append(line)
        return line


def _csv_records(path: Path, lines: Iterator[str]) -> Iterator[Record]:
    csv.field_size_limit(LONGEST)
    taken = _Taken(path, lines)
    reader = csv.reader(taken, strict=True)
    header = _header(path, reader)
    while True:
        taken.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if len(taken.lines) > 1:
                raise _left_open(path.name, taken) from error
            problem = f"Not valid CSV: {error}. Is a quotation mark left open?"
            yield Record(taken.first, taken.size, problem=problem)
            continue
        if cells:
            yield _csv_record(taken, header, cells)


def _left_open(name: str, taken: _Taken) -> ImportRefused:
    """Even with bad rows skipped: nobody can say which rows the quotation mark has swallowed."""
    return ImportRefused(
        [
            (
                _opened_in(taken),
                "Not valid CSV: a quotation mark opens here and is not closed where it should be.",
            )
        ],
        f"Lines {taken.first:,} to {taken.last:,} of “{name}” were read as one record, so the rows among "
        "them cannot be told apart, and nothing of the file was kept. Close the quotation mark; one "
        "inside a field is written twice.",
    )


def _opened_in(taken: _Taken) -> int:
    """The line of the quotation mark that joined the lines; at the file's end, of the last one."""
    cells = next(csv.reader(taken.lines), [""])  # not strict: takes what is there
    spans = [place for place, cell in enumerate(cells) if "\n" in cell]
    place = spans[-1] if spans and not taken.is_at_end else len(cells) - 1
    return taken.first + sum(cell.count("\n") for cell in cells[:place])


def _header(path: Path, reader) -> list[str]:
    try:
        header = [name.strip() for name in next(reader)]
    except (StopIteration, csv.Error) as error:
        raise ImportRefused([], f"“{path.name}” has no line of column names: {error}.") from error
    if len(header) > MOST_COLUMNS:
        raise ImportRefused([], f"“{path.name}” has {len(header):,} columns; {MOST_COLUMNS:,} is the most.")
    if twice := {name for name in header if name and header.count(name) > 1}:
        raise ImportRefused([], f"“{path.name}” has more than one column named {', '.join(sorted(twice))}.")
    return header


def _csv_record(taken: _Taken, header: list[str], cells: list[str]) -> Record:
    problem = next(filter(None, map(why_unstorable, cells)), "")
    if len(cells) != len(header):
        problem = f"{len(cells)} fields, where the first line names {len(header)} columns."
        if len(taken.lines) > 1:
            problem += f" The record goes on to line {taken.last:,}: is a quotation mark left open?"
    if problem:
        return Record(taken.first, taken.size, problem=problem)
    return Record(taken.first, taken.size, dict(zip(header, cells, strict=True)))
