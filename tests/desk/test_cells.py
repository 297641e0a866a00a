"""The cells of a long table, as they stood in a template before."""

from annotation.printing.sections import Cell, Line
from annotation.templatetags.cells import cells


def test_nothing_gets_out_of_its_cell():
    hostile = Cell("<b>\u202e", is_number=False, reason="a < b", interval="<1–2>")
    assert cells(Line(False, "head", (hostile,))) == (
        '<td>&lt;b&gt;⟦U+202E⟧ <small>(&lt;1–2&gt;)</small><small class="reason">a &lt; b</small></td>'
    )


def test_numbers_stand_to_the_right_and_few_are_grey():
    line = Line(False, "head", (Cell("1", True), Cell("2", True, few=True), Cell("c", False, few=True)))
    assert cells(line) == '<td class="number">1</td><td class="number few">2</td><td>c</td>'
