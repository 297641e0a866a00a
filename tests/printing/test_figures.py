"""Figures are drawn from the cells of tables, say the same in words, and no name can break one."""

import re
from xml.etree import ElementTree

import altair
import pytest
from django.conf import settings

from annotation.printing import charts
from annotation.printing.charts import NARROW, WIDE
from annotation.printing.figures import RECIPES, figures_beside
from annotation.printing.svg import KEPT, ROLES, SHAPES, SVG, cleaned
from annotation.reports.tables import Table
from tests.printing.tables import HOSTILE, changed, tables

pytestmark = [pytest.mark.once, pytest.mark.slow]

ALLOWED = {*KEPT, "class", "role", "aria-label", "font-family", "viewBox", "patternUnits", "patternTransform"}


def drawings(found: dict[str, Table]) -> list[str]:
    figures = [figure for name in found for figure in figures_beside(name, found)]
    return [drawing for figure in figures for drawing in (figure.wide, figure.narrow)]


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawing).iter(f"{{{SVG}}}text")]


def figure(name: str, found: dict[str, Table]):
    table = next(recipe.tables[0] for recipe in RECIPES if recipe.name == name)
    return next(one for one in figures_beside(table, found) if one.name == name)


def test_a_drawing_holds_shapes_and_text_and_nothing_that_acts():
    for drawing in drawings(tables()):
        for element in ElementTree.fromstring(drawing).iter():
            assert element.tag.removeprefix(f"{{{SVG}}}") in SHAPES | {"svg", "defs", "pattern"}
            assert set(element.attrib) <= ALLOWED
        assert "http" not in drawing.replace(SVG, "")


def test_every_drawing_is_a_picture_with_words_for_who_cannot_see_it():
    for drawing in drawings(tables()):
        root = ElementTree.fromstring(drawing)
        assert root.get("role") == "img"
        assert len(root.get("aria-label", "")) > 20


def test_every_colour_has_a_role_by_which_a_page_recolours_it():
    for drawing in drawings(tables()):
        for element in ElementTree.fromstring(drawing).iter():
            for kind in ("fill", "stroke"):
                colour = element.get(kind, "none")
                if colour.startswith("#"):
                    assert f"{kind[0]}-" in element.get("class", ""), (colour, element.attrib)


def test_the_light_colours_are_those_of_the_stylesheet():
    css = (settings.BASE_DIR / "static" / "css" / "tokens.css").read_text()
    light = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css[: css.index("@media")]))
    differ = {role: colour for role, colour in ROLES.items() if role != "hatched" and light[role] != colour}
    # Two roles of nearly one colour are told apart by the last digit.
    assert set(differ) <= {"on-accent"}
    assert len(set(ROLES.values())) == len(ROLES)


def test_the_stylesheet_recolours_every_role():
    css = (settings.BASE_DIR / "static" / "css" / "drawings.css").read_text()
    used = {name for drawing in drawings(tables()) for name in re.findall(r"\b[fs]-[a-z0-9-]+", drawing)}
    assert all(f".{name} {{" in css for name in used if name[2:] in ROLES)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_of_an_arm_gets_out_of_its_place(name):
    found = changed(tables(), lambda column, cell: name if cell == "one" else cell)
    for drawing in drawings(found):
        root = ElementTree.fromstring(drawing)
        assert not [element for element in root.iter() if "script" in element.tag]
        assert "\u202e" not in drawing and "\u2066" not in drawing
        width = float(root.get("width"))
        assert width == (WIDE.width if width > 400 else NARROW.width)
        # About what 200 characters of 14 pixels would need is several times this.
        assert max(map(len, texts(drawing))) < 110


def test_the_same_table_gives_the_same_bytes():
    figures = [figure for name in tables() for figure in figures_beside(name, tables())]
    for one in figures:
        recipe = next(recipe for recipe in RECIPES if recipe.name == one.name)
        sketch = recipe.sketch(*[tables()[needed] for needed in recipe.tables])
        again = cleaned(
            charts.svg_of(sketch.draw(WIDE)), f"{one.name}-wide", f"{sketch.title}. {sketch.alternative}"
        )
        assert again == one.wide


def test_every_chart_is_valid_by_altairs_schema():
    for recipe in RECIPES:
        if set(recipe.tables) <= tables().keys() and (
            sketch := recipe.sketch(*[tables()[n] for n in recipe.tables])
        ):
            for layout in (WIDE, NARROW):
                altair.Chart.from_dict(sketch.draw(layout).to_dict(validate=True))


def test_the_bars_of_who_wins_say_the_rates_of_the_headline_table():
    found = tables()
    words = texts(figure("who-wins", found).wide)
    for row in found["headline"].dicts():
        rate = f"{100 * row['rate']:.0f}\u00a0% ({100 * row['rate_low']:.0f}–{100 * row['rate_high']:.0f})"
        assert rate in words and f"n = {row['judgments']}" in words


def test_a_bar_is_as_wide_as_its_share():
    found = tables()
    row = next(found["headline"].dicts())
    root = ElementTree.fromstring(figure("who-wins", found).wide)
    bars = [path for path in root.iter(f"{{{SVG}}}path") if "f-series-1" in path.get("class", "")]
    # The first of that colour is the key's swatch.
    width = float(re.search(r"h(-?[\d.]+)", bars[1].get("d")).group(1))
    assert width == pytest.approx(WIDE.plot * row["wins"] / row["judgments"], abs=0.6)


def test_a_dot_stands_where_its_value_is():
    found = tables()
    root = ElementTree.fromstring(figure("safety", found).wide)
    row = next(row for row in found["outcomes"].dicts() if row["by"] == "people")
    dots = [path for path in root.iter(f"{{{SVG}}}path") if "s-series-1" in path.get("class", "")]
    x = float(re.search(r"translate\(([\d.]+)", dots[0].get("transform")).group(1))
    assert x == pytest.approx(WIDE.plot * row["safe"], abs=0.6)


def test_what_has_too_little_behind_it_is_pale_and_leaning():
    drawing = figure("safety", tables()).wide
    assert 'opacity="0.5"' not in drawing and "italic" not in drawing
    few = changed(tables(), lambda column, cell: 29 if column == "judgments" else cell)
    drawing = figure("safety", few).wide
    assert 'opacity="0.5"' in drawing and "italic" in drawing


def test_both_bad_is_told_from_a_tie_by_hatching():
    assert 'fill="url(#who-wins-wide-hatch)"' in figure("who-wins", tables()).wide


def test_a_study_with_nothing_in_it_has_no_figure():
    assert drawings({name: empty(table) for name, table in tables().items()}) == []


def empty(table: Table) -> Table:
    return Table(table.name, table.title, table.caption, table.columns, (), table.n)
