"""The form that a training is started with: rows to choose from, and the stage's settings."""

from collections.abc import Iterable
from typing import Any

from django import forms

from annotation.actions.training import Plan, scores
from annotation.actions.training_settings import Setting, Value, settings_of
from annotation.models import Arm, Study, Training
from annotation.models.training import SCORED_STAGES
from annotation.vocabulary import BatchState, TrainingStage
from models_runtime.demo import MODEL_PATH
from models_runtime.training.checkpoints import ANSWERS

NO_MODEL = "None: the reward models alone"
FOR_THE_DEMO: dict[str, Value] = {
    **{"full": True, "epochs": 1.0, "max_tokens": 512, "new_tokens": 120, "log_every": 1},
    **{"generations": 4, "temperature": 0.7, "learning_rate": 1e-4},
}
"""What the form suggests where the study runs the small demo model: each stage takes minutes on a CPU."""


class TrainingForm(forms.Form):
    """One stage's form. `plain` and `advanced` are its fields in two groups."""

    def __init__(self, study: Study, stage: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stage, self.settings = stage, settings_of(stage)
        self.snapshots = {str(one.number): one for one in study.snapshots.all()}
        done = list(study.trainings.filter(state=BatchState.DONE).select_related("study"))
        self.rewards = {
            target: {str(one.number): one for one in done if scores(one, target)}
            for target in (("helpfulness", "safety") if stage in SCORED_STAGES else ())
        }
        self.starts = starts_of(study.arms.all(), done)
        self._add_rows()
        suggested = FOR_THE_DEMO if study.arms.filter(model=str(MODEL_PATH)).exists() else {}
        if suggested and stage == TrainingStage.RL:
            suggested = suggested | {"steps": 8, "learning_rate": 3e-5}
        for setting in self.settings:
            self.fields[setting.name] = field_for(setting, suggested.get(setting.name, setting.default))

    def _add_rows(self) -> None:
        self.fields["snapshot"] = chosen("Snapshot", {n: f"Snapshot {n}" for n in self.snapshots})
        for target, found in self.rewards.items():
            label = f"Reward model of {target}"
            self.fields[f"{target}_model"] = chosen(label, {n: f"Training {n}" for n in found})
        names = {key: capitalised(name_of(one)) for key, one in self.starts.items()}
        is_needed = self.stage != TrainingStage.EVALUATE
        label = "Start from" if is_needed else "Model that answers"
        self.fields["start"] = chosen(label, names if is_needed else {"": NO_MODEL, **names}, is_needed)

    @property
    def lacks(self) -> str:
        """What must be there before this stage can start; "" where all is."""
        if not self.snapshots:
            return "Freeze a snapshot first: trainings read nothing else."
        for target, found in self.rewards.items():
            if not found:
                return f"Train a reward model of {target} first."
        if self.stage != TrainingStage.EVALUATE and not self.starts:
            return "There is no arm with a local model to start from."
        return ""

    @property
    def plain(self) -> list[forms.BoundField]:
        advanced = {setting.name for setting in self.settings if setting.advanced}
        return [field for field in self if field.name not in advanced]

    @property
    def advanced(self) -> list[forms.BoundField]:
        return [self[setting.name] for setting in self.settings if setting.advanced]

    @property
    def plan(self) -> Plan:
        """What was chosen; of a valid form."""
        given = self.cleaned_data
        return Plan(
            self.stage,
            self.snapshots[given["snapshot"]],
            self.starts.get(given["start"]),
            **{target: found[given[f"{target}_model"]] for target, found in self.rewards.items()},
            given={one.name: given[one.name] for one in self.settings if given[one.name] is not None},
        )


def chosen(label: str, choices: dict[str, str], required: bool = True) -> forms.ChoiceField:
    return forms.ChoiceField(choices=list(choices.items()), label=label, required=required)


def starts_of(arms: Iterable[Arm], done: Iterable[Training]) -> dict[str, Arm | Training]:
    """What a training can start from, by its key in the form: arms with local models, tuned models."""
    found: dict[str, Arm | Training] = {
        f"arm-{arm.pk}": arm for arm in arms if arm.backend == "transformers_local"
    }
    return found | {f"training-{one.number}": one for one in done if one.stage in ANSWERS}


def name_of(start: Arm | Training) -> str:
    if isinstance(start, Arm):
        return f"arm “{start.name}”"
    return f"training {start.number} ({start.get_stage_display()})"


def capitalised(words: str) -> str:
    return words[:1].upper() + words[1:]


def field_for(setting: Setting, initial: Value) -> forms.Field:
    """The field of a setting; its bounds are those that the action checks again."""
    if setting.kind is bool:
        return forms.BooleanField(required=False, initial=initial, label=setting.label)
    if setting.choices:
        choices = [(value, value) for value in setting.choices]
        return forms.ChoiceField(choices=choices, initial=initial, label=setting.label)
    if setting.kind is str:
        area = forms.Textarea(attrs={"rows": 3})
        return forms.CharField(required=False, label=setting.label, widget=area, strip=False)
    kind = forms.IntegerField if setting.kind is int else forms.FloatField
    bounds = {"min_value": setting.least, "max_value": setting.most}
    if setting.kind is int:
        bounds = {name: int(value) for name, value in bounds.items()}
    return kind(initial=f"{initial:g}", label=setting.label, **bounds)
