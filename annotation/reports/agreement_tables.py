"""All that raters' single answers say: agreement, labels, outcomes, and people beside the grader."""

from annotation.reports.coefficients import agreement_tables
from annotation.reports.grader import grader_tables
from annotation.reports.labels import label_tables
from annotation.reports.outcome_tables import outcome_tables
from annotation.reports.rows import Answers
from annotation.reports.tables import Table
from annotation.vocabulary import SCORES, Scores


def tables(answers: Answers, scores: Scores = SCORES) -> tuple[Table, ...]:
    """Every table, the large `label_posteriors` last; `scores` are what the levels count in r = h · s.

    Those of the grader are left out where the study has no grades.
    """
    *labels, posteriors = label_tables(answers)
    return (
        *agreement_tables(answers),
        *labels,
        *outcome_tables(answers, scores),
        *grader_tables(answers),
        posteriors,
    )
