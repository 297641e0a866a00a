"""Were the arms treated alike? Where their settings or their answers differ, the comparison must say so."""

import json
from dataclasses import dataclass

from django.db.models import Count
from django.utils.text import capfirst

from annotation.models import Arm, Response, Study
from annotation.models.arm import SETTINGS
from models_runtime.errors import InvalidSampling
from models_runtime.types import Sampling

PLAIN = tuple(name for name in SETTINGS if name != "sampling")


@dataclass(frozen=True)
class Difference:
    """One setting that is not the same everywhere: `values` in the order of the arms, as text."""

    setting: str
    values: tuple[str, ...]

    @property
    def label(self) -> str:
        named = str(Arm._meta.get_field(self.setting).verbose_name) if self.setting in PLAIN else self.setting
        return capfirst(named.replace("_", " "))


@dataclass(frozen=True)
class Coverage:
    """How many (prompt, sample) an arm has answered, and how many of those some other arm has not."""

    arm: str
    responses: int
    unmatched: int
    imported: int


@dataclass(frozen=True)
class FairnessReport:
    """`arms` by name in canonical order; `differences` and `coverage` in the same order."""

    arms: tuple[str, ...]
    differences: tuple[Difference, ...]
    coverage: tuple[Coverage, ...]

    @property
    def matched(self) -> bool:
        """Whether every arm has answered the same prompts, the same number of times."""
        return not any(arm.unmatched for arm in self.coverage)


def fairness_report(study: Study) -> FairnessReport:
    """What differs between the study's arms. Three queries."""
    arms = list(study.arms.order_by("position"))
    return FairnessReport(tuple(arm.name for arm in arms), _differences(arms), _coverage(study, arms))


def sampling_differences(arms: list[Arm]) -> tuple[Difference, ...]:
    """Sampling settings that are not the same in all generating arms, defaults filled in.

    Values are in the order of the generating arms. Raises InvalidSampling.
    """
    sampled = [Sampling.from_dict(arm.sampling).to_dict() for arm in arms if arm.generates]
    names = sampled[0] if sampled else {}
    rows = [Difference(name, tuple(json.dumps(row[name]) for row in sampled)) for name in names]
    return tuple(row for row in rows if len(set(row.values)) > 1)


def _differences(arms: list[Arm]) -> tuple[Difference, ...]:
    rows = [Difference(name, tuple(str(getattr(arm, name)) for arm in arms)) for name in PLAIN]
    rows += [
        Difference(name, tuple(json.dumps(_sampling(arm).get(name)) if arm.generates else "" for arm in arms))
        for name in Sampling().to_dict()
    ]
    return tuple(row for row in rows if len(set(row.values)) > 1)


def _sampling(arm: Arm) -> dict:
    """The arm's sampling with defaults filled in; as it is written where it is not valid."""
    try:
        return Sampling.from_dict(arm.sampling).to_dict()
    except InvalidSampling:
        return arm.sampling


def _coverage(study: Study, arms: list[Arm]) -> tuple[Coverage, ...]:
    answered = Response.objects.current().filter(study=study)
    # (prompt, sample) that not every arm has answered, counted once per arm that has.
    lonely = answered.values("prompt", "sample").annotate(arms=Count("arm")).filter(arms__lt=len(arms))
    keys = set(lonely.values_list("prompt", "sample"))
    counts = {arm.pk: [0, 0, 0] for arm in arms}
    for arm, prompt, sample, batch in answered.values_list("arm", "prompt", "sample", "batch").iterator():
        counts[arm][0] += 1
        counts[arm][1] += (prompt, sample) in keys
        counts[arm][2] += batch is None
    return tuple(Coverage(arm.name, *counts[arm.pk]) for arm in arms)
