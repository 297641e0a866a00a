"""Seeded sampling, against softmax and against the library's own rules."""

import numpy as np
import pytest
import torch
from scipy import special, stats
from transformers import RepetitionPenaltyLogitsProcessor

from models_runtime.sampler import RowGumbel, RowRepetitionPenalty, processors
from models_runtime.types import Sampling

pytestmark = pytest.mark.once
LOGITS = np.array([2.0, 1.0, 0.5, 0.0, -0.5, -1.0, -2.0, 1.5])
DRAWS = 8_000
NO_TOKENS = torch.zeros((1, 1), dtype=torch.long)


def p_value(drawn: list[int], probabilities: np.ndarray) -> float:
    counts = np.bincount(drawn, minlength=len(probabilities))
    possible = probabilities > 0
    assert counts[~possible].sum() == 0
    return float(stats.chisquare(counts[possible], probabilities[possible] * len(drawn)).pvalue)


def draws(sampling: Sampling, seeds: range, steps: int) -> list[int]:
    """Draw `steps` tokens from LOGITS for every seed."""
    rows = torch.tensor(LOGITS, dtype=torch.float32).repeat(len(seeds), 1)
    drawn: list[int] = []
    chain = processors(sampling, seeds, [0] * len(seeds), "cpu")
    for _ in range(steps):
        scores = rows.clone()
        for step in chain:
            scores = step(NO_TOKENS, scores)
        drawn += scores.argmax(dim=1).tolist()
    return drawn


@pytest.mark.parametrize(
    ("seeds", "steps"), [(range(DRAWS), 1), (range(3, 4), DRAWS)], ids=["seeds", "steps"]
)
def test_draws_follow_the_softmax(seeds: range, steps: int) -> None:
    drawn = draws(Sampling(temperature=1.0), seeds, steps)
    assert p_value(drawn, special.softmax(LOGITS)) > 0.001
    assert p_value(drawn, special.softmax(LOGITS / 1.2)) < 1e-6  # the test can tell


def test_draws_follow_temperature_and_top_k() -> None:
    kept = np.where(LOGITS >= 0.5, LOGITS / 0.7, -np.inf)
    drawn = draws(Sampling(temperature=0.7, top_k=4), range(DRAWS), 1)
    assert p_value(drawn, special.softmax(kept)) > 0.001


def test_draws_follow_top_p() -> None:
    order = np.argsort(-LOGITS)
    probabilities = special.softmax(LOGITS)[order]
    size = int(np.searchsorted(np.cumsum(probabilities), 0.8)) + 1
    kept = np.full_like(LOGITS, -np.inf)
    kept[order[:size]] = LOGITS[order[:size]]
    assert (
        p_value(draws(Sampling(temperature=1.0, top_p=0.8), range(DRAWS), 1), special.softmax(kept)) > 0.001
    )


def test_a_rows_noise_does_not_depend_on_its_neighbours() -> None:
    scores = torch.zeros((3, 16))
    together = RowGumbel([5, 6, 7], "cpu")(NO_TOKENS, scores)
    alone = RowGumbel([6], "cpu")(NO_TOKENS, scores[:1])
    assert torch.equal(together[1], alone[0])
    assert not torch.equal(together[0], together[1])


def test_any_whole_number_is_a_seed() -> None:
    RowGumbel([-1, 0, 2**63, 2**80], "cpu")(NO_TOKENS, torch.zeros((4, 3)))


def test_the_penalty_is_the_librarys_but_blind_to_padding() -> None:
    torch.manual_seed(1)
    ids, scores = torch.tensor([[4, 2, 4]]), torch.randn((1, 8))
    wanted = RepetitionPenaltyLogitsProcessor(1.3)(ids, scores)
    padded = torch.tensor([[7, 7, 4, 2, 4]])
    assert torch.allclose(RowRepetitionPenalty(1.3, [2])(padded, scores), wanted)
