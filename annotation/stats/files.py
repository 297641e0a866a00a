"""Columns of a CSV file, for the command line: read whole, checked, and refused in a sentence."""

import csv as csv_of_python
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from annotation.stats.columns import Column
from annotation.stats.errors import BadInput

BLOCK = 64 * 2**20
"""Bytes read at a time; a single record may not be longer."""

SHOWN = 60
"""Characters of a cell that a refusal repeats."""


def read_text(path: Path, names: tuple[str, ...], may_be_empty: tuple[str, ...] = ()) -> dict[str, pa.Array]:
    """The named columns as text.

    Raises BadInput, in a sentence that names the file, for a file that cannot be read, is not UTF-8 or not a
    table, lacks a column, or has a cell without entry outside `may_be_empty`.
    """
    table = _table(path, names)
    columns = {name: _whole(table.column(name)) for name in names}
    for name in names:
        if name not in may_be_empty:
            _refuse_empty(path, name, columns[name])
    return columns


def text_column(column: pa.Array) -> Column:
    """The column as it is written."""
    return Column.of_text(column)


def label_column(path: Path, column: pa.Array) -> Column:
    """Labels as they are written, without "nan"."""
    encoded = Column.of_text(column)
    for place, label in enumerate(encoded.labels):
        if label.strip().lower() == "nan":
            row = int(np.flatnonzero(encoded.codes == place)[0])
            raise BadInput(
                f'{path}: row {row + 1} has no label but "{label}". Leave out what was not judged.'
            )
    return encoded


def number_column(path: Path, column: pa.Array) -> Column:
    """Labels as finite numbers; 1 and 1.0 are one value."""
    encoded = label_column(path, column)
    return encoded.relabelled(np.array([_number(path, label) for label in encoded.labels], dtype=np.float64))


def codes_within(path: Path, name: str, column: pa.Array, words: tuple[str, ...]) -> NDArray[np.int64]:
    """The place of each row's word in `words`; any other word is refused."""
    encoded = Column.of_text(column)
    wrong = [place for place, label in enumerate(encoded.labels) if label not in words]
    if wrong:
        row = int(np.flatnonzero(np.isin(encoded.codes, wrong))[0])
        said = shortened(encoded.labels[encoded.codes[row]])
        raise BadInput(
            f'{path}: {name} is {", ".join(words[:-1])} or {words[-1]}, not "{said}" (row {row + 1}).'
        )
    places = np.array([words.index(label) for label in encoded.labels], dtype=np.int64)
    return places[encoded.codes]


def shortened(text: str) -> str:
    """A cell as a refusal shows it."""
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _number(path: Path, label: str) -> float:
    try:
        number = float(label) if "_" not in label else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadInput(
            f'{path}: "{shortened(label)}" is not a finite number, which the ordinal and interval levels '
            "need. Give the codes of the scale, or use --level nominal."
        )
    return number


def _table(path: Path, names: tuple[str, ...]) -> pa.Table:
    try:
        found = _header(path)
        _refuse_header(path, found, names)
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(block_size=BLOCK),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in found},
                include_columns=list(names),
                strings_can_be_null=False,
            ),
        )
    except OSError as failure:
        raise BadInput(f"{path} cannot be read: {failure.strerror or failure}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text. Save it as UTF-8 and try again.") from None
    except csv_of_python.Error as failure:
        raise BadInput(f"{path} is not a table in CSV: {failure}.") from None
    except pa.ArrowInvalid as failure:
        raise BadInput(_unreadable(path, str(failure))) from None


def _header(path: Path) -> list[str]:
    """The names in the first record; Arrow would read a whole block, and guess at types, to tell them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(csv_of_python.reader(file), [])


def _unreadable(path: Path, failure: str) -> str:
    if "UTF8" in failure:
        return f"{path} is not UTF-8 text. Save it as UTF-8 and try again."
    return f"{path} is not a table in CSV: {shortened(failure.splitlines()[0])}"


def _refuse_header(path: Path, found: list[str], names: tuple[str, ...]) -> None:
    if not found:
        raise BadInput(f"{path} is empty: there is not even a header.")
    missing = [name for name in names if name not in found]
    if missing:
        raise BadInput(
            f"{path} has no column {' and no column '.join(missing)}; it has {shortened(', '.join(found))}. "
            f"The header must name {', '.join(names)}."
        )
    twice = [name for name in names if found.count(name) > 1]
    if twice:
        raise BadInput(f"{path} has two columns named {twice[0]}.")


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.Array) else pa.chunked_array(whole).combine_chunks()


def _refuse_empty(path: Path, name: str, column: pa.Array) -> None:
    empty = pc.equal(pc.utf8_trim_whitespace(column), "").to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(empty)
    if len(rows):
        raise BadInput(
            f"{path}: {len(rows)} of {len(column)} rows have no {name}; the first is row {rows[0] + 1}. "
            "Leave a judgment out when it was not made."
        )
