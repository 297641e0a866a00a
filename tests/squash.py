"""Write one migration that makes at once what all until a certain one make: docs/rules/migrations.md.

`python -m tests.squash 0028_setup` writes `annotation/migrations/0001_squashed_0028_setup.py`, for the tables
as they are then. What migrations do beside Django's models it cannot know: that is added by hand.
"""

import os
import sys
from pathlib import Path

import django
from django.db.migrations import CreateModel, Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState
from django.db.migrations.writer import MigrationWriter

APP = "annotation"


def write(last: str) -> Path:
    """The new migration's file. It must stand after the first one by name: what depends on "the first" of the
    app, as other apps do, means that one."""
    loader = MigrationLoader(None)
    plan = [key for key in loader.graph.forwards_plan((APP, last)) if key[0] == APP]
    made = Migration(f"{plan[0][1].split('_')[0]}_squashed_{last}", APP)
    made.initial = True
    made.replaces = plan
    made.dependencies = sorted(
        parent for key in plan for parent in loader.disk_migrations[key].dependencies if parent[0] != APP
    )
    state = loader.project_state([(APP, last)])
    made.operations = [
        CreateModel(model.name, list(model.fields.items()), model.options, model.bases, model.managers)
        for model in in_order({name: model for (app, name), model in state.models.items() if app == APP})
    ]
    file = Path(MigrationWriter(made).path)
    file.write_text(MigrationWriter(made).as_string())
    return file


def in_order(models: dict[str, ModelState]) -> list[ModelState]:
    """Each after those that it refers to. Raises ValueError for a circle, which needs an `AddField`."""
    placed: dict[str, ModelState] = {}
    while waiting := [name for name in models if name not in placed]:
        ready = [name for name in waiting if not names_referred_to(models[name]) & set(waiting) - {name}]
        if not ready:
            raise ValueError(f"These refer to each other: {', '.join(waiting)}.")
        placed |= {name: models[name] for name in ready}
    return list(placed.values())


def names_referred_to(model: ModelState) -> set[str]:
    relations = [field.remote_field.model for field in model.fields.values() if field.remote_field]
    return {relation.split(".")[1].lower() for relation in relations if relation.startswith(f"{APP}.")}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation.settings")
    django.setup()
    print(write(sys.argv[1]))
