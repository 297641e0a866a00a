"""Lines of the log: as text, or as JSON where LOG_FORMAT=json. Each tells its request or its job.

Settings name these classes, so nothing here may need the applications to be loaded.
"""

import logging
import time
import traceback
from collections.abc import Iterator
from types import TracebackType

from celery import current_task
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from annotation.requests import request_id

Failure = tuple[type[BaseException], BaseException, TracebackType | None]
ROWS = "\nDETAIL:"
"""What PostgreSQL says after it quotes the row that it refused, with what a rater wrote in it."""


class Who(logging.Filter):
    """Adds `request_id`, `job_id` and `job` to every line; each is empty where there is none."""

    def filter(self, record: logging.LogRecord) -> bool:
        job = getattr(current_task, "request", None)
        record.request_id = request_id.get()
        record.job_id = getattr(job, "id", None) or ""
        record.job = getattr(current_task, "name", None) or ""
        return True


def told(failure: Failure) -> str:
    """The traceback of an exception and its causes, without the rows that a database quotes."""
    return "\n".join(_parts(failure[1], set()))


def _parts(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _parts(before, seen)
        yield "which led to"
    yield "Traceback (most recent call last):"
    yield "".join(traceback.format_tb(error.__traceback__)).rstrip()
    yield f"{type(error).__qualname__}: {str(error).partition(ROWS)[0]}"


class TextFormatter(logging.Formatter):
    """One line for people, with the request's or the job's id behind it."""

    def __init__(self):
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        names = [name for name in ("request_id", "job_id") if getattr(record, name, "")]
        about = " ".join(f"{name}={getattr(record, name)}" for name in names)
        first, mark, rest = line.partition("\n")
        return f"{first} [{about}]{mark}{rest}" if about else line

    def formatException(self, ei: Failure) -> str:  # noqa: N802 — the library's name
        return told(ei)


class JSONFormatter(JsonFormatter):
    """One object a line: time, level, logger, message, what the line brings, and whose it is."""

    converter = time.gmtime
    default_time_format, default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"

    def __init__(self):
        super().__init__(
            "asctime,levelname,name,message,request_id,job_id,job",
            style=",",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            reserved_attrs=[*RESERVED_ATTRS, "request", "server_time"],
            json_ensure_ascii=False,
        )

    def formatException(self, ei: Failure) -> str:  # noqa: N802 — the library's name
        return told(ei)

    def process_log_record(self, log_data: dict) -> dict:
        return {name: value for name, value in log_data.items() if value not in ("", None)}
