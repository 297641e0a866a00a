"""Studies are made, forked, archived and deleted on the desk; they may ask further questions."""

import django.db.models.deletion
from django.db import migrations, models

import annotation.models.study
from annotation.models import functions, triggers


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)
    functions.install(schema_editor.connection)


STATES = [("draft", "Draft"), ("open", "Open for rating"), ("paused", "Paused"), ("closed", "Closed")]
RULES = [("all", "Every two arms"), ("first", "Each arm against the first")]


class Migration(migrations.Migration):
    dependencies = [("annotation", "0023_people")]

    # SQLite rebuilds the studies, which triggers read, and refuses to while a trigger is there.
    operations = [
        migrations.RunPython(remove, install),
        migrations.RemoveConstraint("study", "study_state_is_known"),
        migrations.AlterField(
            "study", "state", models.CharField(choices=STATES, default="draft", max_length=10)
        ),
        migrations.AddField(
            "study",
            "pairing",
            models.CharField(
                choices=RULES,
                default="all",
                help_text="Which arms meet in pairs. Applies to pairs made from now on.",
                max_length=10,
            ),
        ),
        migrations.AddField(
            "study",
            "further_questions",
            models.JSONField(
                blank=True,
                default=annotation.models.study.no_questions,
                editable=False,
                help_text="Asked under the others: see `annotation.further`. Fixed from the first judgment on.",
            ),
        ),
        migrations.AddField("study", "archived_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("study", "deleted_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField(
            "study",
            "forked_from",
            models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="forks",
                to="annotation.study",
            ),
        ),
        migrations.AddConstraint(
            "study",
            models.CheckConstraint(
                condition=models.Q(state__in=["draft", "open", "paused", "closed"]),
                name="study_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            "study",
            models.CheckConstraint(
                condition=models.Q(pairing__in=["all", "first"]), name="study_pairing_is_known"
            ),
        ),
        migrations.AddConstraint(
            "study",
            models.CheckConstraint(
                condition=models.Q(archived_at__isnull=True) | ~models.Q(state="open"),
                name="study_archived_is_not_open",
            ),
        ),
        migrations.AddField(
            "judgment",
            "extra",
            models.JSONField(
                help_text="Answers to the study's further questions, by name; null where there are none.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            "Pulse",
            fields=[
                (
                    "study",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="pulse",
                        serialize=False,
                        to="annotation.study",
                    ),
                ),
                ("taken_at", models.DateTimeField()),
                ("seconds", models.FloatField(help_text="How long the counting took.")),
                ("body", models.TextField()),
                (
                    "signals_at",
                    models.DateTimeField(help_text="When the raters' signals were last counted.", null=True),
                ),
                ("signals_seconds", models.FloatField(default=0)),
            ],
        ),
        migrations.CreateModel(
            "RaterPulse",
            fields=[
                (
                    "enrolment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="pulse",
                        serialize=False,
                        to="annotation.enrolment",
                    ),
                ),
                ("body", models.TextField()),
            ],
        ),
        migrations.AddIndex(
            "event",
            models.Index(
                condition=~models.Q(verb__in=("submit_judgment", "revise_judgment")),
                fields=["study", "verb", "-id"],
                name="event_of_the_desk_by_verb",
            ),
        ),
        migrations.RunPython(install, remove),
    ]
