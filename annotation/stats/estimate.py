"""The one shape in which every statistic answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value with its interval.

    ``value``, ``low`` and ``high`` are None where they do not exist, and ``reason`` then says why in a
    sentence a researcher can read. A value can exist without an interval (for example from a single item).
    ``n`` counts what the function computing it says it counts.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""


def undefined(n: int, reason: str) -> Estimate:
    """An estimate that does not exist, and why."""
    return Estimate(None, None, None, n, reason)
