"""How long all demo prompts take on both arms on the CPU: `python benchmarks/demo_generation.py`.

`demo_run_seconds` counts loading the model too; tokens/s and the gain over single requests do not.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from models_runtime.backends.transformers_local import CPU_ROWS, TransformersLocalBackend
from models_runtime.demo import ARMS, MODEL_PATH, conversation, load_corpus
from models_runtime.types import Completion, GenerationRequest, ModelSpec, Sampling

ONE_BY_ONE_SAMPLE = 16


def main() -> None:
    print(f"{'batch size':>10} {'answers':>8} {'load s':>7} {'seconds':>8} {'tokens/s':>9}")
    loading, seconds, speed = measure(CPU_ROWS, requests())
    _, _, single_speed = measure(1, requests()[:: len(requests()) // ONE_BY_ONE_SAMPLE])
    print(
        json.dumps(
            {
                "demo_run_seconds": round(loading + seconds, 2),
                "tokens_per_s": round(speed, 1),
                "speedup_vs_one_by_one": round(speed / single_speed, 2),
            }
        )
    )


def requests() -> list[GenerationRequest]:
    """Return every demo prompt for every arm."""
    return [
        GenerationRequest(f"{prompt.key}/{arm['name']}", conversation(prompt.prompt, arm), seed=0)
        for prompt in load_corpus()
        for arm in ARMS
    ]


def measure(max_rows: int, asked: list[GenerationRequest]) -> tuple[float, float, float]:
    """Return (seconds to load, seconds to answer `asked`, generated tokens per second), and print them."""
    started = time.perf_counter()
    backend = TransformersLocalBackend.load(
        ModelSpec("transformers_local", str(MODEL_PATH), device="cpu"), max_rows
    )
    loaded = time.perf_counter()
    outcomes = backend.generate(asked, Sampling.from_dict(ARMS[0]["sampling"]))
    seconds = time.perf_counter() - loaded
    backend.close()
    tokens = sum(outcome.output_tokens for outcome in outcomes if isinstance(outcome, Completion))
    print(f"{max_rows:>10} {len(asked):>8} {loaded - started:>7.2f} {seconds:>8.2f} {tokens / seconds:>9.1f}")
    return loaded - started, seconds, tokens / seconds


if __name__ == "__main__":
    main()
