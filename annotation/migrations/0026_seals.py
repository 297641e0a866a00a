"""Events are sealed part by part; a seal is never changed. docs/decisions/audit.md says how."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from annotation.models import triggers


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0025_webhooks")]

    operations = [
        migrations.CreateModel(
            name="Seal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("events", models.PositiveIntegerField()),
                ("through_at", models.DateTimeField()),
                ("through_event", models.BigIntegerField()),
                ("previous", models.CharField(max_length=64)),
                ("digest", models.CharField(max_length=64)),
                ("marks", models.BinaryField()),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="seals",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["study", "-number"],
                "constraints": [
                    models.UniqueConstraint(fields=("study", "number"), name="seal_number_once_per_study"),
                    models.CheckConstraint(
                        condition=models.Q(("events__gte", 1), ("number__gte", 1)),
                        name="seal_covers_something",
                    ),
                ],
            },
        ),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
