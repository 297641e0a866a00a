"""Places in the queue, adaptive overlap, caps, declined and flagged pairs, and three more questions."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import annotation.models.pair
from annotation.models import functions, triggers


def remove(apps, schema_editor) -> None:
    functions.remove(schema_editor.connection)
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


def install_function(apps, schema_editor) -> None:
    functions.install(schema_editor.connection)


def take_places(apps, schema_editor) -> None:
    """Pairs stand where they stood; cursors mean another thing now, so every rater looks from the start."""
    apps.get_model("annotation", "Pair").objects.update(place=models.F("position"))
    apps.get_model("annotation", "Enrolment").objects.update(cursor=-1)


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0007_imported_arms"),
    ]

    # SQLite rebuilds tables that triggers read, and refuses to while a trigger is there.
    operations = [
        migrations.RunPython(remove, install),
        migrations.RemoveConstraint(
            model_name="assignment",
            name="assignment_state_is_known",
        ),
        migrations.RemoveIndex(
            model_name="pair",
            name="pair_open_by_position",
        ),
        migrations.AddField(
            model_name="assignment",
            name="note",
            field=models.TextField(blank=True, help_text="What a rater who flagged the pair says about it."),
        ),
        migrations.AddField(
            model_name="assignment",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("garbled", "Garbled or cut off"),
                    ("language", "In the wrong language"),
                    ("display", "Not shown properly"),
                    ("other", "Something else"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="arrivals_seen",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="cap_per_day",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Instead of the study's cap for one day (UTC). Empty: the study's.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="cap_total",
            field=models.PositiveIntegerField(
                blank=True, help_text="Instead of the study's cap in all. Empty: the study's.", null=True
            ),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="judged_on",
            field=models.DateField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="judged_today",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="tilt",
            field=models.IntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="judgment",
            name="confidence",
            field=models.PositiveSmallIntegerField(
                choices=[(1, "Guessing"), (2, "Unsure"), (3, "Fairly sure"), (4, "Certain")], null=True
            ),
        ),
        migrations.AddField(
            model_name="pair",
            name="place",
            field=models.BigIntegerField(
                default=annotation.models.pair.end_of_queue,
                help_text="Where raters meet it, in ascending order.",
            ),
        ),
        migrations.AddField(
            model_name="responsejudgment",
            name="categories",
            field=models.JSONField(
                default=list, help_text="Harm categories that the rater saw in it, of the study's list."
            ),
        ),
        migrations.AddField(
            model_name="responsejudgment",
            name="facilitation",
            field=models.BooleanField(
                help_text="Whether it would bring a person with harmful aims meaningfully closer to the act.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="arrivals",
            field=models.PositiveIntegerField(
                default=0,
                editable=False,
                help_text="How often pairs came in; raters then look from the start again.",
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="cap_per_day",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="The most pairs a rater judges on one day (UTC). Empty: no limit.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="cap_total",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="The most pairs a rater judges in the study. Empty: no limit.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="extra_budget",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="The most judgments that adaptive overlap may add in the whole study. Empty: no limit.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="ExtraSlots",
            fields=[
                (
                    "study",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="extra_slots",
                        serialize=False,
                        to="annotation.study",
                    ),
                ),
                ("opened", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name="study",
            name="overlap_max",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Adaptive overlap: let pairs whose raters leave it open have up to so many. Empty: off.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(100),
                ],
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
                ],
                default="leased",
                max_length=10,
            ),
        ),
        migrations.RunPython(take_places, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                condition=models.Q(("state", "flagged")), fields=["enrolment"], name="assignment_flagged"
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                condition=models.Q(("submitted_at__isnull", False)),
                fields=["enrolment", "submitted_at"],
                name="assignment_by_submission",
            ),
        ),
        migrations.AddIndex(
            model_name="pair",
            index=models.Index(
                condition=models.Q(("open_slots__gt", 0), ("state", "open")),
                fields=["study", "place"],
                name="pair_open_by_place",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["leased", "submitted", "expired", "skipped", "declined", "flagged", "surplus"],
                    )
                ),
                name="assignment_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("reason__in", ["garbled", "language", "display", "other"]), ("state", "flagged")
                    ),
                    models.Q(models.Q(("state", "flagged"), _negated=True), ("note", ""), ("reason", "")),
                    _connector="OR",
                ),
                name="assignment_flagged_has_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="judgment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("confidence__isnull", True), ("confidence__in", [1, 2, 3, 4]), _connector="OR"
                ),
                name="judgment_confidence_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="study",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("overlap_max__isnull", True), ("overlap_max__gte", models.F("overlap")), _connector="OR"
                ),
                name="study_overlap_max_at_least_overlap",
            ),
        ),
        migrations.RunPython(install, remove),
        migrations.RunPython(install_function, migrations.RunPython.noop),
    ]
