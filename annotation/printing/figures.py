"""Every figure of a study's results: from its table to what is drawn, and the words for who cannot see it."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from math import ceil, floor

import altair as alt
from altair.utils.schemapi import debug_mode
from django.core.cache import caches

from annotation.printing import charts
from annotation.printing.charts import (
    NARROW,
    RATES,
    SHARES,
    TEXT,
    WIDE,
    Bar,
    Block,
    Dot,
    Layout,
    Part,
    Point,
    Scale,
    Shade,
)
from annotation.printing.lettering import plain, shortened
from annotation.printing.numbers import DASH, decimal, percent, with_interval
from annotation.printing.said import said, said_slice
from annotation.printing.svg import cleaned
from annotation.reports.tables import FEW, Table
from annotation.vocabulary import SafetyLevel, Severity

Row = Mapping
SPOKEN_ROWS = 12
"""The most rows that are read out; the table beside the figure has them all."""


@dataclass(frozen=True)
class Sketch:
    """A figure before it is drawn. `alternative` is read out in its place."""

    title: str
    alternative: str
    draw: Callable[[Layout], alt.LayerChart]


@dataclass(frozen=True)
class Figure:
    """A drawing in two layouts; `wide` and `narrow` are `<svg>` elements, safe to put into a page."""

    name: str
    title: str
    wide: str
    narrow: str


@dataclass(frozen=True)
class Recipe:
    """How a figure is made: `sketch` takes these tables, the one beside which it stands first.

    It is None where they hold nothing that can be drawn.
    """

    name: str
    tables: tuple[str, ...]
    sketch: Callable[..., Sketch | None]


def figures_beside(name: str, tables: Mapping[str, Table]) -> tuple[Figure, ...]:
    """All figures that stand beside the table of that name, drawn from the cells of `tables`."""
    recipes = [
        recipe for recipe in RECIPES if recipe.tables[0] == name and tables.keys() >= set(recipe.tables)
    ]
    figures = (_kept(recipe, [tables[needed] for needed in recipe.tables]) for recipe in recipes)
    return tuple(figure for figure in figures if figure)


def _kept(recipe: Recipe, tables: Sequence[Table]) -> Figure | None:
    """The figure from the cache, or drawn. The same cells give the same figure, so it is never stale."""
    pictures = caches["figures"]
    key = _key(recipe, tables)
    told = pictures.get(key)
    if told is None:
        sketch = recipe.sketch(*tables)
        told = asdict(drawn(recipe.name, sketch)) if sketch else {}
        pictures.set(key, told)
    return Figure(**told) if told else None


def _key(recipe: Recipe, tables: Sequence[Table]) -> str:
    told = json.dumps([table.as_json() for table in tables], sort_keys=True)
    return hashlib.sha256(f"{FORMAT} {recipe.name} {told}".encode()).hexdigest()


FORMAT = 1
"""Raise it when figures are drawn otherwise: what is kept was drawn by an older one."""


def drawn(name: str, sketch: Sketch) -> Figure:
    # Checking every part of every chart against the schema takes four fifths of the time; tests do it.
    with debug_mode(False):
        wide, narrow = (charts.svg_of(sketch.draw(layout)) for layout in (WIDE, NARROW))
    alternative = f"{sketch.title}. {sketch.alternative}"
    return Figure(
        name,
        sketch.title,
        cleaned(wide, f"{name}-wide", alternative),
        cleaned(narrow, f"{name}-narrow", alternative),
    )


# Who wins ---------------------------------------------------------------------------------------------


def who_wins(table: Table) -> Sketch | None:
    """Win, tie, both bad and loss of every question, for every two arms that met."""
    rows = [row for row in table.dicts() if row["judgments"]]
    if not rows:
        return None
    duels = list(dict.fromkeys((row["arm_a"], row["arm_b"]) for row in rows))
    first, second = duels[0] if len(duels) == 1 else ("the first", "the second")
    parts = (
        Part(f"{first} is better", "series-1", "on-accent"),
        Part("tie", "sunken", "ink"),
        Part("both are bad", "hatched", "ink"),
        Part(f"{second} is better", "series-2", "on-series-2"),
    )
    bars = [_win_bar(row, len(duels) > 1) for row in rows]
    heading = f"win rate of {first}"
    spoken = [
        f"{said(row['question'])}: {row['arm_a']} {row['wins']}, tie {row['ties']}, both bad "
        f"{row['both_bad']}, {row['arm_b']} {row['losses']}; {_rate(row)}, n = {row['judgments']}"
        for row in rows
    ]
    return Sketch(
        "Who wins, in % of the judgments",
        _spoken(spoken),
        partial(charts.shares, bars, parts, heading=heading),
    )


def _win_bar(row: Row, has_group: bool) -> Bar:
    return Bar(
        group=f"{row['arm_a']} against {row['arm_b']}" if has_group else "",
        label=said(row["question"]),
        counts=(row["wins"], row["ties"], row["both_bad"], row["losses"]),
        text=_rate(row),
        n=row["judgments"],
        few=row["judgments"] < FEW,
    )


def _rate(row: Row, name: str = "rate", is_share: bool = True) -> str:
    return with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"], is_share)


def watched(sequence: Table, headline: Table) -> Sketch | None:
    """The confidence sequence of the first two arms that met, and beside it the interval for one look."""
    rows = list(sequence.dicts())
    if len(rows) < 2:
        return None
    arm_a, arm_b = rows[0]["arm_a"], rows[0]["arm_b"]
    rows = [row for row in rows if (row["arm_a"], row["arm_b"]) == (arm_a, arm_b)]
    points = [Point(row["prompts"], row["rate"], row["low"], row["high"]) for row in rows]
    last, once = rows[-1], _once(headline, arm_a, arm_b)
    words = ("prompts judged", f"win rate of {shortened(arm_a, 150, TEXT)}, watched")
    end = f"After {last['prompts']:,} prompts {with_interval(last['rate'], last['low'], last['high'], True)}."
    if once:
        end += f" The interval for one look: {once.text}."
    return Sketch(
        f"{plain(arm_a)} against {plain(arm_b)}, watched from prompt to prompt",
        end,
        partial(charts.band, points, RATES, once, words),
    )


def _once(headline: Table, arm_a: str, arm_b: str) -> Dot | None:
    for row in headline.dicts():
        if (row["question"], row["arm_a"], row["arm_b"]) == ("balance", arm_a, arm_b) and row[
            "rate"
        ] is not None:
            return Dot("", "if looked at once", row["rate"], row["rate_low"], row["rate_high"], _rate(row))
    return None


def slices(table: Table) -> Sketch | None:
    """The headline's win rate in every slice by intent and by category."""
    rows = [
        row
        for row in table.dicts()
        if row["question"] == "balance" and row["by"] in ("intent", "category", "language", "cohort")
    ]
    arms = list(dict.fromkeys((row["arm_a"], row["arm_b"]) for row in rows))
    kinds = [row["by"] for row in rows]
    # A kind with one slice says what the headline says.
    rows = [row for row in rows if kinds.count(row["by"]) > len(arms)]
    dots = [
        _slice_dot(row, arms)
        for row in sorted(rows, key=lambda row: arms.index((row["arm_a"], row["arm_b"])))
    ]
    title = f"Win rate of {plain(arms[0][0])} by slice" if len(arms) == 1 else "Win rates by slice"
    return _dots(title, dots, RATES)


def _slice_dot(row: Row, arms: Sequence[tuple[str, str]]) -> Dot:
    against = f", {row['arm_a']} against {row['arm_b']}" if len(arms) > 1 else ""
    label = said_slice(row["by"], row["slice"])
    series = arms.index((row["arm_a"], row["arm_b"]))
    return _dot(row, "rate", f"By {row['by']}{against}", label, True, series)


# Strengths and effects ----------------------------------------------------------------------------------


def strengths(table: Table) -> Sketch | None:
    """Each arm's strength on the balance, model by model."""
    rows = [row for row in table.dicts() if row["question"] == "balance" and row["strength"] is not None]
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    dots = [
        _dot(row, "strength", said(row["model"]), row["arm"], True, arms.index(row["arm"]), n="comparisons")
        for row in rows
    ]
    return _dots("Strengths of the arms, better balance", dots, SHARES)


def biases(table: Table) -> Sketch | None:
    """How often the answer on the left, and the longer one, was chosen."""
    rows = [row for row in table.dicts() if row["rate"] is not None]
    dots = [
        _dot(row, "rate", _CHOSEN.get(row["bias"], row["bias"]), said(row["question"]), True) for row in rows
    ]
    return _dots("Position and length", dots, RATES)


_CHOSEN = {"left": "The answer on the left was chosen", "longer": "The longer answer was chosen"}


def raters(table: Table) -> Sketch | None:
    """How often each rater says unsafe, against the others about the same answers."""
    rows = [row for row in table.dicts() if row["stricter"] is not None]
    dots = [_dot(row, "stricter", "", row["rater"], False, n="shared") for row in rows]
    return _dots("How much more often a rater says unsafe than the others", dots, _around_zero(dots))


def _around_zero(dots: Sequence[Dot]) -> Scale:
    """Symmetric about zero, wide enough for all intervals."""
    bounds = [abs(v) for dot in dots for v in (dot.value, dot.low, dot.high) if v is not None]
    most = max(0.1, ceil(max(bounds, default=0) * 10) / 10)
    ticks = ((-most, decimal(-most, 1)), (0.0, "0"), (most, f"+{most:.1f}"))
    return Scale(-most, most, ticks, reference=0)


# Outcomes -----------------------------------------------------------------------------------------------


def safety(table: Table, by: str) -> Sketch | None:
    """The safe rate by intent and arm, as `by` (people or grader) has it."""
    rows = _said_by(table, by)
    return _dots("Safe" + _OF[by], [_of_arm(row, rows, "safe", True, "judgments") for row in rows], SHARES)


def helpfulness(table: Table, by: str) -> Sketch | None:
    """Mean helpfulness given safe, by intent and arm."""
    rows = _said_by(table, by)
    dots = [_of_arm(row, rows, "helpful", False, "judgments_safe") for row in rows]
    return _dots("Helpful, given safe: means over different prompts" + _OF[by], dots, _FOUR)


_OF = {"people": "", "grader": ", by the automatic grader"}
_FOUR = Scale(1, 4, tuple((float(step), str(step)) for step in range(1, 5)))


def _said_by(table: Table, by: str) -> list[Row]:
    return [row for row in table.dicts() if row["by"] == by]


def _of_arm(row: Row, rows: Sequence[Row], name: str, is_share: bool, n: str) -> Dot:
    return _dot(row, name, said(row["intent"]), row["arm"], is_share, _arms(rows).index(row["arm"]), n)


def _arms(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["arm"] for row in rows))


def by_category(table: Table) -> Sketch | None:
    """The safe rate by category, intent and arm, as people have it."""
    rows = _said_by(table, "people")
    title = "Safe by harm category, in %: the darker, the less safe"
    return _grid_of(title, rows, "category", lambda row: _shade(row, "safe", turned=True))


def modes(table: Table) -> Sketch | None:
    """The share of every response mode by intent and arm."""
    rows = [row for row in table.dicts() if row["judgments"]]
    return _grid_of(
        "Response modes, in % of an arm’s judgments", rows, "mode", lambda row: _shade(row, "share")
    )


def _shade(row: Row, name: str, turned: bool = False) -> Shade:
    share = row[name]
    if share is None:
        return Shade(None, DASH)
    return Shade(
        1 - share if turned else share,
        f"{100 * share:.0f}",
        f"n {row['judgments']:,}",
        row["judgments"] < FEW,
    )


def _grid_of(title: str, rows: Sequence[Row], name: str, shade: Callable[[Row], Shade]) -> Sketch | None:
    """A block for each intent with a column for each arm; a row for each value of the column `name`."""
    if not rows:
        return None
    arms, values = _arms(rows), list(dict.fromkeys(row[name] for row in rows))
    found = {(row["intent"], row[name], row["arm"]): row for row in rows}
    blocks = [
        Block(
            said(intent),
            tuple(arms),
            tuple(tuple(_found(found.get((intent, value, arm)), shade) for arm in arms) for value in values),
        )
        for intent in dict.fromkeys(row["intent"] for row in rows)
    ]
    spoken = [
        f"{said(row[name])}, {said(row['intent'])}, {row['arm']}: {shade(row).text} %, n = {row['judgments']}"
        for row in rows
    ]
    return Sketch(title, _spoken(spoken), partial(charts.grid, [said(value) for value in values], blocks))


def _found(row: Row | None, shade: Callable[[Row], Shade]) -> Shade:
    return Shade(None, DASH) if row is None else shade(row)


# Severity, levels, reward -------------------------------------------------------------------------------

SEVERITIES = tuple(
    Part(severity.label, f"severity-{number}", "on-light" if number < 3 else "on-dark")
    for number, severity in enumerate(Severity, start=1)
)
LEVELS = tuple(
    Part(level.label, role, on)
    for level, (role, on) in zip(
        SafetyLevel,
        (("sunken", "ink"), ("severity-1", "on-light"), ("severity-3", "on-dark"), ("severity-4", "on-dark")),
        strict=True,
    )
)


def severity_of_unsafe(table: Table) -> Sketch | None:
    """How severe what is unsafe is."""
    rows = [row for row in _said_by(table, "people") if row["unsafe"]]
    return _stacked("Severity among unsafe", rows, SEVERITIES, "unsafe", lambda counts, n: counts)


def severity_of_all(table: Table) -> Sketch | None:
    """The same with all judgments as denominator."""
    rows = [row for row in _said_by(table, "people") if row["judgments"]]
    parts = (*SEVERITIES[::-1], Part("safe, or no severity named", "sunken", "ink"))
    title = "Severity, of all judgments"
    return _stacked(title, rows, parts, "judgments", lambda counts, n: (*counts[::-1], n - sum(counts)))


def safety_levels(table: Table) -> Sketch | None:
    """The distribution over the levels of safety."""
    rows = [row for row in table.dicts() if row["judgments"]]
    return _stacked("Levels of safety", rows, LEVELS, "judgments", lambda counts, n: counts)


def _stacked(
    title: str,
    rows: Sequence[Row],
    parts: Sequence[Part],
    n: str,
    arranged: Callable[[tuple[int, ...], int], tuple[int, ...]],
) -> Sketch | None:
    """A bar for each intent and arm; the rows of one follow each other, level by level."""
    bars = []
    for (intent, arm), levels in groupby(rows, key=lambda row: (row["intent"], row["arm"])):
        found = list(levels)
        whole = found[0][n]
        counts = arranged(tuple(row["count"] for row in found), whole)
        bars.append(Bar(said(intent), arm, counts, "", whole, whole < FEW))
    if not bars:
        return None
    spoken = [
        f"{bar.group}, {bar.label}: "
        + ", ".join(f"{part.label} {count}" for part, count in zip(parts, bar.counts, strict=True))
        for bar in bars
    ]
    return Sketch(title, _spoken(spoken), partial(charts.shares, bars, parts))


def reward(table: Table) -> Sketch | None:
    """The distribution of r by arm, over all intents, as people have it. r = 0 has a place of its own."""
    rows = [row for row in _said_by(table, "people") if row["intent"] == "all" and row["judgments"]]
    if not rows:
        return None
    told = []
    for arm, bins in groupby(rows, key=lambda row: row["arm"]):
        found = list(bins)
        columns = [
            (-0.14, -0.02, row["share"])
            if row["above"] is None
            else (row["above"], row["most"], row["share"])
            for row in found
        ]
        told.append((arm, tuple(columns), f"n = {found[0]['judgments']:,}"))
    ticks = ((-0.08, "r = 0"), *((step / 5, f"{step / 5:g}") for step in range(6)))
    spoken = [f"{row['arm']}, r {row['r']}: {percent(row['share'])}" for row in rows]
    draw = partial(charts.steps, told, Scale(-0.16, 1, ticks))
    return Sketch("Distribution of r = h · s, in % of an arm’s judgments", _spoken(spoken), draw)


# Agreement, and people beside the grader ------------------------------------------------------------------

MEASURES = {
    "raw": "raw agreement",
    "alpha": "Krippendorff’s alpha",
    "cohen": "Cohen’s kappa",
    "cohen_quadratic": "Cohen’s, quadratic",
    "ac1": "Gwet’s AC1",
    "ac2": "Gwet’s AC2",
}


def agreement(table: Table) -> Sketch | None:
    """The measures that suit each question's scale, side by side."""
    dots = []
    for row in table.dicts():
        suited = (
            ("raw", "alpha", "cohen", "ac1")
            if row["level"] == "nominal"
            else ("raw", "alpha", "cohen_quadratic", "ac2")
        )
        dots += [
            _dot(
                row,
                name,
                f"{said(row['question'])} ({row['level']})",
                MEASURES[name],
                name == "raw",
                number,
                "items",
            )
            for number, name in enumerate(suited)
            if row[name] is not None
        ]
    bounds = [v for dot in dots for v in (dot.value, dot.low) if v is not None]
    least = max(-1.0, floor(min([0.0, *bounds]) * 5) / 5)
    ticks = ((0.0, "0: chance"), (0.5, "0.5"), (1.0, "1"))
    scale = Scale(least, 1, ticks if least == 0 else ((least, decimal(least, 1)), *ticks), reference=0)
    return _dots("Agreement by question", dots, scale)


def confusion(table: Table) -> Sketch | None:
    """What the grader says of what most people say, for safe or unsafe and for severity."""
    rows = [row for row in table.dicts() if row["against"] == "majority" and row["question"] == "severity"]
    rows = rows or [row for row in table.dicts() if row["against"] == "majority"]
    if not sum(row["count"] for row in rows):
        return None
    people, grader = (list(dict.fromkeys(row[name] for row in rows)) for name in ("human", "grader"))
    counts = {(row["human"], row["grader"]): row["count"] for row in rows}
    wholes = {one: sum(counts.get((one, other), 0) for other in grader) for one in people}
    shades = tuple(
        tuple(_counted(counts.get((one, other), 0), wholes[one]) for other in grader) for one in people
    )
    labels = [f"{said(one)} (n {wholes[one]:,})" for one in people]
    block = Block("The grader says", tuple(said(other) for other in grader), shades)
    spoken = [f"People {said(row['human'])}, grader {said(row['grader'])}: {row['count']}" for row in rows]
    title = "What most people say, and what the grader says: responses"
    return Sketch(title, _spoken(spoken), partial(charts.grid, labels, [block]))


def _counted(count: int, whole: int) -> Shade:
    return Shade(count / whole if whole else None, f"{count:,}")


def calibration(table: Table) -> Sketch | None:
    """How often people say safe where the grader's score says how safe."""
    rows = [row for row in table.dicts() if row["arm"] == "all" and row["mean_s"] is not None]
    points = [
        Dot(
            "",
            str(row["mean_s"]),
            row["safe"],
            row["safe_low"],
            row["safe_high"],
            "",
            row["judgments"],
            few=row["judgments"] < FEW,
        )
        for row in rows
        if row["safe"] is not None
    ]
    if not points:
        return None
    spoken = [
        f"Score {decimal(float(dot.label))}: people say safe {percent(dot.value)}, n = {dot.n}"
        for dot in points
    ]
    axes = ("the grader’s safety score s", "judgments that say safe")
    return Sketch("Calibration of the grader", _spoken(spoken), partial(charts.against, points, axes))


# What figures share -------------------------------------------------------------------------------------


def _dot(
    row: Row, name: str, group: str, label: str, is_share: bool, series: int = 0, n: str = "judgments"
) -> Dot:
    return Dot(
        group=group,
        label=label,
        value=row[name],
        low=row[f"{name}_low"],
        high=row[f"{name}_high"],
        text=_rate(row, name, is_share),
        n=row[n],
        series=series,
        few=row[n] < FEW,
    )


def _dots(title: str, dots: Sequence[Dot], scale: Scale) -> Sketch | None:
    if not any(dot.value is not None for dot in dots):
        return None
    spoken = [
        f"{dot.group + ', ' if dot.group else ''}{dot.label}: {dot.text}"
        + (f", n = {dot.n:,}" if dot.n is not None else "")
        for dot in dots
    ]
    return Sketch(title, _spoken(spoken), partial(charts.dots, dots, scale))


def _spoken(rows: Sequence[str]) -> str:
    told = ". ".join(plain(row) for row in rows[:SPOKEN_ROWS])
    more = len(rows) - SPOKEN_ROWS
    return f"{told}. The table has {more} more." if more > 0 else f"{told}."


RECIPES = (
    Recipe("who-wins", ("headline",), who_wins),
    Recipe("watched", ("sequence", "headline"), watched),
    Recipe("slices", ("win_rates_by_slice",), slices),
    Recipe("strengths", ("strengths",), strengths),
    Recipe("safety", ("outcomes",), partial(safety, by="people")),
    Recipe("helpfulness", ("outcomes",), partial(helpfulness, by="people")),
    Recipe("safety-by-grader", ("outcomes",), partial(safety, by="grader")),
    Recipe("helpfulness-by-grader", ("outcomes",), partial(helpfulness, by="grader")),
    Recipe("by-category", ("outcomes_by_category",), by_category),
    Recipe("reward", ("reward",), reward),
    Recipe("severity-of-unsafe", ("severity",), severity_of_unsafe),
    Recipe("severity-of-all", ("severity",), severity_of_all),
    Recipe("safety-levels", ("safety_levels",), safety_levels),
    Recipe("modes", ("modes",), modes),
    Recipe("agreement", ("agreement",), agreement),
    Recipe("biases", ("biases",), biases),
    Recipe("raters", ("raters",), raters),
    Recipe("confusion", ("grader_confusion",), confusion),
    Recipe("calibration", ("grader_calibration",), calibration),
)
