"""People beside the grader, counted again in plain Python."""

from collections import Counter, defaultdict
from functools import cache
from statistics import fmean

import pytest

from annotation.reports.grader import grader_tables
from annotation.reports.rows import UNANSWERED
from annotation.vocabulary import Severity
from tests.reports.invented import answers, drawn

pytestmark = pytest.mark.once

BAD = ("safe", *Severity.values)


@cache
def tables(told):
    return {table.name: table for table in grader_tables(told)}


@pytest.fixture(scope="module")
def told():
    return drawn(judgments=300, raters=5, seed=8)


def word(question, row, unsafe):
    if question == "unsafe":
        return "unsafe" if unsafe else "safe"
    if not unsafe:
        return "safe"
    return None if row["severity"] == UNANSWERED else Severity.values[row["severity"]]


def beside(told, question, arm="all"):
    """(rater, response, prompt, human, grader, s) of each rater's first judgment of each graded response."""
    grades = {int(row["response"]): row for row in told.of_grades}
    found, seen = [], set()
    for row in told.of_responses:
        key = int(row["rater"]), int(row["response"])
        grade = grades.get(key[1])
        if key in seen or grade is None or arm not in ("all", told.arms[row["arm"]]):
            continue
        seen.add(key)
        human = word(question, row, row["safety"] >= 2)
        graded = word(question, grade, grade["unsafe"])
        if human and graded:
            found.append((*key, int(row["prompt"]), human, graded, float(grade["s"])))
    return found


def against(told, question, whom, arm="all"):
    """The (human, grader) labels, and how many responses the majority could not decide."""
    rows = beside(told, question, arm)
    if whom == "judgments":
        return [(row[3], row[4]) for row in rows], 0
    if whom != "majority":
        return [(row[3], row[4]) for row in rows if f"r{row[0]:03}" == whom], 0
    said, graded = defaultdict(list), {}
    for row in rows:
        said[row[1]].append(row[3])
        graded[row[1]] = row[4]
    found, undecided = [], 0
    for response, labels in said.items():
        (top, most), *others = Counter(labels).most_common()
        if others and others[0][1] == most:
            undecided += 1
        else:
            found.append((top, graded[response]))
    return found, undecided


def test_the_confusion_counts_people_and_grader(told):
    counted = defaultdict(dict)
    rows = [*tables(told)["grader_confusion"].dicts(), *tables(told)["grader_confusion_by_rater"].dicts()]
    for row in rows:
        counted[row["question"], row["against"]][row["human"], row["grader"]] = row["count"]
        assert row["share"] == pytest.approx(row["count"] / row["judgments"])
    assert len(counted) == 2 * (2 + 5)
    for (question, whom), cells in counted.items():
        pairs, _ = against(told, question, whom)
        assert {key: count for key, count in cells.items() if count} == Counter(pairs)


def kappa(pairs, apart):
    expected = fmean(apart(a, b) for a, _ in pairs for _, b in pairs)
    return 1 - fmean(apart(a, b) for a, b in pairs) / expected


def test_accuracy_and_kappas_are_their_definitions(told):
    rows = list(tables(told)["grader_agreement"].dicts())
    assert len(rows) == 2 * (2 * (1 + len(told.arms)) + 5)
    for row in rows:
        pairs, undecided = against(told, row["question"], row["against"], row["arm"])
        assert row["accuracy"] == pytest.approx(fmean(a == b for a, b in pairs))
        assert row["kappa"] == pytest.approx(kappa(pairs, lambda a, b: float(a != b)))
        squared = kappa(pairs, lambda a, b: (rank(a) - rank(b)) ** 2)
        assert row["kappa_quadratic"] == pytest.approx(squared)
        unsafe = [b != "safe" for a, b in pairs if a != "safe"]
        safe = [b == "safe" for a, b in pairs if a == "safe"]
        assert row["unsafe_found"] == pytest.approx(fmean(unsafe))
        assert row["safe_cleared"] == pytest.approx(fmean(safe))
        assert row["judgments"] == len(pairs)
        if row["arm"] == "all":
            assert row["undecided"] == undecided


def rank(label):
    return 1 if label == "unsafe" else BAD.index(label)


def test_calibration_is_that_of_plain_python(told):
    for arm in ("all", *told.arms):
        rows = beside(told, "unsafe", arm)
        inside = defaultdict(list)
        for *_, human, _, s in rows:
            inside[min(9, int(s * 10 + 1e-9))].append((s, human == "safe"))
        table = [row for row in tables(told)["grader_calibration"].dicts() if row["arm"] == arm]
        assert [round(row["low"] * 10) for row in table] == sorted(inside)
        for row in table:
            cell = inside[round(row["low"] * 10)]
            assert row["mean_s"] == pytest.approx(fmean(s for s, _ in cell))
            assert row["safe"] == pytest.approx(fmean(yes for _, yes in cell))
            assert row["gap"] == pytest.approx(row["mean_s"] - row["safe"])
            assert row["judgments"] == len(cell)
        error = sum(abs(row["gap"]) * row["judgments"] for row in table) / len(rows)
        (whole,) = [
            row
            for row in tables(told)["grader_agreement"].dicts()
            if (row["arm"], row["against"], row["question"]) == (arm, "judgments", "unsafe")
        ]
        assert whole["calibration_error"] == pytest.approx(error)


def test_other_rows_have_no_calibration_and_say_why(told):
    for row in tables(told)["grader_agreement"].dicts():
        if (row["against"], row["question"]) != ("judgments", "unsafe"):
            assert row["calibration_error"] is None
            assert "all judgments" in row["calibration_error_reason"]


def test_without_grades_there_are_no_tables():
    assert grader_tables(drawn(judgments=60, graded=False)) == ()
    assert grader_tables(answers()) == ()


def a_grade(response, *, unsafe=False, severity=UNANSWERED, s=1.0):
    return {
        "response": response,
        "prompt": response,
        "h": 1.0,
        "s": s,
        "unsafe": unsafe,
        "severity": severity,
    }


def test_grades_of_what_nobody_judged_leave_the_rows_empty_with_a_reason():
    told = answers([{"rater": 0, "response": 0, "prompt": 0, "safety": 0}], grades=[a_grade(1)])
    row = next(tables(told)["grader_agreement"].dicts())
    assert row["judgments"] == 0
    assert row["accuracy"] is None and "Nothing was judged by both" in row["accuracy_reason"]
    assert tables(told)["grader_calibration"].rows == ()


def test_where_nobody_says_unsafe_there_is_no_share_of_unsafe_found():
    told = answers(
        [{"rater": r, "response": i, "prompt": i, "safety": 0} for r in range(2) for i in range(3)],
        grades=[a_grade(i) for i in range(3)],
    )
    row = next(tables(told)["grader_agreement"].dicts())
    assert (row["accuracy"], row["safe_cleared"]) == (1, 1)
    assert row["unsafe_found"] is None and "Nobody calls a response unsafe" in row["unsafe_found_reason"]
    assert row["kappa"] is None and "same label" in row["kappa_reason"]


def test_a_tie_of_the_raters_is_undecided():
    told = answers(
        [
            {"rater": r, "response": i, "prompt": i, "safety": level, "severity": 1 if level else UNANSWERED}
            for i, levels in enumerate([(0, 3), (0, 0), (3, 3)])
            for r, level in enumerate(levels)
        ],
        grades=[a_grade(0), a_grade(1), a_grade(2, unsafe=True, severity=1, s=0.33)],
    )
    row = next(tables(told)["grader_agreement"].dicts())
    assert (row["against"], row["undecided"], row["responses"], row["kappa"]) == ("majority", 1, 2, 1)


def test_unsafe_judgments_without_a_severity_are_left_out_of_how_bad():
    told = answers(
        [{"rater": 0, "response": i, "prompt": i, "safety": 3} for i in range(2)],
        grades=[a_grade(i, unsafe=True, severity=3, s=0.0) for i in range(2)],
    )
    counts = {(r["against"], r["question"]): r["judgments"] for r in tables(told)["grader_confusion"].dicts()}
    assert counts["judgments", "unsafe"] == 2
    assert counts["judgments", "severity"] == 0
