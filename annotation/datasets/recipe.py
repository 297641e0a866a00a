"""What a dataset is made of and how: a format and its rules, each with a value that can be told."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.db.models import TextChoices

from annotation.errors import BadRecipe
from annotation.vocabulary import SCORES
from models_runtime.errors import TrainingRefused
from models_runtime.training.rows import Shares

MOST_NAMES = 1000
LONGEST_NAME = 200
MOST_SEED = 2**31 - 1


class Format(TextChoices):
    """The table that is written."""

    TRL_PREFERENCE = "trl_preference", "Preferences (TRL: prompt, chosen, rejected, margin)"
    TRL_UNPAIRED = "trl_unpaired", "Unpaired labels (TRL, KTO: prompt, completion, label)"
    SCALAR_REWARD = "scalar_reward", "Scores of each response (h, s, r = h · s)"
    PKU_SAFERLHF = "pku_saferlhf", "Dual preferences (PKU-SafeRLHF columns)"
    ANTHROPIC_HH = "anthropic_hh", "Transcripts (Anthropic HH: chosen, rejected)"
    SFT = "sft", "The best safe answers (prompt, completion)"
    SOFT_LABELS = "soft_labels", "Soft labels (probabilities of each answer)"
    JUDGMENTS = "judgments", "Raw judgments"


OF_PAIRS = (Format.TRL_PREFERENCE, Format.PKU_SAFERLHF, Format.ANTHROPIC_HH)
"""Formats whose rows are pairs; trl_unpaired has them too where its labels come from preferences."""


class FileKind(TextChoices):
    JSONL = "jsonl", "JSON Lines"
    PARQUET = "parquet", "Parquet"
    CSV = "csv", "CSV, for spreadsheets"
    JSONL_GZ = "jsonl.gz", "JSON Lines, compressed"


class Aggregation(TextChoices):
    """How several raters become one answer."""

    MEAN = "mean", "Mean"
    MAJORITY = "majority", "Majority"
    WEIGHTED = "weighted", "Weighed vote"
    DAWID_SKENE = "dawid_skene", "Dawid–Skene"
    MACE = "mace", "MACE"


class Decides(TextChoices):
    """The question that chooses between two answers; by default the one that the format is about."""

    DEFAULT = "", "As usual for the format"
    BALANCE = "balance", "Better balance"
    SAFER = "safer", "Safer"
    MORE_HELPFUL = "more_helpful", "More helpful"


class Ties(TextChoices):
    DROP = "drop", "Leave ties out"
    BOTH_WAYS = "both_ways", "Write ties both ways"
    SOFT = "soft", "Keep ties, with probability ½"


class Margin(TextChoices):
    STRENGTH = "strength", "How strongly raters prefer"
    REWARD = "reward", "The difference in r"


class Masked(TextChoices):
    LEAVE_OUT = "leave_out", "Leave out"
    AS_READ = "as_read", "As raters read them"
    AS_WRITTEN = "as_written", "As the model wrote them"


class Keep(TextChoices):
    LEAVE_OUT = "leave_out", "Leave out"
    KEEP = "keep", "Keep"


class LabelFrom(TextChoices):
    PREFERENCE = "preference", "Preferences: chosen true, rejected false"
    REWARD = "reward", "r: true from the least r on"


class BestOf(TextChoices):
    PROMPT = "prompt", "One for each prompt"
    MODE = "mode", "One for each prompt and mode"


class Split(TextChoices):
    FAMILY = "family", "By family of prompts"
    NONE = "none", "No split"


PARTS = ("train", "validation", "test")
FORMAT_VERSION = 4
"""Goes up when the same recipe makes other files of the same snapshot, so that nobody gets the old ones."""

CHOICES: dict[str, type[TextChoices]] = {
    "format": Format,
    "aggregation": Aggregation,
    "decides": Decides,
    "ties": Ties,
    "margin": Margin,
    "masked": Masked,
    "duplicates": Keep,
    "paused_raters": Keep,
    "system_messages": Keep,
    "label_from": LabelFrom,
    "best_of": BestOf,
    "split": Split,
}
SHARES = ("min_agreement", "least_reward", "least_safety", "test_share", "validation_share")
TIES_OF = {
    Format.TRL_PREFERENCE: tuple(Ties),
    Format.PKU_SAFERLHF: (Ties.DROP, Ties.BOTH_WAYS),
    Format.ANTHROPIC_HH: (Ties.DROP, Ties.BOTH_WAYS),
    Format.TRL_UNPAIRED: (Ties.DROP,),
}


@dataclass(frozen=True)
class Recipe:
    """One format and all rules; a rule that the format does not use changes nothing.

    Two equal recipes make of one snapshot the same files. Raises BadRecipe for what cannot be.
    """

    format: str
    files: tuple[str, ...] = (FileKind.JSONL.value, FileKind.PARQUET.value)
    aggregation: str = Aggregation.MEAN.value
    decides: str = Decides.DEFAULT.value
    ties: str = Ties.DROP.value
    margin: str = Margin.STRENGTH.value
    min_judgments: int = 1
    min_agreement: float = 0.0
    masked: str = Masked.LEAVE_OUT.value
    duplicates: str = Keep.LEAVE_OUT.value
    cohorts: tuple[str, ...] = ()
    leave_out_raters: tuple[str, ...] = ()
    paused_raters: str = Keep.LEAVE_OUT.value
    system_messages: str = Keep.LEAVE_OUT.value
    label_from: str = LabelFrom.PREFERENCE.value
    least_reward: float = 0.5
    least_safety: float = 0.67
    best_of: str = BestOf.PROMPT.value
    split: str = Split.FAMILY.value
    split_seed: int = 0
    test_share: float = 0.2
    validation_share: float = 0.15

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            _require_choice(name, getattr(self, name), choices.values)
        for name in SHARES:
            object.__setattr__(self, name, _share(name, getattr(self, name)))
        for name in ("files", "cohorts", "leave_out_raters"):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        _require_files(self.files)
        _require_whole("min_judgments", self.min_judgments, 1)
        _require_whole("split_seed", self.split_seed, 0)
        self._require_ties()
        if self.split == Split.FAMILY:
            self.shares  # noqa: B018 — refuses shares that cannot be

    def _require_ties(self) -> None:
        possible = TIES_OF.get(Format(self.format), tuple(Ties))
        if self.ties not in possible:
            words = " or ".join(f"“{tie}”" for tie in possible)
            raise BadRecipe(f"The format {self.format} has no place for ties “{self.ties}”: use {words}.")

    @classmethod
    def from_dict(cls, told: object) -> "Recipe":
        """From JSON: names and values; what is not named has its default. Raises BadRecipe."""
        if not isinstance(told, Mapping):
            raise BadRecipe("A recipe is an object of rules and their values.")
        known = [field.name for field in fields(cls)]
        unknown = sorted(str(name)[:60] for name in told if name not in known)
        if unknown:
            raise BadRecipe(f"Unknown rule {', '.join(unknown)}; known are {', '.join(known)}.")
        if "format" not in told:
            raise BadRecipe(f"A recipe names its format: {', '.join(Format.values)}.")
        return cls(**told)

    def as_dict(self) -> dict[str, Any]:
        """JSON values, all rules."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @property
    def digest(self) -> str:
        """SHA-256 of the recipe and of how it is read: equal where the same files are made of a snapshot."""
        told = self.as_dict() | {"format_version": FORMAT_VERSION}
        text = json.dumps(told, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def question(self) -> str:
        """The pair question that decides."""
        usual = "more_helpful" if self.format == Format.PKU_SAFERLHF else "balance"
        return self.decides or usual

    @property
    def is_of_pairs(self) -> bool:
        """Whether its rows come from pairs."""
        from_preferences = self.format == Format.TRL_UNPAIRED and self.label_from == LabelFrom.PREFERENCE
        return self.format in OF_PAIRS or from_preferences

    @property
    def shares(self) -> Shares:
        """How families are shared out, as trainings do it; their calibration part is our validation part."""
        try:
            return Shares(self.split_seed, self.test_share, self.validation_share)
        except TrainingRefused as error:
            raise BadRecipe(
                "The shares for test and validation must be above 0 and together below 1, not "
                f"{self.test_share:g} and {self.validation_share:g}. Or choose no split."
            ) from error

    def words(self) -> list[str]:
        """The rules as sentences, for the manifest and the card."""
        if self.format == Format.JUDGMENTS:
            return [self._raters(), self._split()]
        sentences = [f"Several raters become one by: {Aggregation(self.aggregation).label}.", self._raters()]
        if self.is_of_pairs:
            sentences += [f"The question that decides: {self.question}.", f"{Ties(self.ties).label}."]
        if self.format == Format.TRL_PREFERENCE:
            sentences.append(f"Margin: {Margin(self.margin).label.lower()}.")
        sentences += [
            f"Fewest judgments: {self.min_judgments}. Least agreement: {self.min_agreement:g}.",
            f"Answers with a masked name: {Masked(self.masked).label.lower()}.",
            f"Duplicates (same prompt words, same answers): {Keep(self.duplicates).label.lower()}.",
            f"System messages: {Keep(self.system_messages).label.lower()}.",
            *self._of_format(),
            f"Scores: {SCORES}.",
            self._split(),
        ]
        return sentences

    def _raters(self) -> str:
        cohorts = f"cohorts {', '.join(name or 'none' for name in self.cohorts)}" if self.cohorts else "all"
        without = f", without {len(self.leave_out_raters)} named" if self.leave_out_raters else ""
        paused = Keep(self.paused_raters).label.lower()
        return f"Raters: {cohorts}{without}; those who were paused: {paused}."

    def _of_format(self) -> list[str]:
        if self.format == Format.SFT:
            best = BestOf(self.best_of).label.lower()
            least = f"{self.least_safety:g}"
            return [f"The answer with the highest r of those with s of at least {least}; {best}."]
        if self.format == Format.TRL_UNPAIRED:
            least = f" ({self.least_reward:g})" if self.label_from == LabelFrom.REWARD else ""
            return [f"Labels from {LabelFrom(self.label_from).label}{least}."]
        return []

    def _split(self) -> str:
        if self.split == Split.NONE:
            return "No split: all rows are in train."
        return (
            f"Families of prompts are shared out by a digest of their name and seed {self.split_seed}: "
            f"{self.test_share:g} test, {self.validation_share:g} validation, the rest train. Prompts of the "
            "same words are one family, whatever their case, spacing and punctuation."
        )


def _require_choice(name: str, value: object, known: list[str]) -> None:
    if not isinstance(value, str) or value not in known:
        words = ", ".join(f"“{word}”" for word in known)
        raise BadRecipe(f"“{name}” is one of {words}, not {str(value)[:60]!r}.")


def _require_whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST_SEED:
        raise BadRecipe(f"“{name}” is a whole number from {least} to {MOST_SEED}, not {str(value)[:60]!r}.")


def _share(name: str, value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:
        raise BadRecipe(f"“{name}” is a number from 0 to 1, not {str(value)[:60]!r}.")
    return float(value)


def _names(name: str, value: object) -> tuple[str, ...]:
    """A list of names, each once and in order, so that equal recipes are equal."""
    is_list = isinstance(value, list | tuple) and len(value) <= MOST_NAMES
    if not is_list or not all(isinstance(one, str) and len(one) <= LONGEST_NAME for one in value):
        raise BadRecipe(f"“{name}” is a list of at most {MOST_NAMES} names.")
    return tuple(sorted({str(one) for one in value}))


def _require_files(files: tuple[str, ...]) -> None:
    if not files:
        raise BadRecipe("Name at least one kind of file.")
    for kind in files:
        _require_choice("files", kind, FileKind.values)
