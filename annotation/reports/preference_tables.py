"""All tables about preference: who is ahead, how sure, what else counts, and how large a study must be."""

from annotation.reports.biases import biases_table, drift_table
from annotation.reports.paired import paired_table
from annotation.reports.planning import planning_table
from annotation.reports.raters import raters_table
from annotation.reports.rows import Answers
from annotation.reports.strengths import strength_tables
from annotation.reports.tables import Table
from annotation.reports.watching import sequence_table
from annotation.reports.winrates import headline_table, slices_table


def tables(answers: Answers) -> tuple[Table, ...]:
    """`headline`, `sequence`, `win_rates_by_slice`, `strengths`, `strength_effects`, `paired_tests`,
    `biases`, `drift`, `raters` and `planning`, whatever the answers lack."""
    return (
        headline_table(answers),
        sequence_table(answers),
        slices_table(answers),
        *strength_tables(answers),
        paired_table(answers),
        biases_table(answers),
        drift_table(answers),
        raters_table(answers),
        planning_table(answers),
    )
