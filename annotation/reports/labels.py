"""One label from several raters: by majority, weighed vote, Dawid–Skene and MACE, side by side."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from annotation.reports.questions import LABELLED, MISSING, Question, first_answers
from annotation.reports.rows import Answers, Rows
from annotation.reports.tables import Column, Table, Value
from annotation.stats.aggregation import (
    TIE,
    Aggregate,
    dawid_skene,
    mace,
    majority_vote,
    weighted_vote,
    why_no_model,
)
from annotation.stats.ratings import Ratings

JUDGMENTS_READ = 20_000_000
"""How often judgments are read to fit a model, at most about: 100 passes over 200,000 of them."""


def _dawid_skene(ratings: Ratings) -> Aggregate:
    return dawid_skene(ratings, iterations=min(1000, max(100, JUDGMENTS_READ // len(ratings))))


def _mace(ratings: Ratings) -> Aggregate:
    passes = 50
    return mace(
        ratings, restarts=min(10, max(1, JUDGMENTS_READ // passes // len(ratings))), iterations=passes
    )


METHODS: dict[str, Callable[[Ratings], Aggregate]] = {
    "majority": majority_vote,
    "weighted": weighted_vote,
    "dawid_skene": _dawid_skene,
    "mace": _mace,
}
TITLES = {
    "majority": "Majority",
    "weighted": "Weighed vote",
    "dawid_skene": "Dawid–Skene",
    "mace": "MACE",
}
EMPTY = "There are no judgments."
HOW = (
    "Majority: the label most raters gave, its posterior the share of the vote. Weighed vote: raters count "
    "by how often the others gave the same label. Dawid–Skene: each rater has a table of errors. MACE: each "
    "rater knows the answer or guesses. A rater who met a response in several pairs counts once there. Of "
    "pairs it is decided which arm the answer leans to, arm a being the pair’s first arm in canonical order, "
    "not how far. Where labels are equally probable, the one given more often overall is taken and the item "
    "counts as undecided. "
)


@dataclass(frozen=True, eq=False)
class Labelled:
    """One question's items and what each method makes of them; `found` lacks a method that has no model here.

    `rows` holds one row for each item, in the order of the aggregates' items.
    """

    question: Question
    ratings: Ratings
    rows: Rows
    found: dict[str, Aggregate]

    @classmethod
    def of(cls, question: Question, rows: Rows) -> "Labelled":
        ratings = _coded(question, rows)
        answered = rows[question.coded(rows) != MISSING]
        _, first = np.unique(answered[question.unit], return_index=True)
        methods = METHODS
        if not len(ratings):
            methods = {}
        elif why_no_model(ratings):
            methods = {"majority": majority_vote}
        found = {name: method(ratings) for name, method in methods.items()}
        return cls(question, ratings, answered[first], found)

    @cached_property
    def chosen(self) -> dict[str, NDArray[np.int64]]:
        """The place of each item's label in the question's words."""
        return {name: one.categories[one.chosen] for name, one in self.found.items()}


def _coded(question: Question, rows: Rows) -> Ratings:
    codes = question.coded(rows)
    answered = codes != MISSING
    return Ratings.from_rows(rows[question.unit][answered], rows["rater"][answered], codes[answered])


def label_tables(answers: Answers) -> tuple[Table, ...]:
    """`labels`, `label_methods` and, one row for each item, `label_posteriors`."""
    rows = first_answers(answers)
    labelled = [Labelled.of(question, rows[question.unit]) for question in LABELLED]
    return _labels(labelled), _methods(labelled), _posteriors(answers, labelled)


# Labels and methods -----------------------------------------------------------------------------------


def _labels(labelled: list[Labelled]) -> Table:
    columns = (
        Column("question", "Question"),
        Column("method", "Method"),
        Column("label", "Label"),
        Column("share", "Share of items", "share"),
        Column("expected_share", "Share by posteriors", "share"),
        Column("mean_posterior", "Mean posterior where chosen", "number"),
        Column("chosen", "Items with it", "count"),
        Column("items", "Items", "count"),
    )
    rows = (row for one in labelled for method in one.found for row in _label_rows(one, method))
    caption = (
        f"{HOW}The share by posteriors is the mean probability of the label over all items, so doubtful "
        "items count for several labels."
    )
    return Table("labels", "Labels from several raters", caption, columns, tuple(rows), n="items")


def _label_rows(one: Labelled, method: str) -> Iterator[tuple[Value, ...]]:
    found = one.found[method]
    items = len(found.items)
    sure = found.posteriors[np.arange(items), found.chosen]
    for place, word in enumerate(one.question.words):
        has_it = one.chosen[method] == place
        known = np.flatnonzero(found.categories == place)
        expected = float(found.posteriors[:, known].sum() / items)
        mean = float(sure[has_it].mean()) if has_it.any() else None
        chosen = int(has_it.sum())
        yield (one.question.name, method, word, chosen / items, expected, mean, chosen, items)


def _methods(labelled: list[Labelled]) -> Table:
    columns = (
        Column("question", "Question"),
        Column("method", "Method"),
        Column("mean_posterior", "Mean posterior", "number"),
        *(Column(f"as_{name}", f"Same label as {title}", "share") for name, title in TITLES.items()),
        Column("undecided", "Undecided items", "count"),
        Column("iterations", "Iterations", "count"),
        Column("reason", "Why not"),
        Column("items", "Items", "count"),
        Column("raters", "Raters", "count"),
        Column("judgments", "Judgments", "count"),
    )
    rows = tuple(_method_row(one, method) for one in labelled for method in METHODS)
    caption = f"{HOW}“Same label” is the share of items to which both methods give one label."
    return Table("label_methods", "How far the methods agree", caption, columns, rows, n="items")


def _method_row(one: Labelled, method: str) -> tuple[Value, ...]:
    ratings, found = one.ratings, one.found.get(method)
    counts = (len(ratings.items), len(ratings.raters), len(ratings))
    if found is None:
        reason = why_no_model(ratings) or EMPTY
        return (one.question.name, method, None, *[None] * len(METHODS), None, None, reason, *counts)
    reason = "" if found.converged else f"It had not settled after {found.iterations} iterations."
    same = [_same(one, method, other) for other in METHODS]
    mean = float(found.posteriors.max(axis=1).mean())
    undecided = int(undecided_items(found).sum())
    return (one.question.name, method, mean, *same, undecided, found.iterations, reason, *counts)


def _same(one: Labelled, method: str, other: str) -> float | None:
    if other not in one.found:
        return None
    return float((one.chosen[method] == one.chosen[other]).mean())


def undecided_items(found: Aggregate) -> NDArray[np.bool_]:
    """Which items have two labels that are equally probable and more so than any other."""
    highest = found.posteriors.max(axis=1, keepdims=True)
    return (found.posteriors >= highest - TIE).sum(axis=1) > 1


# Item by item -----------------------------------------------------------------------------------------


def _posteriors(answers: Answers, labelled: list[Labelled]) -> Table:
    columns = (
        Column("question", "Question"),
        Column("prompt", "Prompt"),
        Column("arm", "Arm"),
        Column("arm_b", "Second arm of the pair"),
        Column("item", "Response or pair", "count"),
        *(
            column
            for name, title in TITLES.items()
            for column in (
                Column(name, title),
                Column(f"{name}_posterior", f"{title}: posterior", "number"),
            )
        ),
        Column("judgments", "Judgments", "count"),
    )
    rows = tuple(row for one in labelled for row in _item_rows(answers, one))
    caption = f"{HOW}One row for each response or pair; they are numbered within the study from 0."
    return Table("label_posteriors", "Labels item by item", caption, columns, rows, n="judgments")


def _item_rows(answers: Answers, one: Labelled) -> Iterator[tuple[Value, ...]]:
    rows, n = one.rows, len(one.rows)
    second = [answers.arms[arm] for arm in rows["arm_b"]] if one.question.unit == "pair" else [""] * n
    first = rows["arm_a"] if one.question.unit == "pair" else rows["arm"]
    cells: list[list] = []
    for method in METHODS:
        cells += _method_cells(one, method)
    return zip(
        [one.question.name] * n,
        [answers.prompts[prompt].key for prompt in rows["prompt"]],
        [answers.arms[arm] for arm in first],
        second,
        rows[one.question.unit].tolist(),
        *cells,
        np.bincount(one.ratings.item_codes, minlength=n).tolist(),
        strict=True,
    )


def _method_cells(one: Labelled, method: str) -> tuple[list, list]:
    found = one.found.get(method)
    if found is None:
        return [None] * len(one.rows), [None] * len(one.rows)
    words = one.question.words
    labels = [words[place] for place in one.chosen[method]]
    return labels, found.posteriors.max(axis=1).tolist()
