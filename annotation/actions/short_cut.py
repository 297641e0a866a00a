"""The plain judgment in one statement, where the database can: see `annotation.models.functions`."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import DatabaseError, connection
from django.utils import timezone
from psycopg import Connection, Cursor, Error

from annotation.answers import PairAnswers, pair_problems
from annotation.models.functions import NAME
from annotation.models.token import token_digest

CALL = f"SELECT {NAME}(%s, %s, %s, %s, %s)"
KEPT = "null"
"""What is told where the answers are kept and the next pair has to be claimed."""

log = logging.getLogger(__name__)


def judge_and_claim(
    auth_key: str, hold: str, answers: PairAnswers, key: str, at: datetime | None = None
) -> str | None:
    """What `judging.submit_and_claim` does, for the rater with this API token; None, and nothing was done.

    None unless all is plain; the action is then asked, and says what is wrong or does it the long way. The
    result is the next pair as JSON, with the fields of `access.BlindText`, or KEPT.
    """
    if connection.vendor != "postgresql" or answers.extra or pair_problems(answers, True):
        return None
    arguments = [token_digest(auth_key), hold, key, json.dumps(_as_json(answers)), at or timezone.now()]
    try:
        return _called(arguments)
    except (DatabaseError, Error):  # nothing of it was kept; the long way finds out why
        log.warning("The short cut for judgments failed.", exc_info=True)
        return None


def _called(arguments: list) -> str | None:
    """Over the connection that is open here, as in a transaction; else over one of the pool.

    Opened and closed by Django, a connection of the pool took a fifth of the web's time for a judgment.
    """
    if connection.connection is None and connection.pool:
        with _of_the_pool() as taken:
            return _asked(taken, arguments)
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return _asked(connection.connection, arguments)


@contextmanager
def _of_the_pool() -> Iterator[Connection]:
    pool = connection.pool
    if pool.closed:  # as it is until somebody needs it
        pool.open()
    taken = pool.getconn()
    try:
        if not taken.autocommit:  # as Django may have left it
            taken.autocommit = True
        yield taken
    finally:
        pool.putconn(taken)


def _asked(taken: Connection, arguments: list) -> str | None:
    with Cursor(taken) as cursor:
        return cursor.execute(CALL, arguments, prepare=True).fetchone()[0]


def _as_json(answers: PairAnswers) -> dict:
    """By its attributes: `asdict` copies each value by itself, which took an eighth of the web's time."""
    return vars(answers) | {"left": vars(answers.left), "right": vars(answers.right)}
