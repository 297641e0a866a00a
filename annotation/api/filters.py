"""What lists may be narrowed by."""

import django_filters as filters
from django.db.models import QuerySet

from annotation.models import Delivery, Enrolment, Judgment, Pair, Prompt, Response, Run
from annotation.vocabulary import (
    DeliveryState,
    EnrolmentRole,
    EnrolmentState,
    FinishReason,
    Intent,
    JudgmentSource,
    PairState,
    RunState,
    WebhookEvent,
)

LARGEST_KEY = 2**63 - 1


def word(field: str, help_text: str = "") -> filters.CharFilter:
    """A word that a column has to equal."""
    return filters.CharFilter(field_name=field, help_text=help_text, max_length=200)


def choice(field: str, choices: list) -> filters.ChoiceFilter:
    return filters.ChoiceFilter(field_name=field, choices=choices)


def key(field: str) -> filters.NumberFilter:
    return filters.NumberFilter(field_name=field, min_value=1, max_value=LARGEST_KEY)


class RunFilter(filters.FilterSet):
    state = choice("state", RunState.choices)

    class Meta:
        model = Run
        fields: list[str] = []


class PromptFilter(filters.FilterSet):
    key = word("key")
    intent = choice("intent", Intent.choices)
    harm_category = word("harm_category")
    family = word("family")
    language = word("language")

    class Meta:
        model = Prompt
        fields: list[str] = []


class ResponseFilter(filters.FilterSet):
    arm = word("arm__name", "The arm's name.")
    prompt = word("prompt__key", "The prompt's key.")
    finish_reason = choice("finish_reason", FinishReason.choices)
    current = filters.BooleanFilter(
        field_name="replaced_at", lookup_expr="isnull", help_text="Without those that were replaced."
    )

    class Meta:
        model = Response
        fields: list[str] = []


class PairFilter(filters.FilterSet):
    state = choice("state", PairState.choices)
    prompt = word("prompt__key", "The prompt's key.")
    has_room = filters.BooleanFilter(field_name="has_room", help_text="Whether raters are still wanted.")

    class Meta:
        model = Pair
        fields: list[str] = []


class RaterFilter(filters.FilterSet):
    state = choice("state", EnrolmentState.choices)
    role = choice("role", EnrolmentRole.choices)
    code = word("code")

    class Meta:
        model = Enrolment
        fields: list[str] = []


class JudgmentFilter(filters.FilterSet):
    counting = filters.BooleanFilter(
        method="only_counting", help_text="true: what reports are made from, the newest revision of each."
    )
    rater = word("enrolment__code", "The rater's code.")
    prompt = word("pair__prompt__key", "The prompt's key.")
    pair = key("pair")
    source = choice("source", JudgmentSource.choices)
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Judgment
        fields: list[str] = []

    def only_counting(self, rows: QuerySet, name: str, wanted: bool) -> QuerySet:
        return rows.that_count() if wanted else rows


class DeliveryFilter(filters.FilterSet):
    state = choice("state", DeliveryState.choices)
    event = choice("event", WebhookEvent.choices)

    class Meta:
        model = Delivery
        fields: list[str] = []
