"""How near to the GPU's limit answers are generated: `python benchmarks/generation_gpu.py`.

Llama-shaped models with random weights in bf16 (nothing is downloaded) answer prompts of one length with a
fixed number of tokens: through `pipeline(batch_size=8)`, and through the backend in several batch sizes.

The limit is memory bandwidth: every step reads the weights once and the keys and values of every row, so
tokens/s <= rows x bandwidth / bytes per step, with the bandwidth of a copy measured on this very GPU.
`ratio_to_limit` is against the limit at the batch size that was quickest. Exits with 2 where there is no GPU.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM, pipeline
from transformers.utils import logging

from models_runtime.backends.transformers_local import TransformersLocalBackend, bytes_per_cell
from models_runtime.demo import MODEL_PATH
from models_runtime.device import Placement
from models_runtime.types import Completion, GenerationRequest, Message, ModelSpec, Sampling

NEW_TOKENS = 256
SIZES = (8, 32, 64, 128, 256)
PIPELINE_PROMPTS = 32
PROMPT = "word " * 60
COPIED_BYTES = 2 * 2**30
BF16 = 2  # bytes


@dataclass(frozen=True)
class Shape:
    """A Llama's measures; `heads` of `head_size` share `key_heads` keys and values."""

    name: str
    hidden: int
    layers: int
    heads: int
    key_heads: int
    head_size: int
    inner: int
    vocabulary: int

    @property
    def config(self) -> LlamaConfig:
        return LlamaConfig(
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_heads,
            head_dim=self.head_size,
            intermediate_size=self.inner,
            vocab_size=self.vocabulary,
            max_position_embeddings=4096,
            tie_word_embeddings=False,
            eos_token_id=None,
            bos_token_id=None,
            pad_token_id=0,
        )

    @property
    def parameters(self) -> int:
        attention = 2 * self.hidden * self.head_size * (self.heads + self.key_heads)
        layer = attention + 3 * self.hidden * self.inner + 2 * self.hidden
        return self.layers * layer + self.hidden + 2 * self.vocabulary * self.hidden

    def bytes_per_step(self, rows: int, context: float, itemsize: int = BF16) -> float:
        """Bytes read to generate one token for every row: the weights without the input embedding (one line
        of it a row), and the keys and values of `context` tokens a row."""
        weights = (self.parameters - self.vocabulary * self.hidden) * itemsize
        return weights + rows * context * bytes_per_cell(self.config, itemsize)


SHAPES = (
    Shape("0.5B", 1024, 28, 16, 8, 128, 3072, 32_000),
    Shape("7B", 4096, 32, 32, 8, 128, 14_336, 32_000),
)


def main() -> int:
    if not torch.cuda.is_available():
        print(
            "This benchmark needs a CUDA GPU, and torch finds none here. Nothing was measured.",
            file=sys.stderr,
        )
        return 2
    logging.set_verbosity_error()
    bandwidth = copy_bandwidth("cuda")
    print(
        f"{torch.cuda.get_device_name()}, copies {bandwidth / 1e9:.0f} GB/s, {NEW_TOKENS} new tokens a prompt"
    )
    print(json.dumps({shape.name: measured(shape, bandwidth) for shape in SHAPES}))
    return 0


def measured(shape: Shape, bandwidth: float) -> dict[str, float]:
    """Measure one shape, print a line for every batch size and return the ratios."""
    backend = random_backend(shape, "cuda", torch.bfloat16)
    prompt = len(backend._tokenizer(backend.render(request(0)), add_special_tokens=False)["input_ids"])
    plain = tokens_per_s(lambda: piped(backend, PIPELINE_PROMPTS, NEW_TOKENS), "cuda")
    print(f"{shape.name:>5} {shape.parameters / 1e9:.2f} B parameters; pipeline: {plain:.0f} tokens/s")
    reached: dict[int, tuple[float, float]] = {}
    for rows in SIZES:
        speed = tokens_per_s(lambda rows=rows: ours(backend, rows, NEW_TOKENS), "cuda")  # type: ignore[misc]
        limit = rows * bandwidth / shape.bytes_per_step(rows, prompt + NEW_TOKENS / 2)
        reached[rows] = (speed, limit)
        print(f"{shape.name:>5} {rows:>4} rows: {speed:>8.0f} tokens/s, {speed / limit:.0%} of {limit:.0f}")
    speed, limit = max(reached.values())
    backend.close()
    gc.collect()
    torch.cuda.empty_cache()
    return {
        "tokens_per_s": round(speed, 1),
        "speedup_vs_pipeline": round(speed / plain, 2),
        "ratio_to_limit": round(speed / limit, 3),
    }


def random_backend(shape: Shape, device: str, dtype: torch.dtype) -> TransformersLocalBackend:
    """Return a backend whose model has random weights and never ends an answer by itself."""
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(shape.config).eval()
    finally:
        torch.set_default_dtype(torch.float32)
    placement = Placement(device, str(dtype).removeprefix("torch."), "The benchmark chose it.")
    tokenizer = AutoTokenizer.from_pretrained(MODEL_PATH)
    backend = TransformersLocalBackend(
        ModelSpec("transformers_local", shape.name), model, tokenizer, placement, max(SIZES)
    )
    backend._end_ids = []
    return backend


def request(number: int) -> GenerationRequest:
    return GenerationRequest(str(number), (Message(role="user", content=PROMPT),), number)


def ours(backend: TransformersLocalBackend, rows: int, new_tokens: int) -> int:
    """Answer `rows` prompts as one batch and return the number of generated tokens."""
    backend._max_rows = rows
    outcomes = backend.generate(
        [request(number) for number in range(rows)], Sampling(max_new_tokens=new_tokens)
    )
    done = [outcome for outcome in outcomes if isinstance(outcome, Completion)]
    if len(done) != rows:
        raise SystemExit(f"{rows - len(done)} of {rows} prompts failed; they did not fit.")
    return sum(outcome.output_tokens for outcome in done)


def piped(backend: TransformersLocalBackend, prompts: int, new_tokens: int) -> int:
    """The library's pipeline in batches of 8; returns the number of generated tokens."""
    tokenizer: Any = backend._tokenizer
    tokenizer.padding_side = "left"
    config = GenerationConfig(max_new_tokens=new_tokens, do_sample=False, pad_token_id=0)
    pipe = pipeline("text-generation", model=backend._model, tokenizer=tokenizer, batch_size=8)
    texts = [backend.render(request(number)) for number in range(prompts)]
    outputs = pipe(texts, return_tensors=True, add_special_tokens=False, generation_config=config)
    given = len(tokenizer(texts[0], add_special_tokens=False)["input_ids"])
    return sum(len(output[0]["generated_token_ids"]) - given for output in outputs)


def tokens_per_s(way: Callable[[], int], device: str) -> float:
    """Return the speed of the second of two calls; the first one warms up."""
    way()
    _wait(device)
    started = time.perf_counter()
    tokens = way()
    _wait(device)
    return tokens / (time.perf_counter() - started)


def copy_bandwidth(device: str, size: int = COPIED_BYTES, repeats: int = 10) -> float:
    """Return bytes/s read and written by copying `size` bytes on the device."""
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    _wait(device)
    started = time.perf_counter()
    for _ in range(repeats):
        target.copy_(source)
    _wait(device)
    return 2 * size * repeats / (time.perf_counter() - started)


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main())
