"""Which model something runs, and how it is loaded: what an arm and a judge have in common."""

from dataclasses import fields
from pathlib import PureWindowsPath

from django.db import models
from django.db.models import Q

from models_runtime.backends.loading import QUANTIZATIONS
from models_runtime.types import ModelSpec

MODEL_SETTINGS = tuple(field.name for field in fields(ModelSpec))
QUANTIZATION_CHOICES = [(name, name.replace("bit", " bits")) for name in QUANTIZATIONS]


def public_name(model: str) -> str:
    """A model's name as others may read it: of a local folder only its own, not whose home it is in."""
    path = PureWindowsPath(model)  # which reads both kinds of paths
    is_local = model.startswith(("/", "~", ".")) or "\\" in model or path.drive
    return path.name if is_local else model


class ModelSettings(models.Model):
    """The columns of a `ModelSpec`. A server's key is never among them, only the name of its variable."""

    backend = models.CharField(max_length=50, blank=True)
    model = models.CharField(
        max_length=500, blank=True, help_text="A folder, a hub name, or the name that a server knows it by."
    )
    revision = models.CharField(max_length=200, blank=True, help_text="A commit, branch or tag of the hub.")
    dtype = models.CharField(max_length=20, default="auto")
    device = models.CharField(max_length=50, default="auto")
    adapter = models.CharField(
        max_length=500, blank=True, help_text="A folder or hub name of a LoRA adapter made for this model."
    )
    quantization = models.CharField(max_length=10, choices=QUANTIZATION_CHOICES, blank=True)
    chat_template = models.TextField(
        blank=True, help_text="Replaces the model's own. Empty: the model's, as it should be nearly always."
    )
    base_url = models.CharField(
        "base URL", max_length=500, blank=True, help_text="Of a server, such as http://host:8000/v1."
    )
    api_key_variable = models.CharField(
        "API key variable",
        max_length=100,
        blank=True,
        help_text="The name of the environment variable that holds the server's key where the worker runs: "
        "MODEL_KEY or MODEL_KEY_…. The key itself is not stored.",
    )

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(quantization__in=["", *QUANTIZATIONS]),
                name="%(class)s_quantization_is_known",
            ),
        ]

    @property
    def spec(self) -> ModelSpec:
        """The model as the runtime knows it."""
        return ModelSpec(**{name: getattr(self, name) for name in MODEL_SETTINGS})
