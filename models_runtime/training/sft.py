"""Supervised fine-tuning on the best safe answers, prompts without the policy that they were made with."""

from collections import Counter
from pathlib import Path

from models_runtime.training.checkpoints import begin, provenance
from models_runtime.training.options import Options
from models_runtime.training.rows import MODES, best_answers, judged, require_no_policy, sft_row
from models_runtime.training.snapshots import read_snapshot
from models_runtime.training.trainers import close, dataset, fit, load, settings


def train(options: Options) -> None:
    """Train and save in `options.out`; raise TrainingRefused or ModelNotLoadable."""
    snapshot = read_snapshot(Path(options.data))
    part = judged(snapshot).part("train", options.shares)
    best, left_out = best_answers(part.answers, options.least_safety)
    rows = [sft_row(answer, options.system_prompt) for answer in best]
    require_no_policy(rows, snapshot.policies, allowed=options.system_prompt)
    modes = Counter(answer.mode for answer in best)
    data = dataset(rows)
    facts = provenance(options, snapshot.facts)
    resume = begin(Path(options.out), facts)
    import trl

    model, tokenizer, lora = load(options, "AutoModelForCausalLM")
    trainer = trl.SFTTrainer(
        model=model,
        args=settings(options, trl.SFTConfig, max_length=options.max_tokens, packing=False),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=lora,
    )
    fit(trainer, options, facts, resume)
    counts = {"modes": {mode: modes[mode] for mode in MODES}, "left_out": left_out}
    close(trainer, options, facts, rows=len(rows), **counts)
