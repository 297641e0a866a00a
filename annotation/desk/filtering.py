"""The form that narrows the results down; its state is the address."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from annotation.models import Study
from annotation.printing.said import said, said_slice
from annotation.reports.filters import NAMES, Filters, shown

LABELS = {
    "intents": "Intent",
    "categories": "Harm category",
    "subsets": "Subset",
    "languages": "Language",
    "arms": "Arm",
    "cohorts": "How raters came",
    "guidelines": "Guideline",
}
KINDS = {"categories": "category", "languages": "language", "cohorts": "cohort", "guidelines": "guideline"}


@dataclass(frozen=True)
class Choice:
    """A value that can be filtered by; `value` is what the address says."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class Facet:
    """A name in the address and the values it may have in this study."""

    name: str
    label: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class FilterForm:
    """The form above the results. `words` say what is filtered; "" for nothing."""

    facets: tuple[Facet, ...]
    since: date | None
    until: date | None
    words: str
    query: str


def filter_form(study: Study, filters: Filters) -> FilterForm:
    """Only what divides the study can be chosen: a facet has two values or more, or is filtered by already.

    Five queries.
    """
    values = _values(study)
    facets = tuple(
        Facet(name, LABELS[field], choices)
        for field, name in NAMES.items()
        if len(choices := _choices(field, values[field], getattr(filters, field))) > 1
        or any(choice.chosen for choice in choices)
    )
    return FilterForm(facets, filters.since, filters.until, filters.in_words(), filters.as_query())


def _choices(field: str, values: Iterable[str | int], chosen: tuple) -> tuple[Choice, ...]:
    known = (
        sorted({*values, *chosen}, key=str) if field != "arms" else list(dict.fromkeys([*values, *chosen]))
    )
    return tuple(Choice(shown(value), _label(field, value), value in chosen) for value in known)


def _label(field: str, value: str | int) -> str:
    if field in ("arms", "subsets"):
        return shown(value)
    return said_slice(KINDS.get(field, ""), shown(value)) if field in KINDS else said(value)


def _values(study: Study) -> dict[str, Iterable[str | int]]:
    """By field of Filters: the values there are in the study."""
    labels = list(study.prompts.order_by().values_list("intent", "harm_category", "language").distinct())
    subsets = study.prompts.exclude(subset=[]).order_by().values_list("subset", flat=True).distinct()
    cohorts = study.links.order_by().values_list("label", flat=True).distinct()
    return {
        "intents": {intent for intent, _, _ in labels},
        "categories": {category for _, category, _ in labels},
        "subsets": {subset for found in subsets for subset in found},
        "languages": {language for _, _, language in labels},
        "arms": list(study.arms.order_by("position").values_list("name", flat=True)),
        "cohorts": {"", *cohorts} if cohorts else set(),
        "guidelines": set(study.guidelines.values_list("version", flat=True)),
    }
