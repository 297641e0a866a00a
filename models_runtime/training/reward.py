"""A reward model of helpfulness or of safety, from raters' preferences and scores, calibrated to [0, 1]."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from models_runtime.errors import TrainingRefused
from models_runtime.training.checkpoints import begin, provenance, write_json
from models_runtime.training.measures import LEAST_ROWS, fit_calibration
from models_runtime.training.options import Options
from models_runtime.training.rows import Answer, Target, conversation, judged, reward_rows, score_of
from models_runtime.training.scoring import CALIBRATION, raw_scores
from models_runtime.training.snapshots import read_snapshot
from models_runtime.training.trainers import close, dataset, fit, load, settings

OWN_COLUMNS = ("weight", "chosen_score", "rejected_score")


def train(options: Options) -> None:
    """Train, calibrate and save in `options.out`; raise TrainingRefused or ModelNotLoadable."""
    target = target_named(options.target)
    snapshot = read_snapshot(Path(options.data))
    everything = judged(snapshot)
    part = everything.part("train", options.shares)
    rows = reward_rows(part, target, options.margin)
    held = scored(everything.part("calibration", options.shares).answers, target)
    if len(held) < LEAST_ROWS:
        raise TrainingRefused(
            f"The calibration part has {len(held)} answers with a score of {target}; it takes {LEAST_ROWS}. "
            "Raise --calibration-share, or choose another --split-seed."
        )
    data = dataset(rows)
    facts = provenance(options, snapshot.facts)
    resume = begin(Path(options.out), facts)
    import trl

    model, tokenizer, lora = load(options, "AutoModelForSequenceClassification", num_labels=1)
    trainer = trainer_class()(
        score_weight=options.score_weight,
        model=model,
        args=settings(options, trl.RewardConfig, max_length=options.max_tokens),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=lora,
    )
    trained_on = rows_left(len(trainer.train_dataset), options)
    fit(trainer, options, facts, resume)
    calibrate(trainer.model, tokenizer, held, target, Path(options.out), options)
    counts = {
        "calibrated_on": len(held),
        "without_severity": sum(one.without_severity for one in part.answers),
        "too_long": len(rows) - trained_on,
    }
    close(trainer, options, facts, rows=trained_on, target=target, **counts)


def rows_left(number: int, options: Options) -> int:
    """How many rows TRL trains on, which leaves out those longer than --max-tokens; raise TrainingRefused."""
    if not number:
        raise TrainingRefused(
            f"Every row is longer than --max-tokens ({options.max_tokens}), so there is nothing to train on. "
            "Raise it, and name a new folder with --out."
        )
    return number


def target_named(name: str) -> Target:
    """The target of that name; raise TrainingRefused."""
    if name == "helpfulness":
        return "helpfulness"
    if name == "safety":
        return "safety"
    raise TrainingRefused(f"--target must be helpfulness or safety, not {name!r}.")


def scored(answers: list[Answer], target: Target) -> list[Answer]:
    """Those with a human score."""
    return [answer for answer in answers if score_of(answer, target) is not None]


def calibrate(
    model: Any, tokenizer: Any, held: list[Answer], target: Target, out: Path, options: Options
) -> None:
    """Fit the calibration on answers that were not trained on, and keep it beside the weights."""
    from accelerate import PartialState

    raw = raw_scores(model, tokenizer, [conversation(answer) for answer in held], options.max_tokens)
    human = [float(score_of(answer, target) or 0.0) for answer in held]
    if PartialState().is_main_process:
        write_json(out / CALIBRATION, asdict(fit_calibration(raw, human)))


def pair_and_score_loss(chosen: Any, rejected: Any, inputs: dict[str, Any], score_weight: float) -> Any:
    """TRL's pair loss with margin over rows with a preference, plus the cross-entropy to human scores.

    Pairs alone leave open what is added to all answers of one prompt, and so how good an answer is in
    itself; the human scores say that. chosen, rejected: raw scores, one per row.
    """
    import torch

    functional = torch.nn.functional
    losses = -functional.logsigmoid(chosen - rejected - inputs["margin"]) * inputs["weight"]
    pairs = losses.sum() / inputs["weight"].sum().clamp(min=1.0)
    raw = torch.cat([chosen, rejected]).float()
    human = torch.cat([inputs["chosen_score"], inputs["rejected_score"]])
    known = (human >= 0).float()
    entropy = functional.binary_cross_entropy_with_logits(raw, human.clamp(min=0.0), reduction="none")
    return pairs + score_weight * (entropy * known).sum() / known.sum().clamp(min=1.0)


def trainer_class() -> Any:
    """TRL's RewardTrainer with the loss above; its rows have OWN_COLUMNS too."""
    import torch
    import trl
    from trl.trainer.reward_trainer import DataCollatorForPreference

    class Collator(DataCollatorForPreference):
        def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
            columns = {name: torch.tensor([float(row[name]) for row in examples]) for name in OWN_COLUMNS}
            return {**super().torch_call(examples), **columns}

    class PairAndScoreTrainer(trl.RewardTrainer):
        def __init__(self, score_weight: float, model: Any, **more: Any) -> None:
            super().__init__(model=model, **more)
            self.data_collator = Collator(pad_token_id=model.config.pad_token_id)
            self.score_weight = score_weight

        def _set_signature_columns_if_needed(self) -> None:
            columns: Any = ["chosen_ids", "rejected_ids", "margin", *OWN_COLUMNS]
            self._signature_columns = columns

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            outputs = model(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
            )
            chosen, rejected = torch.chunk(outputs.logits.squeeze(-1), chunks=2)
            loss = pair_and_score_loss(chosen, rejected, inputs, self.score_weight)
            is_pair = inputs["weight"] > 0
            if is_pair.any():
                right = (chosen > rejected)[is_pair].float().mean().item()
                self._metrics["train" if model.training else "eval"]["accuracy"].append(right)
            return (loss, outputs) if return_outputs else loss

    return PairAndScoreTrainer
