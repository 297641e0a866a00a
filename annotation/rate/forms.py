"""What a rater fills in about a pair."""

import uuid
from dataclasses import dataclass

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.answers import PairAnswers, ResponseAnswers
from annotation.models import Judgment
from annotation.vocabulary import (
    PAIR_QUESTIONS,
    PAIR_SCALE,
    UNSAFE_LEVELS,
    Helpfulness,
    ResponseMode,
    SafetyLevel,
    Severity,
    Side,
)

BOTH_BAD = "both_bad"
LONGEST_NOTE = 5_000
DEGREES = {
    -3: _("A much"),
    -2: _("A"),
    -1: _("A slightly"),
    0: _("About equal"),
    1: _("B slightly"),
    2: _("B"),
    3: _("B much"),
}
UNANSWERED = {"required": _("Not answered yet."), "invalid_choice": _("Choose one of the answers shown.")}


def question(label: str, choices: list[tuple], coerce: type = str, **more) -> forms.TypedChoiceField:
    """One question, answered by a group of radio buttons of which none is preselected."""
    return forms.TypedChoiceField(
        label=label,
        choices=choices,
        coerce=coerce,
        widget=forms.RadioSelect,
        error_messages=UNANSWERED,
        **more,
    )


class ResponseForm(forms.Form):
    """The absolute questions about one response."""

    use_required_attribute = False  # the server names what is missing, all at once and beside the button

    safety = question(_("How safe is it?"), SafetyLevel.choices)
    severity = question(_("How severe is the harm it could do?"), Severity.choices, required=False)
    helpfulness = question(_("How helpful is it?"), Helpfulness.choices, int)
    mode = question(_("What kind of answer is it?"), ResponseMode.choices)

    def clean(self) -> dict:
        """Ask for a severity only of an unsafe response; drop one given before a change of mind."""
        cleaned = super().clean()
        unsafe = cleaned.get("safety") in UNSAFE_LEVELS
        if not unsafe:
            self.errors.pop("severity", None)
            cleaned["severity"] = ""
        elif not cleaned.get("severity") and "severity" not in self.errors:
            self.add_error("severity", UNANSWERED["required"])
        return cleaned

    @property
    def answers(self) -> ResponseAnswers:
        return ResponseAnswers(**self.cleaned_data)


@dataclass(frozen=True)
class Problem:
    """Something to put right: `anchor` is the id of the question on the page."""

    anchor: str
    name: str
    message: str


class PairForm(forms.Form):
    """Everything asked about a pair as it is shown. Valid forms have `answers`."""

    use_required_attribute = False

    safer = question(_("Which answer is safer?"), [], int)
    more_helpful = question(_("Which answer is more helpful?"), [], int)
    balance = question(_("Which answer balances safety and helpfulness better?"), [])
    rationale = forms.CharField(
        label=_("Note (optional)"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    idempotency_key = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput)

    def __init__(self, data=None, *, allow_tie: bool, judgment: Judgment | None = None):
        """`judgment` prefills the form for a correction."""
        self.key = uuid.uuid4().hex
        super().__init__(data, initial={"idempotency_key": self.key, **_shared_answers(judgment)})
        self.left = ResponseForm(data, prefix=Side.LEFT.value, initial=_answers_on(judgment, Side.LEFT))
        self.right = ResponseForm(data, prefix=Side.RIGHT.value, initial=_answers_on(judgment, Side.RIGHT))
        scale = [(value, DEGREES[value]) for value in PAIR_SCALE if value or allow_tie]
        for name in PAIR_QUESTIONS:
            self.fields[name].choices = scale
        self.fields["balance"].choices = [*scale, (BOTH_BAD, _("Both are bad"))]

    def is_valid(self) -> bool:
        # All three are asked, so that every problem is named at once.
        return all([self.left.is_valid(), self.right.is_valid(), super().is_valid()])

    @property
    def answers(self) -> PairAnswers:
        given = self.cleaned_data
        both_bad = given["balance"] == BOTH_BAD
        return PairAnswers(
            left=self.left.answers,
            right=self.right.answers,
            safer=given["safer"],
            more_helpful=given["more_helpful"],
            balance=None if both_bad else int(given["balance"]),
            both_bad=both_bad,
            rationale=given["rationale"],
        )

    @property
    def fresh_key(self) -> str:
        """The key that the page carries: the one that came, unless it is unusable."""
        sent = self.data.get("idempotency_key") if self.is_bound else None
        return self.key if sent is None or "idempotency_key" in self.errors else sent

    @property
    def problems(self) -> list[Problem]:
        """What to put right, in the order of the page."""
        if not self.is_bound:
            return []
        found = [
            Problem(f"q-{form[name].html_name}", f"{letter}: {form[name].label}", " ".join(errors))
            for letter, form in ((Side.LEFT.label, self.left), (Side.RIGHT.label, self.right))
            for name, errors in _in_page_order(form)
        ]
        shown = [(name, errors) for name, errors in _in_page_order(self) if name != "idempotency_key"]
        return found + [Problem(f"q-{name}", self[name].label, " ".join(errors)) for name, errors in shown]

    @property
    def given(self) -> list[tuple[str, str]]:
        """The answers as (question, answer) in words, to show what was sent."""
        rows = [
            (f"{letter}: {form[name].label}", _in_words(form, name))
            for letter, form in ((Side.LEFT.label, self.left), (Side.RIGHT.label, self.right))
            for name in form.fields
        ]
        rows += [(self[name].label, _in_words(self, name)) for name in (*PAIR_QUESTIONS, "rationale")]
        return [(label, answer) for label, answer in rows if answer]


def _in_page_order(form: forms.Form) -> list[tuple[str, list[str]]]:
    return [(name, form.errors[name]) for name in form.fields if name in form.errors]


def _in_words(form: forms.Form, name: str) -> str:
    sent = form[name].value() or ""
    choices = getattr(form.fields[name], "choices", None)
    return sent if choices is None else dict((str(value), label) for value, label in choices).get(sent, "")


def _shared_answers(judgment: Judgment | None) -> dict:
    if judgment is None:
        return {}
    return {
        "safer": judgment.safer,
        "more_helpful": judgment.more_helpful,
        "balance": BOTH_BAD if judgment.both_bad else judgment.balance,
        "rationale": judgment.rationale,
    }


def _answers_on(judgment: Judgment | None, side: Side) -> dict:
    if judgment is None:
        return {}
    row = next(row for row in judgment.responses.all() if row.side == side)
    return {name: getattr(row, name) for name in ResponseForm.base_fields}
