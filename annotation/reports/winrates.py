"""Who wins: every two arms, question by question, from the pair answers on the arms' side."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from annotation.models import Study
from annotation.reports.duels import (
    ARMS,
    BOOTSTRAP,
    HEADLINE,
    IN_SLICES,
    QUESTION,
    QUESTIONS,
    TIE_RULE,
    Duel,
    duels,
    p_cells,
    p_columns,
)
from annotation.reports.rows import Answers
from annotation.reports.tables import Column, Table, Value, estimate_cells, estimate_columns
from annotation.reports.watching import watched, watched_now
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.paired import TestResult, holm, leanings, sign_test
from annotation.stats.preference import normalised_win_rate, win_rate, win_rate_h

FEW_PROMPTS = 30
"""Below this no winner is named; with 3 prompts, one in five studies of equal arms would name one."""

INTERVAL, SEQUENCE = "interval", "sequence"
"""What decides whether an arm is ahead: see `DECIDING`."""

DECIDING = (
    "An arm is called ahead when at least 30 prompts were judged and the interval that decides lies above "
    "one half. In a study that was closed with all of its judgments, that is the interval for one look (from "
    "resampling prompts). In a study that is still open, or was closed before all pairs had their judgments, "
    "it is the watched interval, which holds at every look: there somebody may stop because the numbers look "
    "good, and an interval made for one look would then be wrong far more often than it says."
)
SLICES = ("intent", "category", "subset", "language", "cohort", "guideline", "week")

COUNTS = (
    Column("wins", "Wins", "count"),
    Column("ties", "Ties", "count"),
    Column("both_bad", "Both bad", "count"),
    Column("losses", "Losses", "count"),
)
SIZES = (
    Column("judgments", "Judgments", "count"),
    Column("pairs", "Pairs", "count"),
    Column("prompts", "Prompts", "count"),
)


@dataclass(frozen=True)
class WinRow:
    """`arm_a` against `arm_b` on one question: `wins` and the rates are arm a's.

    `ties` leaves out `both_bad`, which only the balance knows. n of the rates is `judgments`. `watched` is
    the confidence sequence over prompts, of the headline question only.
    """

    arm_a: str
    arm_b: str
    question: str
    wins: int
    ties: int
    both_bad: int
    losses: int
    rate: Estimate
    decisive: Estimate
    watched: Estimate
    judgments: int
    pairs: int
    prompts: int


@dataclass(frozen=True)
class Headline:
    """What the first sentence says: the leading arm's win rate on the balance, seen once and watched.

    `decides` names which of the two intervals counts (INTERVAL or SEQUENCE); `decided` when there are enough
    prompts and that one lies above one half. Intervals from resampling a handful of prompts are far too
    narrow to decide anything.
    """

    winner: str
    loser: str
    rate: Estimate
    watched: Estimate
    decides: str
    decided: bool
    judgments: int
    prompts: int


@dataclass(frozen=True)
class WinRateReport:
    """Rows in canonical order of the arms, the headline question first; `rule` says how ties count."""

    rows: tuple[WinRow, ...]
    decides: str
    rule: str = TIE_RULE

    @property
    def headlines(self) -> tuple[Headline, ...]:
        """One for every two arms that were compared."""
        asked = (row for row in self.rows if row.question == HEADLINE and row.judgments)
        return tuple(_headline(row, self.decides) for row in asked)


def win_rate_report(
    study: Study, answers: Answers | None = None, questions: tuple[str, ...] = QUESTIONS
) -> WinRateReport:
    """Wins, ties and losses of every two arms, for these of the QUESTIONS.

    No query where the study's `answers` have been read.
    """
    answers = answers or Answers.of_pairs_alone(study)
    return WinRateReport(
        tuple(_win_row(answers, of) for of in duels(answers, questions)), what_decides(answers)
    )


def what_decides(answers: Answers) -> str:
    """INTERVAL where no judgment is to come, else SEQUENCE."""
    return INTERVAL if answers.is_final else SEQUENCE


def headline_table(answers: Answers) -> Table:
    """Every two arms on every question, with all that is said about a win rate."""
    columns = (
        *ARMS,
        QUESTION,
        *COUNTS,
        *estimate_columns("rate", "Win rate", "share"),
        *estimate_columns("watched", "Watched", "share", n="watched_prompts"),
        *estimate_columns("decisive", "Decisive only", "share"),
        *estimate_columns("normalised", "By prompt and rater", "share"),
        *estimate_columns("h", "Cohen’s h", "number"),
        *p_columns("p", "Sign test"),
        Column("decides", "Decided by"),
        Column("ahead", "Ahead"),
        Column("watched_prompts", "Prompts watched", "count"),
        *SIZES,
    )
    rows = tuple(_headline_cells(answers, of) for of in duels(answers))
    return Table("headline", "Which arm is better", _headline_caption(), columns, rows, n="judgments")


def _headline_caption() -> str:
    return (
        f"{TIE_RULE} Win rates are the first arm’s. “Watched” is the confidence sequence of the balance, "
        "one step for each finished prompt, valid at every look. “By prompt and rater” lets no prompt and "
        "no rater count more for having more judgments. Cohen’s h compares the rate with the other arm’s "
        "(0.2 small, 0.5 medium, 0.8 large). The sign test takes one value for each prompt: which arm it "
        f"leans to. {DECIDING}"
    )


def _headline_cells(answers: Answers, of: Duel) -> tuple[Value, ...]:
    row, decides = _win_row(answers, of), what_decides(answers)
    normalised = normalised_win_rate(of.outcomes, of.rows["prompt"], of.rows["rater"], bootstrap=BOOTSTRAP)
    is_headline = of.question == HEADLINE and row.judgments > 0
    return (
        *of.names,
        *(row.wins, row.ties, row.both_bad, row.losses),
        *estimate_cells(row.rate),
        *estimate_cells(row.watched),
        *estimate_cells(row.decisive),
        *estimate_cells(normalised),
        *estimate_cells(win_rate_h(row.rate)),
        *p_cells(sign_of(of)),
        decides if is_headline else "",
        _ahead(row, decides) if is_headline else "",
        row.watched.n,
        *(row.judgments, row.pairs, row.prompts),
    )


def _ahead(row: WinRow, decides: str) -> str:
    line = _headline(row, decides)
    return line.winner if line.decided else ""


def sign_of(of: Duel) -> TestResult:
    """Whether prompts lean to one arm more often than to the other."""
    return sign_test(leanings(of.outcomes, of.rows["prompt"]))


def slices_table(answers: Answers) -> Table:
    """The win rate in every slice of every kind, with p-values adjusted within a kind."""
    columns = (
        Column("by", "Slices by"),
        Column("slice", "Slice"),
        *ARMS,
        QUESTION,
        *COUNTS,
        *estimate_columns("rate", "Win rate", "share"),
        *p_columns("p", "Sign test"),
        Column("p_holm", "Holm", "p"),
        *SIZES,
    )
    caption = (
        f"{TIE_RULE} They are from {IN_SLICES} resamples here. The sign test takes one value for each "
        "prompt; Holm’s correction is made over the slices of one kind, for two arms and one question, so "
        "that of all of them together no more than one in twenty looks has a false alarm. A prompt stands "
        "in each of its subsets."
    )
    rows = tuple(row for by in SLICES for row in _with_holm(_slice_rows(answers, by)))
    return Table("win_rates_by_slice", "Win rates by slice", caption, columns, rows, n="judgments")


def _slice_rows(answers: Answers, by: str) -> list[tuple[tuple[str, str, Duel], TestResult]]:
    found = [(by, label, of) for label, part in answers.slices(by) for of in duels(part) if len(of)]
    return [(slice_, sign_of(slice_[2])) for slice_ in found]


def _with_holm(found: list[tuple[tuple[str, str, Duel], TestResult]]) -> Iterator[tuple[Value, ...]]:
    """The rows of one kind of slice, by arms and question, slices in their order."""
    order = sorted(range(len(found)), key=lambda place: (_group(found[place]), place))
    for _, places in groupby(order, key=lambda place: _group(found[place])):
        group = [found[place] for place in places]
        adjusted = holm([test.p for _, test in group])
        for ((by, label, of), test), p in zip(group, adjusted, strict=True):
            yield _slice_cells(by, label, of, test, p)


def _group(found: tuple[tuple[str, str, Duel], TestResult]) -> tuple[int, str, str]:
    _, _, of = found[0]
    return QUESTIONS.index(of.question), of.arm_a, of.arm_b


def _slice_cells(by: str, label: str, of: Duel, test: TestResult, p: float | None) -> tuple[Value, ...]:
    result = win_rate(of.outcomes, of.rows["prompt"], bootstrap=IN_SLICES)
    counts = (result.wins, result.ties - of.both_bad, of.both_bad, result.losses)
    sizes = (len(of), of.pairs, of.prompts)
    return by, label, *of.names, *counts, *estimate_cells(result.rate), *p_cells(test), p, *sizes


def _win_row(answers: Answers, of: Duel) -> WinRow:
    result = win_rate(of.outcomes, of.rows["prompt"], bootstrap=BOOTSTRAP)
    return WinRow(
        arm_a=of.arm_a,
        arm_b=of.arm_b,
        question=of.question,
        wins=result.wins,
        ties=result.ties - of.both_bad,
        both_bad=of.both_bad,
        losses=result.losses,
        rate=result.rate,
        decisive=result.decisive,
        watched=_watched(answers, of),
        judgments=len(of),
        pairs=of.pairs,
        prompts=of.prompts,
    )


def _watched(answers: Answers, of: Duel) -> Estimate:
    if of.question != HEADLINE:
        return undefined(0, "Only the headline question is watched.")
    return watched_now(watched(answers, of))


def headlines_of(table: Table) -> tuple[Headline, ...]:
    """The sentences' numbers from the rows of `headline_table`."""
    rows: Iterable[Mapping] = table.dicts()
    asked = (row for row in rows if row["question"] == HEADLINE and row["judgments"])
    return tuple(_from_cells(row) for row in asked)


def _from_cells(row: Mapping) -> Headline:
    rate, watched_rate = (
        Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"], row[n], row[f"{name}_reason"])
        for name, n in (("rate", "judgments"), ("watched", "watched_prompts"))
    )
    return _line(
        row["arm_a"], row["arm_b"], rate, watched_rate, row["decides"], row["judgments"], row["prompts"]
    )


def _headline(row: WinRow, decides: str) -> Headline:
    return _line(row.arm_a, row.arm_b, row.rate, row.watched, decides, row.judgments, row.prompts)


def _line(
    arm_a: str, arm_b: str, rate: Estimate, watched: Estimate, decides: str, judgments: int, prompts: int
) -> Headline:
    if rate.value is not None and rate.value < 0.5:
        arm_a, arm_b, rate, watched = arm_b, arm_a, turned(rate), turned(watched)
    deciding = rate if decides == INTERVAL else watched
    decided = prompts >= FEW_PROMPTS and deciding.low is not None and deciding.low > 0.5
    return Headline(arm_a, arm_b, rate, watched, decides, decided, judgments, prompts)


def turned(rate: Estimate) -> Estimate:
    """The same rate seen from the other arm."""
    if rate.value is None:
        return rate
    low = None if rate.high is None else 1 - rate.high
    high = None if rate.low is None else 1 - rate.low
    return Estimate(1 - rate.value, low, high, rate.n, rate.reason)
