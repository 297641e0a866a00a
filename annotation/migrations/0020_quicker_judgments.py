"""A judgment costs the database less: longer checks as functions, and pairs whose update touches no index.

`has_room` changes when the last slot goes or one comes back, `open_slots` with each claim: with the former in
the index's condition, most claims write one row's new version beside the old and no index at all.
"""

from django.db import migrations, models

from annotation.models import checks, functions, triggers

ROOM_TO_UPDATE = "ALTER TABLE annotation_pair SET (fillfactor = %s)"


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)
    functions.install(schema_editor.connection)


def shorten(apps, schema_editor) -> None:
    checks.shorten(schema_editor.connection)


def leave_room(apps, schema_editor) -> None:
    _fill(schema_editor, 85)


def leave_none(apps, schema_editor) -> None:
    _fill(schema_editor, 100)


def _fill(schema_editor, percent: int) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(ROOM_TO_UPDATE % percent)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0019_training")]

    # SQLite rebuilds the pairs, which triggers read, and refuses to while a trigger is there.
    operations = [
        migrations.RunPython(remove, install),
        migrations.RunPython(leave_room, leave_none),
        migrations.RemoveIndex("pair", "pair_open_by_place"),
        migrations.AddField(
            "pair",
            "has_room",
            models.GeneratedField(
                db_persist=True, expression=models.Q(open_slots__gt=0), output_field=models.BooleanField()
            ),
        ),
        migrations.AddIndex(
            "pair",
            models.Index(
                condition=models.Q(has_room=True, state="open"),
                fields=["study", "place"],
                name="pair_open_by_place",
            ),
        ),
        migrations.RunPython(shorten, migrations.RunPython.noop),
        migrations.RunPython(install, remove),
    ]
