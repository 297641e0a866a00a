"""What every training shares: the model to start from, the trainer's settings, progress, and resuming."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models_runtime.backends.loading import adapter_folder
from models_runtime.errors import ModelNotLoadable, TrainingRefused, TrainingStopped
from models_runtime.training.checkpoints import (
    PROVENANCE,
    finish,
    require_answering,
    source_of,
    write_json,
)
from models_runtime.training.options import Options
from models_runtime.training.stopping import stopper, wish

TOLD = ("loss", "reward", "accuracy", "entropy", "kl", "learning_rate", "grad_norm")
LORA_MODULES = "all-linear"


def on_gpu(options: Options) -> bool:
    """Whether the training runs on a GPU."""
    import torch

    return options.device == "auto" and torch.cuda.is_available()


def settings(options: Options, config: Callable[..., Any], **more: Any) -> Any:
    """The trainer's settings of TRL's class `config`; all that is the same for every stage."""
    gpu = on_gpu(options)
    if gpu:
        _require_one_gpu_a_process()
    return config(
        output_dir=options.out,
        seed=options.seed,
        num_train_epochs=options.epochs,
        max_steps=options.steps or -1,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=options.accumulate,
        learning_rate=options.rate,
        lr_scheduler_type="linear",
        logging_steps=options.log_every,
        save_steps=options.save_every,
        save_total_limit=2,
        bf16=gpu,
        use_cpu=not gpu,
        gradient_checkpointing=gpu,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=gpu,
        **more,
    )


def _require_one_gpu_a_process() -> None:
    import torch

    if torch.cuda.device_count() > 1 and "WORLD_SIZE" not in os.environ:
        raise TrainingRefused(
            f"{torch.cuda.device_count()} GPUs are visible to one process. Start the training with "
            "accelerate launch -m models_runtime.training …, or show it one: CUDA_VISIBLE_DEVICES=0."
        )


def load(options: Options, kind: str, **more: Any) -> tuple[Any, Any, Any]:
    """(model, tokenizer, adapter settings or None) to train; raise ModelNotLoadable or TrainingRefused.

    kind: the class of transformers that loads the model. A model that is an adapter of ours goes on as that
    adapter, or with --full is merged into its base and trained whole.
    """
    import peft
    import transformers

    require_answering(options.model)
    source = source_of(options.model, options.revision)
    if source.adapter and kind != "AutoModelForCausalLM":
        raise TrainingRefused(
            f"“{options.model}” is an adapter, and a reward model cannot start from one. Start from its "
            f"base, “{source.base}”, or from a training with --full."
        )
    tokenizer, model = load_base(source.base, source.revision, kind, options, **more)
    if source.adapter:
        model = peft.PeftModel.from_pretrained(model, checked_adapter(source.adapter), is_trainable=True)
        model = model.merge_and_unload() if options.full else model
        return model, tokenizer, None
    lora = None if options.full else _lora(options, kind)
    transformers.set_seed(options.seed)  # an adapter's first weights are drawn
    return model, tokenizer, lora


def load_base(name: str, revision: str, kind: str, options: Options, **more: Any) -> tuple[Any, Any]:
    """(tokenizer with a padding token, model), without an adapter; raise ModelNotLoadable.

    In float32, except where an adapter is trained on a GPU: there the weights beside it stay as in bfloat16.
    """
    import torch
    import transformers

    dtype = torch.bfloat16 if on_gpu(options) and not options.full else torch.float32
    where: dict[str, Any] = {"revision": revision or "main"}
    transformers.set_seed(options.seed)  # a reward model's head is drawn
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **where)
        # Other weights than safetensors are pickles, which run what they hold.
        chosen = getattr(transformers, kind)
        model = chosen.from_pretrained(name, dtype=dtype, use_safetensors=True, **where, **more)
    except Exception as error:  # the libraries raise a dozen kinds, and each means the same to the caller
        first = (str(error).strip().splitlines() or [""])[0]
        raise ModelNotLoadable(f"The model “{name}” could not be loaded: {first}") from error
    if not tokenizer.chat_template:
        raise TrainingRefused(f"The tokenizer of “{name}” has no chat template. Start from a chat model.")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    return tokenizer, model


def checked_adapter(folder: str) -> str:
    """The folder of an adapter in safetensors; raise ModelNotLoadable for any other."""
    try:
        return str(adapter_folder(folder))
    except OSError as error:
        raise ModelNotLoadable(f"The adapter “{folder}” could not be loaded: {error}.") from error


def _lora(options: Options, kind: str) -> Any:
    import peft

    return peft.LoraConfig(
        r=options.rank,
        lora_alpha=2 * options.rank,
        target_modules=LORA_MODULES,
        task_type="CAUSAL_LM" if kind == "AutoModelForCausalLM" else "SEQ_CLS",
        modules_to_save=None if kind == "AutoModelForCausalLM" else ["score"],
    )


def dataset(rows: list[dict[str, Any]]) -> Any:
    """The rows as the trainers take them; raise TrainingRefused without any."""
    import datasets

    if not rows:
        raise TrainingRefused("The snapshot's training part has no row for this training.")
    return datasets.Dataset.from_list(rows)


def fit(trainer: Any, options: Options, facts: dict[str, Any], resume: Path | None) -> None:
    """Train, from the checkpoint `resume` on if there is one, and save the model; prints its progress.

    Raises TrainingStopped, with a checkpoint kept, where the process was asked to stop meanwhile.
    """
    import transformers

    for printer in (transformers.PrinterCallback, transformers.ProgressCallback):
        trainer.remove_callback(printer)
    trainer.add_callback(_reporter(facts))
    trainer.add_callback(stopper())
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    _require_end(trainer, options)
    trainer.save_model(options.out)


def _require_end(trainer: Any, options: Options) -> None:
    state = trainer.state
    if wish.is_asked and state.global_step < state.max_steps:
        raise TrainingStopped(
            f"Stopped after step {state.global_step} of {state.max_steps}, with a checkpoint in "
            f"“{options.out}”. Give the same command again to go on."
        )


def close(trainer: Any, options: Options, facts: dict[str, Any], **told: Any) -> None:
    """Write the provenance that says the training is over."""
    if trainer.is_world_process_zero():
        finish(Path(options.out), facts, step=trainer.state.global_step, **told)
        say({"stage": facts["stage"], "saved": options.out, **told})


def say(line: dict[str, Any]) -> None:
    """Print one line of progress, as JSON."""
    print(json.dumps(line, ensure_ascii=False), flush=True)
    sys.stdout.flush()


def _reporter(facts: dict[str, Any]) -> Any:
    """A callback that prints a line per logged step and completes each saved checkpoint."""
    import transformers

    class Reporter(transformers.TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            # Also a training shorter than --log-every shows that it learns.
            control.should_log |= state.global_step in (1, state.max_steps)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            if state.is_world_process_zero and logs and "loss" in logs:
                told = {name: float(logs[name]) for name in TOLD if name in logs}
                say({"stage": facts["stage"], "step": state.global_step, "of": state.max_steps, **told})

        def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.is_world_process_zero:
                folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
                write_json(folder / PROVENANCE, {**facts, "step": state.global_step})

    return Reporter()
