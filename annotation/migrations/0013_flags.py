"""Answers to flags; which rules paused a rater; a flagged pair may leave the study."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from annotation.models import functions, triggers


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)
    functions.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0012_rating_speed"),
    ]

    # SQLite rebuilds tables that triggers read, and refuses to while a trigger is there.
    operations = [
        migrations.RunPython(remove, install),
        migrations.CreateModel(
            name="FlagAnswer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "decision",
                    models.CharField(
                        choices=[
                            ("keep", "Keep in the study"),
                            ("hold", "Hold for review"),
                            ("drop", "Drop from the study"),
                        ],
                        max_length=10,
                    ),
                ),
                ("note", models.TextField(blank=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="pair",
            name="pair_shows_other_texts_where_masked",
        ),
        migrations.AddField(
            model_name="enrolment",
            name="pause_rules",
            field=models.JSONField(default=list, editable=False),
        ),
        migrations.AddConstraint(
            model_name="pair",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decision", "mask"),
                        models.Q(("shown_a__isnull", True), ("shown_b__isnull", True), _negated=True),
                    ),
                    models.Q(
                        models.Q(("decision", "mask"), _negated=True),
                        ("shown_a__isnull", True),
                        ("shown_b__isnull", True),
                    ),
                    ("state", "dropped"),
                    _connector="OR",
                ),
                name="pair_shows_other_texts_where_masked",
            ),
        ),
        migrations.AddField(
            model_name="flaganswer",
            name="assignment",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="flag_answer",
                to="annotation.assignment",
            ),
        ),
        migrations.AddField(
            model_name="flaganswer",
            name="decided_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="flaganswer",
            constraint=models.CheckConstraint(
                condition=models.Q(("decision__in", ["keep", "hold", "drop"])),
                name="flag_answer_decision_is_known",
            ),
        ),
        migrations.RunPython(install, remove),
    ]
