"""Our own docstrings on a page: what stands in backticks is code."""

import re

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

QUOTED = re.compile(r"`([^`\n]+)`")


@register.filter
def code_marked(value: object) -> SafeString:
    """The text, escaped, with `words` as <code>words</code>."""
    return mark_safe(QUOTED.sub(r"<code>\1</code>", conditional_escape(value)))  # noqa: S308 - escaped before
