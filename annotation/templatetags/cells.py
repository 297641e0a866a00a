"""A row of a long table, written here: the template language takes ten times as long for many cells."""

from typing import Any

from django import template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from annotation.templatetags.visible import visible

register = template.Library()


@register.filter
def cells(line: Any) -> SafeString:
    """The cells behind a row's head (`printing.sections.Line`) as HTML."""
    return mark_safe("".join(map(_cell, line.cells)))  # noqa: S308 — made of escaped parts


def _cell(cell: Any) -> str:
    kind = f' class="number{" few" if cell.few else ""}"' if cell.is_number else ""
    around = format_html(" <small>({})</small>", cell.interval) if cell.interval else ""
    reason = format_html('<small class="reason">{}</small>', cell.reason) if cell.reason else ""
    return f"<td{kind}>{conditional_escape(visible(cell.text))}{around}{reason}</td>"
