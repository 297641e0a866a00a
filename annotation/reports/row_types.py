"""The tables that every report is made from: their columns, and what their places stand for.

Words are kept as their places in the domain's lists: as text they would take nine tenths of the memory.
"""

from dataclasses import dataclass

import numpy as np
from django.db.models import TextChoices
from numpy.typing import NDArray

Rows = NDArray[np.void]
"""A structured array: `rows["arm"]` is a column, `rows[mask]` are some of the rows."""

UNANSWERED = 9
"""Stands for a missing answer in a table; on no scale of the domain, and nobody's place in a list."""

UNKNOWN = -1
"""Stands for a missing number, day or place."""

RESPONSE_ROW = np.dtype(
    [
        ("rater", "i4"),
        ("response", "i4"),
        ("prompt", "i4"),
        ("arm", "i4"),
        ("intent", "i1"),
        ("safety", "i1"),
        ("severity", "i1"),
        ("helpfulness", "i1"),
        ("mode", "i1"),
        ("facilitation", "i1"),
        ("categories", "i8"),
        ("length", "i4"),
        ("guideline", "i2"),
        ("day", "i4"),
    ]
)
PAIR_ROW = np.dtype(
    [
        ("rater", "i4"),
        ("pair", "i4"),
        ("prompt", "i4"),
        ("arm_a", "i4"),
        ("arm_b", "i4"),
        ("safer", "i1"),
        ("more_helpful", "i1"),
        ("balance", "i1"),
        ("both_bad", "?"),
        ("left_is_a", "i1"),
        ("length_a", "i4"),
        ("length_b", "i4"),
        ("confidence", "i1"),
        ("seconds", "f4"),
        ("guideline", "i2"),
        ("day", "i4"),
    ]
)
GRADE_ROW = np.dtype(
    [
        ("response", "i4"),
        ("prompt", "i4"),
        ("arm", "i4"),
        ("intent", "i1"),
        ("s", "f8"),
        ("h", "f8"),
        ("unsafe", "?"),
        ("severity", "i1"),
    ]
)


@dataclass(frozen=True)
class PromptLabels:
    """A prompt's labels; `language` is "" where nothing is known of it."""

    key: str
    intent: str
    harm_category: str
    subset: tuple[str, ...]
    family: str
    language: str


@dataclass(frozen=True)
class RaterLabels:
    """A rater by pseudonym; `cohort` as `models.joining.cohort` says."""

    code: str
    cohort: str


@dataclass(frozen=True)
class Grader:
    """Whose grades `of_grades` holds: the study's newest finished grading. `keep` is a KeepRule."""

    model: str
    rubric: str
    keep: str
    repeats: int


def place(scale: type[TextChoices], word: str) -> int:
    """Where the word stands in its list; on an ordered scale this is its rank."""
    return scale.values.index(word)
