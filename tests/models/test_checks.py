"""What makes a judgment cheap for PostgreSQL, without a promise less."""

import pytest
from django.db import IntegrityError, connection
from django.db.models import CheckConstraint

from annotation.actions.claims import claim_next_pair
from annotation.models import Assignment, Enrolment, Judgment, Pair, ResponseJudgment
from annotation.models.checks import CHECKS, LONG, TABLES
from tests.cast import a_rateable_study, a_rater, bob

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def checks_there() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_constraint WHERE contype = 'c'")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.parametrize("table", [Assignment, Enrolment, Judgment, Pair, ResponseJudgment])
def test_every_check_is_there_under_its_name(table):
    declared = {rule.name for rule in table._meta.constraints if isinstance(rule, CheckConstraint)}
    assert declared and declared <= checks_there()


def test_the_longer_checks_of_a_judgment_are_functions():
    with connection.cursor() as cursor:
        cursor.execute(CHECKS, [[f"annotation_{table}" for table in TABLES], LONG])
        assert cursor.fetchall() == []


def test_a_function_refuses_what_its_check_refused_and_by_the_same_name():
    a_rateable_study(pairs=1)
    with pytest.raises(IntegrityError, match="pair_state_fits_its_decision"):
        Pair.objects.update(state="dropped")


def updates_of_pairs() -> tuple[int, int]:
    """How many there were in this transaction, and how many of them touched no index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_get_xact_tuples_updated(%s::regclass), "
            "pg_stat_get_xact_tuples_hot_updated(%s::regclass)",
            ["annotation_pair"] * 2,
        )
        return cursor.fetchone()


def test_a_claim_that_leaves_a_slot_touches_no_index_of_the_pairs():
    rater = a_rater(a_rateable_study(pairs=1, overlap=3), bob())
    before = updates_of_pairs()
    claim_next_pair(rater)
    assert updates_of_pairs() == (before[0] + 1, before[1] + 1)
