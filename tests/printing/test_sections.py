"""Tables as they are shown: each cell is greyed by what stands behind it."""

import pytest

from annotation.printing.sections import TableView
from annotation.reports.results import MAKERS
from tests.reports.made import drawn, made

pytestmark = pytest.mark.once


def view(answers, name: str) -> TableView:
    return next(TableView(table) for make in MAKERS for table in make(answers) if table.name == name)


def cell(shown: TableView, line, name: str):
    return line.cells[[column.name for column in shown.columns].index(name) - 1]


def test_helpfulness_is_greyed_by_the_judgments_behind_it_and_not_by_its_row():
    """40 judgments of each arm; 29 of the first arm's call the answer safe."""
    responses = [
        {
            **{"prompt": p, "response": 2 * p + arm, "arm": arm, "helpfulness": 3},
            **({"safety": 3, "severity": 1} if arm == 0 and p >= 29 else {"safety": 0}),
        }
        for p in range(40)
        for arm in (0, 1)
    ]
    shown = view(made(responses=responses), "outcomes")
    of_all = shown.lines[-2:]
    assert [line.few for line in of_all] == [False, False]
    assert [cell(shown, line, "helpful").few for line in of_all] == [True, False]
    assert not any(cell(shown, line, "safe").few for line in of_all)


@pytest.mark.slow
def test_every_column_that_counts_for_another_is_in_the_table():
    for make in MAKERS:
        for table in make(drawn(prompts=3)):
            counts = {column.name for column in table.columns if column.kind == "count"}
            assert {column.n for column in table.columns if column.n} | {table.n} <= counts
