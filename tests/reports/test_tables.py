"""Tables hold every number of a report."""

import json

import pytest

from annotation.reports.tables import Column, Table, estimate_cells, estimate_columns
from annotation.stats.estimate import Estimate, undefined

pytestmark = pytest.mark.once


def test_a_table_survives_being_stored_as_json():
    columns = (
        Column("arm", "Arm"),
        *estimate_columns("rate", "Win rate", "share"),
        Column("n", "n", "count"),
    )
    rows = (
        ("left", *estimate_cells(Estimate(0.5, 0.4, 0.6, 40)), 40),
        ("right", *estimate_cells(undefined(0, "Nobody judged it.")), 0),
    )
    table = Table("rates", "Rates", "Ties count as half.", columns, rows, n="n")
    assert Table.from_json(json.loads(json.dumps(table.as_json()))) == table


def test_a_row_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        Table("rates", "Rates", "", (Column("arm", "Arm"),), (("left", 1),))


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match="same name"):
        Table("rates", "Rates", "", (Column("arm", "Arm"), Column("arm", "Other arm")), ())


def test_an_estimate_that_does_not_exist_keeps_its_reason():
    names = [column.name for column in estimate_columns("alpha", "Alpha", "number")]
    assert names == ["alpha", "alpha_low", "alpha_high", "alpha_reason"]
    assert estimate_cells(undefined(3, "One rater.")) == (None, None, None, "One rater.")
