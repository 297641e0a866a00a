"""`python -m models_runtime.training sft|reward|rl|evaluate --data SNAPSHOT --model MODEL --out DIR`.

Prints one JSON line per logged step. A training that was interrupted goes on when it is started again with
the same settings. SIGTERM stops it after the next step, with a checkpoint.
"""

import argparse
import os
import sys
import warnings
from dataclasses import fields
from pathlib import Path

from models_runtime.errors import RuntimeFailure, TrainingStopped
from models_runtime.training import evaluate, reward, rl, sft
from models_runtime.training.options import Options
from models_runtime.training.stopping import EXIT_STOPPED, end_with_starter, heed_signals

TRAIN = {"sft": sft.train, "reward": reward.train, "rl": rl.train}
DEFAULT = {field.name: field.default for field in fields(Options)}
HELP = {
    "revision": "branch, tag or commit of a hub model",
    "system_prompt": "what the tuned model will run under; never the policy, which it must follow unseen",
    "seed": "of the weights and of the order of rows",
    "split_seed": "of which families of prompts are held out",
    "test_share": "of families, kept for evaluation",
    "calibration_share": "of families, kept for the reward models' calibration",
    "rank": "of the LoRA adapter",
    "epochs": "passes over the rows",
    "steps": "optimizer steps instead of epochs",
    "batch": "rows of a step on each device; for rl, answers",
    "accumulate": "batches of a step",
    "learning_rate": "0: 2e-5 for sft and reward, 1e-6 for rl; ten times that for an adapter",
    "max_tokens": "longest row",
    "save_every": "steps between checkpoints",
    "log_every": "steps between lines of progress",
    "device": "auto (a GPU if there is one) or cpu",
    "margin": "how much of the raters' leaning (0 to 3) the scores must differ by",
    "score_weight": "of the human scores in the loss, against the pairs",
    "least_safety": "lowest s of an answer to train on",
    "generations": "answers to one prompt, compared with each other",
    "new_tokens": "longest answer",
    "temperature": "of the answers",
    "beta": "of the divergence from the model that RL starts from",
}
SHARED = ("revision", "seed", "split_seed", "test_share", "calibration_share")
TRAINING = (
    *("rank", "epochs", "steps", "batch", "accumulate", "learning_rate"),
    *("max_tokens", "save_every", "log_every", "device"),
)
OWN = {
    "sft": ("system_prompt", "least_safety"),
    "reward": ("margin", "score_weight"),
    "rl": ("system_prompt", "generations", "new_tokens", "temperature", "beta"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0, 1 with a sentence when it cannot be done, or EXIT_STOPPED."""
    options = vars(_parser().parse_args(arguments))
    if options.pop("attached"):
        end_with_starter()
    _quieten()
    try:
        stage = options["stage"]
        if stage == "evaluate":
            evaluate.run(evaluate.Request(**{name: options[name] for name in options if name != "stage"}))
        else:
            TRAIN[stage](Options(**options))
    except TrainingStopped as stopped:
        print(stopped, file=sys.stderr)
        return EXIT_STOPPED
    except RuntimeFailure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _quieten() -> None:
    """Leave standard output to our lines: the libraries are asked before they load."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TQDM_DISABLE", "1")
    warnings.filterwarnings("ignore", category=FutureWarning)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models_runtime.training", description="Train on judgments."
    )
    stages = parser.add_subparsers(dest="stage", required=True, metavar="sft|reward|rl|evaluate")
    for stage, own in OWN.items():
        command = stages.add_parser(stage)
        command.add_argument("--data", required=True, help="folder of a snapshot")
        command.add_argument("--model", required=True, help="folder, hub name, or a checkpoint of ours")
        command.add_argument("--out", required=True, help="new folder; the same again to go on")
        command.add_argument("--full", action="store_true", help="train all weights instead of an adapter")
        _add(command, (*SHARED, *TRAINING, *own))
        if stage == "reward":
            command.add_argument("--target", required=True, choices=["helpfulness", "safety"])
        if stage == "rl":
            _add_rewards(command)
    _add_evaluate(stages.add_parser("evaluate"))
    for command in stages.choices.values():
        command.add_argument("--attached", action="store_true", help="end when standard input is closed")
    return parser


def _add(command: argparse.ArgumentParser, names: tuple[str, ...]) -> None:
    for name in names:
        default = DEFAULT[name]
        command.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default),
            default=default,
            help=f"{HELP[name]} (default: {default if default != '' else 'none'})",
        )


def _add_rewards(command: argparse.ArgumentParser) -> None:
    command.add_argument("--helpfulness", required=True, help="checkpoint of the reward model of helpfulness")
    command.add_argument("--safety", required=True, help="checkpoint of the reward model of safety")


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", required=True, type=Path, help="folder of a snapshot")
    command.add_argument(
        "--model", action="append", default=[], dest="models", help="a model that answers; repeatable"
    )
    command.add_argument("--out", required=True, type=Path, help="file for the report, as JSON")
    _add_rewards(command)
    command.add_argument("--system-prompt", help="for every model (default: what each was trained with)")
    command.add_argument("--new-tokens", type=int, default=256, help="longest answer")
    command.add_argument("--device", default="auto", help="auto or cpu")


if __name__ == "__main__":
    heed_signals()
    sys.exit(main())
