"""Reward models at work: h and s in [0, 1] of a conversation, and r = h * s."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models_runtime.errors import TrainingRefused
from models_runtime.training.checkpoints import ADAPTER, read_provenance, require_unchanged
from models_runtime.training.measures import Calibration
from models_runtime.training.options import Options
from models_runtime.training.trainers import checked_adapter, load_base, on_gpu
from models_runtime.types import Message

CALIBRATION = "calibration.json"
ROWS_AT_ONCE = 32

Conversation = Sequence[Message]


class RewardModel:
    """One trained reward model; its scores are calibrated to [0, 1]."""

    def __init__(self, model: Any, tokenizer: Any, calibration: Calibration, max_tokens: int) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._calibration = calibration
        self._max_tokens = max_tokens

    @classmethod
    def load(cls, folder: Path, target: str, device: str = "auto") -> "RewardModel":
        """Load a finished reward checkpoint of this target; raise TrainingRefused or ModelNotLoadable."""
        facts = read_provenance(folder)
        if facts["stage"] != "reward" or facts["arguments"]["target"] != target:
            raise TrainingRefused(
                f"“{folder}” is no reward model of {target}; it is a {facts['stage']} model."
            )
        require_unchanged(folder, facts)
        options = Options(**{**facts["arguments"], "device": device})
        model, tokenizer = _load(folder, facts, options)
        calibration = Calibration(**json.loads((folder / CALIBRATION).read_text(encoding="utf-8")))
        return cls(model.to("cuda" if on_gpu(options) else "cpu"), tokenizer, calibration, options.max_tokens)

    def __call__(self, conversations: Sequence[Conversation]) -> list[float]:
        """The score of each, in [0, 1]. A conversation is the prompt and the final answer."""
        raw = raw_scores(self._model, self._tokenizer, conversations, self._max_tokens)
        return self._calibration.apply(raw)


def _load(folder: Path, facts: dict[str, Any], options: Options) -> tuple[Any, Any]:
    kind = "AutoModelForSequenceClassification"
    if not (folder / ADAPTER).exists():
        tokenizer, model = load_base(str(folder), "", kind, options, num_labels=1)
        return model, tokenizer
    import peft

    base = facts["base"]
    tokenizer, model = load_base(base["model"], base["revision"], kind, options, num_labels=1)
    return peft.PeftModel.from_pretrained(model, checked_adapter(str(folder))), tokenizer


def raw_scores(
    model: Any, tokenizer: Any, conversations: Sequence[Conversation], max_tokens: int
) -> list[float]:
    """The model's number for each conversation, uncalibrated. Longer ones lose their beginning."""
    import torch

    texts = [tokenizer.apply_chat_template(list(one), tokenize=False) for one in conversations]
    was_training = model.training
    model.eval()
    found: list[float] = []
    with torch.no_grad():
        for start in range(0, len(texts), ROWS_AT_ONCE):
            ids = [
                tokenizer(text, add_special_tokens=False)["input_ids"][-max_tokens:]
                for text in texts[start : start + ROWS_AT_ONCE]
            ]
            width = max(len(row) for row in ids)
            padded = torch.tensor([row + [tokenizer.pad_token_id] * (width - len(row)) for row in ids])
            mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
            logits = model(input_ids=padded.to(model.device), attention_mask=mask.to(model.device)).logits
            found += [float(value) for value in logits.squeeze(-1)]
    model.train(was_training)
    return found


Reward = Callable[..., list[float | None]]


def product_reward(helpfulness: RewardModel, safety: RewardModel) -> Reward:
    """The reward that RL is given: r = h * s of each completion, in [0, 1].

    Takes what GRPO passes: completions as message lists, and the column `bare` with each one's prompt as
    reward models see it, without a system message.
    """

    def helpfulness_times_safety(
        completions: Sequence[Conversation], bare: Sequence[Conversation], **rest: Any
    ) -> list[float | None]:
        conversations = [[*prompt, *answer] for prompt, answer in zip(bare, completions, strict=True)]
        scores = zip(helpfulness(conversations), safety(conversations), strict=True)
        return [h * s for h, s in scores]

    return helpfulness_times_safety
