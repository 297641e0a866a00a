"""Judged studies whose snapshot can be worked out by hand, and a reader of its files."""

import json
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from annotation.actions.claims import claim_next_pair
from annotation.actions.judging import submit_judgment
from annotation.answers import PairAnswers
from annotation.export.tables import write_judgments
from annotation.models import Assignment, Enrolment, Judgment, Study
from tests.cast import a_rateable_study, a_rater, answers, bob, carol


def read(folder: Path, name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def judgments_of(study: Study) -> list[dict]:
    """The rows of `judgments` as a snapshot would hold them."""
    with tempfile.TemporaryDirectory() as folder:
        write_judgments(study, Path(folder), "secret", Counter())
        return pq.read_table(Path(folder) / "judgments.parquet").to_pylist()


def towards_b(assignment: Assignment, balance: int, **more) -> PairAnswers:
    """Answers as shown whose balance, on the arms' side, is `balance` towards the second arm."""
    return answers(balance=balance if assignment.left_is_a else -balance, **more)


def judge(rater: Enrolment, balance: int | None, **more) -> Judgment:
    """The rater's next pair, judged with `balance` towards the second arm; None is “both are bad”."""
    held = claim_next_pair(rater)
    given = answers(balance=None, both_bad=True) if balance is None else towards_b(held, balance, **more)
    return submit_judgment(held, given, f"key-{held.pk}")


def a_judged_study() -> Study:
    """Five pairs. On the arms' side: Bob 2, -1, 0, both bad, 3 · Carol 1, -2, 0, both bad, then nothing."""
    study = a_rateable_study(pairs=5)
    raters = a_rater(study, bob()), a_rater(study, carol())
    for balance in (2, -1, 0, None, 3):
        judge(raters[0], balance)
    for balance in (1, -2, 0, None):
        judge(raters[1], balance)
    return study
