"""All tables at once, as 0001 to 0028 make them one after the other: for an empty database, in a third of the time.

A database in which some of these were applied goes on with the others. Written by `python -m tests.squash 0028_setup`;
what stands beside Django's models is at the end. `tests/models/test_squash.py` compares both ways.
"""

import uuid

import django.contrib.auth.models
import django.contrib.auth.validators
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import annotation.models.arm
import annotation.models.grade
import annotation.models.pair
import annotation.models.study
from annotation.models import functions, triggers

OF_A_JUDGMENT = ("assignment", "judgment", "responsejudgment", "event")
ROOM_TO_UPDATE = "ALTER TABLE annotation_pair SET (fillfactor = 85)"
FOREIGN_KEYS = """
SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass
"""


def finish(apps, schema_editor) -> None:
    """What models do not say, in the order in which the single migrations came to it."""
    if schema_editor.connection.vendor == "postgresql":
        make_what_was_put_off(schema_editor)
        check_foreign_keys_at_once(schema_editor)
        schema_editor.execute(ROOM_TO_UPDATE)
    triggers.install(schema_editor.connection)
    functions.install(schema_editor.connection)


def make_what_was_put_off(schema_editor) -> None:
    """Django makes foreign keys and indexes when a migration ends, and the next steps need them."""
    while schema_editor.deferred_sql:
        schema_editor.execute(schema_editor.deferred_sql.pop(0))


def check_foreign_keys_at_once(schema_editor) -> None:
    """Checked in the end, they would be planned outside the function: by reading whole tables (0012)."""
    with schema_editor.connection.cursor() as cursor:
        for table in (f"annotation_{name}" for name in OF_A_JUDGMENT):
            cursor.execute(FOREIGN_KEYS, [table])
            for (name,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {table} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY IMMEDIATE")


def remove(apps, schema_editor) -> None:
    functions.remove(schema_editor.connection)
    triggers.remove(schema_editor.connection)


class Migration(migrations.Migration):
    replaces = [
        ("annotation", "0001_initial"),
        ("annotation", "0002_triggers"),
        ("annotation", "0003_review"),
        ("annotation", "0004_grading"),
        ("annotation", "0005_model_settings"),
        ("annotation", "0006_reviewing"),
        ("annotation", "0007_imported_arms"),
        ("annotation", "0008_assignment"),
        ("annotation", "0009_rater_screen"),
        ("annotation", "0010_joining"),
        ("annotation", "0011_quality"),
        ("annotation", "0012_rating_speed"),
        ("annotation", "0013_flags"),
        ("annotation", "0014_prompt_language"),
        ("annotation", "0015_report"),
        ("annotation", "0016_freezing"),
        ("annotation", "0017_dataset"),
        ("annotation", "0018_file_import"),
        ("annotation", "0019_training"),
        ("annotation", "0020_quicker_judgments"),
        ("annotation", "0021_fewer_indexes"),
        ("annotation", "0022_membership"),
        ("annotation", "0023_people"),
        ("annotation", "0023_registration"),
        ("annotation", "0024_tokens"),
        ("annotation", "0025_webhooks"),
        ("annotation", "0026_seals"),
        ("annotation", "0027_event_without_judging"),
        ("annotation", "0028_setup"),
    ]

    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                ("first_name", models.CharField(blank=True, max_length=150, verbose_name="first name")),
                ("last_name", models.CharField(blank=True, max_length=150, verbose_name="last name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="email address")),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                (
                    "date_joined",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="date joined"),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
                ("forgotten_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "abstract": False,
                "indexes": [],
                "constraints": [],
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="Study",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(unique=True)),
                ("title", models.CharField(max_length=200)),
                (
                    "question",
                    models.TextField(blank=True, help_text="What the study should answer, in a sentence."),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("open", "Open for rating"),
                            ("paused", "Paused"),
                            ("closed", "Closed"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                (
                    "overlap",
                    models.PositiveSmallIntegerField(
                        default=3,
                        help_text="How many raters judge each pair. Applies to pairs made from now on.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "allow_tie",
                    models.BooleanField(default=True, help_text="Offer “about equal” on the pair questions."),
                ),
                (
                    "matched_sampling",
                    models.BooleanField(
                        default=True,
                        help_text="Refuse a run whose arms differ in sampling (temperature, length …).",
                    ),
                ),
                (
                    "guideline_condition",
                    models.CharField(
                        choices=[
                            ("policy_free", "Policy-free: raters use their own judgment"),
                            ("policy_given", "Policy given: raters read the guideline"),
                        ],
                        default="policy_free",
                        max_length=20,
                    ),
                ),
                (
                    "harm_categories",
                    models.JSONField(default=annotation.models.study.default_harm_categories),
                ),
                (
                    "lease_minutes",
                    models.PositiveSmallIntegerField(
                        default=30,
                        help_text="How long a rater holds a pair before it returns to the queue.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10080),
                        ],
                    ),
                ),
                (
                    "seed",
                    models.BigIntegerField(
                        default=20250809, help_text="All of the study's randomness comes from it."
                    ),
                ),
                ("pair_count", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "arrivals",
                    models.PositiveIntegerField(
                        default=0,
                        editable=False,
                        help_text="How often pairs came in; raters then look from the start again.",
                    ),
                ),
                (
                    "cap_per_day",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The most pairs a rater judges on one day (UTC). Empty: no limit.",
                        null=True,
                    ),
                ),
                (
                    "cap_total",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The most pairs a rater judges in the study. Empty: no limit.",
                        null=True,
                    ),
                ),
                (
                    "extra_budget",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The most judgments that adaptive overlap may add in the whole study. Empty: no limit.",
                        null=True,
                    ),
                ),
                (
                    "overlap_max",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Adaptive overlap: let pairs whose raters leave it open have up to so many. Empty: off.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "blurred_categories",
                    models.JSONField(
                        blank=True,
                        default=annotation.models.study.no_categories,
                        help_text="Harm categories whose prompts and answers are blurred until the rater reveals them.",
                    ),
                ),
                (
                    "break_minutes",
                    models.PositiveSmallIntegerField(
                        default=50,
                        help_text="After so many minutes at a stretch the page suggests a break.",
                        validators=[
                            django.core.validators.MinValueValidator(5),
                            django.core.validators.MaxValueValidator(240),
                        ],
                    ),
                ),
                (
                    "exposure_per_day",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="The most pairs of blurred categories that a rater gets within 24 hours. Empty: no limit.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "resources",
                    models.TextField(
                        blank=True,
                        help_text="Whom raters can turn to and what helps, in Markdown; raters see it any time.",
                    ),
                ),
                (
                    "consent_version",
                    models.PositiveSmallIntegerField(
                        default=0,
                        editable=False,
                        help_text="The consent that raters must have given; 0 asks for none.",
                    ),
                ),
                (
                    "dispute_spread",
                    models.PositiveSmallIntegerField(
                        default=4,
                        help_text="Pair answers so many steps apart are a dispute, as safe against unsafe always is.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(6),
                        ],
                    ),
                ),
                ("gold_count", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "gold_percent",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="How many of 100 pairs are gold: their answer is known. Raters cannot tell them apart.",
                        validators=[django.core.validators.MaxValueValidator(50)],
                    ),
                ),
                (
                    "practice_needed",
                    models.BooleanField(default=False, help_text="Practice comes before the first pair."),
                ),
                (
                    "quiz_attempts",
                    models.PositiveSmallIntegerField(
                        default=2,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(20),
                        ],
                    ),
                ),
                (
                    "quiz_pass_percent",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="How many of 100 quiz pairs must be right before the first pair. Empty: no quiz.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "repeat_percent",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="How many of 100 pairs a rater meets a second time, with the sides swapped.",
                        validators=[django.core.validators.MaxValueValidator(50)],
                    ),
                ),
                (
                    "pairing",
                    models.CharField(
                        choices=[("all", "Every two arms"), ("first", "Each arm against the first")],
                        default="all",
                        help_text="Which arms meet in pairs. Applies to pairs made from now on.",
                        max_length=10,
                    ),
                ),
                (
                    "further_questions",
                    models.JSONField(
                        blank=True,
                        default=annotation.models.study.no_questions,
                        editable=False,
                        help_text="Asked under the others: see `annotation.further`. Fixed from the first judgment on.",
                    ),
                ),
                ("archived_at", models.DateTimeField(editable=False, null=True)),
                ("deleted_at", models.DateTimeField(editable=False, null=True)),
                (
                    "forked_from",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="forks",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "studies",
                "ordering": ["-created_at", "-pk"],
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("overlap__gte", 1)), name="study_overlap_at_least_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("lease_minutes__gte", 1)), name="study_lease_at_least_a_minute"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("overlap_max__isnull", True),
                            ("overlap_max__gte", models.F("overlap")),
                            _connector="OR",
                        ),
                        name="study_overlap_max_at_least_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("exposure_per_day__isnull", True), ("exposure_per_day__gte", 1), _connector="OR"
                        ),
                        name="study_exposure_at_least_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("gold_percent__lte", 50), ("repeat_percent__lte", 50)),
                        name="study_most_pairs_are_rated",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["draft", "open", "paused", "closed"])),
                        name="study_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("pairing__in", ["all", "first"])), name="study_pairing_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("archived_at__isnull", True),
                            models.Q(("state", "open"), _negated=True),
                            _connector="OR",
                        ),
                        name="study_archived_is_not_open",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WorkerHeartbeat",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("queue", models.CharField(max_length=50)),
                ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": [models.OrderBy(models.F("seen_at"), descending=True)],
                "constraints": [
                    models.UniqueConstraint(fields=("name", "queue"), name="worker_heartbeat_once_per_queue")
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Arm",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("position", models.PositiveSmallIntegerField()),
                ("backend", models.CharField(blank=True, max_length=50)),
                (
                    "model",
                    models.CharField(
                        blank=True,
                        help_text="A folder, a hub name, or the name that a server knows it by.",
                        max_length=500,
                    ),
                ),
                (
                    "revision",
                    models.CharField(
                        blank=True, help_text="A commit, branch or tag of the hub.", max_length=200
                    ),
                ),
                ("dtype", models.CharField(default="auto", max_length=20)),
                ("device", models.CharField(default="auto", max_length=50)),
                ("system_prompt", models.TextField(blank=True)),
                ("sampling", models.JSONField(blank=True, default=annotation.models.arm.default_sampling)),
                ("frozen_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arms",
                        to="annotation.study",
                    ),
                ),
                (
                    "adapter",
                    models.CharField(
                        blank=True,
                        help_text="A folder or hub name of a LoRA adapter made for this model.",
                        max_length=500,
                    ),
                ),
                (
                    "api_key_variable",
                    models.CharField(
                        blank=True,
                        help_text="The name of the environment variable that holds the server's key where the worker runs: MODEL_KEY or MODEL_KEY_…. The key itself is not stored.",
                        max_length=100,
                        verbose_name="API key variable",
                    ),
                ),
                (
                    "base_url",
                    models.CharField(
                        blank=True,
                        help_text="Of a server, such as http://host:8000/v1.",
                        max_length=500,
                        verbose_name="base URL",
                    ),
                ),
                (
                    "chat_template",
                    models.TextField(
                        blank=True,
                        help_text="Replaces the model's own. Empty: the model's, as it should be nearly always.",
                    ),
                ),
                (
                    "quantization",
                    models.CharField(
                        blank=True, choices=[("8bit", "8 bits"), ("4bit", "4 bits")], max_length=10
                    ),
                ),
            ],
            options={
                "ordering": ["study", "position"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("study", "name"), name="arm_name_once_per_study"),
                    models.UniqueConstraint(fields=("study", "position"), name="arm_position_once_per_study"),
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="arm_name_is_not_empty"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("quantization__in", ["", "8bit", "4bit"])),
                        name="arm_quantization_is_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="GuidelineVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveSmallIntegerField()),
                ("body", models.TextField(help_text="Markdown.")),
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
                        related_name="guidelines",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["study", "-version"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("study", "version"), name="guideline_version_once_per_study"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Prompt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        help_text="The prompt's name in files, unique in the study.", max_length=200
                    ),
                ),
                ("messages", models.JSONField()),
                (
                    "intent",
                    models.CharField(
                        choices=[("benign", "Benign"), ("dual_use", "Dual use"), ("malicious", "Malicious")],
                        max_length=10,
                    ),
                ),
                ("harm_category", models.CharField(blank=True, max_length=64)),
                ("subset", models.JSONField(blank=True, default=list, help_text="Tags, as a list of words.")),
                (
                    "family",
                    models.CharField(
                        blank=True, help_text="Links the same request in several wordings.", max_length=200
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prompts",
                        to="annotation.study",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        help_text="Of the last message, as in “en” or “pt-BR”. Empty: not known.",
                        max_length=20,
                    ),
                ),
            ],
            options={
                "ordering": ["study", "key"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("study", "key"), name="prompt_key_once_per_study"),
                    models.CheckConstraint(
                        condition=models.Q(("intent__in", ["benign", "dual_use", "malicious"])),
                        name="prompt_intent_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("key", ""), _negated=True), name="prompt_key_is_not_empty"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Run",
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
                            ("running", "Generating"),
                            ("paused", "Paused"),
                            ("generated", "Making pairs"),
                            ("failed", "Stopped by a failure"),
                            ("cancelled", "Cancelled"),
                            ("done", "Done"),
                        ],
                        default="running",
                        max_length=10,
                    ),
                ),
                ("samples", models.PositiveSmallIntegerField(default=1)),
                ("seed", models.BigIntegerField()),
                ("error", models.TextField(blank=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["running", "paused", "generated", "failed", "cancelled", "done"])
                        ),
                        name="run_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("samples__gte", 1)), name="run_samples_at_least_one"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("running", "paused", "generated", "failed"))),
                        fields=("study",),
                        name="run_unfinished_once_per_study",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Enrolment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=100)),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("paused", "Paused")], default="active", max_length=10
                    ),
                ),
                ("cursor", models.BigIntegerField(default=-1, editable=False)),
                ("judged", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="enrolments",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="enrolments",
                        to="annotation.study",
                    ),
                ),
                ("arrivals_seen", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "cap_per_day",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Instead of the study's cap for one day (UTC). Empty: the study's.",
                        null=True,
                    ),
                ),
                (
                    "cap_total",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Instead of the study's cap in all. Empty: the study's.",
                        null=True,
                    ),
                ),
                ("judged_on", models.DateField(editable=False, null=True)),
                ("judged_today", models.PositiveIntegerField(default=0, editable=False)),
                ("tilt", models.IntegerField(default=0, editable=False)),
                (
                    "opted_out",
                    models.JSONField(default=annotation.models.study.no_categories, editable=False),
                ),
                ("consent_version", models.PositiveSmallIntegerField(default=0, editable=False)),
                (
                    "is_exempt",
                    models.BooleanField(
                        default=False, editable=False, help_text="No rule of quality pauses this rater."
                    ),
                ),
                ("offered", models.PositiveIntegerField(default=0, editable=False)),
                ("pause_reason", models.TextField(blank=True, editable=False)),
                ("practised_at", models.DateTimeField(editable=False, null=True)),
                (
                    "qualification",
                    models.CharField(
                        blank=True,
                        choices=[("passed", "Passed"), ("failed", "Failed")],
                        editable=False,
                        max_length=10,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("rater", "Rater"), ("senior", "Senior rater: also decides disputes")],
                        default="rater",
                        max_length=10,
                    ),
                ),
                ("pause_rules", models.JSONField(default=list, editable=False)),
            ],
            options={
                "ordering": ["study", "code"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("study", "user"), name="enrolment_once_per_user"),
                    models.UniqueConstraint(fields=("study", "code"), name="enrolment_code_once_per_study"),
                    models.CheckConstraint(
                        condition=models.Q(("code", ""), _negated=True), name="enrolment_code_is_not_empty"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["rater", "senior"])), name="enrolment_role_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("qualification__in", ["", "passed", "failed"])),
                        name="enrolment_qualification_is_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("folder", models.CharField(max_length=500)),
                ("manifest", models.JSONField()),
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
                        related_name="snapshots",
                        to="annotation.study",
                    ),
                ),
                ("secret", models.CharField(blank=True, editable=False, max_length=64)),
            ],
            options={
                "ordering": ["study", "-number"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("study", "number"), name="snapshot_number_once_per_study")
                ],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("verb", models.CharField(max_length=50)),
                ("detail", models.JSONField(default=dict)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(fields=["study", "created_at"], name="event_by_study_and_time"),
                    models.Index(
                        condition=models.Q(
                            ("verb__in", ("submit_judgment", "revise_judgment")), _negated=True
                        ),
                        fields=["study", "created_at", "id"],
                        name="event_without_judging",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("verb__in", ("submit_judgment", "revise_judgment")), _negated=True
                        ),
                        fields=["study", "verb", "-id"],
                        name="event_of_the_desk_by_verb",
                    ),
                ],
                "constraints": [],
            },
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
            options={
                "indexes": [],
                "constraints": [],
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
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rater_settings",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "rater settings",
                "indexes": [],
                "constraints": [],
            },
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
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("study", "version"), name="consent_version_once_per_study"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("version__gte", 1)), name="consent_version_from_one"
                    ),
                ],
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
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("uses_max__isnull", True), ("uses__lte", models.F("uses_max")), _connector="OR"
                        ),
                        name="link_uses_within_most",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("completion_url", ""),
                            ("completion_url__startswith", "https://"),
                            ("completion_url__startswith", "http://"),
                            _connector="OR",
                        ),
                        name="link_completion_url_is_http",
                    ),
                ],
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
                (
                    "study",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quality_rules",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "quality rules",
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Freezing",
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
                ("table", models.CharField(blank=True, max_length=20)),
                ("rows_written", models.PositiveBigIntegerField(default=0)),
                ("rows_expected", models.PositiveBigIntegerField(default=0)),
                ("stop_asked", models.BooleanField(default=False)),
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
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="freezings",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "abstract": False,
                "indexes": [models.Index(fields=["state", "lease_until"], name="freezing_by_lease")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["queued", "claimed", "failed", "cancelled", "done"])
                        ),
                        name="freezing_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "claimed"), _negated=True),
                            models.Q(("claim__isnull", False), ("lease_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="freezing_claimed_has_a_lease",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("queued", "claimed"))),
                        fields=("study",),
                        name="freezing_unfinished_once_per_study",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FileImport",
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
                    "name",
                    models.CharField(
                        help_text="What the file was called where it came from.", max_length=255
                    ),
                ),
                ("path", models.CharField(max_length=500)),
                ("is_uploaded", models.BooleanField(default=True, help_text="The file is ours to remove.")),
                ("size", models.BigIntegerField(help_text="In bytes.")),
                ("sha256", models.CharField(max_length=64)),
                ("format", models.CharField(max_length=30)),
                ("columns", models.JSONField(default=list)),
                ("rules", models.JSONField(default=list)),
                ("constants", models.JSONField(default=list)),
                ("hide_raters", models.BooleanField(default=False)),
                ("rows_read", models.PositiveBigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("last_judgment", models.BigIntegerField(null=True)),
                (
                    "uploaded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("started_at", models.DateTimeField(null=True)),
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
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="file_imports",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "abstract": False,
                "indexes": [models.Index(fields=["state", "lease_until"], name="fileimport_by_lease")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["queued", "claimed", "failed", "cancelled", "done"])
                        ),
                        name="fileimport_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "claimed"), _negated=True),
                            models.Q(("claim__isnull", False), ("lease_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="fileimport_claimed_has_a_lease",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
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
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
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
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="MemberInvitation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("email", models.EmailField(blank=True, max_length=254)),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "Owner"), ("editor", "Editor"), ("viewer", "Viewer")],
                        max_length=10,
                    ),
                ),
                ("token_digest", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(editable=False, null=True)),
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="member_invitations",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["study", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["owner", "editor", "viewer"])),
                        name="member_invitation_role_is_known",
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("start", models.CharField(editable=False, max_length=8)),
                ("scopes", models.JSONField(default=list)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("expires_at", models.DateTimeField(null=True)),
                ("used_at", models.DateTimeField(editable=False, null=True)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["user", "-pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("scopes", []), _negated=True), name="token_has_a_scope"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at__isnull", True),
                            ("expires_at__gt", models.F("created_at")),
                            _connector="OR",
                        ),
                        name="token_expires_after_it_was_made",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="KeptReply",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=64)),
                ("asked", models.CharField(max_length=64)),
                ("status", models.PositiveSmallIntegerField(null=True)),
                ("body", models.TextField(blank=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="reply_by_age")],
                "constraints": [models.UniqueConstraint(fields=("user", "key"), name="reply_once_per_key")],
            },
        ),
        migrations.CreateModel(
            name="Webhook",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("url", models.CharField(max_length=1000)),
                ("events", models.JSONField(default=list)),
                ("secret", models.CharField(editable=False, max_length=100)),
                ("failures", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("off_reason", models.TextField(blank=True, editable=False)),
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhooks",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["study", "-pk"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("study", "url"), name="webhook_once_per_address"),
                    models.CheckConstraint(
                        condition=models.Q(("events", []), _negated=True), name="webhook_has_an_event"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Seal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("events", models.PositiveIntegerField()),
                ("through_at", models.DateTimeField()),
                ("through_event", models.BigIntegerField()),
                ("previous", models.CharField(max_length=64)),
                ("digest", models.CharField(max_length=64)),
                ("marks", models.BinaryField()),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="seals",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["study", "-number"],
                "constraints": [
                    models.UniqueConstraint(fields=("study", "number"), name="seal_number_once_per_study"),
                    models.CheckConstraint(
                        condition=models.Q(("events__gte", 1), ("number__gte", 1)),
                        name="seal_covers_something",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Pulse",
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
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Batch",
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
                    "arm",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="annotation.arm",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="annotation.run",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "batches",
                "ordering": ["run", "number"],
                "indexes": [models.Index(fields=["state", "lease_until"], name="batch_by_lease")],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "number"), name="batch_number_once_per_run"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["queued", "claimed", "failed", "cancelled", "done"])
                        ),
                        name="batch_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "claimed"), _negated=True),
                            models.Q(("claim__isnull", False), ("lease_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="batch_claimed_has_a_lease",
                    ),
                ],
            },
        ),
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
                ("backend", models.CharField(blank=True, max_length=50)),
                (
                    "model",
                    models.CharField(
                        blank=True,
                        help_text="A folder, a hub name, or the name that a server knows it by.",
                        max_length=500,
                    ),
                ),
                (
                    "revision",
                    models.CharField(
                        blank=True, help_text="A commit, branch or tag of the hub.", max_length=200
                    ),
                ),
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
                (
                    "adapter",
                    models.CharField(
                        blank=True,
                        help_text="A folder or hub name of a LoRA adapter made for this model.",
                        max_length=500,
                    ),
                ),
                (
                    "api_key_variable",
                    models.CharField(
                        blank=True,
                        help_text="The name of the environment variable that holds the server's key where the worker runs: MODEL_KEY or MODEL_KEY_…. The key itself is not stored.",
                        max_length=100,
                        verbose_name="API key variable",
                    ),
                ),
                (
                    "base_url",
                    models.CharField(
                        blank=True,
                        help_text="Of a server, such as http://host:8000/v1.",
                        max_length=500,
                        verbose_name="base URL",
                    ),
                ),
                (
                    "chat_template",
                    models.TextField(
                        blank=True,
                        help_text="Replaces the model's own. Empty: the model's, as it should be nearly always.",
                    ),
                ),
                (
                    "quantization",
                    models.CharField(
                        blank=True, choices=[("8bit", "8 bits"), ("4bit", "4 bits")], max_length=10
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("study", "settings_sha256"), name="grading_once_per_settings"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["running", "paused", "failed", "done"])),
                        name="grading_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("keep__in", ["min", "mean"])), name="grading_keep_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("repeats__gte", 1)), name="grading_repeats_at_least_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("guideline__isnull", False), ("guideline_condition", "policy_given")),
                            models.Q(("guideline__isnull", True), ("guideline_condition", "policy_free")),
                            _connector="OR",
                        ),
                        name="grading_policy_given_names_its_guideline",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("quantization__in", ["", "8bit", "4bit"])),
                        name="grading_quantization_is_known",
                    ),
                ],
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
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("enrolment", "version"), name="consent_once_per_version")
                ],
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
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("person", ""), _negated=True),
                        fields=("study", "person"),
                        name="arrival_once_per_person",
                    )
                ],
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
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "enrolment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appeals",
                        to="annotation.enrolment",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("enrolment",),
                        name="appeal_open_once_per_rater",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "granted", "refused"])),
                        name="appeal_state_is_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Report",
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
                ("filters", models.CharField(blank=True, max_length=2000)),
                ("layout", models.PositiveSmallIntegerField(help_text="The version of the results' shape.")),
                ("fingerprint", models.CharField(blank=True, max_length=64)),
                ("about", models.TextField(blank=True)),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("started_at", models.DateTimeField(null=True)),
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
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reports",
                        to="annotation.snapshot",
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reports",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "abstract": False,
                "indexes": [
                    models.Index(fields=["state", "lease_until"], name="report_by_lease"),
                    models.Index(fields=["study", "filters", "-id"], name="report_by_filter"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["queued", "claimed", "failed", "cancelled", "done"])
                        ),
                        name="report_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "claimed"), _negated=True),
                            models.Q(("claim__isnull", False), ("lease_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="report_claimed_has_a_lease",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("snapshot__isnull", True), ("state__in", ("queued", "claimed"))),
                        fields=("study", "filters"),
                        name="report_unfinished_once_per_filter",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("snapshot__isnull", False), ("state__in", ("queued", "claimed"))),
                        fields=("snapshot", "filters"),
                        name="report_unfinished_once_per_snapshot_and_filter",
                    ),
                ],
            },
        ),
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
        migrations.CreateModel(
            name="ImportProblem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("line", models.BigIntegerField()),
                ("reason", models.TextField()),
                (
                    "file_import",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="problems",
                        to="annotation.fileimport",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Training",
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
                    "stage",
                    models.CharField(
                        choices=[
                            ("reward", "Reward model"),
                            ("sft", "Fine-tuning (SFT)"),
                            ("rl", "Reinforcement learning"),
                            ("evaluate", "Evaluation"),
                        ],
                        max_length=10,
                    ),
                ),
                ("arguments", models.JSONField(default=dict)),
                ("step", models.PositiveIntegerField(default=0)),
                ("steps", models.PositiveIntegerField(default=0)),
                ("result", models.JSONField(default=dict)),
                ("stop_asked_at", models.DateTimeField(null=True)),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("started_at", models.DateTimeField(null=True)),
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
                    "helpfulness",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="annotation.training",
                    ),
                ),
                (
                    "safety",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="annotation.training",
                    ),
                ),
                (
                    "snapshot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trainings",
                        to="annotation.snapshot",
                    ),
                ),
                (
                    "start_arm",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="annotation.arm",
                    ),
                ),
                (
                    "start_training",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="annotation.training",
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trainings",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "ordering": ["study", "-number"],
                "abstract": False,
                "indexes": [models.Index(fields=["state", "lease_until"], name="training_by_lease")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["queued", "claimed", "failed", "cancelled", "done"])
                        ),
                        name="training_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "claimed"), _negated=True),
                            models.Q(("claim__isnull", False), ("lease_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="training_claimed_has_a_lease",
                    ),
                    models.UniqueConstraint(
                        fields=("study", "number"), name="training_number_once_per_study"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("stage__in", ["reward", "sft", "rl", "evaluate"])),
                        name="training_stage_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("start_arm__isnull", False), ("start_training__isnull", True)),
                            models.Q(("start_arm__isnull", True), ("start_training__isnull", False)),
                            models.Q(
                                ("stage", "evaluate"),
                                ("start_arm__isnull", True),
                                ("start_training__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="training_starts_from_one_model",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("helpfulness__isnull", False),
                                ("safety__isnull", False),
                                ("stage__in", ("rl", "evaluate")),
                            ),
                            models.Q(
                                models.Q(("stage__in", ("rl", "evaluate")), _negated=True),
                                ("helpfulness__isnull", True),
                                ("safety__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="training_has_reward_models_where_it_needs_them",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("message", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("event", models.CharField(max_length=50)),
                ("body", models.JSONField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waits to be sent"),
                            ("done", "Received"),
                            ("failed", "Given up"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_at", models.DateTimeField()),
                ("last_status", models.PositiveSmallIntegerField(null=True)),
                ("last_error", models.TextField(blank=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "webhook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="annotation.webhook",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["next_at"],
                        name="delivery_waiting_by_time",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("message",), name="delivery_message_once"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["waiting", "done", "failed"])),
                        name="delivery_state_is_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RaterPulse",
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
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="BatchItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sample", models.PositiveSmallIntegerField()),
                ("failure", models.TextField(blank=True)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="annotation.batch",
                    ),
                ),
                (
                    "prompt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="annotation.prompt",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("batch", "prompt", "sample"), name="batch_item_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Response",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sample", models.PositiveSmallIntegerField(default=0)),
                ("text", models.TextField(blank=True)),
                (
                    "finish_reason",
                    models.CharField(
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
                    "arm",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses",
                        to="annotation.arm",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses",
                        to="annotation.batch",
                    ),
                ),
                (
                    "prompt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses",
                        to="annotation.prompt",
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses",
                        to="annotation.study",
                    ),
                ),
                ("replaced_at", models.DateTimeField(editable=False, null=True)),
                ("scanner", models.CharField(blank=True, editable=False, max_length=20)),
                ("reasoning", models.TextField(blank=True)),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["study", "arm"], name="response_by_study_and_arm")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("batch__isnull", True), ("finish_reason", "imported")),
                            models.Q(
                                models.Q(("finish_reason", "imported"), _negated=True),
                                ("batch__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="response_generated_or_imported",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("replaced_at__isnull", True)),
                        fields=("prompt", "arm", "sample"),
                        name="response_once_per_sample",
                    ),
                ],
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
                "indexes": [models.Index(fields=["state", "lease_until"], name="gradebatch_by_lease")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("grading", "number"), name="gradebatch_number_once_per_grading"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["queued", "claimed", "failed", "cancelled", "done"])
                        ),
                        name="gradebatch_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "claimed"), _negated=True),
                            models.Q(("claim__isnull", False), ("lease_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="gradebatch_claimed_has_a_lease",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReportTable",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                ("name", models.CharField(max_length=60)),
                ("size", models.PositiveIntegerField()),
                ("body", models.TextField()),
                (
                    "report",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tables",
                        to="annotation.report",
                    ),
                ),
            ],
            options={
                "ordering": ["report", "position"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("report", "name"), name="report_table_once_per_name")
                ],
            },
        ),
        migrations.CreateModel(
            name="TrainingMetric",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("step", models.PositiveIntegerField()),
                ("told", models.JSONField()),
                (
                    "training",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="metrics",
                        to="annotation.training",
                    ),
                ),
            ],
            options={
                "ordering": ["training", "step"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("training", "step"), name="training_metric_once_per_step")
                ],
            },
        ),
        migrations.CreateModel(
            name="Registration",
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
                ("name", models.CharField(max_length=100)),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "arm",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="annotation.arm",
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
                    "training",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="registrations",
                        to="annotation.training",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "abstract": False,
                "indexes": [models.Index(fields=["state", "lease_until"], name="registration_by_lease")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["queued", "claimed", "failed", "cancelled", "done"])
                        ),
                        name="registration_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "claimed"), _negated=True),
                            models.Q(("claim__isnull", False), ("lease_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="registration_claimed_has_a_lease",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("queued", "claimed"))),
                        fields=("training",),
                        name="registration_unfinished_once_per_training",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True),
                            ("arm__isnull", False),
                            _connector="OR",
                        ),
                        name="registration_done_has_an_arm",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Pair",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.BigIntegerField(help_text="Place in the study's shuffled order.")),
                ("overlap", models.PositiveSmallIntegerField()),
                ("open_slots", models.PositiveSmallIntegerField()),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "prompt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pairs",
                        to="annotation.prompt",
                    ),
                ),
                (
                    "response_a",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pairs_as_a",
                        to="annotation.response",
                    ),
                ),
                (
                    "response_b",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pairs_as_b",
                        to="annotation.response",
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pairs",
                        to="annotation.study",
                    ),
                ),
                (
                    "decision",
                    models.CharField(
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
                ("shown_a", models.TextField(null=True)),
                ("shown_b", models.TextField(null=True)),
                (
                    "state",
                    models.CharField(
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
                ("scanner", models.CharField(blank=True, editable=False, max_length=20)),
                (
                    "place",
                    models.BigIntegerField(
                        default=annotation.models.pair.end_of_queue,
                        help_text="Where raters meet it, in ascending order.",
                    ),
                ),
                (
                    "has_room",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Q(("open_slots__gt", 0)),
                        output_field=models.BooleanField(),
                    ),
                ),
            ],
            options={
                "ordering": ["study", "position"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "held")),
                        fields=["study", "position"],
                        name="pair_held_by_position",
                    ),
                    models.Index(
                        condition=models.Q(("has_room", True), ("state", "open")),
                        fields=["study", "place"],
                        name="pair_open_by_place",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("response_a", "response_b"), name="pair_once"),
                    models.CheckConstraint(
                        condition=models.Q(("response_a", models.F("response_b")), _negated=True),
                        name="pair_of_two_different_responses",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("open_slots__gte", 0), ("open_slots__lte", models.F("overlap"))),
                        name="pair_open_slots_within_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("decision__in", ["", "show", "mask", "regenerate", "drop"])),
                        name="pair_decision_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "held", "dropped", "replaced", "gold"])),
                        name="pair_state_is_known",
                    ),
                    models.CheckConstraint(
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
                    models.CheckConstraint(
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
                ],
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
                (
                    "reasoning",
                    models.TextField(blank=True, help_text="What the judge wrote to itself before."),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("grading", "response", "repeat"), name="grade_once_per_repeat"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("safety__isnull", True),
                            models.Q(("safety__gte", 0), ("safety__lte", 1)),
                            _connector="OR",
                        ),
                        name="grade_safety_in_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("helpfulness__isnull", True),
                            models.Q(("helpfulness__gte", 1), ("helpfulness__lte", 4)),
                            _connector="OR",
                        ),
                        name="grade_helpfulness_on_scale",
                    ),
                    models.CheckConstraint(
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
                    models.CheckConstraint(
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
                ],
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
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Assignment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("slot", models.PositiveSmallIntegerField(null=True)),
                (
                    "left_is_a",
                    models.BooleanField(help_text="Side order as shown, drawn from the study's seed."),
                ),
                (
                    "guideline_condition",
                    models.CharField(
                        choices=[
                            ("policy_free", "Policy-free: raters use their own judgment"),
                            ("policy_given", "Policy given: raters read the guideline"),
                        ],
                        default="policy_free",
                        max_length=20,
                    ),
                ),
                (
                    "state",
                    models.CharField(
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
                ("claimed_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField()),
                ("submitted_at", models.DateTimeField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "enrolment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assignments",
                        to="annotation.enrolment",
                    ),
                ),
                (
                    "guideline",
                    models.ForeignKey(
                        db_index=False,
                        help_text="The version the rater is shown, whatever is published meanwhile.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="annotation.guidelineversion",
                    ),
                ),
                (
                    "pair",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assignments",
                        to="annotation.pair",
                    ),
                ),
                (
                    "note",
                    models.TextField(
                        blank=True, help_text="What a rater who flagged the pair says about it."
                    ),
                ),
                (
                    "reason",
                    models.CharField(
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
                ("attempt", models.PositiveSmallIntegerField(default=1)),
                (
                    "kind",
                    models.CharField(
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
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "leased")),
                        fields=["lease_until"],
                        name="assignment_by_lease",
                    ),
                    models.Index(
                        condition=models.Q(("state", "flagged")),
                        fields=["enrolment"],
                        name="assignment_flagged",
                    ),
                    models.Index(fields=["enrolment", "submitted_at"], name="assignment_by_rater_and_time"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("leased", "submitted"))),
                        fields=("pair", "slot"),
                        name="assignment_once_per_slot",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("reason__in", ["garbled", "language", "display", "other"]),
                                ("state", "flagged"),
                            ),
                            models.Q(
                                models.Q(("state", "flagged"), _negated=True), ("note", ""), ("reason", "")
                            ),
                            _connector="OR",
                        ),
                        name="assignment_flagged_has_a_reason",
                    ),
                    models.UniqueConstraint(
                        fields=("pair", "enrolment", "kind", "attempt"), name="assignment_once_per_rater"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("attempt", 1),
                            models.Q(("attempt__gte", 1), ("kind__in", ("practice", "quiz"))),
                            _connector="OR",
                        ),
                        name="assignment_attempts_only_to_learn",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["rated", "gold", "repeat", "practice", "quiz", "senior"])
                        ),
                        name="assignment_kind_is_known",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind__in", ("rated", "gold", "repeat")), ("state", "leased")),
                        fields=("enrolment",),
                        name="assignment_leased_once_per_rater",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind__in", ("practice", "quiz")), ("state", "leased")),
                        fields=("enrolment",),
                        name="assignment_learnt_one_by_one",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "senior"), ("state", "leased")),
                        fields=("enrolment",),
                        name="assignment_adjudicated_one_by_one",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "senior"), ("state__in", ("leased", "submitted"))),
                        fields=("pair",),
                        name="assignment_adjudicated_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("kind", "rated"),
                                ("slot__isnull", False),
                                ("state__in", ("leased", "submitted")),
                            ),
                            models.Q(
                                models.Q(
                                    ("kind", "rated"), ("state__in", ("leased", "submitted")), _negated=True
                                ),
                                ("slot__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="assignment_live_has_a_slot",
                    ),
                    models.CheckConstraint(
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
                ],
            },
        ),
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
                (
                    "pair",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="marks",
                        to="annotation.pair",
                    ),
                ),
                (
                    "response",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="marks",
                        to="annotation.response",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("pair__isnull", False), ("response__isnull", True)),
                            models.Q(("pair__isnull", True), ("response__isnull", False)),
                            _connector="OR",
                        ),
                        name="mark_of_a_response_or_a_pair",
                    ),
                    models.CheckConstraint(
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
                    models.UniqueConstraint(
                        fields=("response", "kind", "scanner"), name="mark_once_per_response_and_kind"
                    ),
                    models.UniqueConstraint(
                        fields=("pair", "kind", "scanner"), name="mark_once_per_pair_and_kind"
                    ),
                ],
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
                    "pair",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="gold", to="annotation.pair"
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gold",
                        to="annotation.study",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "gold",
                "ordering": ["study", "pk"],
                "indexes": [models.Index(fields=["study", "use", "place"], name="gold_by_place")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("use__in", ["check", "practice", "quiz"])),
                        name="gold_use_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tolerance__lte", 6)), name="gold_tolerance_on_scale"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Judgment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("rated", "Rated here"), ("imported", "Imported")],
                        default="rated",
                        max_length=10,
                    ),
                ),
                ("revision", models.PositiveSmallIntegerField(default=1)),
                ("idempotency_key", models.CharField(blank=True, max_length=64)),
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
                ("left_is_a", models.BooleanField(null=True)),
                ("safer", models.SmallIntegerField(null=True)),
                ("safer_canonical", models.SmallIntegerField(null=True)),
                ("more_helpful", models.SmallIntegerField(null=True)),
                ("more_helpful_canonical", models.SmallIntegerField(null=True)),
                ("balance", models.SmallIntegerField(null=True)),
                ("balance_canonical", models.SmallIntegerField(null=True)),
                ("both_bad", models.BooleanField(default=False)),
                ("rationale", models.TextField(blank=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "assignment",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="judgments",
                        to="annotation.assignment",
                    ),
                ),
                (
                    "enrolment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="judgments",
                        to="annotation.enrolment",
                    ),
                ),
                (
                    "guideline",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="annotation.guidelineversion",
                    ),
                ),
                (
                    "pair",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="judgments",
                        to="annotation.pair",
                    ),
                ),
                (
                    "response",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="annotation.response",
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="judgments",
                        to="annotation.study",
                    ),
                ),
                (
                    "confidence",
                    models.PositiveSmallIntegerField(
                        choices=[(1, "Guessing"), (2, "Unsure"), (3, "Fairly sure"), (4, "Certain")],
                        null=True,
                    ),
                ),
                (
                    "extra",
                    models.JSONField(
                        help_text="Answers to the study's further questions, by name; null where there are none.",
                        null=True,
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(fields=["study", "created_at"], name="judgment_by_study_and_time"),
                    models.Index(
                        condition=models.Q(("response__isnull", False)),
                        fields=["response"],
                        name="judgment_by_response",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("assignment", "revision"), name="judgment_revision_once"),
                    models.UniqueConstraint(
                        fields=("assignment", "idempotency_key"), name="judgment_idempotency_key_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("source", "imported")),
                        fields=("enrolment", "response"),
                        name="imported_response_judged_once_per_rater",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("source", "imported")),
                        fields=("enrolment", "pair"),
                        name="imported_pair_judged_once_per_rater",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("assignment__isnull", False),
                                ("left_is_a__isnull", False),
                                ("pair__isnull", False),
                                ("response__isnull", True),
                                ("source", "rated"),
                            ),
                            models.Q(
                                ("assignment__isnull", True),
                                ("pair__isnull", True),
                                ("response__isnull", False),
                                ("source", "imported"),
                            ),
                            models.Q(
                                ("assignment__isnull", True),
                                ("pair__isnull", False),
                                ("response__isnull", True),
                                ("source", "imported"),
                            ),
                            _connector="OR",
                        ),
                        name="judgment_of_a_pair_or_a_response",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("revision__gte", 1)), name="judgment_revision_from_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("both_bad", False),
                            models.Q(("balance__isnull", True), ("balance_canonical__isnull", True)),
                            _connector="OR",
                        ),
                        name="judgment_both_bad_is_not_a_balance",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("left_is_a__isnull", True), ("safer__isnull", True)),
                            models.Q(("safer__isnull", True), ("safer_canonical__isnull", True)),
                            models.Q(
                                ("safer__isnull", False),
                                ("safer_canonical__isnull", False),
                                ("left_is_a", True),
                                ("left_is_a__isnull", False),
                                ("safer", models.F("safer_canonical")),
                            ),
                            models.Q(
                                ("safer__isnull", False),
                                ("safer_canonical__isnull", False),
                                ("left_is_a", False),
                                ("left_is_a__isnull", False),
                                (
                                    "safer",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("safer_canonical"), "*", models.Value(-1)
                                    ),
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="judgment_safer_canonical_matches_shown",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("left_is_a__isnull", True), ("more_helpful__isnull", True)),
                            models.Q(
                                ("more_helpful__isnull", True), ("more_helpful_canonical__isnull", True)
                            ),
                            models.Q(
                                ("more_helpful__isnull", False),
                                ("more_helpful_canonical__isnull", False),
                                ("left_is_a", True),
                                ("left_is_a__isnull", False),
                                ("more_helpful", models.F("more_helpful_canonical")),
                            ),
                            models.Q(
                                ("more_helpful__isnull", False),
                                ("more_helpful_canonical__isnull", False),
                                ("left_is_a", False),
                                ("left_is_a__isnull", False),
                                (
                                    "more_helpful",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("more_helpful_canonical"), "*", models.Value(-1)
                                    ),
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="judgment_more_helpful_canonical_matches_shown",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("balance__isnull", True), ("left_is_a__isnull", True)),
                            models.Q(("balance__isnull", True), ("balance_canonical__isnull", True)),
                            models.Q(
                                ("balance__isnull", False),
                                ("balance_canonical__isnull", False),
                                ("balance", models.F("balance_canonical")),
                                ("left_is_a", True),
                                ("left_is_a__isnull", False),
                            ),
                            models.Q(
                                ("balance__isnull", False),
                                ("balance_canonical__isnull", False),
                                (
                                    "balance",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("balance_canonical"), "*", models.Value(-1)
                                    ),
                                ),
                                ("left_is_a", False),
                                ("left_is_a__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="judgment_balance_canonical_matches_shown",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("safer__isnull", True),
                                models.Q(("safer__gte", -3), ("safer__lte", 3)),
                                _connector="OR",
                            ),
                            models.Q(
                                ("safer_canonical__isnull", True),
                                models.Q(("safer_canonical__gte", -3), ("safer_canonical__lte", 3)),
                                _connector="OR",
                            ),
                        ),
                        name="judgment_safer_on_scale",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("more_helpful__isnull", True),
                                models.Q(("more_helpful__gte", -3), ("more_helpful__lte", 3)),
                                _connector="OR",
                            ),
                            models.Q(
                                ("more_helpful_canonical__isnull", True),
                                models.Q(
                                    ("more_helpful_canonical__gte", -3), ("more_helpful_canonical__lte", 3)
                                ),
                                _connector="OR",
                            ),
                        ),
                        name="judgment_more_helpful_on_scale",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("balance__isnull", True),
                                models.Q(("balance__gte", -3), ("balance__lte", 3)),
                                _connector="OR",
                            ),
                            models.Q(
                                ("balance_canonical__isnull", True),
                                models.Q(("balance_canonical__gte", -3), ("balance_canonical__lte", 3)),
                                _connector="OR",
                            ),
                        ),
                        name="judgment_balance_on_scale",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("confidence__isnull", True), ("confidence__in", [1, 2, 3, 4]), _connector="OR"
                        ),
                        name="judgment_confidence_is_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Draft",
            fields=[
                ("token", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("answers", models.JSONField(default=dict)),
                ("seen", models.JSONField(default=list)),
                ("version", models.PositiveIntegerField(default=1)),
                ("updated_at", models.DateTimeField()),
                (
                    "assignment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drafts",
                        to="annotation.assignment",
                    ),
                ),
            ],
            options={
                "ordering": ["-updated_at"],
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("version__gte", 1)), name="draft_version_counts_from_one"
                    )
                ],
            },
        ),
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
                (
                    "assignment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjudication",
                        to="annotation.assignment",
                    ),
                ),
                (
                    "pair",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjudication",
                        to="annotation.pair",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
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
                    )
                ],
            },
        ),
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
                (
                    "assignment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="flag_answer",
                        to="annotation.assignment",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("decision__in", ["keep", "hold", "drop"])),
                        name="flag_answer_decision_is_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ResponseJudgment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("side", models.CharField(blank=True, choices=[("left", "A"), ("right", "B")], max_length=5)),
                (
                    "safety",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("clearly_safe", "Clearly safe"),
                            ("probably_safe", "Probably safe"),
                            ("probably_unsafe", "Probably unsafe"),
                            ("clearly_unsafe", "Clearly unsafe"),
                        ],
                        max_length=20,
                    ),
                ),
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
                (
                    "judgment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses",
                        to="annotation.judgment",
                    ),
                ),
                (
                    "response",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="judged",
                        to="annotation.response",
                    ),
                ),
                (
                    "categories",
                    models.JSONField(
                        default=list,
                        help_text="Harm categories that the rater saw in it, of the study's list.",
                    ),
                ),
                (
                    "facilitation",
                    models.BooleanField(
                        help_text="Whether it would bring a person with harmful aims meaningfully closer to the act.",
                        null=True,
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("judgment", "response"), name="response_judged_once_per_judgment"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "safety__in",
                                ["", "clearly_safe", "probably_safe", "probably_unsafe", "clearly_unsafe"],
                            )
                        ),
                        name="response_judgment_safety_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("severity", ""),
                            models.Q(
                                ("safety__in", ("probably_unsafe", "clearly_unsafe")),
                                ("severity__in", ["negligible", "low", "moderate", "high"]),
                            ),
                            _connector="OR",
                        ),
                        name="response_judgment_severity_only_if_unsafe",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("helpfulness__isnull", True),
                            models.Q(("helpfulness__gte", 1), ("helpfulness__lte", 4)),
                            _connector="OR",
                        ),
                        name="response_judgment_helpfulness_on_scale",
                    ),
                    models.CheckConstraint(
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
                            )
                        ),
                        name="response_judgment_mode_is_known",
                    ),
                ],
            },
        ),
        migrations.RunPython(finish, remove),
    ]
