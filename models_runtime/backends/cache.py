"""A key-value cache that grows by blocks.

The library's own copies the whole cache for every new token: on the demo model with 64 rows on a CPU that was
a third of the time (benchmarks/generation.py), and it is as much again of a GPU's memory traffic.
"""

from functools import cache
from typing import Any

BLOCK = 64  # tokens


def roomy_cache(model: Any) -> Any | None:
    """Return an empty cache for the model, or None where it wants one of its own kind.

    Only plain attention layers are replaced; sliding windows and linear attention keep the library's.
    """
    from transformers.cache_utils import DynamicCache, DynamicLayer

    if model.config.is_encoder_decoder or not model._supports_default_dynamic_cache():
        return None
    made = DynamicCache(config=model.config)
    made.layers = [_layer_class()() if type(layer) is DynamicLayer else layer for layer in made.layers]
    return made


@cache
def _layer_class() -> Any:
    """Return the class of a layer; made late, because its base is where torch loads."""
    import torch
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):
        """`keys` and `values` are views of the filled part of larger tensors [rows, heads, room, size]."""

        _room: tuple[torch.Tensor, torch.Tensor]

        def update(
            self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
        ) -> tuple[torch.Tensor, torch.Tensor]:
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            filled = self.get_seq_length()
            wanted = filled + key_states.shape[-2]
            if filled == 0 or wanted > self._room[0].shape[-2]:
                self._room = (self._roomier(0, key_states), self._roomier(1, value_states))
            for room, states in zip(self._room, (key_states, value_states), strict=True):
                room[:, :, filled:wanted] = states
            self.keys, self.values = (room[:, :, :wanted] for room in self._room)
            return self.keys, self.values

        def batch_select_indices(self, indices: torch.Tensor) -> None:
            if self.get_seq_length() > 0:
                filled = self.get_seq_length()
                self._room = (self._room[0][indices], self._room[1][indices])
                self.keys, self.values = (room[:, :, :filled] for room in self._room)

        def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
            self.batch_select_indices(beam_idx)

        def _roomier(self, which: int, states: torch.Tensor) -> torch.Tensor:
            """Return a larger tensor: keys (0) or values (1) so far, room for states and a block's rest."""
            filled = self.get_seq_length()
            tokens = -(-(filled + states.shape[-2] + 1) // BLOCK) * BLOCK
            room = states.new_empty((*states.shape[:-2], tokens, states.shape[-1]))
            if filled:
                room[:, :, :filled] = self._room[which][:, :, :filled]
            return room

    return RoomyLayer
