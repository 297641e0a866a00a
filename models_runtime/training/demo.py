"""All of training on the demo model: `python -m models_runtime.training.demo base|seed …`.

The demo model answers under its two system prompts only; without one it babbles. `base` teaches it to
answer without, in either of the two ways: then there is something to tune, and prompts whose judgments no
training saw show whether the preference for the better way carries over. The base has read the held-out
*answers*, as a model has that was trained on the web; it was never told which of them raters liked.
"""

import argparse
import difflib
import math
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy import stats

from models_runtime.demo import MODEL_PATH, load_corpus
from models_runtime.demo import train as from_nothing
from models_runtime.errors import RuntimeFailure
from models_runtime.training import evaluate, reward, rl, sft
from models_runtime.training.checkpoints import write_json
from models_runtime.training.measures import Mean, gain
from models_runtime.training.options import Options
from models_runtime.training.rows import Judged, judged
from models_runtime.training.scoring import RewardModel
from models_runtime.training.snapshots import read_snapshot
from models_runtime.training.trainers import say
from models_runtime.types import Message

BASE_EPOCHS, BASE_RATE = 20, 1e-3
NEW_TOKENS = 160
ALIKE = 0.9  # a similarity (difflib) that only an answer with a few slips reaches
STAGES = ("base", "sft", "rl")
SHARED: dict[str, Any] = {
    "full": True,
    "log_every": 5,
    "save_every": 1000,
    "max_tokens": 512,
    "device": "cpu",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "reward": {"epochs": 5.0, "learning_rate": 3e-4},
    "sft": {"epochs": 3.0, "learning_rate": 1e-4},
    "rl": {
        **{"steps": 16, "batch": 32, "generations": 8, "new_tokens": 140},
        **{"learning_rate": 3e-5, "temperature": 0.5, "beta": 0.05},
    },
}
SPLIT: dict[str, Any] = {"test_share": 0.35, "calibration_share": 0.15}


def main(arguments: list[str] | None = None) -> int:
    """Run one part of the demo; return 0, or 1 with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m models_runtime.training.demo")
    parser.add_argument("part", choices=["base", "seed"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        if options.part == "base":
            learn_base(options.out)
        else:
            train_seed(options.data, options.base, options.out, options.seed)
    except RuntimeFailure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def learn_base(out: Path) -> None:
    """The demo model, taught on to answer its prompts without a system prompt, in either way."""
    import torch
    import transformers

    random.seed(0)
    torch.manual_seed(0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL_PATH)
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL_PATH, dtype=torch.float32)
    examples = [
        from_nothing.encode(tokenizer, (Message(role="user", content=prompt.prompt),), answer)
        for prompt in load_corpus()
        for answer in prompt.answers.values()
    ]
    from_nothing.learn(model, examples, tokenizer.pad_token_id, BASE_EPOCHS, BASE_RATE)
    from_nothing.save(model, tokenizer, out)


def train_seed(data: Path, base: Path, out: Path, seed: int) -> None:
    """Reward models, SFT, RL and evaluation of one seed, which draws the split too; report in report.json."""
    where = {"data": str(data), "seed": seed, "split_seed": seed, **SPLIT, **SHARED}
    models = {"base": str(base), "sft": str(out / "sft"), "rl": str(out / "rl")}
    rewards: dict[str, str] = {target: str(out / target) for target in evaluate.TARGETS}
    for target, folder in rewards.items():
        reward.train(
            Options("reward", model=str(base), out=folder, target=target, **where, **SETTINGS["reward"])
        )
    sft.train(Options("sft", model=models["base"], out=models["sft"], **where, **SETTINGS["sft"]))
    tuning: dict[str, Any] = {**rewards, **where, **SETTINGS["rl"]}
    rl.train(Options("rl", model=models["sft"], out=models["rl"], **tuning))
    write_json(out / "report.json", report(data, out, models, rewards))


def report(data: Path, out: Path, models: Mapping[str, str], rewards: Mapping[str, str]) -> dict[str, Any]:
    """What reward models and raters say of each stage's answers to the held-out prompts."""
    request = evaluate.Request(data, out / "rewards.json", new_tokens=NEW_TOKENS, device="cpu", **rewards)
    found = evaluate.run(request)
    scorers = {t: RewardModel.load(Path(rewards[t]), t, "cpu") for t in evaluate.TARGETS}
    snapshot = read_snapshot(data)
    held = judged(snapshot).part("test", evaluate.shares_of(rewards.values()))
    stages = {}
    for stage, model in models.items():
        scored = evaluate.answer_and_score(model, held, scorers, request)
        known = [raters_reward(one.prompt_key, one.text, held) for one in scored]
        figures = {
            "r": [one.r for one in scored],
            "known": [float(reward is not None) for reward in known],
            "raters_r": [reward or 0.0 for reward in known],
        }
        means = {name: fmean(values) for name, values in figures.items()}
        say({"stage": stage, **means, "prompts": len(scored)})
        stages[stage] = {**means, "prompts": len(scored), "each": figures}
        stages[stage]["families"] = [one.family for one in scored]
    return {"stages": stages, "rewards": {name: found[name] for name in (*evaluate.TARGETS, "reward")}}


def raters_reward(prompt_key: str, text: str, held: Judged) -> float | None:
    """The r that raters gave to this answer; None for one that no rater has read.

    A check that owes nothing to the reward models: of the prompt's judged answers the most alike one counts,
    if it is alike enough.
    """
    judged_ones = [answer for answer in held.answers if answer.prompt_key == prompt_key]
    likeness = {id(answer): similarity(text, answer.text) for answer in judged_ones}
    best = max(judged_ones, key=lambda answer: likeness[id(answer)])
    return best.reward if likeness[id(best)] >= ALIKE else None


def similarity(one: str, other: str) -> float:
    """From 0 (nothing in common) to 1 (the same)."""
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def by_stage(reports: Sequence[dict[str, Any]], name: str) -> dict[str, list[float]]:
    """A figure's values, one per seed, by stage."""
    return {stage: [one["stages"][stage][name] for one in reports] for stage in STAGES}


def gain_over_families(reports: Sequence[dict[str, Any]], name: str) -> Mean:
    """How much a figure rose from base to RL, prompt by prompt, over the held-out families of all seeds."""
    differences, families = [], []
    for one in reports:
        before, after = (one["stages"][stage] for stage in ("base", "rl"))
        differences += [new - old for old, new in zip(before["each"][name], after["each"][name], strict=True)]
        families += before["families"]
    return gain(differences, families)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and Student's 95 % interval of at least two values that stand alone."""
    middle = fmean(values)
    half = float(stats.t.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return middle, middle - half, middle + half


if __name__ == "__main__":
    sys.exit(main())
