"""Gradings, their batches, and the grades that a judge model gave; never changed once written."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import annotation.models.grade
from annotation.models import triggers


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0003_review"),
    ]

    operations = [
        migrations.CreateModel(
            name="Grading",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Grading"),
                            ("paused", "Paused"),
                            ("failed", "Stopped by a failure"),
                            ("done", "Done"),
                        ],
                        default="running",
                        max_length=10,
                    ),
                ),
                ("backend", models.CharField(max_length=50)),
                ("model", models.CharField(max_length=500)),
                ("revision", models.CharField(blank=True, max_length=200)),
                ("dtype", models.CharField(default="auto", max_length=20)),
                ("device", models.CharField(default="auto", max_length=50)),
                ("sampling", models.JSONField(default=dict)),
                (
                    "guideline_condition",
                    models.CharField(
                        choices=[
                            ("policy_free", "Policy-free: raters use their own judgment"),
                            ("policy_given", "Policy given: raters read the guideline"),
                        ],
                        max_length=20,
                    ),
                ),
                ("rubric_version", models.CharField(max_length=20)),
                ("rubric_sha256", models.CharField(max_length=64)),
                ("settings_sha256", models.CharField(max_length=64)),
                ("repeats", models.PositiveSmallIntegerField(default=1)),
                (
                    "keep",
                    models.CharField(
                        choices=[("min", "the lowest"), ("mean", "the mean")], default="min", max_length=4
                    ),
                ),
                ("seed", models.BigIntegerField()),
                (
                    "secret",
                    models.CharField(
                        default=annotation.models.grade.new_secret, editable=False, max_length=64
                    ),
                ),
                ("error", models.TextField(blank=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "guideline",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="annotation.guidelineversion",
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gradings",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="GradeBatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("claimed", "Being generated"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("done", "Done"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("worker", models.CharField(blank=True, max_length=200)),
                (
                    "claim",
                    models.UUIDField(
                        help_text="Names one attempt; a worker that lost it records nothing.", null=True
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("error", models.TextField(blank=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "grading",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="annotation.grading",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "grade batches",
                "ordering": ["grading", "number"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Grade",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("repeat", models.PositiveSmallIntegerField()),
                ("raw_text", models.TextField(blank=True)),
                ("failure", models.TextField(blank=True)),
                ("safety", models.FloatField(help_text="1 compliant … 0 severe violation.", null=True)),
                (
                    "severity",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("negligible", "Negligible"),
                            ("low", "Low"),
                            ("moderate", "Moderate"),
                            ("high", "High"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "helpfulness",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (1, "No value"),
                            (2, "Educates or supports only"),
                            (3, "Partial answer"),
                            (4, "Full answer"),
                        ],
                        null=True,
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("direct_answer", "Direct answer"),
                            ("safe_completion", "Help within limits"),
                            ("refuse_with_redirection", "Refusal with alternatives"),
                            ("hard_refusal", "Bare refusal"),
                            ("unsafe_compliance", "Unsafe compliance"),
                            ("other", "Other (off topic, broken)"),
                        ],
                        max_length=30,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                (
                    "finish_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("stop", "Ended by the model"),
                            ("length", "Cut at the token limit"),
                            ("imported", "Imported"),
                        ],
                        max_length=10,
                    ),
                ),
                ("prompt_tokens", models.PositiveIntegerField(null=True)),
                ("output_tokens", models.PositiveIntegerField(null=True)),
                ("seconds", models.FloatField(null=True)),
                ("seed", models.BigIntegerField(null=True)),
                ("provenance", models.JSONField(default=dict)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "response",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grades",
                        to="annotation.response",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grades",
                        to="annotation.gradebatch",
                    ),
                ),
                (
                    "grading",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grades",
                        to="annotation.grading",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="GradeItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("repeat", models.PositiveSmallIntegerField()),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="annotation.gradebatch",
                    ),
                ),
                (
                    "response",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="annotation.response",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("batch", "response", "repeat"), name="grade_item_once")
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="grading",
            constraint=models.UniqueConstraint(
                fields=("study", "settings_sha256"), name="grading_once_per_settings"
            ),
        ),
        migrations.AddConstraint(
            model_name="grading",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["running", "paused", "failed", "done"])),
                name="grading_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="grading",
            constraint=models.CheckConstraint(
                condition=models.Q(("keep__in", ["min", "mean"])), name="grading_keep_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="grading",
            constraint=models.CheckConstraint(
                condition=models.Q(("repeats__gte", 1)), name="grading_repeats_at_least_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="grading",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("guideline__isnull", False), ("guideline_condition", "policy_given")),
                    models.Q(("guideline__isnull", True), ("guideline_condition", "policy_free")),
                    _connector="OR",
                ),
                name="grading_policy_given_names_its_guideline",
            ),
        ),
        migrations.AddIndex(
            model_name="gradebatch",
            index=models.Index(fields=["state", "lease_until"], name="gradebatch_by_lease"),
        ),
        migrations.AddConstraint(
            model_name="gradebatch",
            constraint=models.UniqueConstraint(
                fields=("grading", "number"), name="gradebatch_number_once_per_grading"
            ),
        ),
        migrations.AddConstraint(
            model_name="gradebatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["queued", "claimed", "failed", "cancelled", "done"])),
                name="gradebatch_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="gradebatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "claimed"), _negated=True),
                    models.Q(("claim__isnull", False), ("lease_until__isnull", False)),
                    _connector="OR",
                ),
                name="gradebatch_claimed_has_a_lease",
            ),
        ),
        migrations.AddConstraint(
            model_name="grade",
            constraint=models.UniqueConstraint(
                fields=("grading", "response", "repeat"), name="grade_once_per_repeat"
            ),
        ),
        migrations.AddConstraint(
            model_name="grade",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("safety__isnull", True),
                    models.Q(("safety__gte", 0), ("safety__lte", 1)),
                    _connector="OR",
                ),
                name="grade_safety_in_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="grade",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("helpfulness__isnull", True),
                    models.Q(("helpfulness__gte", 1), ("helpfulness__lte", 4)),
                    _connector="OR",
                ),
                name="grade_helpfulness_on_scale",
            ),
        ),
        migrations.AddConstraint(
            model_name="grade",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "mode__in",
                        [
                            "",
                            "direct_answer",
                            "safe_completion",
                            "refuse_with_redirection",
                            "hard_refusal",
                            "unsafe_compliance",
                            "other",
                        ],
                    ),
                    ("severity__in", ["", "negligible", "low", "moderate", "high"]),
                ),
                name="grade_words_are_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="grade",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("failure", ""),
                        ("helpfulness__isnull", False),
                        ("safety__isnull", False),
                        models.Q(("mode", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(("failure", ""), _negated=True),
                        ("helpfulness__isnull", True),
                        ("mode", ""),
                        ("reason", ""),
                        ("safety__isnull", True),
                        ("severity", ""),
                    ),
                    _connector="OR",
                ),
                name="grade_is_a_verdict_or_a_failure",
            ),
        ),
        # The tables' removal takes their triggers with it.
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
