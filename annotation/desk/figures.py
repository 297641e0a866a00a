"""Reports as the templates draw them: places in per cent of a figure's width, and labels."""

from dataclasses import dataclass
from itertools import groupby

from annotation.desk import words
from annotation.reports.agreement import Agreement, AgreementReport
from annotation.reports.outcomes import ALL_INTENTS, Cell, OutcomeRow, OutcomesReport
from annotation.reports.winrates import WinRateReport, WinRow, turned
from annotation.vocabulary import Intent

QUESTION_LABELS = {
    "balance": "Better balance",
    "safer": "Safer",
    "more_helpful": "More helpful",
    "safety": "Safety, four levels",
    "unsafe": "Safe or unsafe",
    "severity": "Severity, where both say unsafe",
    "helpfulness": "Helpfulness, 1–4",
    "mode": "Response mode",
}
NARROWEST_LABELLED = 6  # per cent of the bar: less has no room for a number


@dataclass(frozen=True)
class Segment:
    """A part of a bar; `label` is "" where it does not fit."""

    kind: str
    x: float
    width: float
    middle: float
    label: str
    title: str


@dataclass(frozen=True)
class WinBar:
    question: str
    segments: tuple[Segment, ...]
    row: WinRow
    rate: str
    interval: str
    decisive: str
    decisive_interval: str
    summary: str


@dataclass(frozen=True)
class Comparison:
    """Two arms with a bar for each question; the rates are those of `leader`, whom the headline names."""

    arm_a: str
    arm_b: str
    leader: str
    bars: tuple[WinBar, ...]


def comparisons(report: WinRateReport) -> tuple[Comparison, ...]:
    """One figure for every two arms that were compared."""
    rows = [row for row in report.rows if row.judgments]
    grouped = groupby(rows, key=lambda row: (row.arm_a, row.arm_b))
    return tuple(_comparison(a, b, list(group)) for (a, b), group in grouped)


def _comparison(arm_a: str, arm_b: str, rows: list[WinRow]) -> Comparison:
    """`rows` begin with the headline's question, where it was answered."""
    leader = arm_a if rows[0].rate.value >= 0.5 else arm_b
    return Comparison(arm_a, arm_b, leader, tuple(_bar(row, leader == arm_b) for row in rows))


def _bar(row: WinRow, seen_from_b: bool) -> WinBar:
    question = QUESTION_LABELS[row.question]
    rate, decisive = (turned(e) if seen_from_b else e for e in (row.rate, row.decisive))
    return WinBar(
        question=question,
        segments=_segments(row),
        row=row,
        rate=words.percent(rate.value),
        interval=words.percent_interval(rate),
        decisive=words.percent(decisive.value),
        decisive_interval=words.percent_interval(decisive),
        summary=(
            f"{question}: {row.arm_a} {row.wins}, tie {row.ties}, both bad {row.both_bad}, "
            f"{row.arm_b} {row.losses}."
        ),
    )


def _segments(row: WinRow) -> tuple[Segment, ...]:
    parts = (
        ("a", row.wins, f"{row.arm_a} is better"),
        ("tie", row.ties, "tie"),
        ("bad", row.both_bad, "both are bad"),
        ("b", row.losses, f"{row.arm_b} is better"),
    )
    segments, x = [], 0.0
    for kind, number, title in parts:
        width = 100 * number / row.judgments
        label = f"{width:.0f}" if width >= NARROWEST_LABELLED else ""
        if number:
            middle = round(x + width / 2, 2)
            segments.append(Segment(kind, round(x, 2), round(width, 2), middle, label, f"{title}: {number}"))
        x += width
    return tuple(segments)


@dataclass(frozen=True)
class Dot:
    """A value with its interval on a horizontal scale; `x` is None where there is no value."""

    arm: str
    hollow: bool
    x: float | None
    low: float | None
    width: float
    value: str
    interval: str
    judgments: int
    prompts: int
    few: bool
    summary: str


@dataclass(frozen=True)
class IntentRows:
    """One intent: what each arm's dot says about safety and about helpfulness."""

    label: str
    safe: tuple[Dot, ...]
    helpful: tuple[Dot, ...]

    @property
    def pairs(self) -> list[tuple[Dot, Dot]]:
        """Both figures' dots of each arm, for the table."""
        return list(zip(self.safe, self.helpful, strict=True))


def outcome_rows(report: OutcomesReport) -> tuple[IntentRows, ...]:
    """Rows of the two figures and their table, intents that nothing was asked about left out."""
    order = {arm: number for number, arm in enumerate(dict.fromkeys(row.arm for row in report.rows))}
    grouped = [(intent, list(rows)) for intent, rows in groupby(report.rows, key=lambda row: row.intent)]
    return tuple(
        _intent_rows(intent, rows, order)
        for intent, rows in grouped
        if any(row.safe.estimate.n for row in rows)
    )


def _intent_rows(intent: str, rows: list[OutcomeRow], order: dict[str, int]) -> IntentRows:
    label = "All prompts" if intent == ALL_INTENTS else Intent(intent).label
    return IntentRows(
        label,
        tuple(_dot(row.arm, order[row.arm], row.safe, 0, 1, is_share=True) for row in rows),
        tuple(_dot(row.arm, order[row.arm], row.helpful, 1, 4, is_share=False) for row in rows),
    )


def _dot(arm: str, number: int, cell: Cell, least: float, most: float, is_share: bool) -> Dot:
    estimate = cell.estimate
    value = words.percent(estimate.value) if is_share else words.decimal(estimate.value)
    interval = words.percent_interval(estimate) if is_share else words.decimal_interval(estimate)
    x, low, high = (_place(v, least, most) for v in (estimate.value, estimate.low, estimate.high))
    return Dot(
        arm=arm,
        hollow=number % 2 == 1,
        x=x,
        low=low,
        width=0 if low is None else round(high - low, 2),
        value=value,
        interval=interval,
        judgments=estimate.n,
        prompts=cell.prompts,
        few=cell.few,
        summary=f"{arm}: {value}" + (f" ({interval})" if interval else "") + f", n = {estimate.n}.",
    )


def _place(value: float | None, least: float, most: float) -> float | None:
    return None if value is None else round(100 * (value - least) / (most - least), 2)


@dataclass(frozen=True)
class AgreementRow:
    question: str
    level: str
    raw: str
    raw_interval: str
    alpha: str
    alpha_interval: str
    ac1: str
    reason: str
    items: int
    raters: int
    judgments: int


def agreement_rows(report: AgreementReport, unit: str) -> tuple[AgreementRow, ...]:
    """The table's rows about responses or about pairs."""
    return tuple(_agreement_row(question) for question in report.questions if question.unit == unit)


def _agreement_row(question: Agreement) -> AgreementRow:
    return AgreementRow(
        question=QUESTION_LABELS[question.question],
        level=question.level,
        raw=words.percent(question.raw.value),
        raw_interval=words.percent_interval(question.raw),
        alpha=words.decimal(question.alpha.value),
        alpha_interval=words.decimal_interval(question.alpha),
        ac1=words.decimal(question.ac1.value) if question.ac1.value is not None else "",
        reason=question.alpha.reason,
        items=question.items,
        raters=question.raters,
        judgments=question.judgments,
    )
