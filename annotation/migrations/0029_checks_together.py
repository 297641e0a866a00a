"""Checks of the tables that a judgment writes become one for each table on PostgreSQL: `models/checks.py`."""

from django.db import migrations

from annotation.models import checks, functions


def put_together(apps, schema_editor) -> None:
    for table in checks.TABLES:
        checks.put_together(apps.get_model("annotation", table), schema_editor)


def take_apart(apps, schema_editor) -> None:
    for table in checks.TABLES:
        checks.take_apart(apps.get_model("annotation", table), schema_editor)


def install(apps, schema_editor) -> None:
    functions.install(schema_editor.connection)


class Migration(migrations.Migration):
    atomic = False  # so that rows are looked at while others write

    dependencies = [("annotation", "0028_setup")]

    operations = [
        migrations.RunPython(put_together, take_apart),
        migrations.RunPython(install, migrations.RunPython.noop, atomic=True),
    ]
