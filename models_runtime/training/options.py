"""What a training was asked to do: every setting, as it stands in a checkpoint's provenance."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from models_runtime.errors import TrainingRefused
from models_runtime.training.rows import Shares

STAGES = ("sft", "reward", "rl")
LEARNING_RATE = {"sft": 2e-5, "reward": 2e-5, "rl": 1e-6}
LORA_FACTOR = 10  # adapters bear and need a larger rate than full weights
FREE_TO_CHANGE = ("data", "out", "save_every", "log_every")
"""Settings that a resumed training may change: they change no weight."""


@dataclass(frozen=True)
class Options:
    """Settings of one training. Learning rate 0 chooses by stage; steps 0 counts epochs instead."""

    stage: str
    data: str
    model: str
    out: str
    revision: str = ""
    target: str = ""
    helpfulness: str = ""
    safety: str = ""
    system_prompt: str = ""
    seed: int = 0
    split_seed: int = 0
    test_share: float = 0.2
    calibration_share: float = 0.15
    full: bool = False
    rank: int = 16
    epochs: float = 3.0
    steps: int = 0
    batch: int = 8
    accumulate: int = 1
    learning_rate: float = 0.0
    max_tokens: int = 1024
    save_every: int = 50
    log_every: int = 10
    device: str = "auto"
    margin: float = 1.0
    score_weight: float = 1.0
    least_safety: float = 0.67
    generations: int = 8
    new_tokens: int = 256
    temperature: float = 1.0
    beta: float = 0.0
    shares: Shares = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", Shares(self.split_seed, self.test_share, self.calibration_share))
        for name in ("batch", "accumulate", "max_tokens", "save_every", "log_every", "rank", "new_tokens"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("margin", "score_weight", "learning_rate", "beta", "steps"):
            self._require(name, getattr(self, name) >= 0, "at least 0")
        self._require("epochs", self.epochs > 0, "above 0")
        self._require("temperature", self.temperature > 0, "above 0")
        self._require("generations", self.generations >= 2, "at least 2: answers are compared in groups")
        self._require("device", self.device in ("auto", "cpu"), "auto or cpu")

    def _require(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise TrainingRefused(
                f"--{name.replace('_', '-')} must be {wanted}, not {getattr(self, name)!r}."
            )

    @property
    def rate(self) -> float:
        """The learning rate that counts."""
        return self.learning_rate or LEARNING_RATE[self.stage] * (1 if self.full else LORA_FACTOR)

    @property
    def arguments(self) -> dict[str, Any]:
        """All settings, as JSON."""
        return {name: value for name, value in asdict(self).items() if name != "shares"}


def decisive(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide the weights."""
    return {name: value for name, value in arguments.items() if name not in FREE_TO_CHANGE}
