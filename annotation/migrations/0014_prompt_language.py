"""The language that a prompt is in."""

from django.db import migrations, models

from annotation.models import triggers


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0011_quality"),
    ]

    # SQLite rebuilds the table, and refuses to while a trigger reads it.
    operations = [
        migrations.RunPython(remove, install),
        migrations.AddField(
            model_name="prompt",
            name="language",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Of the last message, as in “en” or “pt-BR”. Empty: not known.",
                max_length=20,
            ),
            preserve_default=False,
        ),
        migrations.RunPython(install, remove),
    ]
