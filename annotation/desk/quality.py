"""How raters rate, what is done about it, and the gold pairs that show it."""

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation import access, tasks, text
from annotation.actions import accounts, adjudicating
from annotation.actions import gold as gold_actions
from annotation.actions import quality as actions
from annotation.desk import words
from annotation.desk.paging import part_of
from annotation.desk.views import desk_page
from annotation.errors import DomainError
from annotation.models import Appeal, Enrolment, Gold, Pair, QualityRules, Study
from annotation.reports.quality import SIGNALS, TOLD, RaterQuality
from annotation.stats.estimate import Estimate
from annotation.stats.gold_answers import PAIR_KEYS, SAFETY_KEYS
from annotation.vocabulary import PAIR_SCALE, AppealState, EnrolmentRole, GoldUse

FEW = 10
"""Answers. A share of fewer is greyed, and said to be of too few."""

PAIRS_A_PAGE = 20
RATERS_A_PAGE = 25
EXPLANATION = "Explanation (raters meet the answers on either side, so name neither A nor B)"


class MixForm(forms.ModelForm):
    """What is mixed in, and what comes before the first pair."""

    class Meta:
        model = Study
        fields = [
            "gold_percent",
            "repeat_percent",
            "practice_needed",
            "quiz_pass_percent",
            "quiz_attempts",
            "dispute_spread",
        ]
        labels = {
            "gold_percent": "Gold pairs, of 100",
            "repeat_percent": "Repeated pairs, of 100",
            "practice_needed": "Practice comes first",
            "quiz_pass_percent": "Quiz: right, of 100 (empty: no quiz)",
            "quiz_attempts": "Quiz: attempts",
            "dispute_spread": "A dispute: so many steps apart",
        }


class RulesForm(forms.ModelForm):
    """When raters are paused."""

    class Meta:
        model = QualityRules
        fields = ["least", *TOLD]
        labels = {
            "least": "Fewest answers a rule acts on",
            "gold_at_least": "Gold pairs right, at least %",
            "consistent_at_least": "Repeated pairs alike, at least %",
            "agreeing_at_least": "As the majority of others, at least %",
            "hasty_at_most": "Faster than reading, at most %",
            "one_side_at_most": "The same side chosen, at most %",
        }


class GoldForm(forms.Form):
    """What the answers to a pair should be; questions left open may be answered in any way."""

    use = forms.ChoiceField(choices=GoldUse.choices, label="Use")
    tolerance = forms.IntegerField(
        min_value=0, max_value=6, initial=1, label="Steps that pair answers may be off"
    )
    explanation = forms.CharField(
        required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}), label=EXPLANATION
    )

    STEPS = [("", "Any"), *((str(step), f"{step:+d}" if step else "0, about equal") for step in PAIR_SCALE)]
    SAFETY = [("", "Any"), ("no", "Safe"), ("yes", "Unsafe")]
    LABELS = {"safer": "Safer", "more_helpful": "More helpful", "balance": "Better balance"}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for key, label in zip(SAFETY_KEYS, ("First answer", "Second answer"), strict=True):
            self.fields[key] = forms.ChoiceField(choices=self.SAFETY, required=False, label=label)
        for key in PAIR_KEYS:
            label = f"{self.LABELS[key]} (−3 first … +3 second)"
            self.fields[key] = forms.ChoiceField(choices=self.STEPS, required=False, label=label)

    @property
    def expected(self) -> dict[str, int | bool]:
        given = self.cleaned_data
        safety = {key: given[key] == "yes" for key in SAFETY_KEYS if given[key]}
        return safety | {key: int(given[key]) for key in PAIR_KEYS if given[key]}


@dataclass(frozen=True)
class Cell:
    """A signal as text: `note` is its interval and n, or why there is none; `few` greys it."""

    value: str
    note: str
    few: bool


def cell(estimate: Estimate, as_percent: bool) -> Cell:
    """A signal of a rater for the table."""
    value = words.percent(estimate.value) if as_percent else words.decimal(estimate.value)
    if estimate.value is None:
        return Cell(value, estimate.reason or "too few", True)
    interval = words.percent_interval(estimate) if as_percent else words.decimal_interval(estimate)
    few = estimate.n < FEW
    parts = [interval, f"n = {estimate.n}", "too few to tell" if few else ""]
    return Cell(value, " · ".join(part for part in parts if part), few)


def _cells(rater: RaterQuality) -> list[Cell]:
    return [cell(getattr(rater, name), name != "reading") for name in SIGNALS]


def _page(request: HttpRequest, template: str, study: Study, status: int = 200, **context) -> HttpResponse:
    frame = {"study": study, "here": "raters", "part": "quality"}
    return render(request, f"desk/{template}.html", {**frame, **context}, status=status)


def _quality_page(request: HttpRequest, study: Study, status: int = 200, **more) -> HttpResponse:
    rules = QualityRules.objects.filter(study=study).first() or QualityRules(study=study)
    appeals = Appeal.objects.filter(enrolment__study=study, state=AppealState.OPEN)
    places = study.enrolments.filter(user__isnull=False).order_by("code").values_list("pk", flat=True)
    page = Paginator(places, RATERS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "raters": [(rater, _cells(rater)) for rater in tasks.look_at_signals(study, list(page))],
        "appeals": appeals.select_related("enrolment"),
        "rules_form": RulesForm(instance=rules, prefix="rules"),
        "mix_form": MixForm(instance=study, prefix="mix"),
        "gold_count": study.gold.filter(retired_at=None).count(),
    }
    return _page(request, "quality", study, status, **context | more)


@desk_page
@require_safe
def quality(request: HttpRequest, slug: str) -> HttpResponse:
    return _quality_page(request, access.study_for(request.user, slug))


@desk_page
@require_POST
def set_rules(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    form = RulesForm(request.POST, instance=QualityRules(study=study), prefix="rules")
    if not form.is_valid():
        return _quality_page(request, study, 422, rules_form=form)
    actions.set_rules(study, request.user, **form.cleaned_data)
    messages.success(request, "The rules hold from now on; they are looked at every few minutes.")
    return redirect("desk:quality", slug)


@desk_page
@require_POST
def set_mix(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    form = MixForm(request.POST, instance=study, prefix="mix")
    if not form.is_valid():
        return _quality_page(request, access.study_for(request.user, slug), 422, mix_form=form)
    try:
        actions.set_mix(study, request.user, **form.cleaned_data)
    except DomainError as error:
        form.add_error(None, str(error))
        return _quality_page(request, access.study_for(request.user, slug), 422, mix_form=form)
    messages.success(request, "Saved.")
    return redirect("desk:quality", slug)


# One rater -------------------------------------------------------------------------------------------


@desk_page
@require_safe
def rater(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study = access.study_for(request.user, slug)
    found = access.rater_in(study, pk)
    (report,) = tasks.look_at_signals(study, [pk])
    return _page(
        request,
        "rater",
        study,
        rater=found,
        cells=_cells(report),
        appeals=found.appeals.select_related("decided_by"),
        withdrawn=actions.withdrawn_of(found),
        is_senior=found.role == EnrolmentRole.SENIOR,
        awaits_password=accounts.awaits_password(found),
    )


def _pause(found: Enrolment, request: HttpRequest) -> str:
    paused = actions.pause_rater(found, request.POST.get("reason", ""), request.user)
    return "The rater is paused and told why." if paused else "The rater was paused already."


def _resume(found: Enrolment, request: HttpRequest) -> str:
    exempt = request.POST.get("exempt") == "yes"
    actions.resume_rater(found, request.user, exempt)
    return "The rater may go on."


def _withdraw(found: Enrolment, request: HttpRequest) -> str:
    judgments = actions.withdraw_work(found, request.POST.get("reason", ""), request.user)
    return f"{words.count(judgments, 'judgment')} no longer count; their pairs are open to others again."


def _senior(found: Enrolment, request: HttpRequest) -> str:
    adjudicating.set_role(found, EnrolmentRole.SENIOR, request.user)
    return "The rater also decides disputes from now on."


def _rater(found: Enrolment, request: HttpRequest) -> str:
    adjudicating.set_role(found, EnrolmentRole.RATER, request.user)
    return "The rater no longer gets disputes."


CONTROLS = {"pause": _pause, "resume": _resume, "withdraw": _withdraw, "senior": _senior, "rater": _rater}


@desk_page
@require_POST
def control_rater(request: HttpRequest, slug: str, pk: int, control: str) -> HttpResponse:
    """Pause with a reason, let go on, or take the work out of the count: see CONTROLS."""
    found = access.rater_in(access.study_for(request.user, slug), pk)
    if control not in CONTROLS:
        return redirect("desk:rater", slug, pk)
    try:
        messages.success(request, CONTROLS[control](found, request))
    except DomainError as error:
        messages.error(request, f"{error} Nothing was changed.")
    return redirect("desk:rater", slug, pk)


@desk_page
@require_POST
def decide_appeal(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study = access.study_for(request.user, slug)
    waiting = access.appeal_in(study, pk)
    granted = request.POST.get("decision") == "grant"
    try:
        actions.decide_appeal(waiting, granted, request.POST.get("answer", ""), request.user)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The rater may go on." if granted else "The rater stays paused.")
    return redirect("desk:quality", slug)


# Gold ------------------------------------------------------------------------------------------------


@desk_page
@require_safe
def gold(request: HttpRequest, slug: str) -> HttpResponse:
    """The gold pairs, and the pairs that could become one: nobody has or had them. Those that raters would
    meet last come first: an index has them in this order."""
    study = access.study_for(request.user, slug)
    unseen = Pair.objects.filter(study=study).unseen()
    asked = request.GET.get("prompt", "").strip()
    if asked:
        unseen = unseen.filter(prompt__key__icontains=asked)
    keys = unseen.order_by("-place", "-pk").values_list("pk", flat=True)
    part = part_of(keys, request.GET.get("page"), PAIRS_A_PAGE)
    found = Pair.objects.select_related("prompt").in_bulk(part.rows)
    rows = study.gold.select_related("pair__prompt").order_by("-pk")
    listed = [(row, in_words(row)) for row in rows]
    pairs = [found[pk] for pk in part.rows]
    return _page(request, "gold", study, gold=listed, part_shown=part, pairs=pairs, asked=asked)


def in_words(row: Gold) -> str:
    """What the answers should be, in a line."""
    names = {"a_unsafe": "first", "b_unsafe": "second"}
    safety = [
        f"{names[key]} {'unsafe' if row.expected[key] else 'safe'}" for key in names if key in row.expected
    ]
    steps = [
        f"{GoldForm.LABELS[key].lower()} {row.expected[key]:+d}" for key in PAIR_KEYS if key in row.expected
    ]
    return ", ".join(safety + steps)


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def make_gold(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study = access.study_for(request.user, slug)
    pair = access.pair_in(study, pk)
    form = GoldForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _keep_gold(request, pair, form):
        return redirect("desk:gold", slug)
    context = {
        "pair": pair,
        "prompt_html": text.to_html(pair.prompt.last_message),
        "answers": [
            ("First answer", text.to_html(pair.text_of(pair.response_a))),
            ("Second answer", text.to_html(pair.text_of(pair.response_b))),
        ],
        "form": form,
    }
    return _page(request, "make_gold", study, 422 if form.errors else 200, **context)


def _keep_gold(request: HttpRequest, pair: Pair, form: GoldForm) -> bool:
    given = form.cleaned_data
    try:
        gold_actions.make_gold(
            pair,
            form.expected,
            GoldUse(given["use"]),
            given["tolerance"],
            given["explanation"],
            request.user,
        )
    except DomainError as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, "The pair is gold now; the study no longer rates it.")
    return True


@desk_page
@require_POST
def retire_gold(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study = access.study_for(request.user, slug)
    if gold_actions.retire_gold(access.gold_in(study, pk), request.user):
        messages.success(request, "Nobody else gets this gold pair.")
    return redirect("desk:gold", slug)
