"""The forms that figures take, declared with Altair: dots, shares, grids, bands and steps.

Every place of text is set here in pixels and nothing is laid out by measuring, so that the same rows give
the same drawing everywhere. Each form has a wide and a narrow layout; in the narrow one the words stand
above what they name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import altair as alt
import vl_convert

from annotation.printing.lettering import plain, shortened, width
from annotation.printing.svg import ROLES

SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
SERIES = ("series-1", "series-2", "series-3", "series-4")
TEXT, SMALL, TINY = 14, 12, 11  # pixels
BOLD = 16  # what text of 14 in bold takes
GAP, NARROWEST = 16, 62  # pixels between blocks of a grid, and of a column where several stand in a line
CELL = 36  # pixels from one row of a grid to the next
FAINT = 0.5
"""Opacity of marks with too few judgments behind them."""


@dataclass(frozen=True)
class Layout:
    """`labels` and `values` are the pixels left and right of the plot; 0 where words stand above it."""

    name: str
    width: int
    labels: int
    values: int

    @property
    def plot(self) -> int:
        return self.width - self.labels - self.values - 2 * MARGIN


MARGIN = 8
WIDE = Layout("wide", 820, 190, 236)
NARROW = Layout("narrow", 358, 0, 0)


@dataclass(frozen=True)
class Scale:
    """From `least` to `most`, with a `ticks` label for each value named; `reference` is a line across."""

    least: float
    most: float
    ticks: tuple[tuple[float, str], ...]
    reference: float | None = None


SHARES = Scale(0, 1, ((0, "0 %"), (0.25, ""), (0.5, "50 %"), (0.75, ""), (1, "100 %")))
RATES = Scale(0, 1, SHARES.ticks, reference=0.5)


@dataclass(frozen=True)
class Dot:
    """A value with its interval, both None where they do not exist; `text` says it in words."""

    group: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    text: str
    n: int | None = None
    series: int = 0
    few: bool = False


@dataclass(frozen=True)
class Part:
    """A kind of part in bars: the role of its colour and the role of text upon it."""

    label: str
    role: str
    on: str


@dataclass(frozen=True)
class Bar:
    """Counts of each Part, drawn as shares of their sum. `text` and `n` stand beside it."""

    group: str
    label: str
    counts: tuple[float, ...]
    text: str
    n: int
    few: bool = False


@dataclass(frozen=True)
class Shade:
    """A cell of a grid, the darker the larger its `share`; None has no shade. `below` stands under `text`."""

    share: float | None
    text: str
    below: str = ""
    few: bool = False


@dataclass(frozen=True)
class Block:
    """Columns of a grid under one heading, `shades` by row and column."""

    title: str
    columns: tuple[str, ...]
    shades: tuple[tuple[Shade, ...], ...]


@dataclass(frozen=True)
class Point:
    """A look at a running value: `at` the number of prompts, `value` inside `low` to `high`."""

    at: float
    value: float | None
    low: float | None
    high: float | None


def svg_of(chart: alt.LayerChart) -> str:
    """What Vega draws."""
    # Tests hold every chart against the schema; doing it here would take a third of the time.
    return vl_convert.vegalite_to_svg(chart.to_dict(validate=False), vl_version="6.4")


# Dots with intervals ----------------------------------------------------------------------------------


def dots(rows: Sequence[Dot], scale: Scale, layout: Layout) -> alt.LayerChart:
    """A row for each value, grouped; the scale is repeated under long figures by its grid lines."""
    placed, heads, height = _placed_dots(rows, layout)
    x = _x("value", scale)
    marks = [{**row, **_mark(dot)} for row, dot in placed if dot.value is not None]
    ranges = [row for row in marks if row["low"] is not None]
    layers = [
        *_grid(scale, height, layout),
        _chart(ranges).mark_rule(strokeWidth=4, strokeCap="butt").encode(
            x=_x("low", scale), x2="high:Q", y=_y("y", height), **_painted("stroke")
        ),
        _chart(marks).mark_point(size=110, strokeWidth=2.5, opacity=1).encode(
            x=x, y=_y("y", height), shape=alt.Shape("shape:N", scale=None), **_painted("stroke", "fill")
        ),
        *_words(heads, height),
        *_words([_label(row, dot, layout) for row, dot in placed], height),
        *_words([words for row, dot in placed for words in _values(row, dot, layout)], height),
    ]  # fmt: skip
    return _assembled(layers, height, layout, bottom=24)


def _placed_dots(rows: Sequence[Dot], layout: Layout) -> tuple[list[tuple[dict, Dot]], list[dict], float]:
    """Each dot with its places, the groups' headings, and the height of all."""
    step = 26 if layout.labels else 44
    y, placed, heads = 0.0, [], []
    for group, members in groupby(rows, key=lambda dot: dot.group):
        if group:
            heads.append(_text(-layout.labels, y + 15, shortened(group, layout.width - 20, BOLD), bold=True))
            y += 26
        for dot in members:
            placed.append(({"y": y + step - 13, "words": y + (step - 13 if layout.labels else 13)}, dot))
            y += step
        y += 8
    return placed, heads, y


def _mark(dot: Dot) -> dict:
    colour = ROLES[SERIES[dot.series % len(SERIES)]]
    return {
        "value": dot.value,
        "low": dot.low,
        "high": dot.high,
        "shape": SHAPES[dot.series % len(SHAPES)],
        "stroke": colour,
        # Every second series is hollow: told apart without colour.
        "fill": ROLES["paper"] if dot.series % 2 else colour,
        "opacity": FAINT if dot.few else 1,
    }


def _label(row: dict, dot: Dot, layout: Layout) -> dict:
    room = layout.labels - 16 if layout.labels else layout.plot - width(_said(dot), TEXT) - 8
    label = shortened(dot.label, room, TEXT)
    return _text(-layout.labels, row["words"] + 5, label, few=dot.few)


def _values(row: dict, dot: Dot, layout: Layout) -> list[dict]:
    """The value in words and n: apart where there is a column for them, else together."""
    y = row["words"] + 5
    if not layout.values:
        return [_text(layout.plot, y, _said(dot), few=dot.few, align="right")]
    found = [_text(layout.plot + 14, y, dot.text, few=dot.few)]
    if dot.n is not None:
        found.append(_text(layout.plot + layout.values, y, f"n = {dot.n:,}", few=dot.few, align="right"))
    return found


def _said(dot: Dot) -> str:
    return dot.text if dot.n is None else f"{dot.text}  n = {dot.n:,}"


# Shares of a whole ------------------------------------------------------------------------------------


def shares(rows: Sequence[Bar], parts: Sequence[Part], layout: Layout, heading: str = "") -> alt.LayerChart:
    """A bar of 100 % for each row, cut into parts; the key stands above, in the order of the parts.

    `heading` says what the words beside the bars are.
    """
    key, y = _key(parts, layout)
    step = 40 if layout.labels else 56
    rects, words = [], []
    if heading:
        x, align = (layout.plot + 14, "left") if layout.values else (layout.plot, "right")
        line = shortened(heading, layout.values - 14 if layout.values else layout.plot, SMALL)
        words.append(_text(x, y + 4, line, role="muted", size=SMALL, align=align))
        y += 16
    for group, members in groupby(rows, key=lambda bar: bar.group):
        if group:
            words.append(_text(-layout.labels, y + 17, shortened(group, layout.width - 20, BOLD), bold=True))
            y += 28
        for bar in members:
            top = y if layout.labels else y + 20
            rects += [row | {"top": top, "bottom": top + 30} for row in _pieces(bar, parts)]
            words += _bar_words(bar, y, layout)
            y += step
        y += 6
    inside = [
        _text(
            None, row["top"] + 20, row["said"], share=row["middle"], role=row["on"], bold=True, align="center"
        )
        for row in rects
        if row["said"]
    ]
    edge = ROLES["paper"]
    layers = [
        *_swatches(key, y),
        _chart(rects).mark_rect(stroke=edge, strokeWidth=1).encode(
            x=_x("start", SHARES), x2="end:Q", y=_y("top", y), y2="bottom:Q", **_painted("fill")
        ),
        *_words(words, y),
        *_words(inside, y, SHARES),
    ]  # fmt: skip
    return _assembled(layers, y, layout, bottom=4)


def _pieces(bar: Bar, parts: Sequence[Part]) -> list[dict]:
    whole, start, pieces = sum(bar.counts), 0.0, []
    for count, part in zip(bar.counts, parts, strict=True):
        share = count / whole if whole else 0
        if share:
            said = f"{100 * share:.0f}" if share >= 0.08 else ""
            pieces.append(
                {
                    "start": start,
                    "end": min(1, start + share),
                    "middle": start + share / 2,
                    "said": said,
                    "fill": ROLES[part.role],
                    "on": part.on,
                    "opacity": FAINT if bar.few else 1,
                }
            )
        start += share
    return pieces


def _bar_words(bar: Bar, y: float, layout: Layout) -> list[dict]:
    if layout.labels:
        label = shortened(bar.label, layout.labels - 16, TEXT)
        return [
            _text(-layout.labels, y + 20, label, few=bar.few),
            *_beside_bar(bar, y + 20, layout),
        ]
    said = f"{bar.text}  n = {bar.n:,}".strip()
    label = shortened(bar.label, layout.plot - width(said, TEXT) - 8, TEXT)
    return [
        _text(0, y + 13, label, few=bar.few),
        _text(layout.plot, y + 13, said, few=bar.few, align="right"),
    ]


def _beside_bar(bar: Bar, y: float, layout: Layout) -> list[dict]:
    """As beside dots: the words, and n in a column of its own; n alone where there are no words."""
    number = f"n = {bar.n:,}"
    if not bar.text:
        return [_text(layout.plot + 14, y, number, few=bar.few)]
    right = layout.plot + layout.values
    return [
        _text(layout.plot + 14, y, bar.text, few=bar.few),
        _text(right, y, number, few=bar.few, align="right"),
    ]


def _key(parts: Sequence[Part], layout: Layout) -> tuple[list[dict], float]:
    """Where each part's swatch and word stand, in as many lines as they need, and where they end."""
    x, y, placed = 0.0, 0.0, []
    for part in parts:
        label = shortened(part.label, layout.plot - 24, SMALL)
        room = 18 + width(label, SMALL) + 14
        if x and x + room > layout.plot + layout.values:
            x, y = 0.0, y + 20
        placed.append({"x": x, "y": y, "label": label, "fill": ROLES[part.role], "opacity": 1})
        x += room
    return placed, y + 28


def _swatches(key: Sequence[dict], height: float) -> list[alt.Chart]:
    boxes = [row | {"x2": row["x"] + 12, "y2": row["y"] + 12} for row in key]
    words = [_text(row["x"] + 18, row["y"] + 11, row["label"], size=SMALL) for row in key]
    drawn = _chart(boxes).mark_rect(stroke=ROLES["edge"], strokeWidth=1).encode(
        x=alt.X("x:Q", scale=None, axis=None),
        x2="x2:Q",
        y=_y("y", height),
        y2="y2:Q",
        **_painted("fill"),
    )  # fmt: skip
    return [drawn, *_words(words, height)]


# Grids ------------------------------------------------------------------------------------------------


def grid(rows: Sequence[str], blocks: Sequence[Block], layout: Layout) -> alt.LayerChart:
    """A table of shades, the darker the larger, with the number in every cell.

    As many blocks stand side by side as have room, all with the labels of the rows on the left.
    """
    labels = 170 if layout.labels else 112
    room = layout.width - 2 * MARGIN - labels
    columns = max(len(block.columns) for block in blocks)
    beside = max(1, min(len(blocks), int((room + GAP) // (columns * NARROWEST + GAP))))
    cell = min(88.0, (room - GAP * (beside - 1)) / (columns * beside))
    bottom = 0.0
    cells: list[dict] = []
    words: list[dict] = []
    for start in range(0, len(blocks), beside):
        top = bottom + GAP if start else 0.0
        for number, block in enumerate(blocks[start : start + beside]):
            place = (labels + number * (columns * cell + GAP), top, cell)
            bottom = _block(block, rows, place, labels, number == 0, cells, words)
    layers = [
        _chart(cells).mark_rect(stroke=ROLES["paper"], strokeWidth=2).encode(
            x=alt.X("x:Q", scale=None, axis=None), x2="x2:Q", y=_y("y", bottom), y2="y2:Q", **_painted("fill")
        ),
        *_words(words, bottom),
    ]  # fmt: skip
    return _assembled(layers, bottom, Layout(layout.name, layout.width, 0, 0), bottom=4)


def _block(
    block: Block,
    rows: Sequence[str],
    place: tuple[float, float, float],
    labels: float,
    is_labelled: bool,
    cells: list[dict],
    words: list[dict],
) -> float:
    """Place one block's cells and words; where it ends."""
    x, y, cell = place
    if block.title:
        words.append(
            _text(x, y + 15, shortened(block.title, max(cell * len(block.columns), 150), BOLD), bold=True)
        )
        y += 22
    heads = [_lines(column, cell - 6, 3) for column in block.columns]
    tall = max(len(lines) for lines in heads)
    for number, lines in enumerate(heads):
        words += [
            _text(
                x + cell * (number + 0.5),
                y + 14 * (tall - len(lines) + line) + 12,
                said,
                size=SMALL,
                align="center",
            )
            for line, said in enumerate(lines)
        ]
    y += 14 * tall + 6
    for row, (label, shades) in enumerate(zip(rows, block.shades, strict=True)):
        top = y + CELL * row
        if is_labelled:
            words += _row_label(label, top, labels - 10)
        for column, shade in enumerate(shades):
            left = x + cell * column
            fill, on = _shade(shade)
            box = {"x": left, "x2": left + cell, "y": top, "y2": top + CELL}
            cells.append({**box, "fill": fill, "opacity": 1})
            place = {"role": on, "align": "center", "few": shade.few}
            words.append(_text(left + cell / 2, top + (16 if shade.below else 22), shade.text, **place))
            if shade.below:
                words.append(_text(left + cell / 2, top + 30, shade.below, **place, size=TINY))
    return y + CELL * len(rows)


def _shade(shade: Shade) -> tuple[str, str]:
    """The fill of a cell and the role of the text on it; too few judgments have no shade."""
    if shade.share is None or shade.few:
        return ROLES["paper"], "muted"
    step = min(4, int(shade.share * 5))
    role = ("sunken", "severity-1", "severity-2", "severity-3", "severity-4")[step]
    return ROLES[role], "ink" if step == 0 else ("on-light" if step < 3 else "on-dark")


def _row_label(label: str, top: float, room: float) -> list[dict]:
    """In one line, or smaller in two."""
    if width(label, TEXT) <= room:
        return [_text(0, top + 22, label)]
    lines = _lines(label, room, 2)
    return [
        _text(0, top + (16 if len(lines) > 1 else 22) + 14 * line, said, size=SMALL)
        for line, said in enumerate(lines)
    ]


def _lines(text: str, room: float, most: int) -> list[str]:
    """In small letters, at most so many lines, broken at words, and within a word that is too long."""
    lines: list[str] = []
    for word in plain(text).split():
        while len(lines) < most - 1 and width(word, SMALL) > room:
            kept = max(n for n in range(1, len(word)) if n == 1 or width(word[:n] + "-", SMALL) <= room)
            lines.append(word[:kept] + "-")
            word = word[kept:]
        if lines and not lines[-1].endswith("-") and width(f"{lines[-1]} {word}", SMALL) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [shortened(line, room, SMALL) for line in lines] or [""]


# Bands over time ----------------------------------------------------------------------------------------


def band(
    points: Sequence[Point], scale: Scale, fixed: Dot | None, words: tuple[str, str], layout: Layout
) -> alt.LayerChart:
    """A running value inside its band; `fixed` is an interval made once, drawn at the end.

    `words` name the horizontal axis and the band.
    """
    height, left = 240, 44
    plot = layout.width - left - 2 * MARGIN - (150 if layout.values else 40)
    end = max(point.at for point in points)
    x_scale = alt.Scale(domain=[0, end], nice=False)
    y_scale = alt.Scale(domain=[scale.most, scale.least], range=[0, height], nice=False)
    rows = [{"at": p.at, "value": p.value, "low": p.low, "high": p.high} for p in points]
    within = [row for row in rows if row["low"] is not None]
    x = alt.X("at:Q", scale=x_scale, axis=None)
    blue = ROLES["series-1"]
    layers = [
        _chart([{"y": tick} for tick, _ in scale.ticks]).mark_rule(color=ROLES["line"]).encode(
            x=alt.value(0), x2=alt.value(plot), y=alt.Y("y:Q", scale=y_scale, axis=None)
        ),
        _chart(within).mark_area(color=blue, opacity=0.22, interpolate="step-after").encode(
            x=x, y=alt.Y("low:Q", scale=y_scale, axis=None), y2="high:Q"
        ),
        _chart(rows).mark_line(color=blue, strokeWidth=2, interpolate="step-after").encode(
            x=x, y=alt.Y("value:Q", scale=y_scale, axis=None)
        ),
        *_across(scale.reference, y_scale, plot),
        *_beside(fixed, y_scale, plot),
    ]  # fmt: skip
    axis = [
        _text(-8, _down(tick, scale, height) + 5, said, size=SMALL, role="muted", align="right")
        for tick, said in scale.ticks
    ]
    axis += [
        _text(plot * tick / end, height + 18, f"{tick:,.0f}", size=SMALL, role="muted", align="center")
        for tick in (0, end / 2, end)
    ]
    axis.append(_text(plot / 2, height + 36, words[0], size=SMALL, role="muted", align="center"))
    axis.append(_text(0, -10, shortened(words[1], layout.width - left - 2 * MARGIN, SMALL), size=SMALL))
    if fixed and layout.values:
        y = _down(fixed.value or 0, scale, height)
        axis.append(_text(plot + 34, y + 2, fixed.text, size=SMALL))
        axis.append(_text(plot + 34, y + 18, fixed.label, size=SMALL, role="muted"))
    elif fixed:
        axis.append(
            _text(plot + 32, -10, f"{fixed.label}: {fixed.text}", size=SMALL, role="muted", align="right")
        )
        axis[-1]["y"] = height + 54
    layers += _words(axis, None, y_pixels=True)
    return _framed(
        layers,
        plot,
        height,
        {
            "left": left + MARGIN,
            "right": layout.width - left - plot - MARGIN,
            "top": 26,
            "bottom": 44 if layout.values else 62,
        },
    )


def _down(value: float, scale: Scale, height: float) -> float:
    return height * (scale.most - value) / (scale.most - scale.least)


def _across(reference: float | None, y_scale: alt.Scale, plot: float) -> list[alt.Chart]:
    if reference is None:
        return []
    drawn = _chart([{"y": reference}]).mark_rule(color=ROLES["edge"], strokeDash=[4, 3])
    return [drawn.encode(x=alt.value(0), x2=alt.value(plot), y=alt.Y("y:Q", scale=y_scale, axis=None))]


def _beside(fixed: Dot | None, y_scale: alt.Scale, plot: float) -> list[alt.Chart]:
    """The interval made once, right of the band."""
    if fixed is None:
        return []
    row = [{"value": fixed.value, "low": fixed.low, "high": fixed.high}]
    y, x = (lambda field: alt.Y(f"{field}:Q", scale=y_scale, axis=None)), alt.value(plot + 20)
    point = _chart(row).mark_point(size=90, filled=True, opacity=1, color=ROLES["series-2"])
    drawn = [point.encode(x=x, y=y("value"))]
    if fixed.low is not None:
        rule = _chart(row).mark_rule(strokeWidth=4, color=ROLES["series-2"])
        drawn.insert(0, rule.encode(x=x, y=y("low"), y2="high:Q"))
    return drawn


# A value against another ----------------------------------------------------------------------------------


def against(points: Sequence[Dot], axes: tuple[str, str], layout: Layout) -> alt.LayerChart:
    """Shares observed (`value`) against shares stated (`label` as a number).

    A line shows where they are equal.
    """
    side = 280
    scale = alt.Scale(domain=[0, 1], nice=False)
    down = alt.Scale(domain=[1, 0], range=[0, side], nice=False)
    rows = [{"at": float(dot.label), **_mark(dot)} for dot in points if dot.value is not None]
    ticks = [{"at": tick / 4} for tick in range(5)]
    x, y = alt.X("at:Q", scale=scale, axis=None), (lambda f: alt.Y(f"{f}:Q", scale=down, axis=None))
    equal = [{"at": 0, "value": 0}, {"at": 1, "value": 1}]
    layers = [
        _chart(ticks).mark_rule(color=ROLES["line"]).encode(x=x),
        _chart(ticks).mark_rule(color=ROLES["line"]).encode(y=y("at"), x=alt.value(0), x2=alt.value(side)),
        _chart(equal).mark_line(color=ROLES["edge"], strokeDash=[4, 3], strokeWidth=1.5).encode(
            x=x, y=y("value")
        ),
        _chart([r for r in rows if r["low"] is not None]).mark_rule(strokeWidth=3).encode(
            x=x, y=y("low"), y2="high:Q", **_painted("stroke")
        ),
        _chart(rows).mark_point(size=90, strokeWidth=2, opacity=1).encode(
            x=x, y=y("value"), shape=alt.Shape("shape:N", scale=None), **_painted("stroke", "fill")
        ),
    ]  # fmt: skip
    words = [
        _text(side * t, side + 18, f"{100 * t:.0f} %", size=SMALL, role="muted", align="center")
        for t in (0, 0.5, 1)
    ]
    words += [
        _text(-8, side * (1 - t) + 5, f"{100 * t:.0f} %", size=SMALL, role="muted", align="right")
        for t in (0, 0.5, 1)
    ]
    words += [
        _text(side / 2, side + 54, axes[0], size=SMALL, role="muted", align="center"),
        _text(0, -10, axes[1], size=SMALL, role="muted"),
    ]
    words.append(_text(-8, side + 36, "n", size=SMALL, role="muted", align="right"))
    words += [
        _text(side * float(dot.label), side + 36, f"{dot.n:,}", size=TINY, few=dot.few, align="center")
        for dot in points
        if dot.value is not None
    ]
    layers += _words(words, None, y_pixels=True)
    return _framed(
        layers,
        side,
        side,
        {"left": 56, "right": layout.width - 56 - side if layout.labels else 22, "top": 28, "bottom": 62},
    )


# Bars of a distribution -------------------------------------------------------------------------------------


def steps(
    rows: Sequence[tuple[str, Sequence[tuple[float, float, float]], str]], scale: Scale, layout: Layout
) -> alt.LayerChart:
    """A row of columns for each label: from, to and share of each bin, and the words beside it."""
    tall, y = 96, 0.0
    most = max((share for _, bins, _ in rows for *_, share in bins), default=0) or 1
    rects: list[dict] = []
    words: list[dict] = []
    lines: list[dict] = []
    for number, (label, bins, said) in enumerate(rows):
        base = y + tall - (0 if layout.labels else -20)
        colour = ROLES[SERIES[number % len(SERIES)]]
        for low, high, share in bins:
            top = base - 68 * share / most
            if share:
                rects.append(
                    {"start": low, "end": high, "top": top, "bottom": base, "fill": colour, "opacity": 1}
                )
                words.append(
                    _text(
                        None,
                        top - 4,
                        f"{100 * share:.0f}",
                        share=(low + high) / 2,
                        size=SMALL,
                        align="center",
                    )
                )
        lines.append({"y": base})
        head = base - 20 if layout.labels else y + 14
        words.append(
            _text(
                -layout.labels,
                head,
                shortened(label, layout.labels - 16 if layout.labels else layout.plot * 0.6, TEXT),
            )
        )
        words.append(
            _text(
                layout.plot + (14 if layout.values else 0),
                head,
                said,
                align="left" if layout.values else "right",
            )
        )
        y = base + 14
    layers = [
        _chart(rects).mark_rect(stroke=ROLES["paper"], strokeWidth=1).encode(
            x=_x("start", scale), x2="end:Q", y=_y("top", y), y2="bottom:Q", **_painted("fill")
        ),
        _chart(lines).mark_rule(color=ROLES["edge"]).encode(
            y=_y("y", y), x=alt.value(0), x2=alt.value(layout.plot)
        ),
        *_words([word for word in words if word["share"] is None], y),
        *_words([word for word in words if word["share"] is not None], y, scale),
    ]  # fmt: skip
    ticks = [
        _text(None, y + 8, said, share=tick, size=SMALL, role="muted", align="center")
        for tick, said in scale.ticks
    ]
    return _assembled([*layers, *_words(ticks, y, scale)], y, layout, bottom=20)


# What the forms share ----------------------------------------------------------------------------------


def _chart(rows: Sequence[dict]) -> alt.Chart:
    return alt.Chart(alt.Data(values=list(rows)))


def _x(field: str, scale: Scale) -> alt.X:
    domain = alt.Scale(domain=[scale.least, scale.most], nice=False, zero=False)
    return alt.X(f"{field}:Q", scale=domain, axis=None)


def _y(field: str, height: float) -> alt.Y:
    """A place in pixels from the top."""
    return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[0, height], range=[0, height], nice=False), axis=None)


def _painted(*kinds: str) -> dict:
    channels = {"stroke": alt.Stroke("stroke:N", scale=None), "fill": alt.Fill("fill:N", scale=None)}
    return {kind: channels[kind] for kind in kinds} | {"opacity": alt.Opacity("opacity:Q", scale=None)}


def _text(
    x: float | None,
    y: float,
    said: str,
    *,
    share: float | None = None,
    role: str = "ink",
    few: bool = False,
    bold: bool = False,
    align: str = "left",
    size: int = TEXT,
) -> dict:
    """Words at x pixels, or at a `share` of the scale; y is the line they stand on."""
    return {
        "x": x,
        "y": y,
        "said": said,
        "share": share,
        "align": align,
        "size": size,
        "fill": ROLES["muted" if few else role],
        "style": "italic" if few else "normal",
        "weight": 600 if bold else 400,
    }


def _words(
    texts: Sequence[dict], height: float | None, scale: Scale | None = None, y_pixels: bool = False
) -> list[alt.Chart]:
    """One layer for each kind of lettering, because a layer has one alignment, size, style and weight."""

    def looks(row: dict) -> tuple:
        return row["align"], row["size"], row["style"], row["weight"]

    layers = []
    for (align, size, style, weight), rows in groupby(sorted(texts, key=looks), key=looks):
        mark = _chart(list(rows)).mark_text(
            align=align, fontSize=size, fontStyle=style, fontWeight=weight, baseline="alphabetic", limit=0
        )
        x = _x("share", scale) if scale else alt.X("x:Q", scale=None, axis=None)
        y = alt.Y("y:Q", scale=None, axis=None) if y_pixels else _y("y", height or 1)
        layers.append(mark.encode(x=x, y=y, text="said:N", color=alt.Color("fill:N", scale=None)))
    return layers


def _grid(scale: Scale, height: float, layout: Layout) -> list[alt.Chart]:
    """The scale's lines, dashed at the reference, and its words below."""
    lines = [{"value": tick} for tick, _ in scale.ticks]
    drawn = [_chart(lines).mark_rule(color=ROLES["line"], strokeWidth=1).encode(x=_x("value", scale))]
    if scale.reference is not None:
        mark = _chart([{"value": scale.reference}]).mark_rule(color=ROLES["edge"], strokeDash=[4, 3])
        drawn.append(mark.encode(x=_x("value", scale)))
    ends = {scale.least: "left", scale.most: "right"}
    words = [
        _text(None, height + 16, said, share=tick, role="muted", size=SMALL, align=ends.get(tick, "center"))
        for tick, said in scale.ticks
        if said
    ]
    return [*drawn, *_words(words, height, scale)]


def _assembled(layers: Sequence[alt.Chart], height: float, layout: Layout, bottom: int) -> alt.LayerChart:
    padding = {
        "left": layout.labels + MARGIN,
        "right": layout.values + MARGIN,
        "top": 4,
        "bottom": bottom,
    }
    return _framed(layers, layout.plot, height, padding)


def _framed(layers: Sequence[alt.Chart], plot: float, height: float, padding: dict) -> alt.LayerChart:
    # Left to itself Vega fits the size to the measured text, which differs from machine to machine.
    chart = alt.layer(*layers).resolve_scale(x="shared", y="shared")
    chart = chart.properties(
        width=plot, height=height, padding=padding, autosize=alt.AutoSizeParams(type="none")
    )
    return chart.configure(background="transparent", view=alt.ViewConfig(stroke="transparent"))
