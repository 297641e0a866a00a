"""The function for judgments returns what the rater is sent."""

from django.db import migrations

from annotation.models import functions


def install(apps, schema_editor) -> None:
    functions.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0015_report")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
