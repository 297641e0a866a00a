import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0016_freezing"),
    ]

    operations = [
        migrations.CreateModel(
            name="Dataset",
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
                ("recipe", models.JSONField()),
                ("recipe_sha256", models.CharField(max_length=64)),
                ("step", models.CharField(blank=True, max_length=40)),
                ("done", models.PositiveBigIntegerField(default=0)),
                ("total", models.PositiveBigIntegerField(default=0)),
                ("folder", models.CharField(blank=True, max_length=500)),
                ("manifest", models.JSONField(null=True)),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "snapshot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="datasets",
                        to="annotation.snapshot",
                    ),
                ),
            ],
            options={
                "ordering": ["snapshot", "-number"],
                "abstract": False,
                "indexes": [models.Index(fields=["state", "lease_until"], name="dataset_by_lease")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["queued", "claimed", "failed", "cancelled", "done"])
                        ),
                        name="dataset_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "claimed"), _negated=True),
                            models.Q(("claim__isnull", False), ("lease_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="dataset_claimed_has_a_lease",
                    ),
                    models.UniqueConstraint(
                        fields=("snapshot", "number"), name="dataset_number_once_per_snapshot"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("queued", "claimed", "done"))),
                        fields=("snapshot", "recipe_sha256"),
                        name="dataset_once_per_recipe",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True),
                            models.Q(("manifest__isnull", False), models.Q(("folder", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="dataset_done_has_files",
                    ),
                ],
            },
        ),
    ]
