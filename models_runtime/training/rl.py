"""Reinforcement learning (GRPO) with r = h * s from two reward models."""

from pathlib import Path

from models_runtime.errors import TrainingRefused
from models_runtime.training.checkpoints import begin, provenance, read_provenance
from models_runtime.training.options import Options
from models_runtime.training.rows import judged, prompt_rows, require_no_policy
from models_runtime.training.scoring import RewardModel, product_reward
from models_runtime.training.snapshots import read_snapshot
from models_runtime.training.trainers import close, dataset, fit, load, settings

SPLIT = ("split_seed", "test_share", "calibration_share")


def train(options: Options) -> None:
    """Train and save in `options.out`; raise TrainingRefused or ModelNotLoadable."""
    require_same_split(options)
    if options.batch % options.generations:
        raise TrainingRefused(
            f"--batch ({options.batch} answers a step) must be a multiple of --generations "
            f"({options.generations} answers to one prompt)."
        )
    snapshot = read_snapshot(Path(options.data))
    rows = prompt_rows(judged(snapshot).part("train", options.shares).answers, options.system_prompt)
    require_no_policy(rows, snapshot.policies, allowed=options.system_prompt)
    data = dataset(rows)
    facts = provenance(options, snapshot.facts)
    helpfulness = RewardModel.load(Path(options.helpfulness), "helpfulness", options.device)
    safety = RewardModel.load(Path(options.safety), "safety", options.device)
    resume = begin(Path(options.out), facts)
    import trl

    model, tokenizer, lora = load(options, "AutoModelForCausalLM")
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=[product_reward(helpfulness, safety)],
        args=settings(
            options,
            trl.GRPOConfig,
            num_generations=options.generations,
            max_completion_length=options.new_tokens,
            temperature=options.temperature,
            beta=options.beta,
        ),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=lora,
    )
    fit(trainer, options, facts, resume)
    close(trainer, options, facts, rows=len(rows))


def require_same_split(options: Options) -> None:
    """Raise TrainingRefused where a reward model has seen prompts that this training holds out."""
    for folder in (options.helpfulness, options.safety):
        theirs = read_provenance(Path(folder))["arguments"]
        differing = [name for name in SPLIT if theirs[name] != getattr(options, name)]
        if differing:
            raise TrainingRefused(
                f"The reward model in “{folder}” was trained on another split ({', '.join(differing)}): "
                "it may know the prompts that are held out here. Give the same values."
            )
