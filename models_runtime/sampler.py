"""Seeded sampling that does not depend on the other rows of a batch.

`transformers` draws all rows from one global generator, so a row's text depends on its neighbours. Here every
row has a generator of its own and takes the argmax of its scores plus Gumbel noise, which is an exact draw
from their softmax (Gumbel 1954; Maddison, Tarlow and Minka 2014, "A* Sampling").
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from models_runtime.types import Sampling

if TYPE_CHECKING:
    import torch

Processor = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]


class RowRepetitionPenalty:
    """Divide (or, if negative, multiply) the score of every token a row has seen, padding excepted.

    The library's own processor counts padding as seen; as padding is often the end token, a padded row
    would then end later than the same row alone.
    """

    def __init__(self, penalty: float, padding: Sequence[int]) -> None:
        """padding: per row, the number of padding tokens on its left."""
        self._penalty = penalty
        self._padding = list(padding)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows of the batch only."""
        self._padding = [self._padding[row] for row in rows]

    def __call__(self, input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        seen = input_ids.clone()
        for row, width in enumerate(self._padding):
            seen[row, :width] = input_ids[row, width]
        values = scores.gather(1, seen)
        penalised = (values / self._penalty).where(values > 0, values * self._penalty)
        return scores.scatter(1, seen, penalised)


class RowGumbel:
    """Add Gumbel noise to every row from the row's own generator."""

    def __init__(self, seeds: Sequence[int], device: str) -> None:
        import torch

        self._generators = [torch.Generator(device).manual_seed(seed % 2**63) for seed in seeds]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows of the batch only."""
        self._generators = [self._generators[row] for row in rows]

    def __call__(self, input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        exponential = scores.new_empty(scores.shape, dtype=scores.float().dtype)
        for row, generator in enumerate(self._generators):
            exponential[row].exponential_(generator=generator)
        return scores.float() - exponential.log_()


def processors(
    sampling: Sampling, seeds: Sequence[int], padding: Sequence[int], device: str
) -> list[Processor]:
    """Return the steps from raw scores to scores whose argmax is the next token.

    seeds, padding: per row. Order: repetition penalty, temperature, top-k, top-p, noise.
    """
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    steps: list[Processor] = []
    if sampling.repetition_penalty != 1.0:
        steps.append(RowRepetitionPenalty(sampling.repetition_penalty, padding))
    if sampling.temperature == 0.0:
        return steps
    steps.append(TemperatureLogitsWarper(float(sampling.temperature)))
    if sampling.top_k:
        steps.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1.0:
        steps.append(TopPLogitsWarper(float(sampling.top_p)))
    steps.append(RowGumbel(seeds, device))
    return steps
