"""A chain of hashes over rows: whoever changes, adds or removes one changes every hash that follows."""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256

START = bytes(32)
"""What the first row of a chain follows on."""

MARK = 4  # bytes of each row's hash that are kept, to tell which row is the first that does not fit


def canonical(row: object) -> bytes:
    """One spelling of a value that JSON can hold: sorted names, no spaces, UTF-8."""
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode()


def hashes(previous: bytes, rows: Iterable[object]) -> Iterator[bytes]:
    """SHA-256 over the hash before it and the row, for each row in turn."""
    for row in rows:
        previous = sha256(previous + canonical(row)).digest()
        yield previous
