"""Operations that let a site go on meanwhile: docs/rules/migrations.md."""

from django.db.migrations import AddConstraint, AddIndex, RemoveConstraint

from annotation.models import checks


class AddIndexQuietly(AddIndex):
    """An index on a large table: PostgreSQL builds it without keeping writers out.

    Its migration stands alone and has `atomic = False`. When it is interrupted, PostgreSQL keeps an invalid index
    of that name: drop it, and migrate again.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        quietly = {"concurrently": True} if schema_editor.connection.vendor == "postgresql" else {}
        schema_editor.add_index(model, self.index, **quietly)


class _ChecksTogether:
    """A check of a table whose checks PostgreSQL looks at together: they are put together anew."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if checks.is_together(model, schema_editor):
            checks.put_together(model, schema_editor)
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if checks.is_together(model, schema_editor):
            checks.put_together(model, schema_editor)
        else:
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class AddCheck(_ChecksTogether, AddConstraint):
    """A check of a table of `models/checks.py`, on any database."""


class RemoveCheck(_ChecksTogether, RemoveConstraint):
    """Takes such a check away, on any database."""
