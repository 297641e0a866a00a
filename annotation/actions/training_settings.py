"""What may be set of a training from a form or over JSON: a closed list, each typed and within bounds.

There is no free option and no path among them: folders, models and reward models are chosen as rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation.errors import BadSetting
from annotation.text import storable
from annotation.vocabulary import TrainingStage
from models_runtime.training.options import Options

LONGEST_TEXT = 10_000
MOST_SEED = 2**31 - 1

Value = bool | int | float | str


@dataclass(frozen=True)
class Setting:
    """One setting: numbers lie between `least` and `most`, a choice is one of `choices`.

    `kind` is bool, int, float or str; `advanced` ones are folded away on the page.
    """

    name: str
    label: str
    kind: type
    default: Value
    stages: tuple[TrainingStage, ...]
    least: float = 0
    most: float = 0
    choices: tuple[str, ...] = ()
    advanced: bool = True

    def read(self, given: Any) -> Value:
        """The value as it counts; raise BadSetting."""
        if self.kind is bool:
            return self._flag(given)
        if self.kind is str:
            return self._text(given)
        return self._number(given)

    def _flag(self, given: Any) -> bool:
        if not isinstance(given, bool):
            raise BadSetting(f"“{self.label}” is yes or no.")
        return given

    def _text(self, given: Any) -> str:
        if not isinstance(given, str) or len(given) > LONGEST_TEXT or storable(given) != given:
            raise BadSetting(
                f"“{self.label}” is a text of at most {LONGEST_TEXT} characters, none of them NUL."
            )
        if self.choices and given not in self.choices:
            raise BadSetting(f"“{self.label}” is one of {', '.join(self.choices)}.")
        return given

    def _number(self, given: Any) -> int | float:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if not is_number or not self.least <= given <= self.most:  # which no NaN does
            raise BadSetting(f"“{self.label}” is a number from {self.least:g} to {self.most:g}.")
        if self.kind is int and given != int(given):
            raise BadSetting(f"“{self.label}” is a whole number.")
        return int(given) if self.kind is int else float(given)


REWARD, SFT, RL = TrainingStage.REWARD, TrainingStage.SFT, TrainingStage.RL
TRAINS = (REWARD, SFT, RL)
PLAIN = Options("sft", "", "", "")  # the command's defaults


def _setting(name: str, label: str, stages: tuple[TrainingStage, ...], **more: Any) -> Setting:
    default = more.pop("default", getattr(PLAIN, name, None))
    return Setting(name, label, type(default), default, stages, **more)


SETTINGS = (
    _setting(
        "target", "What it scores", (REWARD,), default="helpfulness",
        choices=("helpfulness", "safety"), advanced=False,
    ),
    _setting("full", "Train all weights (else a LoRA adapter)", TRAINS, advanced=False),
    _setting("epochs", "Epochs", (REWARD, SFT), least=0.01, most=100, advanced=False),
    _setting("steps", "Steps (0: by epochs)", (REWARD, SFT), most=1_000_000),
    _setting("steps", "Steps", (RL,), default=100, least=1, most=1_000_000, advanced=False),
    _setting(
        "learning_rate", "Learning rate (0: chosen by stage)", TRAINS, most=1, advanced=False
    ),
    _setting("batch", "Rows of a step", (REWARD, SFT), least=1, most=4096, advanced=False),
    _setting("batch", "Answers of a step", (RL,), least=2, most=4096, advanced=False),
    _setting("generations", "Answers to one prompt", (RL,), least=2, most=512, advanced=False),
    _setting(
        "new_tokens", "Longest answer, in tokens", (RL, TrainingStage.EVALUATE),
        least=1, most=32_768, advanced=False,
    ),
    _setting("temperature", "Temperature of the answers", (RL,), least=0.01, most=10),
    _setting("beta", "Hold to its start (KL)", (RL,), most=100),
    _setting("system_prompt", "System prompt it will run under", (SFT, RL)),
    _setting("least_safety", "Lowest s of an answer to imitate", (SFT,), most=1),
    _setting("margin", "Weight of the leaning as a margin", (REWARD,), most=100),
    _setting("score_weight", "Weight of the scores beside the pairs", (REWARD,), most=100),
    _setting("rank", "Rank of the adapter", TRAINS, least=1, most=1024),
    _setting("accumulate", "Batches of a step", TRAINS, least=1, most=4096),
    _setting("max_tokens", "Longest row, in tokens", TRAINS, least=16, most=1_000_000),
    _setting("test_share", "Share of families to hold out", (REWARD, SFT), least=0.01, most=0.9),
    _setting(
        "calibration_share", "Share of families to calibrate on", (REWARD, SFT), least=0.01, most=0.9
    ),
    _setting("split_seed", "Seed of that split", (REWARD, SFT), most=MOST_SEED),
    _setting("seed", "Seed of weights and order", TRAINS, most=MOST_SEED),
    _setting("save_every", "Steps between checkpoints", TRAINS, least=1, most=1_000_000),
    _setting("log_every", "Steps between points of the curves", TRAINS, least=1, most=100_000),
    _setting(
        "device", "Device", (*TRAINS, TrainingStage.EVALUATE), default="auto", choices=("auto", "cpu")
    ),
)  # fmt: skip
SPLIT = ("split_seed", "test_share", "calibration_share")
"""What RL takes over from its reward models, so that it sees no prompt which they hold out."""


def settings_of(stage: str) -> tuple[Setting, ...]:
    """The settings of a stage, in the order of the page."""
    return tuple(setting for setting in SETTINGS if stage in setting.stages)


def read_settings(stage: str, given: Mapping[str, Any]) -> dict[str, Value]:
    """All settings of the stage, those that are not given at their defaults; raise BadSetting."""
    known = {setting.name: setting for setting in settings_of(stage)}
    if unknown := sorted(set(given) - set(known)):
        raise BadSetting(
            f"No such setting of this stage: {', '.join(unknown)}. There are: {', '.join(known)}."
        )
    read = {name: setting.read(given.get(name, setting.default)) for name, setting in known.items()}
    _require_fitting(read)
    return read


def _require_fitting(read: Mapping[str, Any]) -> None:
    if "generations" in read and read["batch"] % read["generations"]:
        raise BadSetting("“Answers of a step” must be a multiple of “Answers to one prompt”.")
    if "test_share" in read and read["test_share"] + read["calibration_share"] >= 1:
        raise BadSetting("The two shares of families must leave some to train on.")
