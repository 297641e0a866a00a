"""Agreement of the raters, question by question: whole, by slice, and by two raters."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from annotation.reports.agreement_notes import notes
from annotation.reports.measures import (
    COHEN,
    IN_SLICES,
    LARGE_PANEL,
    MEASURES,
    OF_LARGE_PANELS,
    REPLICATES,
    WEIGHTINGS,
    Measured,
    measured,
)
from annotation.reports.questions import Question, asked
from annotation.reports.rows import SLICES, Answers
from annotation.reports.tables import Column, Table, Value, estimate_cells, estimate_columns
from annotation.stats.bootstrap import Resampling
from annotation.stats.intervals import wilson
from annotation.stats.rater_pairs import cohen_by_pair, cohen_kappas
from annotation.stats.ratings import Ratings

MOST_PAIRS = 50
QUESTION = (Column("question", "Question"), Column("unit", "About each"), Column("level", "Scale"))
COUNTS = (
    Column("items", "Items with two ratings or more", "count"),
    Column("raters", "Raters", "count"),
    Column("judgments", "Judgments", "count"),
)
HOW = (
    "A rater who met a response in several pairs counts once there, with the first answer; pair answers are "
    "on the arms’ side. Alpha is on the scale that is named; raw agreement, plain Cohen, Fleiss and AC1 take "
    "labels as labels; weighted kappas (over ranks) and AC2 (ordinal weights) count near answers as partly "
    "right and exist for ordered scales. Cohen’s kappa is the mean over pairs of raters. Items that only one "
    "rater answered show no agreement and are not counted. Harm categories and severity are asked of what is "
    "called unsafe. "
)

Asked = Iterable[tuple[Question, Ratings]]


def agreement_tables(answers: Answers) -> tuple[Table, ...]:
    """`agreement`, `agreement_notes`, `agreement_by_slice` and `rater_pairs`."""
    questions = asked(answers)
    found = [measured(question, ratings) for question, ratings in questions]
    return (
        _whole(questions, found),
        _why_they_differ(questions, found),
        _by_slice(answers),
        by_two_raters(answers, questions),
    )


def _whole(questions: Asked, found: Iterable[Measured]) -> Table:
    rows = tuple(_row(*asked, one) for asked, one in zip(questions, found, strict=True))
    caption = (
        f"{HOW}Intervals are 95 %, from {REPLICATES} resamples of items; those of Cohen’s kappa from "
        f"{OF_LARGE_PANELS} where there are more than {LARGE_PANEL} pairs of raters."
    )
    return Table(
        "agreement", "How far raters agree", caption, (*QUESTION, *MEASURES, *COUNTS), rows, n="items"
    )


def _row(question: Question, ratings: Ratings, found: Measured) -> tuple[Value, ...]:
    counts = (found.raw.n, len(ratings.raters), len(ratings))
    return (question.name, question.unit, question.level, *found.cells(), *counts)


def _why_they_differ(questions: Asked, found: Iterable[Measured]) -> Table:
    columns = (
        Column("question", "Question"),
        Column("about", "About"),
        Column("note", "Note"),
        Column("top_label", "Most common answer"),
        Column("top_share", "Its share", "share"),
        Column("items", "Items with two ratings or more", "count"),
    )
    rows = tuple(
        (question.name, note.about, note.sentence, note.top_label, note.top_share, one.raw.n)
        for (question, ratings), one in zip(questions, found, strict=True)
        for note in notes(question, ratings, one)
    )
    caption = "What in these answers moves the measures of agreement apart, question by question."
    return Table("agreement_notes", "Why the measures differ here", caption, columns, rows, n="items")


def _by_slice(answers: Answers) -> Table:
    columns = (Column("by", "By"), Column("slice", "Slice"), *QUESTION, *MEASURES, *COUNTS)
    caption = (
        f"{HOW}Intervals are 95 %, from {IN_SLICES} resamples of items. Slices by arm hold the pairs that "
        "the arm is part of, and slices by subset overlap. Questions without an answer in a slice "
        "are left out."
    )
    rows = tuple(_slice_rows(answers))
    return Table(
        "agreement_by_slice", "How far raters agree, part by part", caption, columns, rows, n="items"
    )


def _slice_rows(answers: Answers) -> Iterator[tuple[Value, ...]]:
    for by in SLICES:
        for label, part in answers.slices(by):
            for question, ratings in asked(part):
                if len(ratings):
                    yield (by, label, *_row(question, ratings, measured(question, ratings, IN_SLICES)))


def by_two_raters(answers: Answers, questions: Asked) -> Table:
    columns = (
        Column("question", "Question"),
        Column("rater_a", "Rater"),
        Column("rater_b", "Other rater"),
        *estimate_columns("raw", "Raw agreement", "share"),
        *COHEN,
        Column("items", "Items both judged", "count"),
    )
    caption = (
        f"Of each question the {MOST_PAIRS} pairs of raters with the most items in common, most first. Raw "
        f"agreement has Wilson’s interval; intervals of the kappas are 95 %, from {IN_SLICES} resamples of "
        "the common items. On a handful of items they mean little."
    )
    names = [rater.code for rater in answers.raters]
    rows = tuple(row for question, ratings in questions for row in _pair_rows(question, ratings, names))
    return Table("rater_pairs", "Agreement of every two raters", caption, columns, rows, n="items")


def _pair_rows(question: Question, ratings: Ratings, names: list[str]) -> Iterator[tuple[Value, ...]]:
    pairs = cohen_by_pair(ratings, level=question.level)
    for pair in sorted(pairs, key=lambda pair: -pair.kappa.n)[:MOST_PAIRS]:
        a, b, n = int(pair.rater_a), int(pair.rater_b), pair.kappa.n
        common = _of_two(ratings, a, b)
        same = int((common.value_codes[::2] == common.value_codes[1::2]).sum())
        kappas = cohen_kappas(common, WEIGHTINGS, question.level, Resampling(IN_SLICES))
        cells = [cell for one in (wilson(same, n), *kappas) for cell in estimate_cells(one)]
        yield (question.name, names[a], names[b], *cells, n)


def _of_two(ratings: Ratings, a: int, b: int) -> Ratings:
    """Two raters' ratings of their common items, two rows an item.

    The categories stay those of all raters, on whose ranks the weights run.
    """
    codes = np.searchsorted(ratings.raters, (a, b))
    theirs = np.isin(ratings.rater_codes, codes)
    number = np.bincount(ratings.item_codes[theirs], minlength=len(ratings.items))
    both = theirs & (number[ratings.item_codes] == 2)
    items, item_codes = np.unique(ratings.item_codes[both], return_inverse=True)
    return replace(
        ratings,
        item_codes=item_codes,
        rater_codes=(ratings.rater_codes[both] == codes[1]).astype(np.int64),
        value_codes=ratings.value_codes[both],
        items=ratings.items[items],
        raters=ratings.raters[codes],
    )
