"""On PostgreSQL all checks of a table that a judgment writes are looked at by one function.

PostgreSQL reads each check anew, from its stored text, with each statement that writes to the table: with six
statements and some forty checks that was a fifth of the database's time for a judgment. So each of TABLES has
one check, the call of a function with the whole row, which PostgreSQL plans once per connection. The function
refuses with the name of the broken rule, as PostgreSQL would: nothing that reads names sees a difference.

Django knows nothing of it: the rules stay in each model's `Meta.constraints`, and the function is made of
them. A migration that adds or removes such a rule uses `AddCheck` and `RemoveCheck` (`_operations.py`).
`AddConstraint` works too and only costs time; `RemoveConstraint` does not find the rule on PostgreSQL.
"""

from django.db import models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor as Editor
from django.db.models import CheckConstraint
from django.db.models.sql import Query

TABLES = ("judgment", "responsejudgment", "assignment", "pair", "enrolment")

CHECKS = "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass ORDER BY conname"

FUNCTION = """
CREATE OR REPLACE FUNCTION {name}({table} {table}) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $checks$
BEGIN
    IF ({all_rules}) IS NOT FALSE THEN RETURN TRUE; END IF;
    {each_rule}
    RETURN FALSE;
END
$checks$
"""
REFUSAL = """
    IF ({rule}) IS FALSE THEN
        RAISE EXCEPTION 'new row for relation "{table}" violates check constraint "{name}"'
        USING ERRCODE = 'check_violation', TABLE = '{table}', CONSTRAINT = '{name}';
    END IF;"""


def name_of_all(table: str) -> str:
    """What the one check of a table is called, and its function."""
    return f"{table}_checks"


def is_together(model: type[models.Model], editor: Editor) -> bool:
    """Whether the checks of this model's table are one here."""
    ours = model._meta.app_label == "annotation" and model._meta.model_name in TABLES
    return ours and editor.connection.vendor == "postgresql"


def put_together(model: type[models.Model], editor: Editor) -> None:
    """Let one function look at all rules that `model`, as it is at this migration, has.

    May be called again, after rules were added or removed: rows that are there must obey the new ones. They
    are looked at while others write, if the migration has `atomic = False`.
    """
    if not is_together(model, editor):
        return
    table, rules = model._meta.db_table, rules_of(model, editor)
    name = name_of_all(table)
    with transaction.atomic(editor.connection.alias):
        _drop(table, [name, *_there(table, rules, editor)], editor)
        editor.execute(_function(table, rules), None)
        editor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({name}({table})) NOT VALID", None)
    editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}", None)


def take_apart(model: type[models.Model], editor: Editor) -> None:
    """Undo `put_together`: each rule is a check of its own again, as Django makes them."""
    if not is_together(model, editor):
        return
    table = model._meta.db_table
    _drop(table, [name_of_all(table)], editor)
    for name, rule in rules_of(model, editor).items():
        editor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule})", None)


def rules_of(model: type[models.Model], editor: Editor) -> dict[str, str]:
    """The conditions by their names: of `Meta.constraints`, and of columns that take no negative numbers."""
    named = [rule for rule in model._meta.constraints if isinstance(rule, CheckConstraint)]
    rules = {rule.name: _as_sql(model, rule, editor) for rule in named}
    table = model._meta.db_table
    for field in model._meta.local_fields:
        if condition := field.db_parameters(editor.connection)["check"]:
            rules[f"{table}_{field.column}_check"] = f"{table}.{condition}"
    return dict(sorted(rules.items()))  # where a row breaks several, PostgreSQL tells the first by name


def _as_sql(model: type[models.Model], rule: CheckConstraint, editor: Editor) -> str:
    """The condition, with `table.column`: the column in a check, a part of the argument in the function."""
    query = Query(model=model)
    where = query.build_where(rule.condition)
    sql, values = where.as_sql(query.get_compiler(connection=editor.connection), editor.connection)
    return sql % tuple(editor.quote_value(value) for value in values)


def _function(table: str, rules: dict[str, str]) -> str:
    return FUNCTION.format(
        name=name_of_all(table),
        table=table,
        all_rules=" AND ".join(f"({rule})" for rule in rules.values()),
        each_rule="".join(REFUSAL.format(table=table, name=name, rule=rule) for name, rule in rules.items()),
    )


def _there(table: str, rules: dict[str, str], editor: Editor) -> list[str]:
    """The rules that are checks of their own."""
    with editor.connection.cursor() as cursor:
        cursor.execute(CHECKS, [table])
        return [name for (name,) in cursor.fetchall() if name in rules]


def _drop(table: str, names: list[str], editor: Editor) -> None:
    """Checks of these names, and functions they may be a call of."""
    for name in names:
        editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}", None)
        editor.execute(f"DROP FUNCTION IF EXISTS {name}", None)


def shorten(connection) -> None:
    """Nothing any more: migration 0020 made functions of the longer checks, 0029 makes one of all."""
