"""Promises that no constraint can hold, kept by triggers on both databases.

Migrations install them; a later migration that rebuilds one of these tables on SQLite loses its
triggers and must call `install` again (`tests/models/test_promises.py` notices).
"""

from annotation.models.arm import SETTINGS

APPEND_ONLY = {
    "annotation_judgment": "judgment_is_append_only",
    "annotation_responsejudgment": "response_judgment_is_append_only",
    "annotation_event": "event_is_append_only",
    "annotation_grade": "grade_is_append_only",
    "annotation_consent": "consent_is_append_only",
    "annotation_consentversion": "consent_version_is_append_only",
}

WITHIN_OVERLAP = (
    "NEW.slot IS NOT NULL AND NEW.slot >= (SELECT overlap FROM annotation_pair WHERE id = NEW.pair_id)"
)
PAIR_NOT_OPEN = "(SELECT state FROM annotation_pair WHERE id = NEW.pair_id) <> 'open'"
RATED_PAIR_NOT_OPEN = f"NEW.kind = 'rated' AND {PAIR_NOT_OPEN}"
BEYOND_THE_STUDY = (
    "NEW.overlap > OLD.overlap AND NEW.overlap > "
    "(SELECT COALESCE(overlap_max, overlap) FROM annotation_study WHERE id = NEW.study_id)"
)
READS = {
    "arm_stays_as_it_generated": ("annotation_arm", "chat_template"),
    "pair_overlap_grows_within_its_study": ("annotation_study", "overlap_max"),
    "assignment_of_an_open_pair": ("annotation_assignment", "kind"),
    "pair_stays_as_it_was_given": ("annotation_pair", "shown_a"),
    "pair_of_answers_that_stand": ("annotation_response", "replaced_at"),
    "response_replaced_is_in_no_pair": ("annotation_response", "replaced_at"),
    "study_asks_what_it_asked": ("annotation_study", "further_questions"),
}
"""Columns younger than the migration that first installs the triggers."""

OVER_BUDGET = "NEW.opened > (SELECT extra_budget FROM annotation_study WHERE id = NEW.study_id)"
OVERLAP_IN_USE = "EXISTS (SELECT 1 FROM annotation_assignment WHERE pair_id = NEW.id AND slot >= NEW.overlap)"

PAIR_GIVEN = (
    "(EXISTS (SELECT 1 FROM annotation_assignment WHERE pair_id = OLD.id)"
    " OR EXISTS (SELECT 1 FROM annotation_judgment WHERE pair_id = OLD.id))"
)
FLAGGED_PAIR_LEAVES = (
    "(NEW.state = 'held' OR (NEW.state = 'dropped'"
    " AND NOT EXISTS (SELECT 1 FROM annotation_assignment WHERE pair_id = OLD.id AND slot IS NOT NULL)"
    " AND NOT EXISTS (SELECT 1 FROM annotation_judgment WHERE pair_id = OLD.id AND assignment_id IS NULL)))"
    " AND EXISTS (SELECT 1 FROM annotation_assignment WHERE pair_id = OLD.id AND state = 'flagged')"
)
IN_A_PAIR = (
    "OLD.replaced_at IS NULL AND NEW.replaced_at IS NOT NULL AND EXISTS (SELECT 1 FROM annotation_pair"
    " WHERE (response_a_id = OLD.id OR response_b_id = OLD.id) AND state IN ('open', 'held'))"
)
ANSWER_REPLACED = (
    "NEW.state IN ('open', 'held') AND EXISTS (SELECT 1 FROM annotation_response"
    " WHERE id IN (NEW.response_a_id, NEW.response_b_id) AND replaced_at IS NOT NULL)"
)
STUDY_JUDGED = (
    "EXISTS (SELECT 1 FROM annotation_judgment WHERE study_id = OLD.id AND assignment_id IS NOT NULL)"
)
BACKEND_FOR_IMPORTED = (
    "OLD.backend = '' AND NEW.backend <> '' AND EXISTS "
    "(SELECT 1 FROM annotation_response WHERE arm_id = OLD.id AND finish_reason = 'imported')"
)

LAST_OWNER = (
    "OLD.role = 'owner' AND NOT EXISTS (SELECT 1 FROM annotation_membership"
    " WHERE study_id = OLD.study_id AND id <> OLD.id AND role = 'owner')"
)
OTHERS_STAY = "EXISTS (SELECT 1 FROM annotation_membership WHERE study_id = OLD.study_id AND id <> OLD.id)"


def _given_pair_changed(differs: str) -> str:
    columns = ("response_a_id", "response_b_id", "shown_a", "shown_b")
    changed = " OR ".join(f"OLD.{column} {differs} NEW.{column}" for column in columns)
    # A pair that was judged elsewhere may wait for review, and be opened. One that a rater flagged as broken
    # may be held, and dropped once nobody's judgment of it counts.
    leaves = f"OLD.state <> NEW.state AND NEW.state <> 'open' AND NOT ({FLAGGED_PAIR_LEAVES})"
    return f"({changed} OR ({leaves})) AND {PAIR_GIVEN}"


def _arm_changed(differs: str) -> str:
    changed = " OR ".join(f"OLD.{column} {differs} NEW.{column}" for column in (*SETTINGS, "frozen_at"))
    return f"OLD.frozen_at IS NOT NULL AND ({changed})"


def _prompt_changed(differs: str) -> str:
    changed = f"(OLD.messages {differs} NEW.messages OR OLD.key {differs} NEW.key)"
    asked = " OR ".join(
        f"EXISTS (SELECT 1 FROM annotation_{table} WHERE prompt_id = OLD.id)"
        for table in ("batchitem", "response")
    )
    return f"{changed} AND ({asked})"


def _rules(differs: str) -> list[tuple[str, str, str, str]]:
    """(name, table, event, condition that is refused). A rule of one column watches that column alone."""
    return [
        *[(name, table, event, "") for table, name in APPEND_ONLY.items() for event in ("UPDATE", "DELETE")],
        ("assignment_within_overlap", "annotation_assignment", "INSERT", WITHIN_OVERLAP),
        ("assignment_within_overlap", "annotation_assignment", "UPDATE OF slot, pair_id", WITHIN_OVERLAP),
        ("assignment_of_an_open_pair", "annotation_assignment", "INSERT", RATED_PAIR_NOT_OPEN),
        (
            "assignment_of_an_open_pair",
            "annotation_assignment",
            "UPDATE OF slot",
            f"OLD.slot IS NULL AND NEW.slot IS NOT NULL AND {RATED_PAIR_NOT_OPEN}",
        ),
        ("pair_overlap_covers_its_assignments", "annotation_pair", "UPDATE OF overlap", OVERLAP_IN_USE),
        ("pair_overlap_grows_within_its_study", "annotation_pair", "UPDATE OF overlap", BEYOND_THE_STUDY),
        (
            "pair_stays_as_it_was_given",
            "annotation_pair",
            "UPDATE OF response_a_id, response_b_id, shown_a, shown_b, state",
            _given_pair_changed(differs),
        ),
        ("pair_of_answers_that_stand", "annotation_pair", "INSERT", ANSWER_REPLACED),
        (
            "pair_of_answers_that_stand",
            "annotation_pair",
            "UPDATE OF state",
            f"OLD.state <> NEW.state AND {ANSWER_REPLACED}",
        ),
        ("response_replaced_is_in_no_pair", "annotation_response", "UPDATE OF replaced_at", IN_A_PAIR),
        ("membership_keeps_an_owner", "annotation_membership", "DELETE", f"{LAST_OWNER} AND {OTHERS_STAY}"),
        (
            "membership_keeps_an_owner",
            "annotation_membership",
            "UPDATE",
            f"{LAST_OWNER} AND (NEW.role <> 'owner' OR NEW.study_id <> OLD.study_id)",
        ),
        ("extra_slots_within_budget", "annotation_extraslots", "INSERT", OVER_BUDGET),
        ("extra_slots_within_budget", "annotation_extraslots", "UPDATE", OVER_BUDGET),
        ("arm_stays_as_it_generated", "annotation_arm", "UPDATE", _arm_changed(differs)),
        ("arm_of_imported_responses_generates_none", "annotation_arm", "UPDATE", BACKEND_FOR_IMPORTED),
        (
            "study_asks_what_it_asked",
            "annotation_study",
            "UPDATE OF further_questions",
            f"OLD.further_questions {differs} NEW.further_questions AND {STUDY_JUDGED}",
        ),
        ("prompt_stays_as_it_was_asked", "annotation_prompt", "UPDATE", _prompt_changed(differs)),
    ]


def names() -> set[str]:
    """The names of all triggers."""
    return {_full_name(name, event) for name, _, event, _ in _rules("")}


def _full_name(name: str, event: str) -> str:
    """The rule's name and what it watches; columns are left out."""
    return f"{name}_{event.split()[0].lower()}"


def _sqlite(name: str, table: str, event: str, condition: str) -> list[str]:
    when = f"WHEN {condition}" if condition else ""
    return [
        f"CREATE TRIGGER IF NOT EXISTS {_full_name(name, event)} BEFORE {event} ON {table} {when} "
        f"BEGIN SELECT RAISE(ABORT, '{name}'); END"
    ]


def _postgresql(name: str, table: str, event: str, condition: str) -> list[str]:
    full_name = _full_name(name, event)
    result = "OLD" if event == "DELETE" else "NEW"
    return [
        f"CREATE OR REPLACE FUNCTION {full_name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {condition or 'TRUE'} THEN "
        f"RAISE EXCEPTION '{name}' USING ERRCODE = 'integrity_constraint_violation'; END IF; "
        f"RETURN {result}; END $$",
        f"CREATE OR REPLACE TRIGGER {full_name} BEFORE {event} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {full_name}()",
    ]


def _has_what_it_reads(cursor, name: str, tables: set[str], table: str) -> bool:
    if table not in tables:
        return False
    if name not in READS:
        return True
    read, column = READS[name]
    cursor.execute(f"SELECT * FROM {read} LIMIT 0")
    return column in {field[0] for field in cursor.description}


def install(connection) -> None:
    """Create every trigger that is missing. Breaking one raises `IntegrityError` with its name.

    The rules of tables and columns that a later migration makes are left to that migration.
    """
    postgresql = connection.vendor == "postgresql"
    differs = "IS DISTINCT FROM" if postgresql else "IS NOT"
    statements = _postgresql if postgresql else _sqlite
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        rules = [rule for rule in _rules(differs) if _has_what_it_reads(cursor, rule[0], there, rule[1])]
        for statement in (statement for rule in rules for statement in statements(*rule)):
            cursor.execute(statement)


def remove(connection) -> None:
    """Drop every trigger: to undo the migration, and for tests that empty the tables of SQLite."""
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        for name, table, event, _ in [rule for rule in _rules("") if rule[1] in there]:
            on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {_full_name(name, event)}{on_table}")
