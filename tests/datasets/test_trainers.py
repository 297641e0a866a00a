"""One real step of each of TRL's trainers on the files as they are loaded, with nothing in between."""

from pathlib import Path

import datasets
import pytest
import torch
import transformers
import trl

from tests.datasets.written import a_written_study, make
from tests.runtime.training.data import tiny_model

pytestmark = [pytest.mark.once, pytest.mark.slow]

STEP = {
    "max_steps": 1,
    "per_device_train_batch_size": 2,
    "logging_steps": 1,
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "disable_tqdm": True,
    "save_strategy": "no",
    "dataloader_pin_memory": False,
}
FORMATS = ("trl_preference", "trl_unpaired", "sft", "scalar_reward")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with a tiny model and the datasets."""
    home = tmp_path_factory.mktemp("trainers")
    tiny_model(home / "tiny")
    snapshot = a_written_study().freeze(home / "snapshot")
    for format in FORMATS:
        make(snapshot, home / format, format, files=("parquet",))
    return home


def take_a_step(home: Path, out: Path, name: str, format: str, *, load=None, also=None, **more) -> dict:
    """One step of TRL's trainer of that name on the train part of the format; what it logged."""
    kind = "AutoModelForSequenceClassification" if load else "AutoModelForCausalLM"
    model = getattr(transformers, kind).from_pretrained(home / "tiny", dtype=torch.float32, **(load or {}))
    before = {key: weights.clone() for key, weights in model.named_parameters()}
    tokenizer = transformers.AutoTokenizer.from_pretrained(home / "tiny")
    model.config.pad_token_id = tokenizer.pad_token_id
    trainer = getattr(trl, f"{name}Trainer")(
        model=model,
        args=getattr(trl, f"{name}Config")(output_dir=str(out), **STEP, **(also or {})),
        train_dataset=datasets.Dataset.from_parquet(str(home / format / "train.parquet"), cache_dir=str(out)),
        processing_class=tokenizer,
        **more,
    )
    trainer.train()
    assert any(not torch.equal(before[key], weights) for key, weights in model.named_parameters())
    return trainer.state.log_history[0]


def test_rewardtrainer_reads_preferences_with_their_margin(home, tmp_path):
    log = take_a_step(home, tmp_path, "Reward", "trl_preference", load={"num_labels": 1})
    # An untrained model scores all alike, so the loss is about -logsigmoid(-margin) of margins up to 3.
    assert 0.7 < log["loss"] < 3.5


def test_dpotrainer_reads_preferences(home, tmp_path):
    assert take_a_step(home, tmp_path, "DPO", "trl_preference")["loss"] == pytest.approx(0.6931, abs=1e-3)


def test_ktotrainer_reads_unpaired_labels(home, tmp_path):
    assert take_a_step(home, tmp_path, "KTO", "trl_unpaired")["loss"] > 0


def test_sfttrainer_reads_the_best_answers(home, tmp_path):
    log = take_a_step(home, tmp_path, "SFT", "sft")
    assert log["loss"] == pytest.approx(7.62, abs=0.3)  # of an untrained model: log of 2,048 tokens


def test_grpotrainer_reads_prompts_and_hands_scores_to_the_reward(home, tmp_path):
    seen = []

    def reward(completions, reward, safety, **rest):
        seen.extend(zip(reward, safety, strict=True))
        return [float(len(text[0]["content"])) for text in completions]

    also = {"num_generations": 2, "max_completion_length": 8}
    log = take_a_step(home, tmp_path, "GRPO", "scalar_reward", reward_funcs=[reward], also=also)
    assert log["reward"] > 0 and len(seen) == 2 and all(0 <= r <= s <= 1 for r, s in seen)
