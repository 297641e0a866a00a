"""Drafts, what raters like and what they do not want to get, and what a study does for their welfare."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import annotation.models.study
from annotation.models import functions, triggers


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)
    functions.install(schema_editor.connection)  # it knows the new columns of the study


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0008_assignment"),
    ]

    # SQLite rebuilds tables that triggers read, and refuses to while a trigger is there.
    operations = [
        migrations.RunPython(remove, install),
        migrations.CreateModel(
            name="Draft",
            fields=[
                ("token", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("answers", models.JSONField(default=dict)),
                ("seen", models.JSONField(default=list)),
                ("version", models.PositiveIntegerField(default=1)),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-updated_at"],
            },
        ),
        migrations.CreateModel(
            name="RaterSettings",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("single_keys", models.BooleanField(default=True)),
                ("keys", models.JSONField(blank=True, default=dict)),
                ("blur_everything", models.BooleanField(default=False)),
            ],
            options={
                "verbose_name_plural": "rater settings",
            },
        ),
        migrations.AddField(
            model_name="enrolment",
            name="opted_out",
            field=models.JSONField(default=annotation.models.study.no_categories, editable=False),
        ),
        migrations.AddField(
            model_name="study",
            name="blurred_categories",
            field=models.JSONField(
                blank=True,
                default=annotation.models.study.no_categories,
                help_text="Harm categories whose prompts and answers are blurred until the rater reveals them.",
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="break_minutes",
            field=models.PositiveSmallIntegerField(
                default=50,
                help_text="After so many minutes at a stretch the page suggests a break.",
                validators=[
                    django.core.validators.MinValueValidator(5),
                    django.core.validators.MaxValueValidator(240),
                ],
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="exposure_per_day",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="The most pairs of blurred categories that a rater gets within 24 hours. Empty: no limit.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="resources",
            field=models.TextField(
                blank=True,
                help_text="Whom raters can turn to and what helps, in Markdown; raters see it any time.",
            ),
        ),
        migrations.AddConstraint(
            model_name="study",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("exposure_per_day__isnull", True), ("exposure_per_day__gte", 1), _connector="OR"
                ),
                name="study_exposure_at_least_one",
            ),
        ),
        migrations.AddField(
            model_name="draft",
            name="assignment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="drafts", to="annotation.assignment"
            ),
        ),
        migrations.AddField(
            model_name="ratersettings",
            name="user",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="rater_settings",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="draft",
            constraint=models.CheckConstraint(
                condition=models.Q(("version__gte", 1)), name="draft_version_counts_from_one"
            ),
        ),
        migrations.RunPython(install, remove),
    ]
