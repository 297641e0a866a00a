"""What makes a judgment cheap for PostgreSQL, without a promise less."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.migrations import AddConstraint, RemoveConstraint
from django.db.migrations.state import ProjectState
from django.db.models import CheckConstraint, F, Q

from annotation.actions.claims import claim_next_pair
from annotation.migrations._operations import AddCheck, RemoveCheck
from annotation.models import Assignment, Enrolment, Judgment, Pair, ResponseJudgment
from annotation.models.checks import CHECKS, TABLES, name_of_all, rules_of
from annotation.vocabulary import PAIR_QUESTIONS
from tests.cast import a_judgment, a_rateable_study, a_rater, bob

pytestmark = pytest.mark.django_db
on_postgresql = pytest.mark.postgresql
MODELS = [apps.get_model("annotation", table) for table in TABLES]


def only(**answer: int) -> dict[str, object]:
    """One question answered, and it alone."""
    given = dict.fromkeys(PAIR_QUESTIONS) | answer
    return {"left_is_a": True, **given, **{f"{question}_canonical": step for question, step in given.items()}}


BREAKS = {
    Judgment: {
        "judgment_of_a_pair_or_a_response": {"response_id": 1},
        "judgment_revision_from_one": {"revision": 0},
        "judgment_confidence_is_known": {"confidence": 9},
        "judgment_both_bad_is_not_a_balance": {"both_bad": True},
        "judgment_safer_canonical_matches_shown": {"safer_canonical": 0},
        "judgment_more_helpful_canonical_matches_shown": {"more_helpful_canonical": 0},
        "judgment_balance_canonical_matches_shown": {"balance_canonical": 0},
        "judgment_safer_on_scale": only(safer=4),
        "judgment_more_helpful_on_scale": only(more_helpful=4),
        "judgment_balance_on_scale": only(balance=-4),
        "annotation_judgment_revision_check": {"revision": -1},
        "annotation_judgment_confidence_check": {"confidence": -1},
    },
    ResponseJudgment: {
        "response_judgment_safety_is_known": {"safety": "x"},
        "response_judgment_severity_only_if_unsafe": {"severity": "high"},
        "response_judgment_helpfulness_on_scale": {"helpfulness": 5},
        "response_judgment_mode_is_known": {"mode": "x"},
        "annotation_responsejudgment_helpfulness_check": {"helpfulness": -1},
    },
    Assignment: {
        "assignment_attempts_only_to_learn": {"attempt": 2},
        "assignment_kind_is_known": {"kind": "x", "slot": None},
        "assignment_live_has_a_slot": {"slot": None},
        "assignment_state_is_known": {"state": "x", "slot": None},
        "assignment_flagged_has_a_reason": {"reason": "spam"},
        "annotation_assignment_attempt_check": {"attempt": -1},
        "annotation_assignment_slot_check": {"slot": -1},
    },
    Pair: {
        "pair_of_two_different_responses": {"response_b": F("response_a")},
        "pair_open_slots_within_overlap": {"open_slots": 9},
        "pair_state_is_known": {"state": "x"},
        "pair_decision_is_known": {"decision": "x"},
        "pair_state_fits_its_decision": {"state": "dropped"},
        "pair_shows_other_texts_where_masked": {"decision": "mask"},
        "annotation_pair_overlap_check": {"overlap": -1, "open_slots": -1},
        "annotation_pair_open_slots_check": {"open_slots": -1},
    },
    Enrolment: {
        "enrolment_code_is_not_empty": {"code": ""},
        "enrolment_role_is_known": {"role": "x"},
        "enrolment_qualification_is_known": {"qualification": "x"},
        "annotation_enrolment_arrivals_seen_check": {"arrivals_seen": -1},
        "annotation_enrolment_judged_check": {"judged": -1},
        "annotation_enrolment_judged_today_check": {"judged_today": -1},
        "annotation_enrolment_cap_per_day_check": {"cap_per_day": -1},
        "annotation_enrolment_cap_total_check": {"cap_total": -1},
        "annotation_enrolment_offered_check": {"offered": -1},
        "annotation_enrolment_revised_check": {"revised": -1},
        "annotation_enrolment_consent_version_check": {"consent_version": -1},
    },
}
"""What breaks each rule, in a row that keeps all."""

ALSO = {
    "pair_state_is_known": "pair_state_fits_its_decision",
    "pair_decision_is_known": "pair_state_fits_its_decision",
    "annotation_judgment_revision_check": "judgment_revision_from_one",
    "annotation_judgment_confidence_check": "judgment_confidence_is_known",
    "annotation_responsejudgment_helpfulness_check": "response_judgment_helpfulness_on_scale",
    "annotation_assignment_attempt_check": "assignment_attempts_only_to_learn",
    "annotation_pair_overlap_check": "annotation_pair_open_slots_check",
    "annotation_pair_open_slots_check": "pair_open_slots_within_overlap",
}
"""Rules that cannot be broken alone, and which is broken with them: one of the two is told."""


def broken(model, changes: dict) -> None:
    """Change a row so, or where rows stay as they are, write another."""
    if model in (Judgment, ResponseJudgment):
        judgment = a_judgment(a_rater(a_rateable_study(pairs=1), bob()))
        row = (judgment if model is Judgment else judgment.responses.get(severity="", side="left")).__dict__
        fresh = {"revision": 2, "idempotency_key": "copy"} if model is Judgment else {}
        given = {field.attname: row[field.attname] for field in model._meta.concrete_fields}
        model.objects.create(**given | fresh | {"id": None} | changes)
    elif model is Pair:
        a_rateable_study(pairs=1)
        Pair.objects.update(**changes)
    else:
        claim_next_pair(a_rater(a_rateable_study(pairs=1), bob()))
        model.objects.update(**changes)


EVERY = [(model, name, changes) for model, rules in BREAKS.items() for name, changes in rules.items()]


@pytest.mark.parametrize(("model", "name", "changes"), EVERY, ids=[name for _, name, _ in EVERY])
def test_a_broken_rule_is_refused_by_its_name(model, name, changes):
    if connection.vendor == "sqlite" and name.startswith("annotation_"):
        name = "CHECK constraint failed"  # SQLite keeps no name for the rule of a column
    told = f"{name}|{ALSO.get(name, name)}"
    with pytest.raises(IntegrityError, match=told) as refusal, transaction.atomic():
        broken(model, changes)
    if connection.vendor == "postgresql":
        diag = refusal.value.__cause__.diag
        assert diag.constraint_name in (name, ALSO.get(name))
        assert diag.table_name == model._meta.db_table


@on_postgresql
@pytest.mark.parametrize("model", MODELS)
def test_each_rule_of_these_tables_is_broken_above(model):
    with connection.schema_editor() as editor:
        assert set(rules_of(model, editor)) == set(BREAKS[model])


def checks_of(model) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(CHECKS, [model._meta.db_table])
        return [name for (name,) in cursor.fetchall()]


@on_postgresql
@pytest.mark.parametrize("model", MODELS)
def test_the_checks_of_a_table_are_one(model):
    assert checks_of(model) == [name_of_all(model._meta.db_table)]


@on_postgresql
def test_the_checks_hold_for_rows_that_were_there_before():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND NOT convalidated")
        assert cursor.fetchone() == (0,)


# Later migrations ------------------------------------------------------------------------------------


def migrated(*operations) -> None:
    """Do what migrations of the future might."""
    state = ProjectState.from_apps(apps)
    with connection.schema_editor() as editor:
        for operation in operations:
            before, state = state, state.clone()
            operation.state_forwards("annotation", state)
            operation.database_forwards("annotation", editor, before, state)


BELOW_NINE = CheckConstraint(condition=Q(judged__lt=9), name="enrolment_judged_below_nine")
"""A rule of the future."""


def judge_nine() -> None:
    with transaction.atomic():
        a_rater(a_rateable_study(pairs=1), bob())
        Enrolment.objects.update(judged=9)
        transaction.set_rollback(True)


@on_postgresql
def test_a_later_migration_adds_a_rule_and_takes_it_away():
    migrated(AddCheck("enrolment", BELOW_NINE))
    assert checks_of(Enrolment) == ["annotation_enrolment_checks"]
    with pytest.raises(IntegrityError, match="enrolment_judged_below_nine"):
        judge_nine()
    migrated(AddCheck("enrolment", BELOW_NINE), RemoveCheck("enrolment", BELOW_NINE.name))
    assert checks_of(Enrolment) == ["annotation_enrolment_checks"]
    judge_nine()


@on_postgresql
def test_a_rule_that_is_there_already_can_be_taken_away_and_comes_back_with_the_migration():
    rule = "enrolment_role_is_known"
    state, less = ProjectState.from_apps(apps), ProjectState.from_apps(apps)
    operation = RemoveCheck("enrolment", rule)
    operation.state_forwards("annotation", less)
    with connection.schema_editor() as editor:
        operation.database_forwards("annotation", editor, state, less)
    with transaction.atomic():
        broken(Enrolment, {"role": "x"})
        transaction.set_rollback(True)
    with connection.schema_editor() as editor:
        operation.database_backwards("annotation", editor, less, state)
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        broken(Enrolment, {"role": "x"})


@on_postgresql
def test_a_later_rule_is_refused_where_rows_break_it():
    a_rater(a_rateable_study(pairs=1), bob())
    Enrolment.objects.update(judged=9)
    connection.check_constraints()  # PostgreSQL changes no table while something is to be looked at
    with pytest.raises(IntegrityError, match="enrolment_judged_below_nine"), transaction.atomic():
        migrated(AddCheck("enrolment", BELOW_NINE))


@on_postgresql
def test_djangos_own_operations_add_a_rule_but_do_not_find_one_to_remove():
    """`test_migration_rules.py` says what to use instead."""
    migrated(AddConstraint("enrolment", BELOW_NINE))
    with pytest.raises(IntegrityError, match="enrolment_judged_below_nine"):
        judge_nine()
    with pytest.raises(ProgrammingError, match="does not exist"), transaction.atomic():
        migrated(RemoveConstraint("enrolment", "enrolment_role_is_known"))


@on_postgresql
def test_a_rule_that_was_added_alone_is_put_with_the_others_by_the_next():
    other = CheckConstraint(condition=Q(tilt__lt=9), name="enrolment_tilt_below_nine")
    migrated(AddConstraint("enrolment", BELOW_NINE), AddCheck("enrolment", other))
    assert checks_of(Enrolment) == ["annotation_enrolment_checks"]
    with pytest.raises(IntegrityError, match="enrolment_judged_below_nine"):
        judge_nine()


@on_postgresql
def test_the_checks_can_be_taken_apart_and_put_together_again():
    migration = import_module("annotation.migrations.0029_checks_together")
    with connection.schema_editor() as editor:
        migration.take_apart(apps, editor)
    assert set(checks_of(Pair)) == set(BREAKS[Pair])
    with pytest.raises(IntegrityError, match="pair_state_fits_its_decision"), transaction.atomic():
        broken(Pair, {"state": "dropped"})
    with connection.schema_editor() as editor:
        migration.put_together(apps, editor)
    assert checks_of(Pair) == ["annotation_pair_checks"]


def updates_of_pairs() -> tuple[int, int]:
    """How many there were in this transaction, and how many of them touched no index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_get_xact_tuples_updated(%s::regclass), "
            "pg_stat_get_xact_tuples_hot_updated(%s::regclass)",
            ["annotation_pair"] * 2,
        )
        return cursor.fetchone()


@on_postgresql
def test_a_claim_that_leaves_a_slot_touches_no_index_of_the_pairs():
    rater = a_rater(a_rateable_study(pairs=1, overlap=3), bob())
    before = updates_of_pairs()
    claim_next_pair(rater)
    assert updates_of_pairs() == (before[0] + 1, before[1] + 1)
