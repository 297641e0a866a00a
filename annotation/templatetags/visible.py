"""Names and notes as they are, also where they hold characters that nobody sees."""

from django import template

from annotation.text import spelt_out

register = template.Library()


@register.filter
def visible(value: object) -> str:
    """The text with hidden and bidirectional characters spelt out, as ⟦U+202E⟧; it is escaped as usual.

    Of None, an empty text.
    """
    return "" if value is None else spelt_out(str(value))
