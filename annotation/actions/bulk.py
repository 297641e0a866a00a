"""Many new rows at once: made from a blueprint, saved by COPY on PostgreSQL, elsewhere as Django does.

COPY fires the same triggers and checks the same constraints as INSERT does.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property

from django.db import connection, models
from django.db.models.base import ModelState
from django.db.models.fields import NOT_PROVIDED

FEWEST = 50  # rows; fewer are not worth a COPY


class Blueprint:
    """Makes unsaved rows of a model in a tenth of the time that its constructor takes.

    Rows share the defaults of fields that are not given, so nobody may change such a value in its place.
    """

    def __init__(self, model: type[models.Model]):
        self._model = model

    @cached_property
    def _defaults(self) -> dict:
        return {name: value for name, value in self._model().__dict__.items() if name != "_state"}

    def __call__(self, related: dict[str, models.Model], values: dict) -> models.Model:
        """A row with `related` rows, saved or not, by their fields' names, and `values` by their columns'."""
        row = self._model.__new__(self._model)
        row._state = state = ModelState()
        state.fields_cache = related
        row.__dict__.update(self._defaults)
        row.__dict__.update(values)
        for name, other in related.items():
            row.__dict__[f"{name}_id"] = other.pk
        return row


def refer_to_saved(rows: Sequence[models.Model], *names: str) -> None:
    """Have rows know the primary keys of others, which were saved after the rows were made.

    Past Django's descriptors, which would forget the other row.
    """
    for row in rows:
        for name in names:
            row.__dict__[f"{name}_id"] = row._state.fields_cache[name].pk


def insert(rows: Sequence[models.Model]) -> None:
    """Save unsaved rows of one table and give them their primary keys. Raises what the database says."""
    if not rows:
        return
    model = type(rows[0])
    if connection.vendor != "postgresql" or len(rows) < FEWEST:
        model._default_manager.bulk_create(rows)
        return
    with connection.cursor() as cursor:
        _number(cursor, model, rows)
        fields = [field for field in model._meta.concrete_fields if _is_given(field, rows[0])]
        columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
        table = connection.ops.quote_name(model._meta.db_table)
        readers = [(field.attname, _written(field)) for field in fields]
        with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                values = row.__dict__
                copy.write_row([write(values[name]) for name, write in readers])
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def _number(cursor, model: type[models.Model], rows: Sequence[models.Model]) -> None:
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
        [model._meta.db_table, model._meta.pk.column, len(rows)],
    )
    name = model._meta.pk.attname
    for row, (number,) in zip(rows, cursor.fetchall(), strict=True):
        row.__dict__[name] = number


def _is_given(field: models.Field, row: models.Model) -> bool:
    """Whether rows bring a value; where the database has a default, they all do or none does."""
    if field.generated:
        return False
    return field.db_default is NOT_PROVIDED or isinstance(getattr(row, field.attname), datetime)


def _written(field: models.Field) -> Callable[[object], object]:
    """How a value of the field is given to COPY."""
    return json.dumps if isinstance(field, models.JSONField) else _as_it_is


def _as_it_is(value: object) -> object:
    return value
