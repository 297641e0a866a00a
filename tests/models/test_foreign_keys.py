"""Rows of a judgment point at rows that are there, on both databases, with the indexes that are left."""

import pytest
from django.db import IntegrityError, connection, transaction

from annotation.models import Assignment, Event, Judgment, Pair, ResponseJudgment
from tests.cast import a_judgment, a_rateable_study, a_rater, bob

pytestmark = pytest.mark.django_db
NOWHERE = 999_999_999
KEYS = [
    (Judgment, "study_id"),
    (Judgment, "assignment_id"),
    (ResponseJudgment, "judgment_id"),
    (Event, "study_id"),
    (Assignment, "pair_id"),
    (Assignment, "enrolment_id"),
    (Pair, "response_a_id"),
]


def copy_pointing_nowhere(table, column: str) -> None:
    """A new row like an existing one; foreign keys are looked at before the transaction ends."""
    row = table.objects.order_by("pk").values().first() | {column: NOWHERE}
    del row["id"]
    with transaction.atomic():
        table.objects.create(**row)
        connection.check_constraints()


@pytest.mark.parametrize(("table", "column"), KEYS, ids=lambda key: getattr(key, "__name__", key))
def test_a_row_that_points_nowhere_is_refused(table, column):
    a_judgment(a_rater(a_rateable_study(pairs=2), bob()))
    with pytest.raises(IntegrityError):
        copy_pointing_nowhere(table, column)


@pytest.mark.postgresql
@pytest.mark.parametrize(("table", "column"), KEYS, ids=lambda key: getattr(key, "__name__", key))
def test_the_other_side_is_still_found_by_an_index(table, column):
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table._meta.db_table).values()
    starts = [key["columns"][0] for key in found if (key["index"] or key["unique"]) and key["columns"]]
    assert column in starts


@pytest.mark.postgresql
def test_foreign_keys_of_a_judgment_are_checked_with_each_statement():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND condeferred AND conrelid IN "
            "('annotation_judgment'::regclass, 'annotation_responsejudgment'::regclass, "
            "'annotation_event'::regclass, 'annotation_assignment'::regclass)"
        )
        assert cursor.fetchone() == (0,)
