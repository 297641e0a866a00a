"""Names and notes as they are, also where they hold characters that nobody sees."""

from django import template

from annotation.text import spelt_out

register = template.Library()


@register.filter
def visible(value: object) -> str:
    """The text with hidden and bidirectional characters spelt out, as ⟦U+202E⟧; it is escaped as usual."""
    return spelt_out(str(value))
