"""An arm that holds imported responses gets no backend."""

from django.db import migrations

from annotation.models import triggers


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0006_reviewing")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
