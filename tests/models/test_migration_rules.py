"""Migrations let the code of the version before go on meanwhile: docs/rules/migrations.md."""

from importlib import import_module

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.models.fields import NOT_PROVIDED

from annotation.migrations._operations import AddCheck, AddIndexQuietly, RemoveCheck
from annotation.models.checks import TABLES

pytestmark = pytest.mark.once

FIRST = "0021"  # those before were made when nobody had installed a version yet
LARGE = {"judgment", "responsejudgment", "assignment", "event", "pair", "response", "batchitem", "grade"}
TOGETHER_SINCE = "0029"
UNIQUE: set[str] = set()
"""Constraints that are no checks and that a migration removed from one of the tables of rule 8."""
REMOVES = (migrations.RemoveField, migrations.DeleteModel, migrations.RenameField, migrations.RenameModel)
REMOVES += (migrations.AlterModelTable,)


def younger_migrations() -> list[str]:
    names = [name for app, name in MigrationLoader(None).disk_migrations if app == "annotation"]
    return sorted(name for name in names if name >= FIRST)


def is_given_by_the_database(field: models.Field) -> bool:
    """Whether the code of the version before, which does not know the column, can still insert rows."""
    if field.many_to_many or field.null or isinstance(field, models.GeneratedField):
        return True
    return field.db_default is not NOT_PROVIDED


def is_of_a_check(op: object) -> bool:
    """Whether Django's own operation adds a check, or removes what may be one: it has a name only."""
    if isinstance(op, AddCheck | RemoveCheck):
        return False
    added = isinstance(op, migrations.AddConstraint) and isinstance(op.constraint, models.CheckConstraint)
    removed = isinstance(op, migrations.RemoveConstraint) and op.name not in UNIQUE
    return added or removed


def breaks(migration: migrations.Migration) -> list[str]:
    """Each rule that the migration breaks, as a sentence."""
    found, made_here = (
        [],
        {op.name_lower for op in migration.operations if isinstance(op, migrations.CreateModel)},
    )
    for op in migration.operations:
        table = getattr(op, "model_name", "").lower()
        if isinstance(op, REMOVES):
            found.append(f"{op.describe()}: the version before still uses it (rule 3).")
        elif table in made_here:
            continue
        elif isinstance(op, migrations.AddField) and not is_given_by_the_database(op.field):
            found.append(f"{op.describe()}: it needs null=True or a db_default (rule 2).")
        elif isinstance(op, migrations.AddIndex) and table in LARGE:
            if not isinstance(op, AddIndexQuietly):
                found.append(f"{op.describe()}: use AddIndexQuietly (rule 4).")
            elif migration.atomic or len(migration.operations) > 1:
                found.append(f"{op.describe()}: its migration stands alone, with atomic = False (rule 4).")
        elif table in TABLES and migration.name > TOGETHER_SINCE and is_of_a_check(op):
            found.append(f"{op.describe()}: use AddCheck or RemoveCheck (rule 8).")
    return found


@pytest.mark.parametrize("name", younger_migrations())
def test_the_version_before_can_go_on(name):
    module = import_module(f"annotation.migrations.{name}")
    if getattr(module, "NEEDS_A_STOP", ""):
        return  # it says so; whoever reviews it sees why
    assert breaks(module.Migration(name, "annotation")) == []


def a_migration(*operations, atomic: bool = True) -> migrations.Migration:
    made = migrations.Migration("0099_made", "annotation")
    made.operations, made.atomic = list(operations), atomic
    return made


INDEX = models.Index(fields=["verb"], name="some_index")
CHECK = models.CheckConstraint(condition=models.Q(revision__lt=9), name="some_check")


@pytest.mark.parametrize(
    ("operation", "rule"),
    [
        (migrations.AddField("study", "motto", models.TextField(default="")), "rule 2"),
        (migrations.AddField("study", "count", models.IntegerField()), "rule 2"),
        (migrations.RemoveField("study", "title"), "rule 3"),
        (migrations.RenameField("study", "title", "name"), "rule 3"),
        (migrations.DeleteModel("Draft"), "rule 3"),
        (migrations.AddIndex("event", INDEX), "use AddIndexQuietly"),
        (AddIndexQuietly("event", INDEX), "stands alone"),
        (migrations.AddConstraint("judgment", CHECK), "use AddCheck"),
        (migrations.RemoveConstraint("judgment", "some_check"), "RemoveCheck"),
    ],
)
def test_a_broken_rule_is_named(operation, rule):
    (told,) = breaks(a_migration(operation))
    assert rule in told


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("study", "motto", models.TextField(db_default="")),
        migrations.AddField("study", "motto", models.TextField(null=True)),
        migrations.AddField("study", "others", models.ManyToManyField("annotation.User")),
        migrations.AddIndex("draft", INDEX),
        migrations.AddConstraint("draft", CHECK),
        migrations.AddConstraint("judgment", models.UniqueConstraint(fields=["pair"], name="some_unique")),
        AddCheck("judgment", CHECK),
        RemoveCheck("judgment", "some_check"),
    ],
)
def test_what_keeps_the_rules_passes(operation):
    assert breaks(a_migration(operation)) == []
    assert breaks(a_migration(AddIndexQuietly("event", INDEX), atomic=False)) == []
