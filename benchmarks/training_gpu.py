"""Tokens a second of reward training and of GRPO: `python benchmarks/training_gpu.py`.

Ours against TRL's own trainer as its script sets it up (`trl/scripts/reward.py`, `grpo.py`), with the same
settings on the same rows: Llama-shaped models of 0.5 and 7 billion random weights, nothing is downloaded.
`ratio` is ours / TRL's. Each is timed after its first step, which compiles and fills caches.

Exits with 2 where there is no GPU. `--tiny` runs the same on a CPU with a model of 0.2 million weights, so
that the script itself can be tested; its figures say nothing.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
import transformers
import trl
from datasets import Dataset

from models_runtime.demo import MODEL_PATH
from models_runtime.training.options import Options
from models_runtime.training.reward import trainer_class
from models_runtime.training.trainers import settings

WORDS = 110  # of an answer: about so many tokens a row, and more with the prompt
NO_GPU = "There is no GPU here, so nothing was measured. Run this where one is, or with --tiny to test it."


@dataclass(frozen=True)
class Shape:
    """A Llama's measures, and the batch that it is trained with."""

    name: str
    hidden: int
    layers: int
    heads: int
    key_heads: int
    inner: int
    batch: int
    steps: int
    new_tokens: int
    is_adapted: bool  # trained as an adapter

    def save(self, folder: Path) -> str:
        """Write a model of this shape with random weights and the demo model's tokenizer."""
        torch.manual_seed(0)
        tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL_PATH)
        config = transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_heads,
            intermediate_size=self.inner,
            max_position_embeddings=1024,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)


LARGE = (
    Shape("0.5B", 1024, 32, 16, 8, 3584, 16, 20, 128, False),
    Shape("7B", 4096, 32, 32, 8, 13_312, 8, 10, 128, True),
)
TINY = Shape("tiny", 64, 2, 2, 2, 128, 4, 2, 8, False)


class Clock(transformers.TrainerCallback):
    """Seconds of all steps but the first."""

    def __init__(self) -> None:
        self.seconds, self.started = 0.0, 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds += now - self.started if state.global_step > 1 else 0.0
        self.started = now


def preference_rows(count: int) -> list[dict[str, Any]]:
    """Pairs of answers of WORDS words, with the columns that our loss takes beside TRL's."""
    asked = [{"role": "user", "content": "Which of two answers is better?"}]
    said = {side: [*asked, {"role": "assistant", "content": f"{side} " * WORDS}] for side in ("good", "bad")}
    row = {"chosen": said["good"], "rejected": said["bad"], "margin": 0.0}
    return [{**row, "weight": 1.0, "chosen_score": 1.0, "rejected_score": 0.0}] * count


def prompt_rows(count: int) -> list[dict[str, Any]]:
    return [
        {"prompt": [{"role": "user", "content": f"Question {n}: how does a kite fly?"}]} for n in range(count)
    ]


def by_length(completions: list, **rest: Any) -> list[float]:
    """A reward that costs nothing, so that only the training is timed."""
    return [len(one[0]["content"]) / 1000 for one in completions]


def reward_seconds(model: str, shape: Shape, out: Path, is_ours: bool) -> float:
    rows = preference_rows(shape.batch * (shape.steps + 1))
    kind = transformers.AutoModelForSequenceClassification
    options = options_of("reward", model, shape, out)
    loaded = kind.from_pretrained(model, dtype=dtype_of(shape), num_labels=1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    loaded.config.pad_token_id = tokenizer.pad_token_id
    names = ("chosen", "rejected") if not is_ours else tuple(rows[0])
    data = Dataset.from_list([{name: row[name] for name in names} for row in rows])
    build = trainer_class() if is_ours else trl.RewardTrainer
    more: dict[str, Any] = {"score_weight": 1.0} if is_ours else {}
    args = settings(options, trl.RewardConfig, max_length=512)
    return timed(build, model=loaded, args=args, train_dataset=data, processing_class=tokenizer,
                 peft_config=lora(shape, "SEQ_CLS"), **more)  # fmt: skip


def rl_seconds(model: str, shape: Shape, out: Path, is_ours: bool) -> float:
    options = options_of("rl", model, shape, out)
    also = {"num_generations": 4, "max_completion_length": shape.new_tokens}
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=dtype_of(shape))
    args = settings(options, trl.GRPOConfig, **also) if is_ours else plain(options, trl.GRPOConfig, **also)
    data = Dataset.from_list(prompt_rows(shape.batch * (shape.steps + 1)))
    return timed(trl.GRPOTrainer, model=loaded, args=args, train_dataset=data, processing_class=tokenizer,
                 reward_funcs=[by_length], peft_config=lora(shape, "CAUSAL_LM"))  # fmt: skip


def plain(options: Options, config: Callable[..., Any], **more: Any) -> Any:
    """What TRL's script makes of the same settings, and its own defaults for the rest."""
    gpu = torch.cuda.is_available()
    return config(output_dir=options.out, max_steps=options.steps, learning_rate=options.rate,
                  per_device_train_batch_size=options.batch, bf16=gpu, use_cpu=not gpu,
                  report_to="none", save_strategy="no", **more)  # fmt: skip


def options_of(stage: str, model: str, shape: Shape, out: Path) -> Options:
    return Options(stage, "", model, str(out), batch=shape.batch, steps=shape.steps, save_every=10**6)


def dtype_of(shape: Shape) -> torch.dtype:
    """As our trainings load: an adapter's base in bfloat16 on a GPU, all else in float32."""
    return torch.bfloat16 if shape.is_adapted and torch.cuda.is_available() else torch.float32


def lora(shape: Shape, task: str) -> Any:
    import peft

    if not shape.is_adapted:
        return None
    return peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type=task)


def timed(build: Callable[..., Any], **more: Any) -> float:
    """Seconds of all steps but the first; the memory is free again afterwards."""
    clock = Clock()
    trainer = build(**more)
    trainer.add_callback(clock)
    trainer.train()
    del trainer, more
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return clock.seconds


def compare(measure: Callable[..., float], model: str, shape: Shape, tokens: int) -> dict[str, float]:
    """Tokens a second of ours and of TRL's, and their ratio; each twice, the better one counts."""
    seconds = {}
    for name, is_ours in (("ours", True), ("trl", False)):
        with tempfile.TemporaryDirectory() as out:
            seconds[name] = min(measure(model, shape, Path(out), is_ours) for _ in range(2))
    rates = {f"{name}_tokens_per_s": tokens * (shape.steps - 1) / value for name, value in seconds.items()}
    return {**rates, "ratio": seconds["trl"] / seconds["ours"]}


def measured(shape: Shape) -> dict[str, Any]:
    """The figures of one shape, as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        model = shape.save(Path(folder))
        pairs = 2 * WORDS * shape.batch
        return {
            "model": shape.name,
            "reward": compare(reward_seconds, model, shape, pairs),
            "grpo": compare(rl_seconds, model, shape, shape.new_tokens * shape.batch),
        }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="a tiny model, on a CPU too, to test the script")
    options = parser.parse_args(arguments)
    if not options.tiny and not torch.cuda.is_available():
        print(NO_GPU, file=sys.stderr)
        return 2
    for shape in (TINY,) if options.tiny else LARGE:
        print(json.dumps(measured(shape)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
