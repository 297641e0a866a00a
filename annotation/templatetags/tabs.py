"""The pages of a study, as its tabs name them."""

from dataclasses import dataclass

from django import template
from django.template import Context
from django.urls import reverse

register = template.Library()

TABS = {
    **{"study": "Overview", "setup": "Setup", "running": "Running", "review": "Review"},
    **{"results": "Results", "gradings": "Grader", "raters": "Raters", "members": "Members"},
    **{"responses": "Responses", "imports": "Import", "snapshots": "Snapshots", "trainings": "Training"},
    **{"record": "Record", "webhooks": "Webhooks"},
}
BELONGS_TO = {"_running": "running", "grading": "gradings", "import": "imports", "training": "trainings"}


@dataclass(frozen=True)
class Tab:
    label: str
    address: str
    is_current: bool


@register.simple_tag(takes_context=True)
def study_tabs(context: Context) -> list[Tab]:
    """The tabs of the page's `study`, one of them current where the page's `here` or `step` says so."""
    here = "setup" if context.get("step") else context.get("here")
    here = BELONGS_TO.get(here, here)
    slug = context["study"].slug
    return [Tab(label, reverse(f"desk:{page}", args=[slug]), page == here) for page, label in TABS.items()]
