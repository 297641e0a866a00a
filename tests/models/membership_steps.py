"""Migration 0022 there and back, on the empty database of a process of its own; tells who is what as JSON.

Run by `test_membership_migration.py`.
"""

import json

import django

django.setup()

from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

from tests.migrated import no_squash  # noqa: E402

BEFORE, AFTER = ("annotation", "0021_fewer_indexes"), ("annotation", "0022_membership")


def tables_at(name: tuple[str, str]):
    executor = MigrationExecutor(connection)
    executor.migrate([name])
    return MigrationExecutor(connection).loader.project_state([name]).apps


def people_of(apps) -> list[tuple[str, str, str]]:
    rows = apps.get_model("annotation", "Membership").objects.order_by("study__slug", "user__username")
    return [(row.study.slug, row.user.username, row.role) for row in rows]


def researchers_of(apps) -> list[tuple[str, str]]:
    named = apps.get_model("annotation", "Study").researchers.through.objects
    return sorted(named.values_list("study__slug", "user__username"))


def told() -> dict:
    old = tables_at(BEFORE)
    users, studies = old.get_model("annotation", "User").objects, old.get_model("annotation", "Study").objects
    alice, mallory = (users.create(username=name, is_staff=True) for name in ("alice", "mallory"))
    gone = users.create(username="gone", is_staff=False)
    kites, boats, _ = (studies.create(slug=name, title=name, seed=1) for name in ("kites", "boats", "empty"))
    kites.researchers.set([alice, mallory, gone])
    boats.researchers.set([mallory])
    members = people_of(tables_at(AFTER))
    return {"members": members, "back": researchers_of(tables_at(BEFORE))}


with no_squash():
    print(json.dumps(told()))
