"""How quickly answers are generated on a CPU: `python benchmarks/generation.py [--threads N]`.

200 prompts of mixed length through the demo model, in five ways, all in one process and in the same order of
turns, greedy, with the demo's limit of new tokens. Medians of the rounds; every way must give the same texts.

- one by one: the library's `generate`, a prompt at a time (every 8th prompt; tokens/s is what counts)
- static batches: the library's `generate` on prompts sorted by length, padded left, in several batch sizes
- pipeline: the library's `pipeline("text-generation", batch_size=8)`
- ours: the backend as it is
- continuous: the library's `generate_batch`

`speedup_vs_one_by_one` and `ratio_to_best_static` compare tokens/s of ours. `overhead` is what database and
queue add to a whole run through a real worker, as benchmarks/queue_overhead.py measures it afterwards. One
thread is the default: on a machine that others use too, threads that wait for one another measure the others.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from transformers import GenerationConfig, pipeline
from transformers.utils import logging

from models_runtime.backends.transformers_local import TransformersLocalBackend
from models_runtime.demo import ARMS, MODEL_PATH, conversation, load_corpus
from models_runtime.types import Completion, GenerationRequest, ModelSpec, Sampling

PROMPTS = 200
ROUNDS = 3
ONE_BY_ONE_STEP = 8
STATIC_SIZES = (16, 32, 64, 128)
LIMIT = Sampling.from_dict(ARMS[0]["sampling"]).max_new_tokens
END, PAD = 2, 0  # of the demo model

Texts = dict[int, str]
Way = Callable[[], tuple[Texts, int]]


class Asked:
    """The model, loaded once for every way, and the prompts in its chat format."""

    def __init__(self) -> None:
        self.backend = TransformersLocalBackend.load(
            ModelSpec("transformers_local", str(MODEL_PATH), device="cpu")
        )
        self.model: Any = self.backend._model
        self.tokenizer: Any = self.backend._tokenizer
        conversations = [conversation(prompt.prompt, arm) for prompt in load_corpus() for arm in ARMS]
        self.requests = [
            GenerationRequest(str(number), messages, seed=number)
            for number, messages in enumerate(islice(cycle(_mixed(conversations)), PROMPTS))
        ]
        self.prompts = [self.backend.render(request) for request in self.requests]

    def ids(self, number: int) -> list[int]:
        ids: list[int] = self.tokenizer(self.prompts[number], add_special_tokens=False)["input_ids"]
        return ids

    def text(self, new_ids: list[int]) -> tuple[str, int]:
        """Return the answer and its tokens, the end token included and nothing after it."""
        kept = new_ids[: new_ids.index(END) + 1] if END in new_ids else new_ids
        return self.tokenizer.decode(kept, skip_special_tokens=True), len(kept)


def _mixed(conversations: list[Any]) -> list[Any]:
    """Half of the prompts as they are, half behind an earlier turn, so that lengths differ by more."""
    earlier = (
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hello! Ask me anything."},
    )
    return [
        (messages[0], *earlier, *messages[1:]) if number % 4 == 3 else messages
        for number, messages in enumerate(conversations)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="How quickly answers are generated on a CPU.")
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    logging.set_verbosity_error()
    asked = Asked()
    ways = _ways(asked)
    speeds, texts = measured(ways)
    print(
        f"{PROMPTS} prompts of {min(map(len, map(asked.ids, range(PROMPTS))))} to "
        f"{max(map(len, map(asked.ids, range(PROMPTS))))} tokens, {torch.get_num_threads()} thread(s), "
        f"medians of {ROUNDS} rounds"
    )
    for name, speed in speeds.items():
        same = sum(texts[name][number] == texts["ours"][number] for number in texts[name])
        print(f"{name:<24} {speed:>8.0f} tokens/s   {same} of {len(texts[name])} texts as ours")
    result = {**ratios(speeds), "overhead": queue_overhead()}
    print(json.dumps({name: round(value, 3) for name, value in result.items()}))


def queue_overhead() -> float:
    """Return time beyond the model's own over the model's own.

    In a process of its own, because that benchmark makes an installation of its own.
    """
    command = [sys.executable, str(Path(__file__).with_name("queue_overhead.py")), "--overhead-only"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(said.rpartition("\n{")[0])
    return float(json.loads(said.splitlines()[-1])["overhead"])


def ratios(speeds: dict[str, float]) -> dict[str, float]:
    """What is promised of the backend itself, from tokens/s by way."""
    best = max(speed for name, speed in speeds.items() if name.startswith("static"))
    return {
        "speedup_vs_one_by_one": speeds["ours"] / speeds["one by one"],
        "ratio_to_best_static": speeds["ours"] / best,
        "speedup_vs_pipeline": speeds["ours"] / speeds["pipeline, batches of 8"],
        "continuous_ratio": speeds["continuous"] / speeds["ours"],
    }


def _ways(asked: Asked) -> dict[str, Way]:
    return {
        "one by one": lambda: static(asked, 1, range(0, PROMPTS, ONE_BY_ONE_STEP)),
        **{f"static, batches of {size}": _static(asked, size) for size in STATIC_SIZES},
        "pipeline, batches of 8": lambda: piped(asked),
        "ours": lambda: ours(asked),
        "continuous": lambda: continuous(asked),
    }


def measured(ways: dict[str, Way]) -> tuple[dict[str, float], dict[str, Texts]]:
    """Return median tokens/s and the texts by way. Rounds take turns, so a busy minute meets all of them."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, Texts] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            texts[name], tokens = way()
            found[name].append(tokens / (time.perf_counter() - started))
    return {name: statistics.median(speeds) for name, speeds in found.items()}, texts


def _static(asked: Asked, size: int) -> Way:
    return lambda: static(asked, size, range(PROMPTS))


def static(asked: Asked, size: int, numbers: range) -> tuple[Texts, int]:
    """The library's `generate` on batches of like length, as one would write it by hand."""
    ordered = sorted(numbers, key=lambda number: len(asked.ids(number)))
    answered = [pair for batch in _cut(ordered, size) for pair in _generated(asked, batch)]
    return _counted(asked, answered)


def _cut(numbers: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def _generated(asked: Asked, batch: list[int]) -> list[tuple[int, list[int]]]:
    ids = [asked.ids(number) for number in batch]
    width = max(map(len, ids))
    output = asked.model.generate(
        input_ids=torch.tensor([[PAD] * (width - len(row)) + row for row in ids]),
        attention_mask=torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids]),
        generation_config=_config(),
    )
    return list(zip(batch, output[:, width:].tolist(), strict=True))


def _config() -> GenerationConfig:
    return GenerationConfig(max_new_tokens=LIMIT, do_sample=False, eos_token_id=END, pad_token_id=PAD)


def piped(asked: Asked) -> tuple[Texts, int]:
    asked.tokenizer.padding_side = "left"
    pipe = pipeline("text-generation", model=asked.model, tokenizer=asked.tokenizer, batch_size=8)
    outputs = pipe(
        asked.prompts, return_full_text=False, add_special_tokens=False, generation_config=_config()
    )
    texts = {number: output[0]["generated_text"] for number, output in enumerate(outputs)}
    return texts, sum(
        len(asked.tokenizer(text, add_special_tokens=False)["input_ids"]) + 1 for text in texts.values()
    )


def ours(asked: Asked) -> tuple[Texts, int]:
    outcomes = asked.backend.generate(asked.requests, Sampling(max_new_tokens=LIMIT))
    done = [outcome for outcome in outcomes if isinstance(outcome, Completion)]
    if len(done) != PROMPTS:
        raise SystemExit(f"{PROMPTS - len(done)} of {PROMPTS} prompts failed.")
    return {int(one.key): one.text for one in done}, sum(one.output_tokens for one in done)


def continuous(asked: Asked) -> tuple[Texts, int]:
    outputs = asked.model.generate_batch(
        inputs=[asked.ids(number) for number in range(PROMPTS)],
        generation_config=_config(),
        progress_bar=False,
    )
    ids = [list(output.generated_tokens) for output in outputs.values()]
    return _counted(asked, list(enumerate(ids)))


def _counted(asked: Asked, answered: list[tuple[int, list[int]]]) -> tuple[Texts, int]:
    done = {number: asked.text(ids) for number, ids in answered}
    return {number: text for number, (text, _) in done.items()}, sum(tokens for _, tokens in done.values())


if __name__ == "__main__":
    main()
