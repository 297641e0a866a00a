"""People against the automatic grader: who says unsafe, how bad, and what its s is worth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annotation.reports.labels import undecided_items
from annotation.reports.outcome_tables import of_grader
from annotation.reports.rows import UNANSWERED, Answers, Rows, are_unsafe, first_of_each
from annotation.reports.tables import FEW, Column, Table, Value, estimate_cells, estimate_columns
from annotation.reports.verdicts import ALL
from annotation.stats.aggregation import majority_vote
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import proportion
from annotation.stats.ratings import Ratings
from annotation.stats.two_sources import agreement_of_two, calibration, confusion
from annotation.vocabulary import Severity

REPLICATES, OF_EACH_RATER = 1000, 200
MAJORITY, JUDGMENTS = "majority", "judgments"
UNSAFE, SEVERITY = "unsafe", "severity"
WORDS = {UNSAFE: ("safe", "unsafe"), SEVERITY: ("safe", *Severity.values)}
"""The labels of each question; how bad a response is begins with not bad at all."""
UNNAMED = -1

HOW = (
    "Each rater’s first judgment of each graded response stands beside the grade. “majority” is what most "
    "raters of a response say, and undecided responses are left out; “judgments” are all of them; then each "
    "rater alone. Severity runs over safe and the four severities, and judgments of unsafe without one are "
    "left out. "
)
ONLY_OF_SCORES = "Calibration is about all judgments, safe or unsafe."
NOBODY_UNSAFE = "Nobody calls a response unsafe here."
NOBODY_SAFE = "Nobody calls a response safe here."


@dataclass(frozen=True, eq=False)
class Beside:
    """What people say and what the grader says about the same responses, one entry a judgment or majority.

    `human` and `graded` are places in the question's WORDS; `undecided` counts responses left out.
    """

    against: str
    question: str
    rater: NDArray
    response: NDArray
    prompt: NDArray
    arm: NDArray
    human: NDArray
    graded: NDArray
    s: NDArray
    undecided: int = 0

    def __len__(self) -> int:
        return len(self.human)

    @property
    def is_of_all(self) -> bool:
        """Whether it is not of one rater."""
        return self.against in (MAJORITY, JUDGMENTS)

    def where(self, kept: NDArray, **changes) -> "Beside":
        columns = ("rater", "response", "prompt", "arm", "human", "graded", "s")
        return replace(self, **{name: getattr(self, name)[kept] for name in columns}, **changes)


def grader_tables(answers: Answers) -> tuple[Table, ...]:
    """Confusion, agreement, calibration, and each rater's confusion; none where the study has no grades."""
    if not len(answers.of_grades):
        return ()
    found = list(_beside(answers))
    together = [one for one in found if one.is_of_all]
    return (
        _confusion(answers, together),
        _agreement(answers, found),
        _calibration(answers, together),
        _confusion_by_rater(answers, [one for one in found if not one.is_of_all]),
    )


# Who stands beside whom -------------------------------------------------------------------------------


def _beside(answers: Answers) -> Iterator[Beside]:
    """The majority and all judgments on both questions, then each rater on both."""
    pooled = [_joined(answers, question) for question in (UNSAFE, SEVERITY)]
    for one in pooled:
        yield _majority(one)
        yield one
    for number, rater in enumerate(answers.raters):
        for one in pooled:
            theirs = one.rater == number
            if theirs.any():
                yield one.where(theirs, against=rater.code)


def _joined(answers: Answers, question: str) -> Beside:
    rows = answers.of_responses
    rows = first_of_each(rows[rows["safety"] != UNANSWERED], "response")
    grades = answers.of_grades[np.argsort(answers.of_grades["response"], kind="stable")]
    at = np.minimum(np.searchsorted(grades["response"], rows["response"]), len(grades) - 1)
    graded = grades["response"][at] == rows["response"]
    rows, grades = rows[graded], grades[at[graded]]
    found = Beside(
        against=JUDGMENTS,
        question=question,
        rater=rows["rater"],
        response=rows["response"],
        prompt=rows["prompt"],
        arm=rows["arm"],
        human=_place(question, are_unsafe(rows), rows),
        graded=_place(question, grades["unsafe"], grades),
        s=grades["s"],
    )
    return found.where((found.human != UNNAMED) & (found.graded != UNNAMED))


def _place(question: str, unsafe: NDArray, rows: Rows) -> NDArray[np.int64]:
    if question == UNSAFE:
        return unsafe.astype(np.int64)
    named = np.where(rows["severity"] == UNANSWERED, UNNAMED, rows["severity"].astype(np.int64) + 1)
    return np.where(unsafe, named, 0)


def _majority(one: Beside) -> Beside:
    """One entry for each response on which most raters say the same."""
    if not len(one):
        return replace(one, against=MAJORITY)
    found = majority_vote(Ratings.from_rows(one.response, one.rater, one.human))
    _, first = np.unique(one.response, return_index=True)
    decided = ~undecided_items(found)
    whole = replace(one.where(first), against=MAJORITY, human=found.categories[found.chosen])
    return whole.where(decided, undecided=int((~decided).sum()))


# Tables -----------------------------------------------------------------------------------------------


CONFUSED = (
    Column("against", "People"),
    Column("question", "Question"),
    Column("human", "People say"),
    Column("grader", "The grader says"),
    Column("count", "Judgments", "count"),
    Column("share", "Share", "share"),
    Column("judgments", "All judgments", "count"),
)


def _confusion(answers: Answers, found: list[Beside]) -> Table:
    rows = tuple(row for one in found for row in _confusion_rows(one))
    caption = (HOW + of_grader(answers)).rstrip()
    return Table("grader_confusion", "People and the grader", caption, CONFUSED, rows, n="judgments")


def _confusion_by_rater(answers: Answers, found: list[Beside]) -> Table:
    rows = tuple(row for one in found for row in _confusion_rows(one))
    caption = f"{HOW}{of_grader(answers)}Combinations that do not occur are left out."
    title = "Each rater and the grader"
    return Table("grader_confusion_by_rater", title, caption, CONFUSED, rows, n="judgments")


def _confusion_rows(one: Beside) -> Iterator[tuple[Value, ...]]:
    words, total = WORDS[one.question], len(one)
    table = confusion(one.human, one.graded, len(words))
    for human, graded in np.ndindex(*table.shape):
        count = int(table[human, graded])
        if one.is_of_all or count:
            share = count / total if total else None
            yield (one.against, one.question, words[human], words[graded], count, share, total)


def _agreement(answers: Answers, found: list[Beside]) -> Table:
    columns = (
        Column("against", "People"),
        Column("arm", "Arm"),
        Column("question", "Question"),
        *estimate_columns("accuracy", "Accuracy", "share"),
        *estimate_columns("kappa", "Cohen’s kappa", "number"),
        *estimate_columns("kappa_quadratic", "Cohen’s kappa, quadratic weights", "number"),
        *estimate_columns("ac1", "Gwet’s AC1", "number"),
        *estimate_columns("unsafe_found", "Unsafe that the grader finds", "share"),
        *estimate_columns("safe_cleared", "Safe that the grader clears", "share"),
        *estimate_columns("calibration_error", "Expected calibration error", "number"),
        Column("undecided", "Undecided responses", "count"),
        Column("responses", "Responses", "count"),
        Column("judgments", "Judgments (of the majority: responses)", "count"),
        Column("prompts", "Prompts", "count"),
    )
    caption = (
        f"{HOW}{of_grader(answers)}Accuracy is the share of equal labels. The expected calibration error is "
        "the mean distance of the grader’s s from the share of judgments that say safe, in ten bins of s: 0 "
        f"is perfect. Intervals are 95 %, from {REPLICATES} resamples of whole prompts ({OF_EACH_RATER} for "
        f"single raters). Rows with fewer than {FEW} judgments are greyed."
    )
    rows = tuple(_agreement_row(arm, part) for arm, part in _by_arm(answers, found))
    return Table(
        "grader_agreement", "How far people and the grader agree", caption, columns, rows, n="judgments"
    )


def _by_arm(answers: Answers, found: list[Beside]) -> Iterator[tuple[str, Beside]]:
    """Everything over all arms; the majority and all judgments by arm too."""
    for one in found:
        yield ALL, one
        if one.is_of_all:
            for number, arm in enumerate(answers.arms):
                yield arm, one.where(one.arm == number)


def _agreement_row(arm: str, one: Beside) -> tuple[Value, ...]:
    replicates = REPLICATES if one.is_of_all else OF_EACH_RATER
    two = agreement_of_two(one.human, one.graded, one.prompt, len(WORDS[one.question]), bootstrap=replicates)
    unsafe, graded_unsafe = one.human > 0, one.graded > 0
    estimates = (
        two.accuracy,
        two.kappa,
        two.kappa_quadratic,
        two.ac1,
        _share(graded_unsafe, unsafe, one, NOBODY_UNSAFE, replicates),
        _share(~graded_unsafe, ~unsafe, one, NOBODY_SAFE, replicates),
        _calibration_error(one),
    )
    cells = [cell for estimate in estimates for cell in estimate_cells(estimate)]
    responses, prompts = (len(np.unique(column)) for column in (one.response, one.prompt))
    return (
        one.against,
        arm,
        one.question,
        *cells,
        one.undecided if arm == ALL else None,
        responses,
        len(one),
        prompts,
    )


def _share(said: NDArray, among: NDArray, one: Beside, nobody: str, replicates: int) -> Estimate:
    if not among.any():
        return undefined(0, nobody)
    return proportion(said[among], one.prompt[among], bootstrap=replicates)


def _calibration_error(one: Beside) -> Estimate:
    if (one.against, one.question) != (JUDGMENTS, UNSAFE):
        return undefined(len(one), ONLY_OF_SCORES)
    return calibration(one.s, one.human == 0, one.prompt, bootstrap=REPLICATES).error


def _calibration(answers: Answers, found: list[Beside]) -> Table:
    columns = (
        Column("arm", "Arm"),
        Column("low", "s from", "number"),
        Column("high", "s to", "number"),
        Column("mean_s", "Mean s", "number"),
        *estimate_columns("safe", "Share of judgments that say safe", "share"),
        Column("gap", "Mean s less that share", "number"),
        Column("judgments", "Judgments", "count"),
        Column("prompts", "Prompts", "count"),
    )
    caption = (
        "Where the grader’s s is well calibrated, a share s of the judgments of a response scored s says "
        "safe. Ten bins of s, each with its lower end (the last with both); empty ones are left out. "
        f"{of_grader(answers)}Intervals are 95 %, from resampling whole prompts. Bins with fewer than {FEW} "
        "judgments are greyed."
    )
    rows = (
        row
        for arm, one in _by_arm(answers, found)
        if (one.against, one.question) == (JUDGMENTS, UNSAFE)
        for row in _bin_rows(arm, one)
    )
    return Table(
        "grader_calibration", "Calibration of the grader", caption, columns, tuple(rows), n="judgments"
    )


def _bin_rows(arm: str, one: Beside) -> Iterator[tuple[Value, ...]]:
    for found in calibration(one.s, one.human == 0, one.prompt, bootstrap=REPLICATES).bins:
        gap = found.mean_score - found.share.value
        cells = estimate_cells(found.share)
        yield (arm, found.low, found.high, found.mean_score, *cells, gap, found.share.n, found.clusters)
