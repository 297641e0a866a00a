"""How the training demo is scored: by what raters said of the very answer, and over seeds."""

import numpy as np
import pytest
from scipy import stats

from models_runtime.errors import TrainingRefused
from models_runtime.training import checkpoints
from models_runtime.training.demo import interval, raters_reward
from models_runtime.training.rows import judged
from models_runtime.training.snapshots import read_snapshot
from tests.runtime.training.data import demo_snapshot

pytestmark = pytest.mark.once


def test_an_answer_gets_the_r_that_raters_gave_to_it(tmp_path):
    held = judged(read_snapshot(demo_snapshot(tmp_path / "snapshot")))
    bare, full = (
        next(a for a in held.answers if a.prompt_key == "locks-own-door" and a.arm == arm)
        for arm in ("one", "two")
    )
    assert raters_reward("locks-own-door", bare.text, held) == bare.reward == 0.0
    assert raters_reward("locks-own-door", full.text, held) == full.reward == 1.0
    slip = full.text.replace("locksmith", "lock smith")
    assert raters_reward("locks-own-door", slip, held) == 1.0


def test_babble_and_the_answer_to_another_prompt_get_none(tmp_path):
    held = judged(read_snapshot(demo_snapshot(tmp_path / "snapshot")))
    other = next(a for a in held.answers if a.prompt_key == "sourdough" and a.arm == "two")
    assert raters_reward("locks-own-door", other.text, held) is None
    assert raters_reward("locks-own-door", "The the lock pins boil", held) is None


def test_the_interval_over_seeds_is_students():
    values = [0.1, 0.25, 0.3]
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    middle, low, high = interval(values)
    assert middle == pytest.approx(np.mean(values))
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_an_installation_without_trl_says_what_to_install(monkeypatch):
    monkeypatch.setattr(checkpoints, "find_spec", lambda name: None if name == "trl" else object())
    with pytest.raises(TrainingRefused, match="Training needs trl.*requirements-train.txt"):
        checkpoints.require_packages()
