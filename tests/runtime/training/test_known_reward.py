"""A reward model on preferences drawn from a known reward comes close to the best that is possible.

Answers are strings of plain words, each with a known worth; preferences are drawn with the Bradley-Terry
chance of their difference, so even the true reward disagrees with many of them.
"""

import math
import random
from pathlib import Path

import pytest

from models_runtime.training.options import Options
from models_runtime.training.rows import conversation, judged
from models_runtime.training.scoring import RewardModel
from models_runtime.training.snapshots import read_snapshot
from tests.runtime.training.data import judgment, response, tiny_model, train, write_snapshot

pytestmark = [pytest.mark.once, pytest.mark.slow]

WORTH = {"tea": 1.0, "boat": 0.6, "hill": 0.3, "lamp": 0.0, "road": -0.3, "salt": -0.6, "wool": -1.0}
PAIRS = 3000


def true_reward(text: str) -> float:
    return sum(WORTH[word] for word in text.split())


def chance(first: str, second: str) -> float:
    """That the second is preferred."""
    return 1 / (1 + math.exp(true_reward(first) - true_reward(second)))


def simulated(folder: Path) -> Path:
    dice = random.Random(4)
    responses, judgments = [], []
    for number in range(PAIRS):
        first, second = (" ".join(dice.choices(list(WORTH), k=5)) for _ in "ab")
        asked = [{"role": "user", "content": f"Words {number}"}]
        for arm, text in (("one", first), ("two", second)):
            responses.append(response(f"p{number}", arm, text, messages=asked))
        level = 1 + min(3, max(0, round(1.5 + true_reward(first) / 2)))
        more_helpful = 1 if dice.random() < chance(first, second) else -1
        judgments.append(judgment(f"p{number}", more_helpful=more_helpful, a_helpfulness=level))
    return write_snapshot(folder, responses, judgments)


def test_held_out_accuracy_is_within_two_points_of_the_best_possible(tmp_path):
    snapshot, model = simulated(tmp_path / "snapshot"), tiny_model(tmp_path / "tiny")
    where = ("--data", snapshot, "--model", model, "--out", tmp_path / "reward")
    pace = ("--full", "--epochs", 4, "--batch", 32, "--learning-rate", 2e-3, "--save-every", 1000)
    plain = ("--margin", 0, "--score-weight", 0, "--device", "cpu")
    train("reward", "--target", "helpfulness", *where, *pace, *plain)
    scorer = RewardModel.load(tmp_path / "reward", "helpfulness", "cpu")
    held = judged(read_snapshot(snapshot)).part("test", Options("reward", "", "", "").shares).pairs
    assert len(held) > 500
    first = scorer([conversation(pair.a) for pair in held])
    second = scorer([conversation(pair.b) for pair in held])
    chances = [chance(pair.a.text, pair.b.text) for pair in held]
    # Expected over the draws of the held-out preferences, so that their luck is in neither figure.
    best = sum(max(p, 1 - p) for p in chances) / len(held)
    ours = sum(p if b > a else 1 - p for p, a, b in zip(chances, first, second, strict=True)) / len(held)
    assert 0.6 < best < 0.9
    assert best - 0.02 <= ours <= best
