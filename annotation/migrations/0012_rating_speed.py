from django.db import migrations

from annotation.models import functions


def install(apps, schema_editor) -> None:
    functions.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0011_quality")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
