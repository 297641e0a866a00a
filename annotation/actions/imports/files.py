"""Records of a file, one after another, each with the line where it starts.

JSON Lines, CSV, one JSON list, Parquet; each may be packed by gzip. The name's ending says which, and the
first bytes must agree.
"""

import csv
import gzip
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from shutil import copyfileobj
from stat import S_ISREG
from typing import BinaryIO

from annotation import strict_json
from annotation.actions.imports.arrays import read_array
from annotation.actions.imports.parquets import MAGIC, read_parquet
from annotation.actions.imports.records import LONGEST, MOST_COLUMNS, Record, bounded, of_object, skip_mark
from annotation.errors import ImportRefused
from annotation.strict_json import why_unstorable

JSON_LINES = (".jsonl", ".ndjson")
ENDINGS = (*JSON_LINES, ".json", ".csv", ".parquet")
GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
SEPARATORS = {";": "“;”", "\t": "a tab"}
"""Of columns, in what some programs call CSV."""


def read_records(path: Path, name: str = "") -> Iterator[Record]:
    """Every record of the file, by its ending. Raises ImportRefused when the file as a whole is unusable.

    `name`: what the file is called where it came from, if it is kept under another name.
    """
    named = Path(name or path.name)
    ending, is_packed = _ending(named)
    try:
        if not S_ISREG(path.stat().st_mode):  # a pipe would keep us waiting, a device has no end
            raise ImportRefused(
                [], f"“{path}” cannot be read: it is a folder, a pipe or a device, not a file."
            )
        with path.open("rb") as file:
            _refuse_other_kind(named, ending, is_packed, file)
            yield from _records_of(named, ending, is_packed, file)
    except OSError as error:
        raise ImportRefused([], f"“{named}” cannot be read: {error.strerror or error}.") from error


def unit_of(name: str) -> str:
    """What `Record.line` counts in a file of this name, "line" or "row": a JSON list may be one line."""
    return "line" if _told_by(Path(name))[0] in (*JSON_LINES, ".csv") else "row"


def _told_by(named: Path) -> tuple[str, bool]:
    is_packed = named.suffix.lower() == ".gz"
    return (named.with_suffix("") if is_packed else named).suffix.lower(), is_packed


def _ending(named: Path) -> tuple[str, bool]:
    """The kind of file that a name tells, and whether it is packed. Raises ImportRefused."""
    ending, is_packed = _told_by(named)
    if ending not in ENDINGS:
        raise ImportRefused(
            [],
            f"“{named.name}” does not end in .jsonl, .json, .csv or .parquet (each may be followed by .gz), "
            "so its format is not known.",
        )
    return ending, is_packed


def _refuse_other_kind(named: Path, ending: str, is_packed: bool, file: BinaryIO) -> None:
    """Refuse a file whose first bytes contradict its name, so that no reader meets what it is not for."""
    start = file.read(4)
    file.seek(0)
    if start == ZIP:
        raise ImportRefused([], f"“{named.name}” is a ZIP archive. Unpack it, and import the file in it.")
    if start and is_packed != (start[:2] == GZIP):
        are = "is not packed by gzip, though its name says so" if is_packed else "is packed by gzip"
        raise ImportRefused([], f"“{named.name}” {are}. Give it the ending that it should have.")
    if start and not is_packed and (ending == ".parquet") != (start == MAGIC):
        are = "is not a Parquet file" if ending == ".parquet" else "is a Parquet file"
        raise ImportRefused([], f"“{named.name}” {are}, though its name says otherwise.")


def _records_of(named: Path, ending: str, is_packed: bool, file: BufferedReader) -> Iterator[Record]:
    source = bounded(named, gzip.GzipFile(fileobj=file)) if is_packed else file
    if ending == ".parquet":
        yield from _parquet_records(named, source, is_packed)
        return
    skip_mark(named, source)
    if ending == ".json" and source.peek(1).lstrip()[:1] == b"[":
        yield from read_array(named, source)
    elif ending == ".csv":
        yield from _csv_records(named, _lines(named, source))
    else:
        yield from _json_records(_lines(named, source))


def _parquet_records(named: Path, source: BinaryIO, is_packed: bool) -> Iterator[Record]:
    """Parquet is read from its end, so a packed one is unpacked into a file first."""
    if not is_packed:
        yield from read_parquet(named, source)
        return
    with tempfile.TemporaryFile() as unpacked:
        copyfileobj(source, unpacked)
        unpacked.seek(0)
        yield from read_parquet(named, unpacked)


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
            raise ImportRefused(
                [], "The file is one JSON list. JSON Lines has one object on each line. Name a list “….json”."
            )
        if line.strip():
            yield _json_record(number, line)


def _json_record(number: int, line: str) -> Record:
    try:
        values = strict_json.read(line)
    except strict_json.NotJSON as error:
        return Record(number, len(line), problem=why_unstorable(line) or str(error))
    return of_object(number, len(line), values)


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
    if len(header) == 1 and (sign := next((one for one in SEPARATORS if one in header[0]), "")):
        raise ImportRefused(
            [], f"The columns of “{path.name}” are separated by {SEPARATORS[sign]}. Separate them by commas."
        )
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
