import django.db.models.deletion
from django.db import migrations, models

from annotation.models import functions

OF_A_JUDGMENT = ("assignment", "judgment", "responsejudgment", "event")
REDUNDANT = {
    ("judgment", "study"): "judgments",
    ("judgment", "assignment"): "judgments",
    ("responsejudgment", "judgment"): "responses",
    ("event", "study"): "events",
    ("assignment", "pair"): "assignments",
    ("pair", "response_a"): "pairs_as_a",
}
"""Foreign keys whose column is the first of another index, and how the other side calls them."""

FOREIGN_KEYS = """
SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass
"""


def check_at_once(apps, schema_editor) -> None:
    _foreign_keys(schema_editor, "IMMEDIATE")


def check_in_the_end(apps, schema_editor) -> None:
    _foreign_keys(schema_editor, "DEFERRED")


def _foreign_keys(schema_editor, when: str) -> None:
    """Checked in the end, they would be planned outside the function: by reading whole tables."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        for table in (f"annotation_{name}" for name in OF_A_JUDGMENT):
            cursor.execute(FOREIGN_KEYS, [table])
            for (name,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {table} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY {when}")


def drop_redundant(apps, schema_editor) -> None:
    """By their names, as SQLite would otherwise write each table anew."""
    for table, field in REDUNDANT:
        name = schema_editor._create_index_name(f"annotation_{table}", [f"{field}_id"])
        schema_editor.execute(f"DROP INDEX {schema_editor.quote_name(name)}")


def make_redundant(apps, schema_editor) -> None:
    for table, field in REDUNDANT:
        model = apps.get_model("annotation", table)
        schema_editor.execute(schema_editor._create_index_sql(model, fields=[model._meta.get_field(field)]))


def _without_index(table: str, field: str, related_name: str) -> migrations.AlterField:
    to = {"response_a": "response"}.get(field, field)
    key = models.ForeignKey(
        db_index=False,
        null=(table, field) == ("judgment", "assignment"),
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to=f"annotation.{to}",
    )
    return migrations.AlterField(table, field, key)


def install(apps, schema_editor) -> None:
    functions.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0011_quality")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop_redundant, make_redundant)],
            state_operations=[_without_index(*key, name) for key, name in REDUNDANT.items()],
        ),
        migrations.RunPython(check_at_once, check_in_the_end),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
