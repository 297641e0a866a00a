"""Models of the `transformers` library, loaded into this process: a local folder or a hub name.

Batch composition: greedy text and seeded text do not depend on which requests share a batch *by design*
(left padding is masked, every row has its own noise). One thing remains: matrix products of different shapes
round differently in the last bits, more so in bfloat16. Where two tokens are almost equally likely, that may
tip the choice, and the text differs from there on. Exact repetition needs the same machine, library versions,
dtype and batch limits, and the same requests in the batch.
"""

import hashlib
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2

from models_runtime.backends.cache import roomy_cache
from models_runtime.backends.decoding import Decoder
from models_runtime.backends.loading import (
    QUANTIZATIONS,
    cached_folder,
    load_model,
    weights_sha256,
    weights_stamps,
)
from models_runtime.backends.reasoning import TAG, cut_at_stop, opens_reasoning, read_output
from models_runtime.base import Backend
from models_runtime.batching import cut_by_length
from models_runtime.device import BALANCED, Placement, find_accelerator, place
from models_runtime.errors import ModelNotLoadable, RuntimeFailure
from models_runtime.sampler import processors
from models_runtime.types import (
    Completion,
    FailedRequest,
    FinishReason,
    GenerationRequest,
    ModelSpec,
    Outcome,
    Sampling,
)

# Cells are rows x (prompt + new tokens), which is what the key-value cache grows with.
CPU_ROWS, CPU_CACHE_BYTES = 128, 2**30
GPU_ROWS, GPU_CACHE_SHARE = 256, 0.5  # of the memory that the weights leave
TAIL = 24  # tokens: what may still turn a stop text that ended earlier

CHANGED = "The files of the weights changed after they were loaded, so they have no digest here."

TEMPLATE_REFUSALS = (jinja2.TemplateError, ValueError, TypeError, KeyError, IndexError)


@dataclass(frozen=True)
class _Row:
    """One request, ready to run: its token ids and how many new tokens it may get."""

    request: GenerationRequest
    ids: list[int]
    budget: int
    opens_reasoning: bool


class TransformersLocalBackend(Backend):
    """See the module. Needs a chat template; never runs code that comes with a model."""

    takes = frozenset({"revision", "dtype", "device", "adapter", "quantization", "chat_template"})

    def __init__(
        self, spec: ModelSpec, model: Any, tokenizer: Any, placement: Placement, max_rows: int | None = None
    ) -> None:
        """max_rows: at most so many requests at once; None chooses by device."""
        self._spec = spec
        self._model = model
        self._tokenizer = tokenizer
        self._placement = placement
        self._max_rows = max_rows or (CPU_ROWS if placement.device == "cpu" else GPU_ROWS)
        self._max_cells = _max_cells(model, placement)
        self._end_ids = _end_ids(model, tokenizer)
        self._hidden_ids = _hidden_ids(tokenizer)
        self._pad_id = _pad_id(tokenizer, self._end_ids)
        self._context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._description = self._describe()
        self._stamps = weights_stamps(spec.model, spec.adapter)

    @classmethod
    def check(cls, spec: ModelSpec) -> None:
        super().check(spec)
        if spec.quantization not in ("", *QUANTIZATIONS):
            raise ModelNotLoadable(
                f"Unknown quantization {spec.quantization!r}; "
                f"use {' or '.join(QUANTIZATIONS)} or leave it empty."
            )

    @classmethod
    def load(cls, spec: ModelSpec, max_rows: int | None = None) -> "TransformersLocalBackend":
        """Load tokenizer and weights; raise ModelNotLoadable."""
        cls.check(spec)
        placement = place(spec.device, spec.dtype, find_accelerator())
        stamps = weights_stamps(spec.model, spec.adapter)
        tokenizer, model = load_model(spec, placement)
        backend = cls(spec, model, tokenizer, placement, max_rows)
        backend._stamps = stamps  # from before: the files may change while they load
        return backend

    def generate(self, requests: Sequence[GenerationRequest], sampling: Sampling) -> list[Outcome]:
        if self._model is None:
            raise RuntimeFailure("This model was closed; load it again before generating.")
        outcomes: dict[int, Outcome] = {}
        rows: dict[int, _Row] = {}
        for position, request in enumerate(requests):
            prepared = self._prepare(request, sampling)
            if isinstance(prepared, _Row):
                rows[position] = prepared
            else:
                outcomes[position] = prepared
        for positions in self._batches(rows):
            done = self._run_or_halve([rows[position] for position in positions], sampling)
            outcomes.update(zip(positions, done, strict=True))
        return [outcomes[position] for position in range(len(requests))]

    def describe(self) -> dict[str, Any]:
        if "weights_sha256" not in self._description:
            self._description |= _hashes(self._spec, self._stamps)
        return dict(self._description)

    def close(self) -> None:
        self._model = self._tokenizer = None
        if self._placement.device != "cpu":
            import torch

            torch.cuda.empty_cache()

    def render(self, request: GenerationRequest) -> str:
        try:
            return self._text(request)
        except TEMPLATE_REFUSALS as error:
            raise RuntimeFailure(f"The model's chat template refuses this conversation: {error}") from error

    def _describe(self) -> dict[str, Any]:
        spec, config = self._spec, self._model.config
        template = str(self._tokenizer.chat_template)
        return {
            "backend": "transformers_local",
            "model": spec.model,
            "revision": spec.revision,
            "commit": getattr(config, "_commit_hash", None) or "",
            "adapter": spec.adapter,
            "quantization": spec.quantization,
            "dtype": self._placement.dtype,
            "device": self._placement.device,
            "device_reason": self._placement.reason,
            "devices": sorted({str(where) for where in getattr(self._model, "hf_device_map", {}).values()}),
            "attention": config._attn_implementation or "",
            "max_rows": self._max_rows,
            "max_cells": self._max_cells,
            "versions": _versions(spec),
            "chat_template_sha256": hashlib.sha256(template.encode()).hexdigest(),
            "chat_template_is_override": bool(spec.chat_template),
        }

    def _text(self, request: GenerationRequest) -> str:
        text: str = self._tokenizer.apply_chat_template(
            list(request.messages), tokenize=False, add_generation_prompt=True
        )
        return text

    def _prepare(self, request: GenerationRequest, sampling: Sampling) -> _Row | FailedRequest:
        try:
            text = self._text(request)
            ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        except TEMPLATE_REFUSALS as error:
            return FailedRequest(request.key, f"The model's chat template refuses this conversation: {error}")
        if not ids:
            return FailedRequest(request.key, "The prompt is empty in the model's chat format.")
        room = sampling.max_new_tokens if self._context is None else self._context - len(ids)
        if room < 1:
            return FailedRequest(
                request.key,
                f"The prompt has {len(ids)} tokens and the model's context {self._context}, which leaves "
                "no room for an answer. Shorten the prompt or use a model with a longer context.",
            )
        return _Row(request, ids, min(room, sampling.max_new_tokens), opens_reasoning(text))

    def _batches(self, rows: dict[int, _Row]) -> Iterable[list[int]]:
        """Yield positions that run together: of one budget, so that no row outgrows its context."""
        by_budget = sorted(rows, key=lambda position: rows[position].budget)
        for budget, group in groupby(by_budget, key=lambda position: rows[position].budget):
            positions = list(group)
            lengths = [len(rows[position].ids) + budget for position in positions]
            for batch in cut_by_length(lengths, self._max_rows, self._max_cells):
                yield [positions[index] for index in batch]

    def _run_or_halve(self, rows: list[_Row], sampling: Sampling) -> list[Outcome]:
        """Run rows as one batch; where memory does not suffice, as two smaller ones."""
        import torch

        try:
            return self._run(rows, sampling)
        except torch.OutOfMemoryError:
            pass  # recover outside the handler: until it is left, the failed batch keeps its memory
        torch.cuda.empty_cache()
        if len(rows) == 1:
            reason = f"The GPU has too little memory for {len(rows[0].ids)} prompt tokens and the answer."
            return [FailedRequest(rows[0].request.key, f"{reason} Lower max_new_tokens or use a larger GPU.")]
        middle = len(rows) // 2
        return self._run_or_halve(rows[:middle], sampling) + self._run_or_halve(rows[middle:], sampling)

    def _run(self, rows: list[_Row], sampling: Sampling) -> list[Outcome]:
        started = time.perf_counter()
        new_ids = self._new_ids(rows, sampling)
        seconds = (time.perf_counter() - started) / len(rows)
        return [self._completion(row, ids, seconds, sampling) for row, ids in zip(rows, new_ids, strict=True)]

    def _new_ids(self, rows: list[_Row], sampling: Sampling) -> list[list[int]]:
        """Return the generated ids of every row, the one that ended it included."""
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        width = max(len(row.ids) for row in rows)
        padding = [width - len(row.ids) for row in rows]
        ids = [[self._pad_id] * pad + row.ids for pad, row in zip(padding, rows, strict=True)]
        mask = [[0] * pad + [1] * len(row.ids) for pad, row in zip(padding, rows, strict=True)]
        device = self._model.device
        decoder = Decoder(rows[0].budget, lambda row, new_ids: self._is_over(new_ids, sampling))
        self._model.generate(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=torch.tensor(mask, device=device),
            past_key_values=roomy_cache(self._model),
            # The processors draw the token, so the decoder takes the argmax of what they return.
            logits_processor=LogitsProcessorList(
                processors(sampling, [row.request.seed for row in rows], padding, str(device))
            ),
            generation_config=GenerationConfig(
                max_new_tokens=rows[0].budget, do_sample=False, pad_token_id=self._pad_id
            ),
            custom_generate=decoder,
        )
        return decoder.new_ids

    def _is_over(self, new_ids: list[int], sampling: Sampling) -> bool:
        """Whether a row ends with its newest id: an end token, or the last of a stop text."""
        if self._ends(new_ids[-1], sampling) or not sampling.stop:
            return self._ends(new_ids[-1], sampling)
        longest = max(len(stop.encode()) for stop in sampling.stop)  # no token is shorter than a byte
        return cut_at_stop(self._decoded(new_ids[-longest - TAIL :]), sampling.stop)[1]

    def _ends(self, token: int, sampling: Sampling) -> bool:
        """Whether it is an end token, or a special token that is named as a stop text."""
        return token in self._end_ids or (
            token in self._hidden_ids and self._tokenizer.convert_ids_to_tokens(token) in sampling.stop
        )

    def _decoded(self, ids: list[int]) -> str:
        """Return the text without special tokens, but with reasoning tags, even where those are special."""
        kept = [token for token in ids if token not in self._hidden_ids]
        text: str = self._tokenizer.decode(kept, skip_special_tokens=False)
        return text

    def _completion(self, row: _Row, new_ids: list[int], seconds: float, sampling: Sampling) -> Completion:
        ends = self._ends(new_ids[-1], sampling)
        output = self._decoded(new_ids[:-1] if ends else new_ids)
        text, reasoning, is_stopped = read_output(output, sampling.stop, row.opens_reasoning)
        reason: FinishReason = "stop" if ends or is_stopped else "length"
        return Completion(
            key=row.request.key,
            text=text,
            finish_reason=reason,
            prompt_tokens=len(row.ids),
            output_tokens=len(new_ids),
            seconds=seconds,
            seed=row.request.seed,
            reasoning=reasoning,
        )


def _versions(spec: ModelSpec) -> dict[str, str]:
    packages = ["torch", "transformers", "tokenizers", "accelerate"]
    packages += ["peft"] if spec.adapter else []
    packages += ["bitsandbytes"] if spec.quantization else []
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _hashes(spec: ModelSpec, stamps: dict[str, tuple[int, int, int]]) -> dict[str, Any]:
    """Digests of a folder's weights and of the adapter's; a hub model is named by its commit instead.

    None of files that are not those of `stamps` any more: the model in memory was loaded from others.
    """
    folder = cached_folder(spec.adapter, "adapter_config.json") if spec.adapter else None
    is_fetched = folder is not None and folder != Path(spec.adapter)
    weights, adapter_weights = weights_sha256(Path(spec.model)), weights_sha256(folder)
    if weights_stamps(spec.model, spec.adapter) != stamps:
        return {"weights_sha256": {}, "adapter_weights_sha256": {}, "adapter_commit": "", "weights": CHANGED}
    return {
        "weights_sha256": weights,
        "adapter_weights_sha256": adapter_weights,
        "adapter_commit": folder.name if folder is not None and is_fetched else "",
    }


def _max_cells(model: Any, placement: Placement) -> int:
    """Return how many tokens' keys and values fit; the same on every start of the same machine."""
    return max(1, _cache_bytes(model, placement) // bytes_per_cell(model.config, model.dtype.itemsize))


def _cache_bytes(model: Any, placement: Placement) -> int:
    if placement.device == "cpu":
        return CPU_CACHE_BYTES
    import torch

    spread = range(torch.cuda.device_count()) if placement.device == BALANCED else [model.device]
    memory = sum(torch.cuda.get_device_properties(device).total_memory for device in spread)
    return int(max(0, memory - model.get_memory_footprint()) * GPU_CACHE_SHARE)


def bytes_per_cell(config: Any, itemsize: int) -> int:
    """Return the bytes of one token's keys and values in all layers of an ordinary attention model."""
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(2 * text.num_hidden_layers * heads * size * itemsize)


def _end_ids(model: Any, tokenizer: Any) -> list[int]:
    """Return the ids that end an answer, perhaps none: the model's, and its tokenizer's.

    Both, because a model tuned to chat often ends its turns with the tokenizer's while its settings
    still name the base model's.
    """
    ids = model.generation_config.eos_token_id
    own = list(ids) if isinstance(ids, list | tuple) else [ids]
    return list(dict.fromkeys(token for token in (*own, tokenizer.eos_token_id) if token is not None))


def _pad_id(tokenizer: Any, end_ids: list[int]) -> int:
    """Return any id to fill with: it is masked, so its meaning does not matter."""
    if tokenizer.pad_token_id is not None:
        return int(tokenizer.pad_token_id)
    return end_ids[0] if end_ids else 0


def _hidden_ids(tokenizer: Any) -> set[int]:
    """Return the special tokens' ids, without reasoning tags: those are needed to split what they enclose."""
    pairs = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
    return {token for token, text in pairs if not TAG.fullmatch(text)}
