"""A new database, made by one migration, is the one that many made before it: docs/rules/migrations.md."""

import json

import pytest
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from tests.elsewhere import another_place, run_there
from tests.migrated import no_squash


@pytest.fixture(scope="module")
def made(passing_db, tmp_path_factory) -> dict[str, dict]:
    """By each way, what there is in the end."""
    told = {}
    for way in ("squash", "singles"):
        with another_place(tmp_path_factory.mktemp(way)) as environment:
            ended = run_there(environment, "-m", "tests.migrated", way)
        assert ended.returncode == 0, ended.stderr
        told[way] = json.loads(ended.stdout)
    return told


KINDS = {
    "sqlite": ("tables", "columns", "foreign keys", "unique", "indexes", "triggers"),
    "postgresql": ("columns", "storage", "indexes", "constraints", "triggers", "functions", "sequences"),
}


@pytest.mark.slow
@pytest.mark.django_db
def test_both_ways_make_the_same_database(made):
    for kind in KINDS[connection.vendor]:
        assert len(made["squash"][kind]) >= 30, kind
        assert made["squash"][kind] == made["singles"][kind], kind


@pytest.mark.slow
@pytest.mark.django_db
def test_both_ways_put_in_the_same_rows(made):
    here, there = (
        {table: rows for table, rows in made[way]["rows"].items() if not table.startswith("annotation_")}
        for way in ("squash", "singles")
    )
    assert here == there and {"django_content_type", "auth_permission", "django_migrations"} <= set(here)
    assert not [table for table in made["squash"]["rows"] if table.startswith("annotation_")]


@pytest.mark.slow
@pytest.mark.django_db
def test_an_earlier_installation_goes_on_with_its_rows(made):
    rows = made["singles"]["rows"]
    assert [row["language"] for row in rows["annotation_prompt"]] == ["de"]
    assert [row["role"] for row in rows["annotation_membership"]] == ["owner"]
    assert [row["source"] for row in rows["annotation_judgment"]] == ["imported"]
    assert [row["has_room"] for row in rows["annotation_pair"]] in (["1"], ["True"])


def state_after(loader: MigrationLoader, name: str) -> ProjectState:
    """Of Evenhand's models alone, since those of other apps are migrated between."""
    state = loader.project_state([("annotation", name)])
    return ProjectState({key: model for key, model in state.models.items() if key[0] == "annotation"})


@pytest.mark.once
def test_the_squash_makes_the_models_that_the_others_make():
    here = MigrationLoader(None)
    (squash,) = [migration for (app, _), migration in here.replacements.items() if app == "annotation"]
    with no_squash():
        there = MigrationLoader(None)
        last = squash.replaces[-1][1]
        before, after = state_after(there, last), state_after(here, squash.name)
    assert len(before.models) > 50
    for found, asked in ((before, after), (after, before)):
        assert MigrationAutodetector(found, asked).changes(there.graph) == {}
