"""Consent in versions, invitation links, and who came by which."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from annotation.models import triggers


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0009_rater_screen"),
    ]

    # SQLite rebuilds tables that triggers read, and refuses to while a trigger is there.
    operations = [
        migrations.RunPython(remove, install),
        migrations.AddField(
            model_name="enrolment",
            name="consent_version",
            field=models.PositiveSmallIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="study",
            name="consent_version",
            field=models.PositiveSmallIntegerField(
                default=0,
                editable=False,
                help_text="The consent that raters must have given; 0 asks for none.",
            ),
        ),
        migrations.CreateModel(
            name="ConsentVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveSmallIntegerField()),
                (
                    "warning",
                    models.TextField(
                        blank=True, help_text="What raters may meet, said before anything. Markdown."
                    ),
                ),
                ("body", models.TextField(help_text="What raters agree to. Markdown.")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consent_versions",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["study", "-version"],
            },
        ),
        migrations.CreateModel(
            name="Consent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "given_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "enrolment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consents",
                        to="annotation.enrolment",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consents",
                        to="annotation.consentversion",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="InvitationLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("label", models.CharField(max_length=100)),
                ("token_digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("uses_max", models.PositiveIntegerField(blank=True, null=True)),
                ("uses", models.PositiveIntegerField(default=0, editable=False)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                ("person_parameter", models.CharField(blank=True, max_length=50)),
                ("study_parameter", models.CharField(blank=True, max_length=50)),
                ("session_parameter", models.CharField(blank=True, max_length=50)),
                ("platform_study", models.CharField(blank=True, max_length=200)),
                ("completion_code", models.CharField(blank=True, max_length=100)),
                ("completion_url", models.CharField(blank=True, max_length=1000)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="links",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["study", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Arrival",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("person", models.CharField(blank=True, max_length=200)),
                ("session", models.CharField(blank=True, max_length=200)),
                ("return_digest", models.CharField(max_length=64, unique=True)),
                ("completed_at", models.DateTimeField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "enrolment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arrival",
                        to="annotation.enrolment",
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arrivals_by_link",
                        to="annotation.study",
                    ),
                ),
                (
                    "link",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arrivals",
                        to="annotation.invitationlink",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="consentversion",
            constraint=models.UniqueConstraint(
                fields=("study", "version"), name="consent_version_once_per_study"
            ),
        ),
        migrations.AddConstraint(
            model_name="consentversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("version__gte", 1)), name="consent_version_from_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="consent",
            constraint=models.UniqueConstraint(
                fields=("enrolment", "version"), name="consent_once_per_version"
            ),
        ),
        migrations.AddConstraint(
            model_name="invitationlink",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("uses_max__isnull", True), ("uses__lte", models.F("uses_max")), _connector="OR"
                ),
                name="link_uses_within_most",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitationlink",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("completion_url", ""),
                    ("completion_url__startswith", "https://"),
                    ("completion_url__startswith", "http://"),
                    _connector="OR",
                ),
                name="link_completion_url_is_http",
            ),
        ),
        migrations.AddConstraint(
            model_name="arrival",
            constraint=models.UniqueConstraint(
                condition=models.Q(("person", ""), _negated=True),
                fields=("study", "person"),
                name="arrival_once_per_person",
            ),
        ),
        migrations.RunPython(install, remove),
    ]
