"""Roles in a study: whoever was a researcher of it is an owner, as they could do everything until now."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Now

from annotation.models import triggers


def make_owners(apps, schema_editor) -> None:
    """Researchers who are no longer staff saw nothing of the study, and get no role."""
    named = apps.get_model("annotation", "Study").researchers.through.objects.order_by("pk")
    membership = apps.get_model("annotation", "Membership")
    found = named.filter(user__is_staff=True).values_list("study", "user")
    membership.objects.bulk_create(
        [membership(study_id=study, user_id=user, role="owner") for study, user in found.iterator()],
        batch_size=500,
    )


def name_researchers(apps, schema_editor) -> None:
    named = apps.get_model("annotation", "Study").researchers.through
    found = apps.get_model("annotation", "Membership").objects.values_list("study", "user")
    named.objects.bulk_create(
        [named(study_id=study, user_id=user) for study, user in found.iterator()], batch_size=500
    )


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


NEEDS_A_STOP = "The version before reads `study.researchers`, which goes: stop the site for it."


class Migration(migrations.Migration):
    dependencies = [("annotation", "0021_fewer_indexes")]

    operations = [
        migrations.CreateModel(
            "Membership",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "Owner"), ("editor", "Editor"), ("viewer", "Viewer")],
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="annotation.study",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["study", "pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("study", "user"), name="membership_once_per_person"),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["owner", "editor", "viewer"])),
                        name="membership_role_is_known",
                    ),
                ],
            },
        ),
        migrations.RunPython(make_owners, name_researchers),
        migrations.RemoveField("study", "researchers"),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
