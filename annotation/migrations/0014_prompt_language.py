"""The language that a prompt is in."""

from django.db import migrations, models

from annotation import scan
from annotation.models import triggers

AT_ONCE = 500


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


def find_out(apps, schema_editor) -> None:
    """The languages of the prompts that are there."""
    prompts = apps.get_model("annotation", "Prompt").objects
    last = 0
    while chunk := list(prompts.filter(pk__gt=last).order_by("pk").only("pk", "messages")[:AT_ONCE]):
        for prompt in chunk:
            prompt.language = scan.language_of(prompt.messages[-1]["content"])
        prompts.bulk_update([prompt for prompt in chunk if prompt.language], ["language"])
        last = chunk[-1].pk


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0013_flags"),
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
        migrations.RunPython(find_out, migrations.RunPython.noop),
        migrations.RunPython(install, remove),
    ]
