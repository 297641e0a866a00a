"""One real step of each of TRL's trainers on our rows, and of each of our own trainings."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
import trl

from models_runtime.training import scoring
from models_runtime.training.__main__ import main
from models_runtime.training.options import Options
from models_runtime.training.reward import pair_and_score_loss
from models_runtime.training.rows import best_answers, judged, prompt_rows, reward_rows, sft_row
from models_runtime.training.scoring import RewardModel, product_reward
from models_runtime.training.snapshots import read_snapshot
from models_runtime.training.trainers import dataset, settings
from tests.runtime.training.data import POLICY, demo_snapshot, tiny_model, train

pytestmark = [pytest.mark.once, pytest.mark.slow]

STEP = ("--steps", 1, "--batch", 2, "--device", "cpu", "--log-every", 1)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with a tiny model, a snapshot, and the two reward models of one step."""
    home = tmp_path_factory.mktemp("training")
    tiny_model(home / "tiny")
    demo_snapshot(home / "snapshot")
    for target in ("helpfulness", "safety"):
        out = home / target
        train("reward", "--target", target, *data(home), "--out", out, "--full", *STEP)
    return home


def data(home: Path) -> tuple:
    return "--data", home / "snapshot", "--model", home / "tiny"


def rewards(home: Path) -> tuple:
    return "--helpfulness", home / "helpfulness", "--safety", home / "safety"


def take_a_step(home: Path, out: Path, trainer: type, config: type, rows: list, kind: str, **more) -> dict:
    """One step of TRL's trainer as it comes; what it logged."""
    options = Options("sft", "", str(home / "tiny"), str(out), batch=2, steps=1, log_every=1, device="cpu")
    model = getattr(transformers, kind).from_pretrained(
        home / "tiny", dtype=torch.float32, **more.pop("load", {})
    )
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    tokenizer = transformers.AutoTokenizer.from_pretrained(home / "tiny")
    model.config.pad_token_id = tokenizer.pad_token_id
    built = trainer(
        model=model,
        args=settings(options, config, **more.pop("also", {})),
        train_dataset=dataset(rows),
        processing_class=tokenizer,
        **more,
    )
    built.train()
    assert any(not torch.equal(before[name], weights) for name, weights in model.named_parameters())
    return built.state.log_history[0]


def part(home: Path):
    return judged(read_snapshot(home / "snapshot")).part("train", Options("sft", "", "", "").shares)


CAUSAL = "AutoModelForCausalLM"


def test_rewardtrainer_takes_our_pairs_with_their_margin(home, tmp_path):
    rows = reward_rows(part(home), "helpfulness")
    kind = "AutoModelForSequenceClassification"
    load = {"num_labels": 1}
    log = take_a_step(home, tmp_path, trl.RewardTrainer, trl.RewardConfig, rows, kind, load=load)
    assert log["loss"] > 0


def test_dpotrainer_takes_our_pairs(home, tmp_path):
    rows = reward_rows(part(home), "helpfulness")
    assert take_a_step(home, tmp_path, trl.DPOTrainer, trl.DPOConfig, rows, CAUSAL)["loss"] == pytest.approx(
        0.6931, abs=1e-3
    )


def test_ktotrainer_takes_our_pairs(home, tmp_path):
    rows = [
        {"prompt": row["chosen"][:-1], "completion": [row[side][-1]], "label": side == "chosen"}
        for row in reward_rows(part(home), "helpfulness")
        for side in ("chosen", "rejected")
    ]
    assert "loss" in take_a_step(home, tmp_path, trl.KTOTrainer, trl.KTOConfig, rows, CAUSAL)


def test_sfttrainer_takes_our_best_answers(home, tmp_path):
    rows = [sft_row(answer) for answer in best_answers(part(home).answers)[0]]
    log = take_a_step(home, tmp_path, trl.SFTTrainer, trl.SFTConfig, rows, CAUSAL)
    assert log["loss"] == pytest.approx(7.62, abs=0.3)  # of an untrained model: log of 2,048 tokens


def test_grpotrainer_takes_our_prompts_and_is_given_r(home, tmp_path):
    asked = []

    def reward(completions, bare, **rest):
        asked.extend(bare)
        return [float(len(text[0]["content"])) for text in completions]

    also = {"num_generations": 2, "max_completion_length": 8}
    rows = prompt_rows(part(home).answers)
    log = take_a_step(
        home, tmp_path, trl.GRPOTrainer, trl.GRPOConfig, rows, CAUSAL, reward_funcs=[reward], also=also
    )
    assert log["reward"] > 0 and len(asked) == 2


# Our own trainings ---------------------------------------------------------------------------------------


def test_a_reward_model_is_calibrated_and_tells_where_it_comes_from(home):
    facts = json.loads((home / "safety" / "provenance.json").read_text())
    assert facts["snapshot"]["study"] == "harbour" and len(facts["snapshot"]["manifest_sha256"]) == 64
    assert facts["base"]["weights_sha256"]["model.safetensors"] and facts["versions"]["trl"] == "1.16.0"
    model = RewardModel.load(home / "safety", "safety", "cpu")
    scores = model([[{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello."}]])
    assert 0 < scores[0] < 1
    assert (home / "safety" / "checkpoint-1" / "provenance.json").exists()


def test_rl_is_given_h_times_s(home, tmp_path, monkeypatch, capsys):
    given = []
    spied = scoring.RewardModel.__call__

    def spy(self, conversations):
        scores = spied(self, conversations)
        given.append(([[message["content"] for message in one] for one in conversations], scores))
        return scores

    monkeypatch.setattr(scoring.RewardModel, "__call__", spy)
    train("rl", *data(home), *rewards(home), "--out", tmp_path / "rl", "--full", *STEP,
          "--generations", 2, "--new-tokens", 8)  # fmt: skip
    (conversations, h), (same, s) = given
    assert conversations == same and len(h) == 2
    assert all(len(one) == 2 and POLICY not in one[0] for one in conversations)
    line = next(json.loads(row) for row in capsys.readouterr().out.splitlines() if '"step": 1' in row)
    assert line["reward"] == pytest.approx((h[0] * s[0] + h[1] * s[1]) / 2, abs=1e-5)
    assert line["of"] == 1


def test_the_product_is_of_the_two_scores_in_their_order():
    reward = product_reward(lambda rows: [0.5, 1.0], lambda rows: [0.4, 0.0])
    completions = [[{"role": "assistant", "content": text}] for text in "ab"]
    assert reward(completions=completions, bare=[[], []], intent=["benign"] * 2) == [0.2, 0.0]


def test_a_training_shorter_than_its_interval_tells_its_first_and_its_last_step(home, tmp_path, capsys):
    few = ("--steps", 3, "--batch", 2, "--device", "cpu", "--log-every", 10, "--rank", 2)
    train("sft", *data(home), "--out", tmp_path / "sft", *few)
    lines = [json.loads(row) for row in capsys.readouterr().out.splitlines() if row.startswith("{")]
    assert [(line["step"], line["loss"] > 0) for line in lines if "step" in line] == [(1, True), (3, True)]


def test_an_adapter_is_trained_by_default_and_goes_on_as_itself(home, tmp_path):
    train("sft", *data(home), "--out", tmp_path / "sft", *STEP, "--rank", 2)
    assert (tmp_path / "sft" / "adapter_config.json").exists()
    assert not (tmp_path / "sft" / "model.safetensors").exists()
    train("rl", "--data", home / "snapshot", "--model", tmp_path / "sft", *rewards(home), "--out",
          tmp_path / "rl", *STEP, "--generations", 2, "--new-tokens", 8)  # fmt: skip
    facts = json.loads((tmp_path / "rl" / "provenance.json").read_text())
    assert facts["base"]["model"] == str(home / "tiny") and facts["base"]["adapter"] == str(tmp_path / "sft")


def test_rows_too_long_for_a_reward_model_are_counted(home, tmp_path, capsys):
    tokenizer = transformers.AutoTokenizer.from_pretrained(home / "tiny")
    rows = reward_rows(part(home), "safety")
    lengths = [
        max(len(tokenizer.apply_chat_template(row[side])["input_ids"]) for side in ("chosen", "rejected"))
        for row in rows
    ]
    most = sorted(lengths)[len(lengths) // 2]
    asked = ("reward", "--target", "safety", *data(home), "--full", *STEP)
    train(*asked, "--out", tmp_path / "some", "--max-tokens", most)
    facts = json.loads((tmp_path / "some" / "provenance.json").read_text())
    assert facts["rows"] == sum(length <= most for length in lengths)
    assert facts["too_long"] == len(rows) - facts["rows"] > 0
    assert main([*map(str, asked), "--out", str(tmp_path / "none"), "--max-tokens", "2"]) == 1
    assert "longer than --max-tokens (2)" in capsys.readouterr().err


def test_a_reward_model_may_be_an_adapter_too(home, tmp_path):
    train("reward", "--target", "safety", *data(home), "--out", tmp_path / "reward", *STEP, "--rank", 2)
    model = RewardModel.load(tmp_path / "reward", "safety", "cpu")
    assert len(model([[{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}]])) == 1


def test_evaluation_says_how_good_the_reward_models_are_and_how_models_fare(home, tmp_path):
    train("evaluate", "--data", home / "snapshot", *rewards(home), "--model", home / "tiny", "--out",
          tmp_path / "report.json", "--new-tokens", 8, "--device", "cpu")  # fmt: skip
    report = json.loads((tmp_path / "report.json").read_text())
    accuracy = report["helpfulness"]["pairwise_accuracy"]
    assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1 and accuracy["n"] > 3
    held = judged(read_snapshot(home / "snapshot")).part("test", Options("sft", "", "", "").shares)
    assert report["helpfulness"]["calibration"]["n"] == len(held.answers)
    assert set(report["reward_by_mode"]) >= {"hard_refusal", "direct_answer"}
    (model,) = report["models"]
    assert model["r"]["n"] == len({answer.prompt_key for answer in held.answers})
    assert set(model["by_intent"]) == {answer.intent for answer in held.answers}


def test_the_loss_is_trls_where_there_are_no_scores():
    chosen, rejected = torch.tensor([2.0, 0.5]), torch.tensor([1.0, 1.0])
    inputs = {"margin": torch.tensor([1.0, 0.5]), "weight": torch.ones(2)}
    inputs |= {"chosen_score": torch.full((2,), -1.0), "rejected_score": torch.full((2,), -1.0)}
    expected = -torch.nn.functional.logsigmoid(chosen - rejected - inputs["margin"]).mean()
    assert pair_and_score_loss(chosen, rejected, inputs, 1.0) == pytest.approx(expected.item())


def test_a_tie_is_in_the_loss_by_its_scores_only():
    chosen, rejected = torch.tensor([3.0]), torch.tensor([-1.0])
    inputs = {"margin": torch.zeros(1), "weight": torch.zeros(1)}
    inputs |= {"chosen_score": torch.tensor([0.75]), "rejected_score": torch.tensor([-1.0])}
    expected = torch.nn.functional.binary_cross_entropy_with_logits(chosen, torch.tensor([0.75]))
    assert pair_and_score_loss(chosen, rejected, inputs, 1.0) == pytest.approx(expected.item())


# Refusals ------------------------------------------------------------------------------------------------


def refused(capsys, *words: object) -> str:
    assert main([str(word) for word in words]) == 1
    return capsys.readouterr().err


def test_reward_models_of_another_split_are_refused(home, tmp_path, capsys):
    said = refused(capsys, "rl", *data(home), *rewards(home), "--out", tmp_path / "rl", "--split-seed", 9)
    assert "another split (split_seed)" in said and not (tmp_path / "rl").exists()


def test_a_reward_model_of_the_other_target_is_refused(home, tmp_path, capsys):
    swapped = ("--helpfulness", home / "safety", "--safety", home / "helpfulness")
    said = refused(capsys, "evaluate", "--data", home / "snapshot", *swapped, "--out", tmp_path / "r.json")
    assert "is no reward model of helpfulness" in said


def test_a_reward_model_is_not_tuned_to_answer(home, tmp_path, capsys):
    start = ("--data", home / "snapshot", "--model", home / "safety")
    assert "scores answers and gives none" in refused(capsys, "sft", *start, "--out", tmp_path / "sft")


def test_a_training_that_is_over_is_not_trained_again(home, capsys):
    said = refused(capsys, "reward", "--target", "safety", *data(home), "--out", home / "safety")
    assert "is over" in said


def test_a_checkpoint_that_changed_is_refused(home, tmp_path, capsys):
    shutil.copytree(home / "safety", tmp_path / "safety")
    (tmp_path / "safety" / "calibration.json").write_text('{"slope": 9.0, "offset": 0.0}')
    changed = ("--helpfulness", home / "helpfulness", "--safety", tmp_path / "safety")
    said = refused(capsys, "evaluate", "--data", home / "snapshot", *changed, "--out", tmp_path / "r.json")
    assert "calibration.json changed since" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--batch", 0), "--batch must be at least 1"),
        (("--test-share", 1.5), "shares for test and calibration"),
        (("--model", "/nowhere/at/all"), "There is no folder"),
        (("--data", "/nowhere"), "is no snapshot"),
        (("--device", "abacus"), "auto or cpu"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(home, tmp_path, capsys, words, sentence):
    assert sentence in refused(capsys, "sft", *data(home), "--out", tmp_path / "sft", *words)


def test_a_folder_in_use_is_refused(home, tmp_path, capsys):
    (tmp_path / "letter.txt").write_text("Dear …")
    assert "in use by something else" in refused(capsys, "sft", *data(home), "--out", tmp_path)
