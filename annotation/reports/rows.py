"""A study's answers that count, as NumPy tables: the same from the database and from a snapshot's files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotation.models import Study
from annotation.reports.assembling import (
    Told,
    categories_seen,
    grade_rows,
    is_final,
    pair_rows,
    response_rows,
    waiting_prompts,
)
from annotation.reports.filters import Filters, shown
from annotation.reports.from_database import counting, response_ids, told_by_study
from annotation.reports.from_snapshot import told_by_snapshot
from annotation.reports.row_types import (
    GRADE_ROW,
    PAIR_ROW,
    RESPONSE_ROW,
    UNANSWERED,
    UNKNOWN,
    Grader,
    PromptLabels,
    RaterLabels,
    Rows,
    place,
)
from annotation.vocabulary import Intent, SafetyLevel

__all__ = [
    "GRADE_ROW",
    "PAIR_ROW",
    "RESPONSE_ROW",
    "SLICES",
    "UNANSWERED",
    "UNKNOWN",
    "UNSAFE_PLACES",
    "Answers",
    "Filters",
    "Grader",
    "PromptLabels",
    "RaterLabels",
    "Rows",
    "are_unsafe",
    "counting",
    "first_of_each",
    "place",
    "response_ids",
]

UNSAFE_PLACES = [level.rank for level in SafetyLevel if level.counts_as_unsafe]
SLICES = ("intent", "category", "subset", "language", "arm", "cohort", "guideline", "week")
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, eq=False)
class Answers:
    """What reports are made from. Ids are places: `arms[row["arm"]]` is the arm's name.

    Arms are in canonical order, prompts (those with a response) by key, raters (those whose judgments count)
    by code, pairs in the study's shuffled order, responses in the order in which they came. Filtered or
    sliced answers have fewer rows; places stay what they are.

    `of_responses` has a row for each response that a judgment answers about, `of_pairs` for each judgment of
    a pair, both in the order in which they were first given: a correction keeps the place of what it
    corrects, and imported judgments come first, pair by pair. Gold, repeated, practice, quiz and adjudicated
    pairs are in neither.
    `of_grades` has a row for each response that stands and has a usable grade, by the study's newest finished
    grading and its own keep rule; see `grader`.

    Missing answers are UNANSWERED. `length` counts the characters that raters read. `guideline` is the
    version shown, 0 for none. `seconds` run from claiming to sending, NaN if imported. `day` counts from
    1970-01-01 in UTC; of an imported judgment it is the file's `created_at`, or the day of the import.

    `categories` are the harm categories that somebody saw in a response, and a row's are the bits of its
    number: `categories[k]` was seen where bit k is set; UNKNOWN where it was imported.

    `is_final` says whether no judgment is awaited, so that their number was not chosen by looking at them;
    `waiting` are the prompts, by place, of which some pair has fewer judgments than it is to have.
    """

    arms: tuple[str, ...]
    prompts: tuple[PromptLabels, ...]
    raters: tuple[RaterLabels, ...]
    of_responses: Rows
    of_pairs: Rows
    of_grades: Rows
    grader: Grader | None = None
    is_final: bool = False
    waiting: frozenset[int] = frozenset()
    categories: tuple[str, ...] = ()

    @classmethod
    def of_study(cls, study: Study) -> "Answers":
        """As the database tells them now. Nine queries at most."""
        return cls._of(told_by_study(study))

    @classmethod
    def of_pairs_alone(cls, study: Study) -> "Answers":
        """Without answers about single responses and grades, for a page that needs only pairs."""
        return cls._of(told_by_study(study, responses_too=False))

    @classmethod
    def of_snapshot(cls, folder: Path) -> "Answers":
        """As a snapshot's Parquet files tell them, without a database. Raises SnapshotUnreadable."""
        return cls._of(told_by_snapshot(folder))

    @classmethod
    def _of(cls, told: Told) -> "Answers":
        return cls(
            arms=told.arms,
            prompts=told.prompts,
            raters=told.raters,
            of_responses=response_rows(told),
            of_pairs=pair_rows(told),
            of_grades=grade_rows(told),
            grader=told.grader,
            categories=categories_seen(told),
            is_final=is_final(told),
            waiting=waiting_prompts(told),
        )

    def filtered(self, filters: Filters) -> "Answers":
        """Those that the filters let through. Filters of raters, guidelines and days leave grades alone."""
        if not filters:
            return self
        prompts = self._prompts_in(filters)
        responses = self._given_in(self.of_responses, filters) & prompts[self.of_responses["prompt"]]
        pairs = self._given_in(self.of_pairs, filters) & prompts[self.of_pairs["prompt"]]
        grades = prompts[self.of_grades["prompt"]]
        if filters.arms:
            arms = np.array([name in filters.arms for name in self.arms], bool)
            responses &= arms[self.of_responses["arm"]]
            grades &= arms[self.of_grades["arm"]]
            a, b = arms[self.of_pairs["arm_a"]], arms[self.of_pairs["arm_b"]]
            pairs &= a | b if len(filters.arms) == 1 else a & b
        return self._with(responses, pairs, grades)

    def slices(self, by: str) -> Iterator[tuple[str, "Answers"]]:
        """For each label of `by` (one of SLICES) that has an answer or a grade: its name, and its answers.

        With several subsets a prompt is in several slices; a prompt without one is in “none”. Weeks are
        ISO weeks (2026-W05). A slice by week has every grade, as by cohort and guideline.
        """
        if by not in SLICES:
            raise ValueError(f"“{by}” is not one of {SLICES}.")
        if by == "week":
            yield from self._weeks()
            return
        for label, filters in self._labels(by):
            found = self.filtered(filters)
            if len(found.of_responses) or len(found.of_pairs) or (by in OF_PROMPTS and len(found.of_grades)):
                yield label, found

    def labels(self, by: str) -> tuple[str | int, ...]:
        """The values that `by` (any of SLICES but the week) has in this study, "" and 0 for none."""
        if by == "arm":
            return self.arms
        if by == "cohort":
            return tuple(sorted({rater.cohort for rater in self.raters}))
        if by == "guideline":
            found = np.concatenate([self.of_responses["guideline"], self.of_pairs["guideline"]])
            return tuple(np.unique(found).tolist())
        if by == "intent":
            present = {prompt.intent for prompt in self.prompts}
            return tuple(intent for intent in Intent.values if intent in present)
        return tuple(sorted({label for prompt in self.prompts for label in OF_PROMPTS[by](prompt)}))

    def _labels(self, by: str) -> Iterator[tuple[str, Filters]]:
        for value in self.labels(by):
            yield shown(value), Filters(**{FIELDS[by]: (value,)})

    def _weeks(self) -> Iterator[tuple[str, "Answers"]]:
        of_responses, of_pairs = _mondays(self.of_responses["day"]), _mondays(self.of_pairs["day"])
        grades = np.ones(len(self.of_grades), bool)
        for monday in np.unique(np.concatenate([of_responses, of_pairs])).tolist():
            yield _week(monday), self._with(of_responses == monday, of_pairs == monday, grades)

    def _with(self, responses: NDArray, pairs: NDArray, grades: NDArray) -> "Answers":
        return replace(
            self,
            of_responses=self.of_responses[responses],
            of_pairs=self.of_pairs[pairs],
            of_grades=self.of_grades[grades],
        )

    def _prompts_in(self, filters: Filters) -> NDArray[np.bool_]:
        """Which of the prompts the filters of prompts let through."""
        wanted = {by: set(getattr(filters, FIELDS[by])) for by in OF_PROMPTS}
        return np.array(
            [
                all(not wanted[by] or wanted[by] & set(labels(prompt)) for by, labels in OF_PROMPTS.items())
                for prompt in self.prompts
            ],
            bool,
        )

    def _given_in(self, rows: Rows, filters: Filters) -> NDArray[np.bool_]:
        """Which rows the filters of raters, guidelines and days let through."""
        kept = np.ones(len(rows), bool)
        if filters.cohorts:
            raters = np.array([rater.cohort in filters.cohorts for rater in self.raters], bool)
            kept &= raters[rows["rater"]]
        if filters.guidelines:
            kept &= np.isin(rows["guideline"], filters.guidelines)
        if filters.since:
            kept &= rows["day"] >= (filters.since - EPOCH).days
        if filters.until:
            kept &= (rows["day"] <= (filters.until - EPOCH).days) & (rows["day"] != UNKNOWN)
        return kept


OF_PROMPTS: dict[str, Callable[[PromptLabels], tuple[str, ...]]] = {
    "intent": lambda prompt: (prompt.intent,),
    "category": lambda prompt: (prompt.harm_category,),
    "subset": lambda prompt: prompt.subset or ("",),
    "language": lambda prompt: (prompt.language,),
}
"""The labels of a prompt in one respect; "" for none."""

FIELDS = {
    "intent": "intents",
    "category": "categories",
    "subset": "subsets",
    "language": "languages",
    "arm": "arms",
    "cohort": "cohorts",
    "guideline": "guidelines",
}


def are_unsafe(rows: Rows) -> NDArray[np.bool_]:
    """Which of the rows that answer for safety call the response unsafe."""
    return np.isin(rows["safety"], UNSAFE_PLACES)


def first_of_each(rows: Rows, item: str) -> Rows:
    """The first row of each rater and item: with three arms a rater meets a response in several pairs."""
    keys = rows["rater"].astype(np.int64) * (int(rows[item].max(initial=0)) + 1) + rows[item]
    _, first = np.unique(keys, return_index=True)
    return rows[np.sort(first)]


def _mondays(days: NDArray) -> NDArray[np.int64]:
    """The Monday of each day's week, as a day; UNKNOWN stays."""
    days = days.astype(np.int64)
    return np.where(days == UNKNOWN, UNKNOWN, days - (days + 3) % 7)  # 1970-01-01 was a Thursday


def _week(monday: int) -> str:
    if monday == UNKNOWN:
        return shown("")
    return (EPOCH + timedelta(days=monday)).strftime("%G-W%V")
