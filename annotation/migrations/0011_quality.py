"""Kinds of holds, gold pairs, rules, appeals, practice, quiz and adjudication."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from annotation.models import functions, triggers


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)
    functions.install(schema_editor.connection)  # it knows the new columns and kinds


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0010_joining"),
    ]

    # SQLite rebuilds tables that triggers read, and refuses to while a trigger is there.
    operations = [
        migrations.RunPython(remove, install),
        migrations.CreateModel(
            name="Adjudication",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("content", "The answers are hard to judge"),
                            ("guideline", "The guideline is unclear or silent here"),
                            ("overlooked", "Somebody overlooked something"),
                            ("scale", "The scale was read differently"),
                            ("knowledge", "It takes knowledge that some lack"),
                            ("values", "Reasonable people differ here"),
                            ("slip", "A slip or a wrong side"),
                            ("other", "Something else"),
                        ],
                        max_length=20,
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
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="Appeal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("pause_reason", models.TextField(help_text="What it is about, as the rater was told.")),
                ("text", models.TextField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Waits for an answer"),
                            ("granted", "Granted"),
                            ("refused", "Refused"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("answer", models.TextField(blank=True)),
                ("decided_at", models.DateTimeField(null=True)),
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
        migrations.CreateModel(
            name="Gold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "use",
                    models.CharField(
                        choices=[
                            ("check", "Mixed in among the pairs"),
                            ("practice", "Practice with feedback"),
                            ("quiz", "Quiz before the first pair"),
                        ],
                        default="check",
                        max_length=10,
                    ),
                ),
                ("expected", models.JSONField()),
                ("tolerance", models.PositiveSmallIntegerField(default=1)),
                (
                    "explanation",
                    models.TextField(blank=True, help_text="Why; raters read it in practice. Markdown."),
                ),
                ("place", models.BigIntegerField()),
                ("retired_at", models.DateTimeField(editable=False, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "gold",
                "ordering": ["study", "pk"],
            },
        ),
        migrations.CreateModel(
            name="QualityRules",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "least",
                    models.PositiveSmallIntegerField(
                        default=10,
                        validators=[
                            django.core.validators.MinValueValidator(5),
                            django.core.validators.MaxValueValidator(1000),
                        ],
                    ),
                ),
                (
                    "gold_at_least",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "consistent_at_least",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "agreeing_at_least",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "hasty_at_most",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "one_side_at_most",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "quality rules",
            },
        ),
        migrations.RemoveConstraint(
            model_name="assignment",
            name="assignment_once_per_rater",
        ),
        migrations.RemoveConstraint(
            model_name="assignment",
            name="assignment_leased_once_per_rater",
        ),
        migrations.RemoveConstraint(
            model_name="assignment",
            name="assignment_live_has_a_slot",
        ),
        migrations.RemoveConstraint(
            model_name="assignment",
            name="assignment_state_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="pair",
            name="pair_state_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="pair",
            name="pair_state_fits_its_decision",
        ),
        migrations.AddField(
            model_name="assignment",
            name="attempt",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="assignment",
            name="kind",
            field=models.CharField(
                choices=[
                    ("rated", "Rating"),
                    ("gold", "Gold pair"),
                    ("repeat", "Repeated with the sides swapped"),
                    ("practice", "Practice"),
                    ("quiz", "Quiz"),
                    ("senior", "Adjudication"),
                ],
                default="rated",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="is_exempt",
            field=models.BooleanField(
                default=False, editable=False, help_text="No rule of quality pauses this rater."
            ),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="offered",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="pause_reason",
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="practised_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="qualification",
            field=models.CharField(
                blank=True,
                choices=[("passed", "Passed"), ("failed", "Failed")],
                editable=False,
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="role",
            field=models.CharField(
                choices=[("rater", "Rater"), ("senior", "Senior rater: also decides disputes")],
                default="rater",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="dispute_spread",
            field=models.PositiveSmallIntegerField(
                default=4,
                help_text="Pair answers so many steps apart are a dispute, as safe against unsafe always is.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(6),
                ],
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="gold_count",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="study",
            name="gold_percent",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="How many of 100 pairs are gold: their answer is known. Raters cannot tell them apart.",
                validators=[django.core.validators.MaxValueValidator(50)],
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="practice_needed",
            field=models.BooleanField(default=False, help_text="Practice comes before the first pair."),
        ),
        migrations.AddField(
            model_name="study",
            name="quiz_attempts",
            field=models.PositiveSmallIntegerField(
                default=2,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(20),
                ],
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="quiz_pass_percent",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="How many of 100 quiz pairs must be right before the first pair. Empty: no quiz.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(100),
                ],
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="repeat_percent",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="How many of 100 pairs a rater meets a second time, with the sides swapped.",
                validators=[django.core.validators.MaxValueValidator(50)],
            ),
        ),
        migrations.AlterField(
            model_name="assignment",
            name="state",
            field=models.CharField(
                choices=[
                    ("leased", "Being rated"),
                    ("submitted", "Submitted"),
                    ("expired", "Lease ran out"),
                    ("skipped", "Skipped by the rater"),
                    ("declined", "Declined for its content"),
                    ("flagged", "Flagged as broken"),
                    ("surplus", "Submitted after the pair was full"),
                    ("withdrawn", "Submitted, then withdrawn by a researcher"),
                ],
                default="leased",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="pair",
            name="state",
            field=models.CharField(
                choices=[
                    ("open", "Open for rating"),
                    ("held", "Waits for review"),
                    ("dropped", "Dropped from the study"),
                    ("replaced", "Withdrawn: an answer was generated again"),
                    ("gold", "Gold: its answer is known"),
                ],
                default="open",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.UniqueConstraint(
                fields=("pair", "enrolment", "kind", "attempt"), name="assignment_once_per_rater"
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("attempt", 1),
                    models.Q(("attempt__gte", 1), ("kind__in", ("practice", "quiz"))),
                    _connector="OR",
                ),
                name="assignment_attempts_only_to_learn",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["rated", "gold", "repeat", "practice", "quiz", "senior"])),
                name="assignment_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind__in", ("rated", "gold", "repeat")), ("state", "leased")),
                fields=("enrolment",),
                name="assignment_leased_once_per_rater",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind__in", ("practice", "quiz")), ("state", "leased")),
                fields=("enrolment",),
                name="assignment_learnt_one_by_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "senior"), ("state", "leased")),
                fields=("enrolment",),
                name="assignment_adjudicated_one_by_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "senior"), ("state__in", ("leased", "submitted"))),
                fields=("pair",),
                name="assignment_adjudicated_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind", "rated"), ("slot__isnull", False), ("state__in", ("leased", "submitted"))
                    ),
                    models.Q(
                        models.Q(("kind", "rated"), ("state__in", ("leased", "submitted")), _negated=True),
                        ("slot__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="assignment_live_has_a_slot",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "leased",
                            "submitted",
                            "expired",
                            "skipped",
                            "declined",
                            "flagged",
                            "surplus",
                            "withdrawn",
                        ],
                    )
                ),
                name="assignment_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="enrolment",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["rater", "senior"])), name="enrolment_role_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="enrolment",
            constraint=models.CheckConstraint(
                condition=models.Q(("qualification__in", ["", "passed", "failed"])),
                name="enrolment_qualification_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="pair",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "held", "dropped", "replaced", "gold"])),
                name="pair_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="pair",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decision", ""), ("state", "held")),
                    models.Q(("decision__in", ["", "show", "mask"]), ("state", "open")),
                    models.Q(("decision", "drop"), ("state", "dropped")),
                    models.Q(("decision", "regenerate"), ("state", "replaced")),
                    models.Q(("decision__in", ["", "show", "mask"]), ("state", "gold")),
                    _connector="OR",
                ),
                name="pair_state_fits_its_decision",
            ),
        ),
        migrations.AddConstraint(
            model_name="study",
            constraint=models.CheckConstraint(
                condition=models.Q(("gold_percent__lte", 50), ("repeat_percent__lte", 50)),
                name="study_most_pairs_are_rated",
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="assignment",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="adjudication",
                to="annotation.assignment",
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="pair",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="adjudication", to="annotation.pair"
            ),
        ),
        migrations.AddField(
            model_name="appeal",
            name="decided_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="appeal",
            name="enrolment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="appeals", to="annotation.enrolment"
            ),
        ),
        migrations.AddField(
            model_name="gold",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="gold",
            name="pair",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="gold", to="annotation.pair"
            ),
        ),
        migrations.AddField(
            model_name="gold",
            name="study",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="gold", to="annotation.study"
            ),
        ),
        migrations.AddField(
            model_name="qualityrules",
            name="study",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="quality_rules",
                to="annotation.study",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjudication",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "cause__in",
                        [
                            "content",
                            "guideline",
                            "overlooked",
                            "scale",
                            "knowledge",
                            "values",
                            "slip",
                            "other",
                        ],
                    )
                ),
                name="adjudication_cause_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="appeal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("enrolment",),
                name="appeal_open_once_per_rater",
            ),
        ),
        migrations.AddConstraint(
            model_name="appeal",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "granted", "refused"])),
                name="appeal_state_is_known",
            ),
        ),
        migrations.AddIndex(
            model_name="gold",
            index=models.Index(fields=["study", "use", "place"], name="gold_by_place"),
        ),
        migrations.AddConstraint(
            model_name="gold",
            constraint=models.CheckConstraint(
                condition=models.Q(("use__in", ["check", "practice", "quiz"])), name="gold_use_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="gold",
            constraint=models.CheckConstraint(
                condition=models.Q(("tolerance__lte", 6)), name="gold_tolerance_on_scale"
            ),
        ),
        migrations.RunPython(install, remove),
    ]
