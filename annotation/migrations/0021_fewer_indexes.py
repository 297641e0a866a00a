"""Indexes that nothing of ours looks into cost every judgment time: four of foreign keys, and one of two by rater."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from annotation.models import functions

UNUSED = {
    ("assignment", "enrolment"): ("assignments", "annotation.enrolment"),
    ("assignment", "guideline"): ("+", "annotation.guidelineversion"),
    ("event", "actor"): ("+", settings.AUTH_USER_MODEL),
    ("judgment", "guideline"): ("+", "annotation.guidelineversion"),
    ("judgment", "response"): ("+", "annotation.response"),
}
"""Foreign keys and how the other side calls them. Holds by rater, and judgments of one response, get another index."""


def drop_unused(apps, schema_editor) -> None:
    """By their names, as SQLite would otherwise write each table anew."""
    for table, field in UNUSED:
        name = schema_editor._create_index_name(f"annotation_{table}", [f"{field}_id"])
        schema_editor.execute(f"DROP INDEX {schema_editor.quote_name(name)}")


def make_unused(apps, schema_editor) -> None:
    for table, field in UNUSED:
        model = apps.get_model("annotation", table)
        schema_editor.execute(schema_editor._create_index_sql(model, fields=[model._meta.get_field(field)]))


def _without_index(table: str, field: str) -> migrations.AlterField:
    related_name, to = UNUSED[table, field]
    key = models.ForeignKey(
        db_index=False,
        null=field != "enrolment",
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to=to,
    )
    if (table, field) == ("assignment", "guideline"):
        key.help_text = "The version the rater is shown, whatever is published meanwhile."
    return migrations.AlterField(table, field, key)


def install(apps, schema_editor) -> None:
    functions.install(schema_editor.connection)


NEEDS_A_STOP = (
    "Indexes of large tables are dropped and made while writers are kept out: stop the site for it."
)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0020_quicker_judgments")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop_unused, make_unused)],
            state_operations=[_without_index(*key) for key in UNUSED],
        ),
        migrations.RemoveIndex("assignment", "assignment_by_submission"),
        migrations.AddIndex(
            "assignment",
            models.Index(fields=["enrolment", "submitted_at"], name="assignment_by_rater_and_time"),
        ),
        migrations.AddIndex(
            "judgment",
            models.Index(
                condition=models.Q(response__isnull=False), fields=["response"], name="judgment_by_response"
            ),
        ),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
