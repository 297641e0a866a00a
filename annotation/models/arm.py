"""What is compared: a checkpoint with its revision, system prompt and sampling."""

import json
from hashlib import sha256

from django.db import models
from django.db.models import Q

from annotation.models.model_settings import MODEL_SETTINGS, ModelSettings
from annotation.models.study import Study

SETTINGS = (*MODEL_SETTINGS, "system_prompt", "sampling")
"""What makes an arm generate as it does; frozen together."""


def default_sampling() -> dict:
    """Greedy decoding, long enough for a short answer."""
    return {"temperature": 0.0, "max_new_tokens": 256}


class Arm(ModelSettings):
    """Settings are frozen by the database from `frozen_at` on (trigger `arm_stays_as_it_generated`).

    `position` is the canonical order: in every pair the arm with the lower position is "a".
    An arm without a backend only holds imported responses.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="arms")
    name = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField()
    system_prompt = models.TextField(blank=True)
    sampling = models.JSONField(default=default_sampling, blank=True)
    frozen_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(ModelSettings.Meta):
        ordering = ["study", "position"]
        constraints = [
            *ModelSettings.Meta.constraints,
            models.UniqueConstraint(fields=["study", "name"], name="arm_name_once_per_study"),
            models.UniqueConstraint(fields=["study", "position"], name="arm_position_once_per_study"),
            models.CheckConstraint(condition=~Q(name=""), name="arm_name_is_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def settings(self) -> dict:
        """Everything that decides what the arm answers."""
        return {name: getattr(self, name) for name in SETTINGS}

    @property
    def settings_sha256(self) -> str:
        """Names the settings: two arms that answer alike have the same."""
        return sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    @property
    def generates(self) -> bool:
        return bool(self.backend)
