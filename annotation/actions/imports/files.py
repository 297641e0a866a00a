"""Records of a JSON Lines or CSV file, one after another, each with the line where it starts."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from annotation import strict_json
from annotation.errors import ImportRefused
from annotation.strict_json import why_unstorable

LONGEST_LINE = 32 * 1024 * 1024  # bytes; keeps a file without line ends, or an open quote, out of memory
BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Record:
    """`values` by column as the file gives them; with a `problem` it cannot be used."""

    line: int
    values: dict = field(default_factory=dict)
    problem: str = ""


def read_records(path: Path) -> Iterator[Record]:
    """Every record of the file, by its ending. Raises ImportRefused when the file as a whole is unusable."""
    ending = path.suffix.lower()
    if ending not in (*JSON_LINES, ".csv"):
        raise ImportRefused([], f"“{path.name}” does not end in .jsonl or .csv, so its format is not known.")
    try:
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
    while raw := file.readline(LONGEST_LINE):
        number += 1
        if len(raw) == LONGEST_LINE:
            most = LONGEST_LINE // 2**20
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
        return Record(number, problem=why_unstorable(line) or str(error))
    if not isinstance(values, dict):
        return Record(number, problem="Not a JSON object with named fields.")
    return Record(number, values)


def _csv_records(path: Path, lines: Iterator[str]) -> Iterator[Record]:
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader(lines, strict=True)
    header = _header(path, reader)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(line, problem=f"Not valid CSV: {error}. Is a quotation mark left open?")
            continue
        if cells:
            yield _csv_record(line, header, cells)


def _header(path: Path, reader) -> list[str]:
    try:
        header = [name.strip() for name in next(reader)]
    except (StopIteration, csv.Error) as error:
        raise ImportRefused([], f"“{path.name}” has no line of column names: {error}.") from error
    if twice := {name for name in header if name and header.count(name) > 1}:
        raise ImportRefused([], f"“{path.name}” has more than one column named {', '.join(sorted(twice))}.")
    return header


def _csv_record(line: int, header: list[str], cells: list[str]) -> Record:
    if len(cells) != len(header):
        return Record(line, problem=f"{len(cells)} fields, where the first line names {len(header)} columns.")
    return Record(
        line, dict(zip(header, cells, strict=True)), next(filter(None, map(why_unstorable, cells)), "")
    )
