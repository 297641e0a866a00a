"""A JSON list of objects, one after another, with no more of it in memory than the longest.

The standard library's reader is asked for one value at a time, so that each is read as strictly as a line of
JSON Lines is (`annotation.strict_json`), which a streaming parser would not do.
"""

import codecs
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import BinaryIO

from annotation import strict_json
from annotation.actions.imports.records import LONGEST, Record, of_object
from annotation.errors import ImportRefused

PART = 256 * 1024
BLANKS = re.compile(r"[ \t\r\n]*")


class _Text:
    """The file's text from where reading has come to, with the line that this is."""

    def __init__(self, path: Path, file: BinaryIO):
        self.name, self._file = path.name, file
        # Bytes that are not UTF-8 become surrogates, so that the record can be named later.
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self.text, self.at, self.line, self.is_at_end = "", 0, 1, False

    def more(self, least: int = PART) -> bool:
        """Read on; False at the end of the file."""
        part = b"" if self.is_at_end else self._file.read(least)
        self.is_at_end = not part
        self.text, self.at = self.text[self.at :] + self._decode(part, self.is_at_end), 0
        return not self.is_at_end

    def next_sign(self) -> str:
        """The sign after blanks, still to be read; "" at the end."""
        while True:
            self.pass_to(BLANKS.match(self.text, self.at).end())
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def pass_to(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = end


def read_array(path: Path, file: BinaryIO) -> Iterator[Record]:
    """Every element of the list that the file is; `line` is its number, as a list may be all on one line."""
    text = _Text(path, file)
    if text.next_sign() != "[":
        raise _broken(text, "The file is not a JSON list")
    text.pass_to(text.at + 1)
    if text.next_sign() == "]":
        return
    for number in count(1):
        text.next_sign()
        yield _element(text, number)
        sign = text.next_sign()
        if sign not in (",", "]"):
            raise _broken(text, "A comma or the end of the list is missing")
        text.pass_to(text.at + 1)
        if sign == "]":
            break
    if text.next_sign():
        raise _broken(text, "Something follows after the end of the list")


def _element(text: _Text, number: int) -> Record:
    """The value at which the text stands; read again with twice as much while its end is not there yet."""
    wanted = PART
    while True:
        try:
            value, end = strict_json.read_first(text.text, text.at)
        except strict_json.CutOff as error:
            if len(text.text) - text.at > LONGEST:
                most = f"{LONGEST // 2**20} MB"
                raise _broken(text, f"An element is longer than {most}, or not valid JSON") from error
            if not text.more(wanted):
                raise _broken(text, f"The rest cannot be read ({error})") from error
            wanted *= 2
            continue
        except strict_json.NotJSON as error:
            raise _broken(text, f"The rest cannot be read ({error})") from error
        # A number or word may go on in what is still to be read; an object ends where it ends.
        size = end - text.at
        text.pass_to(end)
        problem = strict_json.why_refused(value) if isinstance(value, dict) else ""
        return of_object(number, size, value, problem)


def _broken(text: _Text, what: str) -> ImportRefused:
    return ImportRefused(
        [], f"“{text.name}”, line {text.line:,}: {what.rstrip('.')}. Nothing of what follows was read."
    )
