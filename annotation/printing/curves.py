"""Curves of a training as SVG: quick enough to be drawn anew every few seconds.

Colours by class (`drawings.css`), so that they follow the page; no style, script or outside reference.
"""

import math
from collections.abc import Callable, Sequence
from html import escape

from annotation.printing.numbers import MINUS

WIDTH, HEIGHT = 400, 190
LEFT, RIGHT, TOP, BOTTOM = 54, 10, 12, 30
TICKS = 4

Points = Sequence[tuple[int, float]]


def curve(label: str, points: Points) -> str:
    """The curve through points (step, value), at least one, with axes; `label` is read out."""
    steps, values = [step for step, _ in points], [value for _, value in points]
    ticks = nice_ticks(min(values), max(values))
    across = _place(steps[0], steps[-1], LEFT, WIDTH - RIGHT)
    up = _place(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    path = " ".join(f"{across(step):.1f},{up(value):.1f}" for step, value in points)
    last = f'<circle class="f-series-1" cx="{across(steps[-1]):.1f}" cy="{up(values[-1]):.1f}" r="3.5"/>'
    body = "".join(_level(tick, up(tick)) for tick in ticks)
    body += f'<polyline class="s-series-1" fill="none" stroke-width="2" points="{path}"/>{last}'
    body += _step(steps[0], LEFT, "start") + _step(steps[-1], WIDTH - RIGHT, "end")
    return (
        f'<svg class="drawing" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'aria-label="{escape(alternative(label, points))}" font-family="system-ui, sans-serif">{body}</svg>'
    )


def alternative(label: str, points: Points) -> str:
    """What is read out instead of the picture."""
    (first, start), (last, end) = points[0], points[-1]
    low, high = (number(find([value for _, value in points])) for find in (min, max))
    return f"{label}: {number(start)} at step {first}, {number(end)} at step {last}; from {low} to {high}"


def number(value: float) -> str:
    """Three significant digits, with a minus that is one."""
    return f"{value:.3g}".replace("-", MINUS)


def nice_ticks(low: float, high: float) -> list[float]:
    """About TICKS round numbers from at or below `low` to at or above `high`."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / TICKS
    size = 10 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(place * step, 12) for place in range(first, last + 1)]


def _place(first: float, last: float, start: float, end: float) -> Callable[[float], float]:
    """A function from a value to its pixel."""
    span = (last - first) or 1
    return lambda value: start + (end - start) * (value - first) / span


def _level(tick: float, y: float) -> str:
    line = f'<line class="s-line" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    text = f'<text class="f-muted" x="{LEFT - 8}" y="{y + 4:.1f}" font-size="12" text-anchor="end">'
    return f"{line}{text}{number(tick)}</text>"


def _step(step: int, x: float, anchor: str) -> str:
    place = f'x="{x}" y="{HEIGHT - 8}" font-size="12" text-anchor="{anchor}"'
    return f'<text class="f-muted" {place}>step {step}</text>'
