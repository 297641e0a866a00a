"""Who is ahead, how sure, and in which slices: every cell against plain Python and SciPy."""

import json
import math
import re
from collections import defaultdict
from itertools import groupby

import numpy as np
import pytest
from scipy.stats import binomtest

from annotation.reports.duels import QUESTIONS
from annotation.reports.preference_tables import tables
from annotation.reports.row_types import UNANSWERED, RaterLabels
from annotation.reports.tables import Table
from annotation.reports.watching import POINTS, sequence_table
from annotation.reports.winrates import FEW_PROMPTS, headline_table, headlines_of, slices_table
from annotation.stats.sequential import confidence_sequence
from tests.reports.made import a_prompt, drawn, made

pytestmark = pytest.mark.once


def rows_of(table: Table, **where) -> list[dict]:
    return [row for row in table.dicts() if all(row[name] == value for name, value in where.items())]


def the_row(table: Table, **where) -> dict:
    (row,) = rows_of(table, **where)
    return row


def outcome(row, question) -> float | None:
    """What one judgment says of arm a, in plain words; None where it says nothing."""
    if question == "balance" and row["both_bad"]:
        return 0.5
    if row[question] == UNANSWERED:
        return None
    return 1.0 if row[question] < 0 else 0.0 if row[question] > 0 else 0.5


def said(answers, question, a=0, b=1) -> list[tuple[int, int, float]]:
    """(prompt, rater, outcome) of each judgment that answers."""
    found = []
    for row in answers.of_pairs:
        if (row["arm_a"], row["arm_b"]) == (a, b) and outcome(row, question) is not None:
            found.append((int(row["prompt"]), int(row["rater"]), outcome(row, question)))
    return found


def leans(found) -> tuple[int, int]:
    """How many prompts lean to arm a, and to either."""
    by_prompt = defaultdict(list)
    for prompt, _, value in found:
        by_prompt[prompt].append(value)
    means = [sum(values) / len(values) for values in by_prompt.values()]
    return sum(mean > 0.5 for mean in means), sum(mean != 0.5 for mean in means)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_headline_agrees_with_plain_python(question):
    answers = drawn()
    row, found = the_row(headline_table(answers), question=question), said(answers, question)
    values = [value for _, _, value in found]
    assert (row["wins"], row["losses"]) == (values.count(1), values.count(0))
    assert row["ties"] + row["both_bad"] == values.count(0.5)
    assert row["both_bad"] == (answers.of_pairs["both_bad"].sum() if question == "balance" else 0)
    assert row["rate"] == pytest.approx(sum(values) / len(values))
    assert row["decisive"] == pytest.approx(values.count(1) / (values.count(1) + values.count(0)))
    assert row["h"] == pytest.approx(
        2 * math.asin(math.sqrt(row["rate"])) - 2 * math.asin(math.sqrt(1 - row["rate"]))
    )
    assert row["p"] == pytest.approx(binomtest(*leans(found)).pvalue)
    assert (row["judgments"], row["prompts"], row["pairs"]) == (len(values), 60, 60)
    assert row["rate_low"] < row["rate"] < row["rate_high"]


def test_the_normalised_rate_is_the_mean_over_prompts_of_judgments_weighed_by_their_rater():
    """Unequal on purpose: two raters, one of whom judged a third as much."""
    pairs = [{"prompt": n, "rater": 0, "balance": -1 if n % 4 else 1} for n in range(12)]
    pairs += [{"prompt": 3 * n, "rater": 1, "balance": 1} for n in range(4)]
    row = the_row(headline_table(made(pairs)), question="balance")
    total = 0.0
    for n in range(12):
        judged = [(1 / 12, 1.0 if n % 4 else 0.0)] + ([(1 / 4, 0.0)] if n % 3 == 0 else [])
        total += sum(weight * value for weight, value in judged) / sum(weight for weight, _ in judged)
    assert row["normalised"] == pytest.approx(total / 12)
    assert row["rate"] == pytest.approx(9 / 16)


def test_both_intervals_are_given_and_the_watched_one_is_the_wider():
    row = the_row(headline_table(leaning()), question="balance")
    assert row["watched_low"] < row["rate_low"] < row["rate_high"] < row["watched_high"]
    assert row["watched_prompts"] == 100
    assert the_row(headline_table(drawn()), question="safer")["watched_reason"]


# What decides ----------------------------------------------------------------------------------------


def clear(prompts: int, **more):
    return made([{"prompt": n, "balance": -2} for n in range(prompts)], **more)


def leaning(**more):
    """65 of 100 prompts: clear in one look, not clear to a watcher."""
    return made([{"prompt": n, "balance": -1 if n * 13 % 20 < 13 else 1} for n in range(100)], **more)


def test_a_study_that_is_over_is_decided_by_the_interval_and_a_running_one_by_the_sequence():
    over, running = (headline_table(leaning(is_final=final)) for final in (True, False))
    over, running = the_row(over, question="balance"), the_row(running, question="balance")
    assert (over["decides"], over["ahead"]) == ("interval", "one") and over["rate_low"] > 0.5
    assert (running["decides"], running["ahead"]) == ("sequence", "") and running["watched_low"] < 0.5


def test_a_running_study_is_decided_once_the_sequence_is_clear():
    row = the_row(headline_table(clear(FEW_PROMPTS, is_final=False)), question="balance")
    assert (row["decides"], row["ahead"]) == ("sequence", "one") and row["watched_low"] > 0.5


@pytest.mark.parametrize("is_final", [True, False])
def test_few_prompts_decide_nothing(is_final):
    for prompts, ahead in ((FEW_PROMPTS - 1, ""), (FEW_PROMPTS, "one")):
        table = headline_table(clear(prompts, is_final=is_final))
        assert the_row(table, question="balance")["ahead"] == ahead


def test_the_headline_is_told_from_the_cells_for_the_arm_that_leads():
    answers = drawn(lean=0.8, prompts=120)
    row = the_row(headline_table(answers), question="balance")
    (line,) = headlines_of(Table.from_json(json.loads(json.dumps(headline_table(answers).as_json()))))
    assert (line.winner, line.loser, line.decided) == ("two", "one", True)
    assert line.rate.value == pytest.approx(1 - row["rate"])
    assert line.rate.low == pytest.approx(1 - row["rate_high"])
    assert line.watched.high == pytest.approx(1 - row["watched_low"])


# Watching --------------------------------------------------------------------------------------------


def test_the_sequence_steps_through_prompts_as_they_finish():
    """Prompt 0 begins first and ends last."""
    order = [(0, -1), (1, 1), (1, 0), (2, -1), (2, -1), (0, 1), (0, -1)]
    answers = made([{"prompt": p, "rater": n, "balance": b} for n, (p, b) in enumerate(order)])
    rows = rows_of(sequence_table(answers))
    expected = confidence_sequence([0.25, 1.0, 2 / 3])
    assert [row["rate"] for row in rows] == pytest.approx([0.25, 0.625, (0.25 + 1 + 2 / 3) / 3])
    assert [row["low"] for row in rows] == list(expected.low)
    assert [row["high"] for row in rows] == list(expected.high)


def test_prompts_that_wait_for_judgments_are_not_yet_in_the_sequence():
    answers = made(
        [{"prompt": n, "balance": -1} for n in range(5)], is_final=False, waiting=frozenset({1, 4})
    )
    assert [row["prompts"] for row in rows_of(sequence_table(answers))] == [1, 2, 3]
    assert the_row(headline_table(answers), question="balance")["watched_prompts"] == 3


def test_without_a_finished_prompt_the_headline_says_so():
    answers = made([{"prompt": 0, "balance": -1}], is_final=False, waiting=frozenset({0}))
    row = the_row(headline_table(answers), question="balance")
    assert row["watched"] is None and "No prompt has all of its judgments yet." in row["watched_reason"]
    assert not rows_of(sequence_table(answers))


def test_a_long_sequence_is_thinned_and_keeps_its_last_point():
    rows = rows_of(sequence_table(leaning()))
    assert [row["prompts"] for row in rows] == list(range(1, 101))
    long = made([{"prompt": n, "balance": (-1, 1)[n % 2]} for n in range(1234)])
    rows = rows_of(sequence_table(long))
    assert len(rows) == POINTS and rows[0]["prompts"] == 1 and rows[-1]["prompts"] == 1234


def test_bounds_that_cross_are_said_and_leave_no_interval():
    answers = made([{"prompt": n, "balance": -1 if n < 300 else 1} for n in range(2000)])
    last = rows_of(sequence_table(answers))[-1]
    assert (last["crossed"], last["low"], last["high"]) == ("yes", None, None)
    row = the_row(headline_table(answers), question="balance")
    assert row["watched_low"] is None and "changed" in row["watched_reason"]


def a_watched_study(rng: np.random.Generator, prompts: int, k: int) -> list[tuple[int, float]]:
    """(prompt, outcome) in the order of arrival: equal arms, the raters of a prompt much alike, and prompts
    that finish interleaved, about ten at a time."""
    lean = rng.choice([0.15, 0.85], prompts)
    order = np.argsort(np.repeat(np.arange(prompts), k) + rng.random(prompts * k) * 10, kind="stable")
    told = np.repeat(np.arange(prompts), k)[order]
    return [(int(prompt), float(rng.random() < lean[prompt])) for prompt in told]


@pytest.mark.slow
def test_looking_after_every_judgment_cries_wolf_in_at_most_5_percent_of_studies():
    """The rule as the page has it: at each judgment, the sequence over the prompts finished by then."""
    rng, studies, k = np.random.default_rng(5), 300, 3
    alarms = 0
    for _ in range(studies):
        arrivals = a_watched_study(rng, 150, k)
        pairs = [
            {"prompt": p, "rater": n, "balance": -1 if won else 1} for n, (p, won) in enumerate(arrivals)
        ]
        answers = made(pairs, is_final=False)
        rows = rows_of(sequence_table(answers))
        # A look between two finishing prompts sees what the last one left.
        alarms += any(row["low"] is None or row["low"] > 0.5 or row["high"] < 0.5 for row in rows)
    assert alarms / studies <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)


def test_what_a_look_sees_is_a_beginning_of_what_a_later_look_sees():
    """So looking at every judgment is looking at every step of the last sequence, and no more."""
    rng, k = np.random.default_rng(6), 3
    arrivals = a_watched_study(rng, 40, k)
    pairs = [{"prompt": p, "rater": n, "balance": -1 if won else 1} for n, (p, won) in enumerate(arrivals)]
    whole = rows_of(sequence_table(made(pairs, prompts=40)))
    for now in range(10, 120, 7):
        seen = [p for p, _ in arrivals[:now]]
        waiting = frozenset(p for p in range(40) if seen.count(p) < k)
        part = rows_of(sequence_table(made(pairs[:now], prompts=40, is_final=False, waiting=waiting)))
        assert part == whole[: len(part)]


# Slices ----------------------------------------------------------------------------------------------


def sliced(seed: int = 3):
    answers = drawn(seed, prompts=90)
    prompts = tuple(
        a_prompt(n, ("benign", "dual_use", "malicious")[n % 3], (("bio",), ("bio", "cyber"), ())[n % 3])
        for n in range(90)
    )
    raters = tuple(RaterLabels(f"R{n}", ("", "club", "club")[n]) for n in range(3))
    return made(_dicts(answers.of_pairs), (), answers.arms, prompts, raters)


def _dicts(rows) -> list[dict]:
    return [dict(zip(rows.dtype.names, row.item(), strict=True)) for row in rows]


def test_the_slices_of_a_kind_split_the_judgments():
    table = slices_table(sliced())
    for by in ("intent", "cohort", "language", "guideline", "week"):
        rows = rows_of(table, by=by, question="balance")
        assert sum(row["judgments"] for row in rows) == 270
    benign = the_row(table, by="intent", slice="benign", question="balance")
    found = [row for row in said(sliced(), "balance") if row[0] % 3 == 0]
    assert benign["rate"] == pytest.approx(sum(value for *_, value in found) / len(found))
    assert benign["p"] == pytest.approx(binomtest(*leans(found)).pvalue)


def test_a_prompt_counts_in_each_of_its_subsets():
    rows = {
        row["slice"]: row["prompts"] for row in rows_of(slices_table(sliced()), by="subset", question="safer")
    }
    assert (rows["bio"], rows["cyber"]) == (60, 30)


def test_p_values_are_adjusted_within_a_kind_of_slices_two_arms_and_a_question():
    """Holm written out: in ascending order, m times the first, m - 1 times the second, never falling."""
    table = slices_table(sliced())
    groups = defaultdict(list)
    for row in table.dicts():
        groups[row["by"], row["arm_a"], row["arm_b"], row["question"]].append(row)
    for rows in groups.values():
        told = sorted((row for row in rows if row["p"] is not None), key=lambda row: row["p"])
        least = 0.0
        for rank, row in enumerate(told):
            least = max(least, min(1.0, (len(told) - rank) * row["p"]))
            assert row["p_holm"] == pytest.approx(least)


def test_slices_stand_together_by_arms_and_question():
    keys = [
        (row["by"], row["question"], row["arm_a"], row["arm_b"]) for row in slices_table(sliced()).dicts()
    ]
    assert len([key for key, _ in groupby(keys)]) == len(set(keys))


# Every table, whatever is there ----------------------------------------------------------------------


def all_ties():
    return made([{"prompt": n, "balance": 0, "safer": 0, "more_helpful": 0} for n in range(40)])


def arms_that_never_met():
    met = [(0, 1), (2, 3)]
    pairs = [
        {"prompt": n, "pair": 2 * n + k, "arm_a": a, "arm_b": b, "balance": (-1, 1)[n % 2]}
        for n in range(20)
        for k, (a, b) in enumerate(met)
    ]
    return made(pairs, arms=("a", "b", "c", "d"))


def nothing_answered():
    """Rows whose every answer is missing, with no known time."""
    return made(
        [{"prompt": n, "day": -1, "length_a": -1, "length_b": 0} for n in range(5)],
        [{"prompt": n, "arm": n % 2, "day": -1} for n in range(5)],
    )


STUDIES = {
    "empty": lambda: made(),
    "no arms": lambda: made(arms=()),
    "one arm": lambda: made(arms=("alone",)),
    "one judgment": lambda: made(
        [{"prompt": 0, "balance": -1}], [{"prompt": 0, "safety": 0, "helpfulness": 4}]
    ),
    "one rater": lambda: drawn(raters=1),
    "one prompt": lambda: drawn(prompts=1),
    "all ties": all_ties,
    "all won": lambda: clear(40),
    "arms that never met": arms_that_never_met,
    "nothing answered": nothing_answered,
    "three arms": lambda: drawn(arms=("a", "b", "c"), prompts=15),
    "ordinary": lambda: drawn(prompts=30),
    "still running": lambda: made([{"prompt": 0, "balance": 1}], is_final=False, waiting=frozenset({0})),
}


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_a_number_is_finite_or_is_not_there_and_says_why(study):
    for table in tables(STUDIES[study]()):
        json.dumps(table.as_json(), allow_nan=False)
        for row in table.dicts():
            for name in row:
                if f"{name}_reason" in row and row[name] is None:
                    assert row[f"{name}_reason"], (table.name, name, row)
                if f"{name}_low" in row and row[f"{name}_low"] is None:
                    assert row[f"{name}_reason"], (table.name, name, row)
                assert not (name.endswith("_reason") and re.search(r"\bnan\b|None", str(row[name])))


@pytest.mark.slow
def test_the_same_answers_make_the_same_bytes():
    def told():
        return json.dumps([table.as_json() for table in tables(drawn(arms=("a", "b", "c"), prompts=12))])

    assert told() == told()


def test_the_tables_are_those_that_were_promised():
    assert [table.name for table in tables(made())] == [
        "headline",
        "sequence",
        "win_rates_by_slice",
        "strengths",
        "strength_effects",
        "paired_tests",
        "biases",
        "drift",
        "raters",
        "planning",
    ]


def test_all_numbers_are_pythons_own():
    for table in tables(drawn(prompts=12)):
        for row in table.rows:
            assert {type(cell) for cell in row} <= {str, int, float, type(None)}, (table.name, row)
