"""Raters' corrections are counted, so that results of a large study know of them without counting judgments."""

from django.db import migrations, models

from annotation.models import checks, functions


def install(apps, schema_editor) -> None:
    checks.put_together(
        apps.get_model("annotation", "enrolment"), schema_editor
    )  # the column brought a check
    functions.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0029_checks_together")]

    operations = [
        migrations.AddField(
            "enrolment",
            "revised",
            models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
