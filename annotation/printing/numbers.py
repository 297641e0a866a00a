"""Numbers as people read them: on the desk, in figures and in the report."""

from annotation.reports.tables import Column, Value
from annotation.stats.estimate import Estimate

MINUS, DASH, SPACE = "−", "–", "\u00a0"


def count(number: int, noun: str, plural: str = "") -> str:
    """1 judgment, 1,204 judgments."""
    return f"{number:,}{SPACE}{noun if number == 1 else plural or noun + 's'}"


def percent(share: float | None) -> str:
    """62 %, or a dash where there is none."""
    return DASH if share is None else f"{100 * share:.0f}{SPACE}%"


def decimal(value: float | None, places: int = 2) -> str:
    """−0.12, or a dash where there is none."""
    if value is None:
        return DASH
    text = f"{abs(value):,.{places}f}"
    return MINUS + text if value < 0 and float(text.replace(",", "")) else text


def p_value(value: float | None) -> str:
    """0.03, 0.004, or < 0.001; a dash where there is none."""
    if value is None:
        return DASH
    if value < 0.001:
        return f"<{SPACE}0.001"
    return f"{value:.3f}" if value < 0.01 else f"{value:.2f}"


def interval(low: float | None, high: float | None, is_share: bool) -> str:
    """57–67 of shares in per cent, 0.41 to 0.58 of numbers (a bound may be negative); "" without one."""
    if low is None or high is None:
        return ""
    if is_share:
        return f"{100 * low:.0f}{DASH}{100 * high:.0f}"
    return f"{decimal(low)} to {decimal(high)}"


def percent_interval(estimate: Estimate) -> str:
    """57–67, in per cent, or "" without an interval."""
    return interval(estimate.low, estimate.high, is_share=True)


def decimal_interval(estimate: Estimate) -> str:
    """0.41 to 0.58, or "" without an interval; “to”, because a bound may be negative."""
    return interval(estimate.low, estimate.high, is_share=False)


def with_interval(value: float | None, low: float | None, high: float | None, is_share: bool) -> str:
    """62 % (57–67)."""
    text = percent(value) if is_share else decimal(value)
    around = interval(low, high, is_share)
    return f"{text} ({around})" if around else text


def cell(column: Column, value: Value) -> str:
    """A cell of a table. Yes and no for bools; a dash for nothing."""
    if value is None or value == "":
        return DASH if column.kind != "text" else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if column.kind == "share":
        return percent(value)
    if column.kind == "p":
        return p_value(value)
    return f"{value:,}" if isinstance(value, int) else decimal(value)
