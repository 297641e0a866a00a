"""The plain judgment in one statement, where the database can: see `annotation.models.functions`."""

import json
import logging
import uuid
from datetime import datetime

from django.db import DatabaseError, connection
from django.utils import timezone
from psycopg import Cursor
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from annotation.answers import PairAnswers, pair_problems
from annotation.models.functions import NAME

CALL = f"SELECT * FROM {NAME}(%s, %s, %s, %s, %s, %s)"
log = logging.getLogger(__name__)


def judge_and_claim(
    auth_key: str, hold: uuid.UUID, answers: PairAnswers, key: str, at: datetime | None = None
) -> dict | None:
    """What `judging.submit_and_claim` does, for the rater with this API token; None, and nothing was done.

    None unless all is plain; the action is then asked, and says what is wrong or does it the long way. The
    result has the fields of `access.BlindText`, `token` being None where the next pair has to be claimed.
    """
    if connection.vendor != "postgresql" or pair_problems(answers, allow_tie=True):
        return None
    arguments = [auth_key, hold, key, Jsonb(_as_json(answers)), uuid.uuid4(), at or timezone.now()]
    try:
        connection.ensure_connection()
        with connection.wrap_database_errors, Cursor(connection.connection, row_factory=dict_row) as cursor:
            row = cursor.execute(CALL, arguments, prepare=True).fetchone()
    except DatabaseError:  # nothing of it was kept; the long way finds out why
        log.warning("The short cut for judgments failed.", exc_info=True)
        return None
    return row and row | {name: json.loads(row[name] or "null") for name in ("messages", "harm_categories")}


def _as_json(answers: PairAnswers) -> dict:
    """By its attributes: `asdict` copies each value by itself, which took an eighth of the web's time."""
    return vars(answers) | {"left": vars(answers.left), "right": vars(answers.right)}
