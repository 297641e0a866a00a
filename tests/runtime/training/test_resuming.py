"""A killed training goes on and ends with the weights of one that nobody disturbed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models_runtime.training.checkpoints import newest
from models_runtime.training.stopping import EXIT_STOPPED
from tests.runtime.training.data import demo_snapshot, tiny_model, train

pytestmark = [pytest.mark.once, pytest.mark.slow]

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
STEPS = ("--steps", "6", "--save-every", "2", "--log-every", "1", "--batch", "2", "--full")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("resuming")
    tiny_model(home / "tiny")
    demo_snapshot(home / "snapshot")
    for target in ("helpfulness", "safety"):
        words = ("--target", target, "--model", home / "tiny", "--out", home / target)
        train("reward", "--data", home / "snapshot", *words, "--full", "--steps", 1, "--device", "cpu")
    return home


def command(home: Path, stage: str, out: str, *more: str) -> list[str]:
    own: dict[str, tuple[str, ...]] = {"reward": ("--target", "safety"), "sft": ()}
    own["rl"] = ("--helpfulness", str(home / "helpfulness"), "--safety", str(home / "safety"))
    own["rl"] += ("--generations", "2", "--new-tokens", "6")
    words = [stage, "--data", str(home / "snapshot"), "--model", str(home / "tiny"), "--out", str(home / out)]
    return [sys.executable, "-m", "models_runtime.training", *words, *STEPS, *own[stage], *more]


def killed_at(step: int, words: list[str]) -> None:
    """Start the training and kill it when it has told of this step."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("step") == step:
                process.send_signal(signal.SIGKILL)
                break
        assert process.wait() == -signal.SIGKILL


def told(words: list[str]) -> list[int]:
    """Run the training to its end; the steps that it told of."""
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, check=True)
    return [line["step"] for line in map(json.loads, done.stdout.splitlines()) if "step" in line]


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("stage", ["sft", "reward", "rl"])
def test_a_killed_training_ends_with_the_weights_of_an_undisturbed_one(home, stage):
    assert told(command(home, stage, f"{stage}-whole")) == [1, 2, 3, 4, 5, 6]
    killed_at(5, command(home, stage, f"{stage}-killed"))
    assert not (home / f"{stage}-killed" / "provenance.json").exists()
    assert newest(home / f"{stage}-killed").name == "checkpoint-4"
    assert told(command(home, stage, f"{stage}-killed")) == [5, 6]
    assert weights(home / f"{stage}-killed") == weights(home / f"{stage}-whole")
    assert weights(home / f"{stage}-killed") != weights(home / "tiny")


def test_other_settings_do_not_go_on_with_an_interrupted_training(home):
    killed_at(3, command(home, "sft", "stopped"))
    other = subprocess.run(
        command(home, "sft", "stopped", "--seed", "9"), capture_output=True, text=True, env=ENVIRONMENT
    )
    assert other.returncode == 1
    assert "interrupted training with another seed" in other.stderr


def test_a_checkpoint_that_was_half_written_is_passed_over(tmp_path):
    for name, whole in (("checkpoint-2", True), ("checkpoint-10", True), ("checkpoint-12", False)):
        (tmp_path / name).mkdir()
        if whole:
            (tmp_path / name / "provenance.json").write_text("{}")
    assert newest(tmp_path).name == "checkpoint-10"


def watched(words: list[str], step: int, then, **more) -> int:
    """Start the training, do `then` to the process when it has told of this step; its exit status."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, **more) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("step") == step:
                then(process)
        return process.wait()


LONGER = ("--steps", "12", "--save-every", "50")  # of options that are given twice the last counts


def test_a_training_that_is_asked_to_stop_keeps_a_checkpoint_and_ends_as_if_nobody_had(home):
    words = command(home, "sft", "asked", *LONGER)
    assert watched(words, 2, lambda process: process.send_signal(signal.SIGTERM)) == EXIT_STOPPED
    assert not (home / "asked" / "provenance.json").exists()
    last = newest(home / "asked")
    assert last is not None and last.name in {"checkpoint-2", "checkpoint-3", "checkpoint-4"}
    first = int(last.name.split("-")[1]) + 1
    assert told(words) == list(range(first, 13))
    told(command(home, "sft", "unasked", *LONGER))
    assert weights(home / "asked") == weights(home / "unasked")


def test_an_attached_training_ends_when_its_starter_is_gone(home):
    words = command(home, "sft", "attached", *LONGER, "--attached")
    assert watched(words, 2, lambda process: process.stdin.close(), stdin=subprocess.PIPE) == EXIT_STOPPED
    assert newest(home / "attached") is None


def test_two_processes_do_not_train_in_one_folder(home):
    words, refusals = command(home, "sft", "twice", *LONGER), []

    def start_another(process: subprocess.Popen) -> None:
        process.send_signal(signal.SIGSTOP)
        refusals.append(subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT))
        process.send_signal(signal.SIGCONT)

    assert watched(words, 2, start_another) == 0
    assert refusals[0].returncode == 1 and "Another process trains in" in refusals[0].stderr
