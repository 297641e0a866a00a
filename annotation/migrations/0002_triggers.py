"""Append-only judgments, the overlap, and frozen arms, held by the database."""

from django.db import migrations

from annotation.models import triggers


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
