"""Whatever the answers are, every table is made, says why a value is missing, and is the same every time."""

import json
import random
from functools import cache

import pytest

from annotation.reports.agreement_tables import tables
from annotation.reports.rows import UNANSWERED, Answers
from annotation.reports.tables import Table
from tests.reports.invented import answers, drawn
from tests.reports.studies import a_varied_study

NAMES = (
    ["agreement", "agreement_notes", "agreement_by_slice", "rater_pairs", "labels", "label_methods"]
    + ["outcomes", "outcomes_by_category", "outcomes_by_subset", "severity", "safety_levels", "modes"]
    + ["reward", "reward_means"]
)
OF_THE_GRADER = ["grader_confusion", "grader_agreement", "grader_calibration", "grader_confusion_by_rater"]


def all_the_same(raters=2, items=3):
    return answers(
        [
            {
                "rater": r,
                "response": i,
                "prompt": i,
                "safety": 0,
                "helpfulness": 4,
                "mode": 0,
                "facilitation": 0,
            }
            for r in range(raters)
            for i in range(items)
        ],
        [
            {"rater": r, "pair": i, "prompt": i, "arm_b": 1, "safer": 0, "more_helpful": 0, "balance": 0}
            for r in range(raters)
            for i in range(items)
        ],
        [{"response": i, "prompt": i, "s": 1.0, "h": 1.0, "severity": UNANSWERED} for i in range(items)],
    )


def scattered(seed):
    """Anything the tables may hold, most of it unanswered."""
    draw = random.Random(seed)
    some = lambda values: draw.choice([*values, UNANSWERED, UNANSWERED])  # noqa: E731
    rows = []
    for _ in range(draw.randrange(1, 14)):
        unsafe = draw.random() < 0.5
        where = draw.randrange(4)
        rows.append(
            {"rater": draw.randrange(3), "response": 2 * where + draw.randrange(2), "prompt": where}
            | {
                "safety": some((2, 3) if unsafe else (0, 1)),
                "severity": some(range(4)) if unsafe else UNANSWERED,
            }
            | {"helpfulness": some(range(1, 5)), "mode": some(range(6)), "facilitation": some((0, 1))}
        )
        rows[-1]["arm"] = rows[-1]["response"] % 2
    pairs = [
        {
            "rater": draw.randrange(3),
            "pair": i // 2,
            "prompt": i // 2,
            "arm_b": 1,
            "safer": some(range(-3, 4)),
        }
        for i in range(draw.randrange(6))
    ]
    grades = [
        {"response": i, "prompt": i // 2, "arm": i % 2, "s": draw.random(), "h": draw.random()}
        | {"unsafe": bool(i % 3), "severity": draw.randrange(4) if i % 3 else UNANSWERED}
        for i in range(draw.randrange(5))
    ]
    return answers(rows, pairs, grades)


ODD = {
    "empty": answers,
    "one judgment": lambda: all_the_same(1, 1),
    "one rater": lambda: drawn(judgments=20, raters=1, overlap=1),
    "one category, all ties": all_the_same,
    "raters who never met": lambda: drawn(judgments=20, raters=20, overlap=1),
    "grades alone": lambda: answers(
        grades=[{"response": 0, "prompt": 0, "s": 0.5, "h": 0.5, "unsafe": True}]
    ),
    "one arm": lambda: answers(
        [{"rater": r, "response": 0, "prompt": 0, "safety": r} for r in range(3)], arms=("alone",)
    ),
    **{f"scattered {seed}": (lambda seed=seed: scattered(seed)) for seed in range(6)},
}


@cache
def tables_of(name: str) -> tuple[Table, ...]:
    return tuple(tables(ODD[name]()))


def as_bytes(found):
    """Refuses NaN, and NumPy's own numbers."""
    return json.dumps([table.as_json() for table in found], allow_nan=False).encode()


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("name", ODD)
def test_every_table_is_made_of_odd_answers_and_is_the_same_again(name):
    told, found = ODD[name](), tables_of(name)
    expected = NAMES + (OF_THE_GRADER if len(told.of_grades) else []) + ["label_posteriors"]
    assert [table.name for table in found] == expected
    assert as_bytes(found) == as_bytes(tables(told))


@pytest.mark.once
@pytest.mark.parametrize("name", ODD)
def test_a_missing_value_has_a_reason_and_a_value_has_its_bounds(name):
    for table in tables_of(name):
        estimates = [column[: -len("_reason")] for column in table.names if column.endswith("_reason")]
        for row in table.dicts():
            for estimate in estimates:
                value, low, high = (row[estimate + end] for end in ("", "_low", "_high"))
                assert value is not None or row[f"{estimate}_reason"], (table.name, estimate)
                assert low is not None or row[f"{estimate}_reason"], (table.name, estimate)
                if low is not None:
                    assert low <= high


@pytest.mark.slow
@pytest.mark.once
def test_every_table_says_what_it_counts_and_how_to_read_it():
    for table in tables(drawn(judgments=60)):
        assert table.n in table.names
        assert table.title and table.caption.endswith(".")
        assert Table.from_json(json.loads(json.dumps(table.as_json()))) == table


@pytest.mark.slow
@pytest.mark.django_db
def test_a_study_in_the_database_has_all_of_them(django_assert_num_queries):
    told = Answers.of_study(a_varied_study(6))
    with django_assert_num_queries(0):
        found = {table.name: table for table in tables(told)}
    assert list(found) == [*NAMES, "label_posteriors"]
    rows = {row["question"]: row for row in found["agreement"].dicts()}
    assert rows["safety"]["judgments"] == 24
    assert rows["safety"]["items"] == 12
    assert {row["arm"] for row in found["outcomes"].dicts()} == set(told.arms)
