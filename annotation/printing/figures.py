"""Every figure of a study's results: from its table to what is drawn, and the words for who cannot see it."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import altair as alt
from altair.utils.schemapi import debug_mode
from django.core.cache import caches

from annotation.printing import charts
from annotation.printing.charts import NARROW, RATES, SHARES, WIDE, Bar, Block, Dot, Layout, Part, Point, Scale
from annotation.printing.lettering import plain
from annotation.printing.numbers import decimal, with_interval
from annotation.printing.svg import cleaned
from annotation.printing.said import said
from annotation.reports.tables import FEW, Table

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
    recipes = [recipe for recipe in RECIPES if recipe.tables[0] == name and tables.keys() >= set(recipe.tables)]
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
        name, sketch.title, cleaned(wide, f"{name}-wide", alternative), cleaned(narrow, f"{name}-narrow", alternative)
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
        Part(f"{second} is better", "series-2", "on-light"),
    )
    bars = [_win_bar(row, len(duels) > 1) for row in rows]
    heading = f"win rate of {first}, ties as half; numbers in bars are % of the judgments"
    spoken = [
        f"{said(row['question'])}: {row['arm_a']} {row['wins']}, tie {row['ties']}, both bad "
        f"{row['both_bad']}, {row['arm_b']} {row['losses']}; {_rate(row)}, n = {row['judgments']}"
        for row in rows
    ]
    return Sketch("Who wins", _spoken(spoken), partial(charts.shares, bars, parts, heading=heading))


def _win_bar(row: Row, has_group: bool) -> Bar:
    return Bar(
        group=f"{row['arm_a']} against {row['arm_b']}" if has_group else "",
        label=said(row["question"]),
        counts=(row["wins"], row["ties"], row["both_bad"], row["losses"]),
        text=f"{_rate(row)}  n = {row['judgments']:,}",
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
    words = ("prompts judged", f"Win rate of {plain(arm_a)[:40]}, with bounds that hold at every look")
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
        if (row["question"], row["arm_a"], row["arm_b"]) == ("balance", arm_a, arm_b) and row["rate"] is not None:
            return Dot("", "if looked at once", row["rate"], row["rate_low"], row["rate_high"], _rate(row))
    return None


def slices(table: Table) -> Sketch | None:
    """The headline's win rate in every slice by intent and by category."""
    rows = [
        row
        for row in table.dicts()
        if row["question"] == "balance" and row["by"] in ("intent", "category", "language", "cohort")
    ]
    # A kind with one slice says what the headline says.
    kinds = [row["by"] for row in rows]
    arms = list(dict.fromkeys((row["arm_a"], row["arm_b"]) for row in rows))
    rows = [row for row in rows if kinds.count(row["by"]) > len(arms)]
    if not rows:
        return None
    dots = [
        _dot(row, "rate", f"By {row['by']}", _with_arms(said(row["slice"]), row, arms), True, arms.index((row["arm_a"], row["arm_b"])))
        for row in rows
    ]
    title = f"Win rate of {plain(arms[0][0])} by slice" if len(arms) == 1 else "Win rates by slice"
    return _dots(title, dots, RATES)


def _with_arms(label: str, row: Row, arms: Sequence) -> str:
    return label if len(arms) == 1 else f"{label}: {row['arm_a']}"


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
    dots = [_dot(row, "rate", _CHOSEN.get(row["bias"], row["bias"]), said(row["question"]), True) for row in rows]
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
    most = max(0.1, -(-max(bounds, default=0) * 10 // 1) / 10)
    ticks = ((-most, decimal(-most, 1)), (0.0, "0"), (most, f"+{most:.1f}"))
    return Scale(-most, most, ticks, reference=0)


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
        f"{dot.group + ', ' if dot.group else ''}{dot.label}: {dot.text}" + (f", n = {dot.n:,}" if dot.n is not None else "")
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
    Recipe("biases", ("biases",), biases),
    Recipe("raters", ("raters",), raters),
)
