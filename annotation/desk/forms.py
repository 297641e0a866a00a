"""What a researcher fills in on the desk."""

import re

from django import forms

from annotation.actions.flagging import LONGEST_NOTE
from annotation.actions.grading import MOST_REPEATS, VERDICT_TOKENS, Judge
from annotation.actions.runs import MOST_SAMPLES
from annotation.models import User
from annotation.models.model_settings import MODEL_SETTINGS
from annotation.reports.planning import RATE, WIDTH
from annotation.vocabulary import FlagDecision, KeepRule, MarkKind, ReviewDecision, StudyState
from models_runtime.registry import BACKENDS


class StateForm(forms.Form):
    """Open, pause or close the study."""

    STATES = (StudyState.OPEN, StudyState.PAUSED, StudyState.CLOSED)
    state = forms.ChoiceField(choices=[(state.value, state.label) for state in STATES])


class RunForm(forms.Form):
    samples = forms.IntegerField(
        min_value=1, max_value=MOST_SAMPLES, initial=1, label="Responses per prompt and arm"
    )


class GradingForm(forms.Form):
    """Which model grades, and how. What is left empty is chosen when the grading starts."""

    backend = forms.ChoiceField(choices=[(name, name) for name in BACKENDS], initial="transformers_local")
    model = forms.CharField(max_length=500, label="Judge model, by name or path")
    revision = forms.CharField(max_length=200, required=False, label="Revision (optional)")
    base_url = forms.CharField(max_length=500, required=False, label="Server’s base URL (openai_http only)")
    api_key_variable = forms.CharField(
        max_length=100, required=False, label="Variable that holds the server’s key (MODEL_KEY…)"
    )
    repeats = forms.IntegerField(
        min_value=1, max_value=MOST_REPEATS, initial=1, label="Grades for each response"
    )
    keep = forms.ChoiceField(choices=KeepRule.choices, initial=KeepRule.MIN, label="Of several, keep")
    temperature = forms.FloatField(
        min_value=0, max_value=10, required=False, label="Temperature (empty: 0, or 1 for several)"
    )
    max_new_tokens = forms.IntegerField(
        min_value=1, initial=VERDICT_TOKENS, label="Longest verdict, in tokens"
    )
    policy_given = forms.BooleanField(required=False, label="Show the judge the study’s guideline")

    @property
    def judge(self) -> Judge:
        """The judge that was filled in."""
        given = self.cleaned_data
        sampling = {"max_new_tokens": given["max_new_tokens"]}
        if given["temperature"] is not None:
            sampling["temperature"] = given["temperature"]
        named = {name: given[name] for name in MODEL_SETTINGS if name in given}
        return Judge(**named, sampling=sampling)


class PlanForm(forms.Form):
    """What a size of the study depends on; `reports.planning` reads and checks the query it makes."""

    goal = forms.ChoiceField(
        choices=[(WIDTH, "Know the win rate to ± points"), (RATE, "Tell a win rate (%) from 50 %")],
        label="To be able to",
    )
    target = forms.CharField(label="Points, or per cent")
    overlap = forms.CharField(label="Raters for each pair")
    pairs_per_prompt = forms.CharField(label="Pairs of two arms for each prompt")
    ties = forms.CharField(label="Ties, in % of the judgments")
    prompt_share = forms.CharField(label="Alike within a prompt (0–1)")
    pair_share = forms.CharField(label="More alike within a pair (0–1)")
    judgments_per_rater = forms.CharField(label="Pairs one rater judges")
    power = forms.CharField(label="Power, in % (for a win rate)")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, use_required_attribute=False, **kwargs)
        for name, field in self.fields.items():
            if name != "goal":
                field.widget.attrs["inputmode"] = "decimal"


class EnrolForm(forms.Form):
    """A rater by the name they log in with."""

    username = forms.CharField(max_length=150, label="User name")

    def clean_username(self) -> str:
        username = self.cleaned_data["username"].strip()
        self.user = User.objects.filter(username=username, is_active=True).first()
        if self.user is None:
            raise forms.ValidationError(
                f"There is no active user “{username}”. Make an account for them below."
            )
        return username


class AccountForm(forms.Form):
    """A new rater by the name that they will log in with."""

    prefix = "new"

    username = forms.CharField(max_length=150, label="User name of somebody new")


class PairsForm(forms.Form):
    """Pairs by their primary keys, as any number of hidden fields or ticked boxes named `pairs`."""

    def clean(self) -> dict:
        return {**self.cleaned_data, "pairs": self.numbers("pairs")}

    def numbers(self, name: str) -> list[int]:
        """All that came under this name. Raises ValidationError for what is no number."""
        given = self.data.getlist(name)
        if not all(re.fullmatch("[0-9]{1,18}", number) for number in given):
            raise forms.ValidationError("Rows are named by numbers.")
        return list(map(int, given))


class DecisionForm(PairsForm):
    """A decision about some pairs; or, with `all`, about all with the kind of mark that the page showed."""

    decision = forms.ChoiceField(choices=ReviewDecision.choices)
    all = forms.BooleanField(required=False)
    kind = forms.CharField(required=False)
    until = forms.IntegerField(required=False, min_value=0)

    def clean(self) -> dict:
        given = super().clean()
        of_a_kind = (
            given.get("all") and given.get("kind") in MarkKind.values and given.get("until") is not None
        )
        if not given["pairs"] and not of_a_kind:
            raise forms.ValidationError("No pair was chosen.")
        return given


class FlagAnswerForm(PairsForm):
    """An answer to the flags of some pairs, of which the page showed those named `seen`; or, with `all`, to
    all `count` flags up to the number `until`."""

    decision = forms.ChoiceField(choices=FlagDecision.choices)
    note = forms.CharField(required=False, max_length=LONGEST_NOTE)
    all = forms.BooleanField(required=False)
    until = forms.IntegerField(required=False, min_value=0)
    count = forms.IntegerField(required=False, min_value=0)

    def clean(self) -> dict:
        given = super().clean() | {"seen": self.numbers("seen")}
        everything = given.get("all") and None not in (given.get("until"), given.get("count"))
        if not given["pairs"] and not everything:
            raise forms.ValidationError("No pair was chosen.")
        return given


class TakeBackForm(PairsForm):
    """A decision by the number of its event, or some pairs."""

    event = forms.IntegerField(required=False, min_value=0)
