"""Marks of the scanner, pairs that wait for review, and responses that gave up their place."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from annotation.models import triggers


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0002_triggers"),
    ]

    # SQLite rebuilds tables that triggers read, and refuses to while a trigger is there.
    operations = [
        migrations.RunPython(remove, install),
        migrations.CreateModel(
            name="Mark",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("truncated", "Cut off"),
                            ("empty", "Empty"),
                            ("language", "Another language than the prompt"),
                            ("identity", "Says which model it is"),
                            ("tokens", "Special tokens"),
                            ("identical", "Both answers are the same"),
                            ("near_identical", "Both answers are nearly the same"),
                        ],
                        max_length=20,
                    ),
                ),
                ("detail", models.JSONField(default=dict)),
                ("scanner", models.CharField(help_text="The version that made the mark.", max_length=20)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="response",
            name="response_once_per_sample",
        ),
        migrations.RemoveIndex(
            model_name="pair",
            name="pair_open_by_position",
        ),
        migrations.AddField(
            model_name="pair",
            name="decision",
            field=models.CharField(
                blank=True,
                choices=[
                    ("show", "Show as is"),
                    ("mask", "Mask the name"),
                    ("regenerate", "Generate again"),
                    ("drop", "Drop from the study"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="pair",
            name="shown_a",
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name="pair",
            name="shown_b",
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name="pair",
            name="state",
            field=models.CharField(
                choices=[
                    ("open", "Open for rating"),
                    ("held", "Waits for review"),
                    ("dropped", "Dropped from the study"),
                    ("replaced", "Withdrawn: an answer was generated again"),
                ],
                default="open",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="response",
            name="replaced_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="response",
            name="scanner",
            field=models.CharField(blank=True, editable=False, max_length=20),
        ),
        migrations.AddIndex(
            model_name="pair",
            index=models.Index(
                condition=models.Q(("open_slots__gt", 0), ("state", "open")),
                fields=["study", "position"],
                name="pair_open_by_position",
            ),
        ),
        migrations.AddIndex(
            model_name="pair",
            index=models.Index(
                condition=models.Q(("state", "held")),
                fields=["study", "position"],
                name="pair_held_by_position",
            ),
        ),
        migrations.AddConstraint(
            model_name="pair",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "held", "dropped", "replaced"])),
                name="pair_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="pair",
            constraint=models.CheckConstraint(
                condition=models.Q(("decision__in", ["", "show", "mask", "regenerate", "drop"])),
                name="pair_decision_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="response",
            constraint=models.UniqueConstraint(
                condition=models.Q(("replaced_at__isnull", True)),
                fields=("prompt", "arm", "sample"),
                name="response_once_per_sample",
            ),
        ),
        migrations.AddField(
            model_name="mark",
            name="pair",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="marks",
                to="annotation.pair",
            ),
        ),
        migrations.AddField(
            model_name="mark",
            name="response",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="marks",
                to="annotation.response",
            ),
        ),
        migrations.AddConstraint(
            model_name="mark",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("pair__isnull", False), ("response__isnull", True)),
                    models.Q(("pair__isnull", True), ("response__isnull", False)),
                    _connector="OR",
                ),
                name="mark_of_a_response_or_a_pair",
            ),
        ),
        migrations.AddConstraint(
            model_name="mark",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "truncated",
                            "empty",
                            "language",
                            "identity",
                            "tokens",
                            "identical",
                            "near_identical",
                        ],
                    )
                ),
                name="mark_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="mark",
            constraint=models.UniqueConstraint(
                fields=("response", "kind", "scanner"), name="mark_once_per_response_and_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="mark",
            constraint=models.UniqueConstraint(
                fields=("pair", "kind", "scanner"), name="mark_once_per_pair_and_kind"
            ),
        ),
        migrations.RunPython(install, remove),
    ]
