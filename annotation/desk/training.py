"""The pages of trainings: start one, watch its curves and its log, stop it, resume it, make it an arm."""

from dataclasses import dataclass

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from annotation import access, tasks
from annotation.actions import registering
from annotation.actions import training as actions
from annotation.actions.arms import LONGEST_NAME
from annotation.actions.training_settings import settings_of
from annotation.desk import words
from annotation.desk.training_forms import TrainingForm, name_of
from annotation.desk.views import QUEUE_IS_DOWN, desk_page, tell_workers
from annotation.errors import DomainError
from annotation.models import Study, Training
from annotation.printing.curves import curve, number
from annotation.reports.trainings import (
    RegistrationProgress,
    curves_of,
    registration_of,
    training_progress,
    waits_without_worker,
)
from annotation.vocabulary import BatchState, TrainingStage
from models_runtime.training.checkpoints import ANSWERS

TAIL = 4_000  # characters of the log on the page
MOST_LISTED = 100
ROWS_SHOWN = 20  # of the figures behind the curves


@dataclass(frozen=True)
class Drawn:
    """A curve as it is shown."""

    label: str
    picture: SafeString
    last: str


class ArmForm(forms.Form):
    name = forms.CharField(max_length=LONGEST_NAME, label="Name of the arm")


def _page(request: HttpRequest, template: str, study: Study, missing: str, **context) -> HttpResponse:
    frame = {"study": study, "missing_worker": missing, "here": "training", "install": _install()}
    return render(request, f"desk/{template}.html", {**frame, **context})


def _install() -> str:
    return "" if settings.TRAINS else actions.INSTALL


@desk_page
@require_safe
def trainings(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    rows = study.trainings.select_related("snapshot", "start_arm", "start_training")[:MOST_LISTED]
    lines = [(row, title_of(row), training_progress(row).sentence, origin_of(row)) for row in rows]
    missing = waits_without_worker(study)
    return _page(request, "trainings", study, missing, lines=lines, stages=TrainingStage.choices)


def origin_of(training: Training) -> str:
    """What it is made from, in words."""
    start = training.start_arm or training.start_training
    return f"snapshot {training.snapshot.number}" + (f" and {name_of(start)}" if start else "")


def title_of(training: Training) -> str:
    """The stage, and of a reward model what it scores."""
    target = f" of {training.arguments['target']}" if training.stage == TrainingStage.REWARD else ""
    return f"{training.get_stage_display()}{target}"


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def new_training(request: HttpRequest, slug: str, stage: str) -> HttpResponse:
    """The form of a stage; POST queues the training."""
    study = access.study_for(request.user, slug)
    if stage not in TrainingStage.values:
        raise Http404("There is no such stage.")
    form = TrainingForm(study, stage, request.POST or None)
    if request.method == "POST" and form.is_valid() and (found := _start(request, study, form)):
        return redirect("desk:training", slug, found.number)
    return _page(request, "new_training", study, "", form=form, stage=TrainingStage(stage))


def _start(request: HttpRequest, study: Study, form: TrainingForm) -> Training | None:
    """The queued training; None, with the reason in the form, where it is refused."""
    try:
        found = actions.start_training(study, form.plan, request.user)
    except DomainError as error:
        form.add_error(None, str(error))
        return None
    tell_workers(request, tasks.hint_training, found)
    return found


@desk_page
@require_safe
@vary_on_headers("HX-Request")
def training(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    study = access.study_for(request.user, slug)
    return _training_page(request, access.training_in(study, number), ArmForm())


def _training_page(request: HttpRequest, found: Training, form: ArmForm) -> HttpResponse:
    progress, registration = training_progress(found), registration_of(found)
    curves = curves_of(found)
    context = {
        "training": found,
        "progress": progress,
        "title": title_of(found),
        "origin": origin_of(found),
        "curves": [_drawn(one.label, one.points) for one in curves],
        "figures": figures_of(found),
        "chosen": chosen_of(found),
        "report": report_of(found),
        "result": result_of(found),
        "tail": actions.log_tail(found, TAIL),
        "has_log": actions.log_file(found).is_file(),
        "registration": registration,
        "arm_form": form if can_be_an_arm(found, registration) else None,
        "lives": not progress.is_finished or (registration and registration.is_unfinished),
    }
    template = "_training" if request.htmx else "training"
    return _page(request, template, found.study, progress.missing, **context)


def can_be_an_arm(training: Training, registration: RegistrationProgress | None) -> bool:
    is_on_its_way = registration is not None and registration.is_unfinished
    return training.stage in ANSWERS and training.state == BatchState.DONE and not is_on_its_way


def _drawn(label: str, points: tuple[tuple[int, float], ...]) -> Drawn:
    # Numbers and a label of ours: `curve` escapes what it reads out.
    return Drawn(label, mark_safe(curve(label, points)), number(points[-1][1]))  # noqa: S308


def figures_of(training: Training) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """(names, rows of step and values) of the newest steps, newest first."""
    rows = list(training.metrics.order_by("-step").values_list("step", "told")[:ROWS_SHOWN])
    names = sorted({name for _, told in rows for name in told})
    return names, [(step, [_value(told.get(name)) for name in names]) for step, told in rows]


def _value(told: float | None) -> str:
    return "–" if told is None else number(told)


def chosen_of(training: Training) -> list[tuple[str, object]]:
    """The settings of the training by their labels."""
    given = training.arguments
    chosen = [(one.label, given[one.name]) for one in settings_of(training.stage) if one.name in given]
    names = {True: "yes", False: "no", "": "none"}
    return [(label, names.get(value, value) if isinstance(value, bool | str) else value)
            for label, value in chosen]  # fmt: skip


def result_of(training: Training) -> list[tuple[str, object]]:
    """What a training that trained said at its end: rows, modes, what was left out."""
    if training.stage == TrainingStage.EVALUATE:
        return []
    found: list[tuple[str, object]] = []
    for name, value in training.result.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        found += [
            (f"{name}: {part}".strip(": ").replace("_", " ").capitalize(), told) for part, told in inner
        ]
    return found


def report_of(training: Training) -> dict | None:
    """An evaluation's report as lines of text; None of another stage, or before its end."""
    if training.stage != TrainingStage.EVALUATE or not training.result:
        return None
    told = training.result
    accuracy = [
        (name, _cell(told[name]["pairwise_accuracy"])) for name in ("helpfulness", "safety", "reward")
    ]
    models = []
    for model in told["models"]:
        groups = {
            "All intents": model,
            **{name.replace("_", " "): one for name, one in model["by_intent"].items()},
        }
        models += [
            (name, [_cell(one[score]) for score in "hsr"], one["r"]["n"]) for name, one in groups.items()
        ]
    return {"accuracy": accuracy, "models": models, "families": told["split"]["families"]}


def _cell(told: dict | None) -> tuple[str, str]:
    """(value, interval) of a figure with `value`, `low` and `high`."""
    if told is None:
        return words.DASH, ""
    interval = f"{told['low']:.2f}–{told['high']:.2f}" if told["low"] is not None else ""
    return f"{told['value']:.2f}", interval


@desk_page
@require_POST
def control_training(request: HttpRequest, slug: str, number: int, control: str) -> HttpResponse:
    """Stop or resume: see `actions.training.CONTROLS`."""
    found = access.training_in(access.study_for(request.user, slug), number)
    if control not in actions.CONTROLS:
        raise Http404("There is no such control.")
    try:
        actions.CONTROLS[control](found, request.user)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        if control == "resume":
            tell_workers(request, tasks.hint_training, found)
    return redirect("desk:training", slug, number)


@desk_page
@require_POST
def make_arm(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Have a worker make the tuned model the study's next arm: reading large weights takes minutes."""
    found = access.training_in(access.study_for(request.user, slug), number)
    form = ArmForm(request.POST)
    if form.is_valid():
        try:
            asked = registering.ask(found, form.cleaned_data["name"], request.user)
        except DomainError as error:
            form.add_error("name", str(error))
        else:
            if not tasks.sent(tasks.register_arm.delay, asked.pk):
                messages.warning(request, QUEUE_IS_DOWN)
            return redirect("desk:training", slug, number)
    return _training_page(request, found, form)


@desk_page
@require_GET
def training_log(request: HttpRequest, slug: str, number: int) -> FileResponse:
    """The whole log, as a file."""
    found = access.training_in(access.study_for(request.user, slug), number)
    log = actions.log_file(found)
    if not log.is_file():
        raise Http404(f"Training {number} has written no log yet.")
    name = f"{slug}-training-{number}.txt"
    return FileResponse(log.open("rb"), as_attachment=True, filename=name, content_type="text/plain")
