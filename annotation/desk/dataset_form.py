"""The rules of a dataset as a form; `Recipe` refuses what cannot be."""

from typing import Any

from django import forms

from annotation.datasets.recipe import (
    Aggregation,
    BestOf,
    Decides,
    FileKind,
    Format,
    Keep,
    LabelFrom,
    Margin,
    Masked,
    Recipe,
    Split,
    Ties,
)
from annotation.errors import BadRecipe

LONGEST_LIST = 20_000
LISTS = ("cohorts", "leave_out_raters")
GROUPS = (
    ("Raters", ("aggregation", "min_judgments", "min_agreement", "paused_raters", *LISTS)),
    ("Which of two answers (preferences)", ("decides", "ties", "margin")),
    ("Prompts and answers", ("masked", "duplicates", "system_messages")),
    ("Unpaired labels and best answers", ("label_from", "least_reward", "least_safety", "best_of")),
    ("Train, validation and test", ("split", "split_seed", "test_share", "validation_share")),
)
"""Fields below “All rules”, by what they are about."""


def _share(label: str) -> forms.FloatField:
    widget = forms.NumberInput({"step": "any", "min": 0, "max": 1})
    return forms.FloatField(min_value=0, max_value=1, label=label, widget=widget)


def _names(label: str) -> forms.CharField:
    widget = forms.Textarea({"rows": 2})
    return forms.CharField(max_length=LONGEST_LIST, required=False, label=label, widget=widget)


class DatasetForm(forms.Form):
    """A format and its rules. Valid only where the recipe is, which is then in `recipe`."""

    format = forms.ChoiceField(choices=Format.choices)
    files = forms.MultipleChoiceField(choices=FileKind.choices, widget=forms.CheckboxSelectMultiple)
    aggregation = forms.ChoiceField(choices=Aggregation.choices, label="Several raters become one by")
    min_judgments = forms.IntegerField(min_value=1, label="Fewest judgments")
    min_agreement = _share("Least agreement (0 to 1)")
    paused_raters = forms.ChoiceField(choices=Keep.choices, label="Raters who were paused")
    cohorts = _names("Only these cohorts, one a line (empty: all)")
    leave_out_raters = _names("Without these raters, one code a line")
    decides = forms.ChoiceField(choices=Decides.choices, required=False, label="The question that decides")
    ties = forms.ChoiceField(choices=Ties.choices)
    margin = forms.ChoiceField(choices=Margin.choices, label="Margin from")
    masked = forms.ChoiceField(choices=Masked.choices, label="Answers with a masked name")
    duplicates = forms.ChoiceField(choices=Keep.choices, label="Same prompt words and answers")
    system_messages = forms.ChoiceField(choices=Keep.choices, label="System messages of prompts")
    label_from = forms.ChoiceField(choices=LabelFrom.choices, label="Unpaired labels from")
    least_reward = _share("Label true from r of")
    least_safety = _share("Best answers: least s")
    best_of = forms.ChoiceField(choices=BestOf.choices, label="Best answers")
    split = forms.ChoiceField(choices=Split.choices)
    split_seed = forms.IntegerField(min_value=0, label="Seed of the split")
    test_share = _share("Share of test")
    validation_share = _share("Share of validation")

    recipe: Recipe

    def __init__(self, data: Any = None):
        super().__init__(data, initial=Recipe(Format.TRL_PREFERENCE.value).as_dict())
        for name in LISTS:
            self.initial[name] = ""

    def clean(self) -> dict:
        if not self.errors:
            told = dict(self.cleaned_data)
            for name in LISTS:
                told[name] = [line.strip() for line in told[name].splitlines() if line.strip()]
            try:
                self.recipe = Recipe.from_dict(told)
            except BadRecipe as error:
                raise forms.ValidationError(str(error)) from error
        return self.cleaned_data

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """(title, fields) of all rules."""
        return [(title, [self[name] for name in names]) for title, names in GROUPS]

    def has_rule_errors(self) -> bool:
        """Whether something below “All rules” is to be put right, so that it must be in sight."""
        return any(self[name].errors for _, names in GROUPS for name in names)
