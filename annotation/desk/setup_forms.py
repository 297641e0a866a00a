"""What a researcher fills in to set a study up."""

from django import forms
from django.core.validators import validate_slug

from annotation.errors import DomainError
from annotation.further import (
    FEWEST_STEPS,
    LONGEST_OPTION,
    LONGEST_WORDING,
    MOST_OPTIONS,
    MOST_STEPS,
    Question,
)
from annotation.models import Arm, Prompt, Study
from annotation.models.model_settings import MODEL_SETTINGS, QUANTIZATION_CHOICES
from annotation.text import refuse_hidden, storable
from annotation.vocabulary import GuidelineCondition, Intent, PairingRule, QuestionKind
from models_runtime.device import DTYPES
from models_runtime.errors import InvalidSampling, RuntimeFailure
from models_runtime.registry import BACKENDS, check_spec
from models_runtime.types import ModelSpec, Sampling

LONGEST_QUESTION, LONGEST_TEXT = 2_000, 50_000


def check_visible(name: str) -> None:
    """A form's validator: nothing hidden stands in a name."""
    try:
        refuse_hidden("This", name)
    except DomainError as error:
        raise forms.ValidationError(str(error)) from error


def lines_of(text: str) -> list[str]:
    """The lines that say something, each once."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


class NewStudyForm(forms.Form):
    title = forms.CharField(max_length=200, label="Title", validators=[check_visible])
    question = forms.CharField(
        required=False,
        max_length=LONGEST_QUESTION,
        label="What should it answer? (a sentence; can be written later)",
        widget=forms.Textarea(attrs={"rows": 2}),
        validators=[check_visible],
    )
    slug = forms.CharField(
        required=False,
        max_length=50,
        label="Short name for addresses and files (optional)",
        validators=[validate_slug],
    )


class QuestionsForm(forms.Form):
    """Title, question and scales."""

    title = forms.CharField(max_length=200, label="Title", validators=[check_visible])
    question = forms.CharField(
        required=False,
        max_length=LONGEST_QUESTION,
        label="What should the study answer?",
        widget=forms.Textarea(attrs={"rows": 2}),
        validators=[check_visible],
    )
    allow_tie = forms.BooleanField(required=False, label="Offer “about equal” on the three comparisons")
    harm_categories = forms.CharField(
        max_length=5_000,
        label="Harm categories, one a line (of prompts, and for raters to name the harm in an answer)",
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    blurred_categories = forms.CharField(
        required=False,
        max_length=5_000,
        label="Of these, blurred until the rater reveals them, one a line",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args, study: Study, judged: bool = False, **kwargs):
        self.study = study
        begin = {name: getattr(study, name) for name in ("title", "question", "allow_tie")}
        begin |= {name: "\n".join(getattr(study, name)) for name in ("harm_categories", "blurred_categories")}
        super().__init__(*args, initial=begin, **kwargs)
        self.fields["allow_tie"].disabled = judged

    def clean_harm_categories(self) -> list[str]:
        given = lines_of(self.cleaned_data["harm_categories"])
        check_visible("".join(given))
        if any(len(name) > 64 for name in given):
            raise forms.ValidationError("A harm category has at most 64 characters.")
        used = set(
            self.study.prompts.exclude(harm_category="").values_list("harm_category", flat=True).distinct()
        )
        if lacking := sorted(used - set(given)):
            raise forms.ValidationError(f"Prompts have these, so they stay: {', '.join(lacking)}.")
        return given

    def clean_blurred_categories(self) -> list[str]:
        given = lines_of(self.cleaned_data["blurred_categories"])
        known = self.cleaned_data.get("harm_categories") or []
        if odd := [name for name in given if name not in known]:
            raise forms.ValidationError(f"Not among the harm categories above: {', '.join(odd)}.")
        return given


class FurtherForm(forms.Form):
    """A further question in the study's own words."""

    prefix = "further"

    wording = forms.CharField(max_length=LONGEST_WORDING, label="Question", validators=[check_visible])
    kind = forms.ChoiceField(choices=QuestionKind.choices, label="Kind")
    options = forms.CharField(
        required=False,
        max_length=(LONGEST_OPTION + 2) * MOST_OPTIONS,
        label="Answers to choose from, one a line; of a scale its two ends (optional)",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    steps = forms.IntegerField(
        required=False, min_value=FEWEST_STEPS, max_value=MOST_STEPS, initial=5, label="Steps of a scale"
    )
    required = forms.BooleanField(required=False, label="Raters must answer it")

    def question(self, name: str) -> Question:
        """What was filled in, as a question of this name."""
        given = self.cleaned_data
        options = tuple(lines_of(given["options"])) if given["kind"] != QuestionKind.TEXT else ()
        steps = (given["steps"] or 0) if given["kind"] == QuestionKind.SCALE else 0
        return Question(name, given["kind"], given["wording"].strip(), options, steps, given["required"])


class GuidelineForm(forms.Form):
    guideline_condition = forms.ChoiceField(
        choices=GuidelineCondition.choices, widget=forms.RadioSelect, label="Do raters read a guideline?"
    )
    body = forms.CharField(
        required=False,
        max_length=LONGEST_TEXT,
        label="The guideline, in Markdown",
        widget=forms.Textarea(attrs={"rows": 16}),
    )

    def __init__(self, *args, judged: bool = False, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["guideline_condition"].disabled = judged

    def clean(self) -> dict:
        given = super().clean()
        wants = given.get("guideline_condition") == GuidelineCondition.POLICY_GIVEN
        if wants and not given.get("body", "").strip():
            self.add_error("body", "Raters are to read a guideline: write it, or begin with the example.")
        return given


# Prompts ---------------------------------------------------------------------------------------------


class PasteForm(forms.Form):
    prefix = "paste"

    text = forms.CharField(
        label="Prompts, one a line; or CSV with a header such as prompt,intent,harm_category,family",
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    intent = forms.ChoiceField(
        required=False,
        choices=[("", "choose…"), *Intent.choices],
        label="Intent of whoever asks, where a row does not say it",
    )
    harm_category = forms.ChoiceField(required=False, label="Harm category, where a row does not say it")

    def __init__(self, *args, study: Study, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["harm_category"].choices = category_choices(study)


class FromStudyForm(forms.Form):
    prefix = "from"

    source = forms.ChoiceField(label="Study")

    def __init__(self, *args, studies, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["source"].choices = [(study.slug, study.title) for study in studies]


def category_choices(study: Study) -> list[tuple[str, str]]:
    return [("", "none"), *((name, name) for name in study.harm_categories)]


class PromptForm(forms.Form):
    """One prompt; its wording is fixed once it was asked, and where it has several turns."""

    text = forms.CharField(max_length=LONGEST_TEXT, label="Prompt", widget=forms.Textarea(attrs={"rows": 3}))
    intent = forms.ChoiceField(choices=Intent.choices, label="Intent")
    harm_category = forms.ChoiceField(required=False, label="Harm category")
    family = forms.CharField(required=False, max_length=200, label="Family", validators=[check_visible])
    subset = forms.CharField(
        required=False, max_length=1_000, label="Tags, with commas between", validators=[check_visible]
    )
    language = forms.CharField(required=False, max_length=20, label="Language (en, pt-BR)")

    def __init__(self, data=None, *, prompt: Prompt, asked: bool):
        super().__init__(data, initial=self.stored(prompt), auto_id=f"prompt-{prompt.pk}-%s")
        self.prompt = prompt
        self.fields["harm_category"].choices = category_choices(prompt.study)
        self.fields["text"].disabled = asked

    @staticmethod
    def stored(prompt: Prompt) -> dict:
        """What the fields are for a prompt."""
        labels = {name: getattr(prompt, name) for name in ("intent", "harm_category", "family", "language")}
        return labels | {"text": prompt.last_message, "subset": ", ".join(prompt.subset)}

    @property
    def changes(self) -> dict:
        """The fields of the prompt that were filled in otherwise."""
        given = dict(self.cleaned_data)
        text = storable(given.pop("text"))
        given["subset"] = [word for part in given["subset"].split(",") if (word := part.strip())]
        if not self.fields["text"].disabled and text != self.prompt.last_message:
            given["messages"] = [*self.prompt.messages[:-1], {"role": "user", "content": text}]
        return {name: value for name, value in given.items() if value != getattr(self.prompt, name)}


# Arms ------------------------------------------------------------------------------------------------

BACKEND_WORDS = {
    "scripted": "scripted: repeats the prompt",
    "transformers_local": "transformers_local: run by a worker",
    "openai_http": "openai_http: a server such as vLLM",
}
SAMPLING = ("temperature", "top_p", "top_k", "max_new_tokens", "repetition_penalty")


class ArmForm(forms.Form):
    """What is compared: a model with its settings."""

    name = forms.CharField(max_length=100, label="Name", validators=[check_visible])
    backend = forms.ChoiceField(
        required=False,
        label="How it answers",
        choices=[
            *((one, BACKEND_WORDS.get(one, one)) for one in BACKENDS),
            ("", "none: its answers are imported"),
        ],
        initial="transformers_local",
    )
    model = forms.CharField(required=False, max_length=500, label="Model: folder, hub name, server’s name")
    revision = forms.CharField(required=False, max_length=200, label="Revision (optional)")
    base_url = forms.CharField(required=False, max_length=500, label="Server’s base URL (openai_http)")
    api_key_variable = forms.CharField(
        required=False, max_length=100, label="Variable that holds the server’s key (MODEL_KEY…)"
    )
    temperature = forms.FloatField(
        min_value=0, max_value=10, initial=0.0, label="Temperature (0: always the likeliest)"
    )
    max_new_tokens = forms.IntegerField(
        min_value=1, max_value=1_000_000, initial=256, label="Longest answer, in tokens"
    )
    top_p = forms.FloatField(min_value=0.000001, max_value=1, initial=1.0, label="top p")
    top_k = forms.IntegerField(min_value=0, initial=0, label="top k (0: off)")
    repetition_penalty = forms.FloatField(
        min_value=0.000001, max_value=10, initial=1.0, label="Repetition penalty"
    )
    adapter = forms.CharField(required=False, max_length=500, label="LoRA adapter (optional)")
    dtype = forms.ChoiceField(choices=[(one, one) for one in ("auto", *DTYPES)], label="Number format")
    device = forms.RegexField(
        r"^(auto|cpu|cuda(:\d+)?|balanced)$",
        initial="auto",
        error_messages={"invalid": "Use auto, cpu, cuda, cuda:NUMBER or balanced."},
        label="Device",
    )
    quantization = forms.ChoiceField(
        required=False, choices=[("", "none"), *QUANTIZATION_CHOICES], label="Quantisation"
    )
    system_prompt = forms.CharField(
        required=False,
        max_length=LONGEST_TEXT,
        label="System prompt (optional)",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    FIRST = ("name", "backend", "model", "revision", "temperature", "max_new_tokens", "system_prompt")

    def __init__(self, data=None, *, arm: Arm | None = None, frozen: bool = False):
        super().__init__(data, initial=self.stored(arm) if arm else {})
        self.arm = arm
        for name in [name for name in self.fields if frozen and name != "name"]:
            self.fields[name].disabled = True

    @classmethod
    def stored(cls, arm: Arm) -> dict:
        """What the fields are for an arm."""
        usual = {name: field.initial for name, field in cls.base_fields.items()} | arm.sampling
        return {name: getattr(arm, name, usual[name]) for name in cls.base_fields}

    @property
    def first(self) -> list[forms.BoundField]:
        """What nearly every arm needs."""
        return [self[name] for name in self.FIRST]

    @property
    def more(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self.FIRST]

    def clean(self) -> dict:
        given = super().clean()
        if self.errors or self.fields["backend"].disabled:
            return given
        if bool(given["backend"]) != bool(given["model"]):
            lacking = "backend" if given["model"] else "model"
            self.add_error(
                lacking, "An arm that answers here names both how and a model; an imported one neither."
            )
        elif given["backend"]:
            self._check()
        return given

    def _check(self) -> None:
        try:
            check_spec(ModelSpec(**self.model_settings))
            Sampling.from_dict(self.sampling)
        except (RuntimeFailure, InvalidSampling) as error:
            self.add_error(None, storable(str(error)))

    @property
    def model_settings(self) -> dict:
        template = self.arm.chat_template if self.arm else ""
        return {name: self.cleaned_data.get(name, template) for name in MODEL_SETTINGS}

    @property
    def sampling(self) -> dict:
        """What differs from how a model is sampled anyway, and always temperature and length."""
        kept = {name: self.cleaned_data[name] for name in SAMPLING}
        usual = Sampling()
        always = ("temperature", "max_new_tokens")
        stop = {"stop": self.arm.sampling["stop"]} if self.arm and self.arm.sampling.get("stop") else {}
        return {n: v for n, v in kept.items() if n in always or v != getattr(usual, n)} | stop

    @property
    def settings(self) -> dict:
        """The arm's fields."""
        if self.fields["backend"].disabled:
            return {"name": self.cleaned_data["name"]}
        named = {name: self.cleaned_data[name] for name in ("name", "system_prompt")}
        return {**named, **self.model_settings, "sampling": self.sampling}


class TrialForm(forms.Form):
    asked = forms.CharField(
        max_length=10_000,
        label="Ask it something",
        initial="How do vaccines work?",
        widget=forms.Textarea(attrs={"rows": 2}),
    )


# Pairs and budget ------------------------------------------------------------------------------------


class EstimateForm(forms.Form):
    """What an estimate depends on; its state is the address."""

    samples = forms.IntegerField(
        min_value=1, max_value=8, required=False, label="Responses per prompt and arm"
    )
    price = forms.FloatField(
        min_value=0, max_value=1_000_000, required=False, label="Price of a million tokens (optional)"
    )


class PairingForm(forms.ModelForm):
    pairing = forms.ChoiceField(
        choices=PairingRule.choices, label="Which answers meet", widget=forms.RadioSelect
    )

    class Meta:
        model = Study
        fields = [
            "pairing",
            "overlap",
            "overlap_max",
            "extra_budget",
            "cap_per_day",
            "cap_total",
            "lease_minutes",
            "matched_sampling",
        ]
        labels = {
            "overlap": "Raters for each pair",
            "overlap_max": "Up to, where they differ (empty: off)",
            "extra_budget": "Judgments that this may add in all",
            "cap_per_day": "Most pairs a rater judges in a day",
            "cap_total": "Most pairs a rater judges in all",
            "lease_minutes": "Minutes a rater may hold a pair",
            "matched_sampling": "Refuse a run whose arms are sampled differently",
        }
        help_texts = dict.fromkeys(labels, "")


# The life of a study ---------------------------------------------------------------------------------


class ForkForm(forms.Form):
    title = forms.CharField(max_length=200, label="Title of the copy", validators=[check_visible])


class DeleteForm(forms.Form):
    typed = forms.CharField(max_length=60, label="To confirm, type the study’s short name")
