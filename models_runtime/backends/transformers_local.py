"""Models of the `transformers` library, loaded into this process: a local folder or a hub name.

Batch composition: greedy text and seeded text do not depend on which requests share a batch *by design*
(left padding is masked, every row has its own noise). One thing remains: matrix products of different shapes
round differently in the last bits, more so in bfloat16. Where two tokens are almost equally likely, that may
tip the choice, and the text differs from there on. Exact repetition needs the same machine, library versions,
dtype and batch limits.
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

from models_runtime.base import Backend
from models_runtime.batching import cut_by_length
from models_runtime.device import Placement, find_accelerator, place
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
CPU_ROWS, CPU_CELLS = 32, 16_384
GPU_ROWS, GPU_CELLS = 64, 65_536


TEMPLATE_REFUSALS = (jinja2.TemplateError, ValueError, TypeError, KeyError, IndexError)


@dataclass(frozen=True)
class _Row:
    """One request, ready to run: its token ids and how many new tokens it may get."""

    request: GenerationRequest
    ids: list[int]
    budget: int


class TransformersLocalBackend(Backend):
    """See the module. Needs a chat template; never runs code that comes with a model."""

    def __init__(
        self, spec: ModelSpec, model: Any, tokenizer: Any, placement: Placement, max_rows: int | None = None
    ) -> None:
        """max_rows: at most so many requests at once; None chooses by device."""
        self._spec = spec
        self._model = model
        self._tokenizer = tokenizer
        self._placement = placement
        is_cpu = placement.device == "cpu"
        self._max_rows = max_rows or (CPU_ROWS if is_cpu else GPU_ROWS)
        self._max_cells = CPU_CELLS if is_cpu else GPU_CELLS
        self._end_ids = _end_ids(model, tokenizer)
        self._pad_id = _pad_id(tokenizer, self._end_ids)
        self._context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._weights_sha256: dict[str, str] | None = None

    @classmethod
    def load(cls, spec: ModelSpec, max_rows: int | None = None) -> "TransformersLocalBackend":
        """Load tokenizer and weights; raise ModelNotLoadable."""
        _require_folder_or_hub_name(spec.model)
        placement = place(spec.device, spec.dtype, find_accelerator())
        try:
            tokenizer, model = _load(spec, placement)
        except Exception as error:  # the libraries raise a dozen kinds, and each means the same to the caller
            raise ModelNotLoadable(_why_not_loaded(spec, error)) from error
        if not tokenizer.chat_template:
            raise ModelNotLoadable(
                f"The tokenizer of {spec.model} has no chat template, so prompts cannot be put into "
                "its format. Use a chat (instruct) model, or add chat_template.jinja to its folder."
            )
        return cls(spec, model, tokenizer, placement, max_rows)

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
        if self._weights_sha256 is None:
            self._weights_sha256 = _weights_sha256(Path(self._spec.model))
        template = self._tokenizer.chat_template if self._tokenizer else ""
        return {
            "backend": "transformers_local",
            "model": self._spec.model,
            "revision": self._spec.revision,
            "commit": getattr(self._model.config, "_commit_hash", None) or "" if self._model else "",
            "weights_sha256": self._weights_sha256,
            "dtype": self._placement.dtype,
            "device": self._placement.device,
            "device_reason": self._placement.reason,
            "max_rows": self._max_rows,
            "versions": {
                "python": platform.python_version(),
                "torch": version("torch"),
                "transformers": version("transformers"),
            },
            "chat_template_sha256": hashlib.sha256(str(template).encode()).hexdigest(),
        }

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

    def _text(self, request: GenerationRequest) -> str:
        text: str = self._tokenizer.apply_chat_template(
            list(request.messages), tokenize=False, add_generation_prompt=True
        )
        return text

    def _encode(self, request: GenerationRequest) -> list[int]:
        ids: list[int] = self._tokenizer(self._text(request), add_special_tokens=False)["input_ids"]
        return ids

    def _prepare(self, request: GenerationRequest, sampling: Sampling) -> _Row | FailedRequest:
        try:
            ids = self._encode(request)
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
        return _Row(request, ids, min(room, sampling.max_new_tokens))

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
        return [self._completion(row, ids, seconds) for row, ids in zip(rows, new_ids, strict=True)]

    def _new_ids(self, rows: list[_Row], sampling: Sampling) -> list[list[int]]:
        """Return the generated ids of every row, with whatever follows its end token."""
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        width = max(len(row.ids) for row in rows)
        padding = [width - len(row.ids) for row in rows]
        ids = [[self._pad_id] * pad + row.ids for pad, row in zip(padding, rows, strict=True)]
        mask = [[0] * pad + [1] * len(row.ids) for pad, row in zip(padding, rows, strict=True)]
        device = self._placement.device
        output = self._model.generate(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=torch.tensor(mask, device=device),
            # The processors draw the token, so the library is to take the argmax of what they return.
            logits_processor=LogitsProcessorList(
                processors(sampling, [row.request.seed for row in rows], padding, device)
            ),
            generation_config=GenerationConfig(
                max_new_tokens=rows[0].budget,
                do_sample=False,
                eos_token_id=self._end_ids or None,
                pad_token_id=self._pad_id,
            ),
        )
        new_ids: list[list[int]] = output[:, width:].tolist()
        return new_ids

    def _completion(self, row: _Row, new_ids: list[int], seconds: float) -> Completion:
        end = next((at for at, token in enumerate(new_ids) if token in self._end_ids), None)
        reason: FinishReason = "length" if end is None else "stop"
        return Completion(
            key=row.request.key,
            text=self._tokenizer.decode(new_ids[:end], skip_special_tokens=True),
            finish_reason=reason,
            prompt_tokens=len(row.ids),
            output_tokens=len(new_ids) if end is None else end + 1,
            seconds=seconds,
            seed=row.request.seed,
        )


def _require_folder_or_hub_name(model: str) -> None:
    """Refuse early what looks like a path and is none, before the hub is asked for it."""
    looks_like_path = model.startswith(("/", "./", "../", "~")) or model.count("/") > 1
    if not model or (looks_like_path and not Path(model).is_dir()):
        raise ModelNotLoadable(
            f"There is no folder {model!r}. Give the folder of a saved model or a hub name such as org/name."
        )


def _load(spec: ModelSpec, placement: Placement) -> tuple[Any, Any]:
    """Return (tokenizer, model): from a folder or the hub's cache if they are there, else from the hub.

    The cache comes first because, without a network, every file asked of the hub costs many seconds of
    retries. A cached branch is therefore used as it is; `describe` names its commit.
    """
    try:
        return _load_files(spec, placement, local_files_only=True)
    except (OSError, ValueError):
        if Path(spec.model).is_dir():
            raise
    return _load_files(spec, placement, local_files_only=False)


def _load_files(spec: ModelSpec, placement: Placement, local_files_only: bool) -> tuple[Any, Any]:
    """Return (tokenizer, model in evaluation mode on its device)."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    where: dict[str, Any] = {"revision": spec.revision or "main", "local_files_only": local_files_only}
    tokenizer = AutoTokenizer.from_pretrained(spec.model, **where)
    model: Any = AutoModelForCausalLM.from_pretrained(
        spec.model, dtype=getattr(torch, placement.dtype), device_map={"": placement.device}, **where
    )
    # A model may ship sampling defaults (a penalty, a top-k); only what the arm says may count.
    model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)
    return tokenizer, model.eval()


def _why_not_loaded(spec: ModelSpec, error: Exception) -> str:
    revision = f" at revision {spec.revision}" if spec.revision else ""
    first_line = (str(error).strip().splitlines() or [""])[0]
    cause = f"{type(error).__name__}: {first_line}"
    if Path(spec.model).is_dir():
        return (
            f"The folder {spec.model} could not be loaded as a model ({cause}). It needs config.json, the "
            "tokenizer's files and complete weights (*.safetensors)."
        )
    return (
        f"{spec.model}{revision} is no folder here and could not be fetched from the model hub ({cause}). "
        "Check the name and the network, log in for a gated model, or download it and give the folder."
    )


def _end_ids(model: Any, tokenizer: Any) -> list[int]:
    """Return the ids that end an answer, as the model says or else its tokenizer; perhaps none."""
    ids = model.generation_config.eos_token_id
    if ids is None:
        ids = tokenizer.eos_token_id
    if ids is None:
        return []
    return list(ids) if isinstance(ids, list | tuple) else [ids]


def _pad_id(tokenizer: Any, end_ids: list[int]) -> int:
    """Return any id to fill with: it is masked, so its meaning does not matter."""
    if tokenizer.pad_token_id is not None:
        return int(tokenizer.pad_token_id)
    return end_ids[0] if end_ids else 0


def _weights_sha256(folder: Path) -> dict[str, str]:
    """Return file name → SHA-256 of the weights in a local folder; empty for a hub name."""
    if not folder.is_dir():
        return {}
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    return {path.name: _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
