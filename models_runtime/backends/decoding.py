"""The decoding loop of a batch, handed to the library's `generate`, which sets everything up as for its own.

It differs from the library's in one point: rows that have ended leave the batch, so a short answer costs
nothing while a long one goes on. They leave in groups, because every leaving copies the cache.
"""

from collections.abc import Callable
from typing import Any

LEAVING_SHARE = 1 / 8  # of the rows in the batch


class Decoder:
    """Decodes one batch; afterwards `new_ids` holds what was generated, per row of the batch.

    A row ends when is_over(row, its new ids) says so or it has `limit` new ids; the ending id is included.
    """

    def __init__(self, limit: int, is_over: Callable[[int, list[int]], bool]) -> None:
        self._limit = limit
        self._is_over = is_over
        self.new_ids: list[list[int]] = []

    def __call__(
        self,
        model: Any,
        input_ids: Any,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> Any:
        """Run the loop; the signature is what `generate(custom_generate=…)` calls."""
        import torch

        self.new_ids = [[] for _ in input_ids]
        rows = list(range(len(input_ids)))  # whose place in the batch it is
        running = set(rows)
        outputs = model._prefill(input_ids, generation_config, model_kwargs)
        with model._optimize_model_for_decode():
            while True:
                model_kwargs = model._update_model_kwargs_for_generation(outputs, model_kwargs)
                scores = outputs.logits[:, -1].to(device=input_ids.device, dtype=torch.float32, copy=True)
                del outputs  # the logits of a long prompt are large
                tokens = logits_processor(input_ids, scores).argmax(dim=-1)
                input_ids = torch.cat([input_ids, tokens[:, None]], dim=-1)
                self._note(rows, tokens.tolist(), running)
                if not running:
                    return input_ids
                if len(rows) - len(running) >= max(1, LEAVING_SHARE * len(rows)):
                    kept = [place for place, row in enumerate(rows) if row in running]
                    if _keep(kept, len(rows), model_kwargs, logits_processor):
                        rows, input_ids = [rows[place] for place in kept], input_ids[kept]
                inputs = model.prepare_inputs_for_generation(
                    input_ids, next_sequence_length=1 if model_kwargs["use_cache"] else None, **model_kwargs
                )
                outputs = model(**inputs, return_dict=True)

    def _note(self, rows: list[int], tokens: list[int], running: set[int]) -> None:
        for row, token in zip(rows, tokens, strict=True):
            if row in running:
                ids = self.new_ids[row]
                ids.append(token)
                if len(ids) >= self._limit or self._is_over(row, ids):
                    running.discard(row)


def _keep(kept: list[int], size: int, model_kwargs: dict[str, Any], processors: Any) -> bool:
    """Reduce the model's state to these places of the batch; False, and nothing done, where it cannot be."""
    import torch

    tensors = {name: value for name, value in model_kwargs.items() if isinstance(value, torch.Tensor)}
    layers = getattr(model_kwargs.get("past_key_values"), "layers", [])
    can_leave = all(tensor.shape[:1] == (size,) for tensor in tensors.values()) and all(
        hasattr(layer, "batch_select_indices") for layer in layers
    )
    if not (layers and can_leave):
        return False
    model_kwargs.update({name: tensor[kept] for name, tensor in tensors.items()})
    model_kwargs["past_key_values"].batch_select_indices(torch.tensor(kept))
    for processor in processors:
        if hasattr(processor, "keep"):
            processor.keep(kept)
    return True
