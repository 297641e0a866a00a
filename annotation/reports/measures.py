"""Every measure of agreement of one question at once, as the cells of a row."""

from dataclasses import dataclass, fields, replace

from annotation.reports.questions import Question
from annotation.reports.tables import Value, estimate_cells, estimate_columns
from annotation.stats.agreement import (
    Rated,
    fleiss_kappa,
    gwet_ac1,
    gwet_ac2,
    krippendorff_alpha,
    raw_agreement,
)
from annotation.stats.bootstrap import Resampling
from annotation.stats.estimate import Estimate
from annotation.stats.rater_pairs import cohen_kappas
from annotation.stats.ratings import Ratings
from annotation.stats.scales import Weighting

REPLICATES, IN_SLICES = 1000, 200
LARGE_PANEL = 300
"""Pairs of raters above which Cohen's kappa, which keeps a table of each, is resampled less."""
OF_LARGE_PANELS = 100
WEIGHTINGS: tuple[Weighting, ...] = ("none", "linear", "quadratic")
TOO_MANY_IN_SLICES = (
    f"No interval: in slices there is none for more than {LARGE_PANEL} pairs of raters. Fleiss’ kappa and "
    "alpha have one."
)

COHEN = (
    *estimate_columns("cohen", "Cohen’s kappa", "number"),
    *estimate_columns("cohen_linear", "Cohen’s kappa, linear weights", "number"),
    *estimate_columns("cohen_quadratic", "Cohen’s kappa, quadratic weights", "number"),
)
MEASURES = (
    *estimate_columns("raw", "Raw agreement", "share"),
    *estimate_columns("alpha", "Krippendorff’s alpha", "number"),
    *COHEN,
    *estimate_columns("fleiss", "Fleiss’ kappa", "number"),
    *estimate_columns("ac1", "Gwet’s AC1", "number"),
    *estimate_columns("ac2", "Gwet’s AC2", "number"),
)


@dataclass(frozen=True)
class Measured:
    """In the order of MEASURES; n of each counts items with two ratings."""

    raw: Estimate
    alpha: Estimate
    cohen: Estimate
    cohen_linear: Estimate
    cohen_quadratic: Estimate
    fleiss: Estimate
    ac1: Estimate
    ac2: Estimate

    def cells(self) -> tuple[Value, ...]:
        return tuple(cell for one in fields(self) for cell in estimate_cells(getattr(self, one.name)))


def measured(question: Question, ratings: Ratings, replicates: int = REPLICATES) -> Measured:
    """Every measure at the question's level.

    With fewer replicates than REPLICATES, as in slices, a large panel's Cohen's kappa has no interval.
    """
    level, rated = question.level, Rated(ratings)
    return Measured(
        raw_agreement(rated, bootstrap=replicates),
        krippendorff_alpha(rated, level, bootstrap=replicates),
        *_cohen(ratings, question, replicates),
        fleiss_kappa(rated, bootstrap=replicates),
        gwet_ac1(rated, bootstrap=replicates),
        gwet_ac2(rated, level, bootstrap=replicates),
    )


def _cohen(ratings: Ratings, question: Question, replicates: int) -> list[Estimate]:
    raters = len(ratings.raters)
    if raters * (raters - 1) // 2 <= LARGE_PANEL:
        return cohen_kappas(ratings, WEIGHTINGS, question.level, Resampling(replicates))
    if replicates >= REPLICATES:
        return cohen_kappas(ratings, WEIGHTINGS, question.level, Resampling(OF_LARGE_PANELS))
    found = cohen_kappas(ratings, WEIGHTINGS, question.level, Resampling(0))
    return [one if one.value is None else replace(one, reason=TOO_MANY_IN_SLICES) for one in found]
