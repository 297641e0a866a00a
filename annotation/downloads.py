"""Files to keep, of which a part may be asked for, so that an interrupted download goes on.

Ranges and their conditions are those of RFC 9110, sections 13 and 14; of several ranges at once none is
given, and the whole file comes instead, as section 14.2 allows.
"""

import re
from pathlib import Path

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag

ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
LONGEST_NUMBER = 18  # digits; no file is that long


class Download(FileResponse):
    """Django's own blocks of 4 KB make half the speed."""

    block_size = 64 * 1024


def download(request: HttpRequest, path: Path, called: str, digest: str) -> HttpResponseBase:
    """The file under the name `called`, or the part of it that is asked for.

    `digest` names these very bytes, such as their SHA-256: whoever holds a part of other bytes gets the whole
    file. Raises OSError.
    """
    etag = quote_etag(digest)
    if (answer := get_conditional_response(request, etag=etag)) is not None:  # 304, or 412
        return answer
    answer = _answer(path, called, _range_of(request, etag))
    answer["ETag"] = etag
    answer["Accept-Ranges"] = "bytes"
    answer["Cache-Control"] = "private, no-cache"
    return answer


def _answer(path: Path, called: str, wanted: tuple[str, str] | None) -> HttpResponseBase:
    size = path.stat().st_size
    if wanted is None:
        return Download(path.open("rb"), as_attachment=True, filename=called)
    start, end = _within(wanted, size)
    if start >= end:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    told = {"Content-Range": f"bytes {start}-{end - 1}/{size}", "Content-Length": str(end - start)}
    part = _Part(path, start, end)
    return Download(part, status=206, headers=told, as_attachment=True, filename=called)


def _range_of(request: HttpRequest, etag: str) -> tuple[str, str] | None:
    """The first and the last byte as the request writes them; None where the whole file is to be sent."""
    if request.method != "GET" or request.META.get("HTTP_IF_RANGE", etag).strip() != etag:
        return None  # a date, or another file's ETag: what is held is no part of this file
    found = ONE_RANGE.fullmatch(request.META.get("HTTP_RANGE", "").strip())
    first, last = found.groups() if found else ("", "")
    is_range = bool(first or last) and max(len(first), len(last)) <= LONGEST_NUMBER
    return (first, last) if is_range and not (first and last and int(first) > int(last)) else None


def _within(wanted: tuple[str, str], size: int) -> tuple[int, int]:
    """The range as its first byte and the one behind its last; empty where the file has none of it."""
    first, last = wanted
    if not first:  # so many from the end
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size


class _Part:
    """Reads as a file does that consists of these bytes alone."""

    def __init__(self, path: Path, start: int, end: int):
        self._file, self._left = path.open("rb"), end - start
        self._file.seek(start)

    def read(self, size: int) -> bytes:
        block = self._file.read(min(size, self._left))
        self._left -= len(block)
        return block

    def close(self) -> None:
        self._file.close()
