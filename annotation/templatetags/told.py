"""What webhooks tell, in words."""

from django import template

from annotation.vocabulary import WebhookEvent

register = template.Library()


@register.filter
def told(event: str) -> str:
    """The words of an event that programs know by this name; the name itself where it has none."""
    return dict(WebhookEvent.choices).get(event, event)
