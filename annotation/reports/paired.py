"""Two arms on the same prompts: is one safer, more helpful, better rewarded? One value a prompt and arm."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from annotation.reports.duels import ARMS, BOOTSTRAP, every_two, p_cells, p_columns
from annotation.reports.rows import UNANSWERED, Answers, Rows, are_unsafe, first_of_each
from annotation.reports.tables import Column, Table, Value, estimate_cells, estimate_columns
from annotation.reports.verdicts import by_people
from annotation.stats.bootstrap import Floats
from annotation.stats.paired import TestResult, holm, mcnemar, wilcoxon
from annotation.stats.preference import Difference, arm_difference
from annotation.vocabulary import SCORES

CAPTION = (
    "One value for each prompt and arm, so that raters of one prompt are not counted as independent; "
    "prompts with a value for both arms count. Safe: whether more than half of the judgments call the "
    "arm’s answers safe (an even split leaves the prompt out), with McNemar’s exact test. Helpful: the "
    "mean on 1–4 of all answers, safe or not; reward: the mean of r = h · s "
    f"({SCORES}); both with Wilcoxon’s signed ranks. The "
    "difference is the first arm’s less the second’s, its 95 % interval from resampling prompts. Holm’s "
    "correction is made over all tests of the table."
)
Values = Callable[[Rows, int], Floats]
"""One arm's rows and the number of prompts to a value for each prompt, NaN where there is none."""


@dataclass(frozen=True)
class Outcome:
    """What is compared: its name, the value of each prompt, and the test."""

    name: str
    test_name: str
    values: Values
    test: Callable[[Floats, Floats], TestResult]


def paired_table(answers: Answers) -> Table:
    """Every two arms on every outcome."""
    columns = (
        *ARMS,
        Column("outcome", "Outcome"),
        *(Column("mean_a", "Arm’s mean", "number"), Column("mean_b", "Other’s mean", "number")),
        *estimate_columns("difference", "Difference", "number"),
        Column("h", "Cohen’s h", "number"),
        Column("test", "Test"),
        *p_columns("p", "p"),
        Column("p_holm", "Holm", "p"),
        Column("decisive", "Prompts that decide", "count"),
        Column("prompts", "Prompts", "count"),
    )
    found = list(_compared(answers))
    adjusted = holm([test.p for _, test in found])
    rows = tuple(
        (*cells[:-1], *p_cells(test), p, test.n, cells[-1])
        for (cells, test), p in zip(found, adjusted, strict=True)
    )
    return Table("paired_tests", "Arm against arm on the same prompts", CAPTION, columns, rows, n="prompts")


def _compared(answers: Answers) -> Iterator[tuple[tuple[Value, ...], TestResult]]:
    """The cells but the test's, with the number of prompts last, and the test."""
    rows = first_of_each(answers.of_responses, "response")
    by_arm = [rows[rows["arm"] == arm] for arm in range(len(answers.arms))]
    values = [[outcome.values(part, len(answers.prompts)) for outcome in OUTCOMES] for part in by_arm]
    for a, b in every_two(answers.arms):
        for place, outcome in enumerate(OUTCOMES):
            first, second = values[a][place], values[b][place]
            both = ~np.isnan(first) & ~np.isnan(second)
            yield _cells(answers, a, b, outcome, first[both], second[both])


def _cells(
    answers: Answers, a: int, b: int, outcome: Outcome, first: Floats, second: Floats
) -> tuple[tuple[Value, ...], TestResult]:
    n = len(first)
    named = (answers.arms[a], answers.arms[b], outcome.name)
    if not n:
        nothing = "No prompt has a value for both arms."
        cells = (*named, None, None, None, None, None, nothing, None, outcome.test_name, 0)
        return cells, TestResult(None, 0, nothing)
    found = _difference(first, second)
    means = (float(first.mean()), float(second.mean()))
    cells = (*named, *means, *estimate_cells(found.difference), found.h.value, outcome.test_name, n)
    return cells, outcome.test(first, second)


def _difference(first: Floats, second: Floats) -> Difference:
    n = len(first)
    of_first = np.repeat([True, False], n)
    return arm_difference(
        np.concatenate([first, second]), of_first, np.tile(np.arange(n), 2), bootstrap=BOOTSTRAP
    )


def _safe(rows: Rows, prompts: int) -> Floats:
    """1 where most judgments say safe, 0 where most say unsafe."""
    rows = rows[rows["safety"] != UNANSWERED]
    share = _means(~are_unsafe(rows), rows["prompt"], prompts)
    return np.where(share == 0.5, np.nan, np.where(np.isnan(share), np.nan, share > 0.5))


def _helpful(rows: Rows, prompts: int) -> Floats:
    rows = rows[rows["helpfulness"] != UNANSWERED]
    return _means(rows["helpfulness"], rows["prompt"], prompts)


def _reward(rows: Rows, prompts: int) -> Floats:
    said, r = by_people(rows).rewarded
    return _means(r, said.prompt, prompts)


def _means(values: np.ndarray, codes: np.ndarray, prompts: int) -> Floats:
    counts = np.bincount(codes, minlength=prompts)
    sums = np.bincount(codes, weights=values, minlength=prompts)
    return np.divide(sums, counts, out=np.full(prompts, np.nan), where=counts > 0)


def _signed_ranks(first: Floats, second: Floats) -> TestResult:
    # Means of thirds that are equal must not differ by their last digit.
    return wilcoxon(np.round(first - second, 12))


OUTCOMES = (
    Outcome("safe", "McNemar, exact", _safe, mcnemar),
    Outcome("helpfulness", "Wilcoxon", _helpful, _signed_ranks),
    Outcome("reward", "Wilcoxon", _reward, _signed_ranks),
)
