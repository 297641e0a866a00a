"""The arithmetic of the generation benchmarks, and that the one for GPUs runs at all, on a tiny shape."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from transformers import DynamicCache, LlamaForCausalLM

pytestmark = pytest.mark.once
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


gpu = load("generation_gpu")
generation = load("generation")
training = load("training_gpu")
TINY = gpu.Shape("tiny", 32, 3, 4, 2, 16, 48, 2048)


def test_parameters_are_counted_as_the_model_counts_them() -> None:
    assert TINY.parameters == LlamaForCausalLM(TINY.config).num_parameters()


@pytest.mark.parametrize(("shape", "billions"), [(gpu.SHAPES[0], 0.5), (gpu.SHAPES[1], 7.0)])
def test_the_shapes_are_about_as_large_as_their_names(shape: "gpu.Shape", billions: float) -> None:
    assert shape.parameters / 1e9 == pytest.approx(billions, rel=0.1)


def test_a_step_reads_the_weights_and_what_the_cache_holds() -> None:
    model = LlamaForCausalLM(TINY.config)
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(torch.zeros((5, 7), dtype=torch.long), past_key_values=cache)
    cached = sum(t.numel() for layer in cache.layers for t in (layer.keys, layer.values))
    read = model.num_parameters() - model.get_input_embeddings().weight.numel()
    assert TINY.bytes_per_step(rows=5, context=7) == 2 * (read + cached)


def test_it_measures_a_tiny_model_on_the_cpu() -> None:
    backend = gpu.random_backend(TINY, "cpu", torch.bfloat16)
    assert gpu.ours(backend, 4, 6) == 24
    assert gpu.piped(backend, 9, 6) == 54
    assert gpu.copy_bandwidth("cpu", size=2**20, repeats=2) > 0


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpu.main() == 2
    assert "needs a CUDA GPU" in capsys.readouterr().err


def test_ours_is_compared_with_the_best_static_batch() -> None:
    speeds = {"one by one": 10.0, "static, batches of 8": 50.0, "static, batches of 16": 80.0}
    speeds |= {"pipeline, batches of 8": 40.0, "ours": 100.0, "continuous": 25.0}
    found = generation.ratios(speeds)
    assert (found["speedup_vs_one_by_one"], found["ratio_to_best_static"]) == (10.0, 1.25)


@pytest.mark.slow
def test_the_training_benchmark_runs_on_a_tiny_model(capsys: pytest.CaptureFixture) -> None:
    assert training.main(["--tiny"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    for part in ("reward", "grpo"):
        rates = found[part]
        assert rates["ratio"] == pytest.approx(rates["ours_tokens_per_s"] / rates["trl_tokens_per_s"])
        assert rates["ours_tokens_per_s"] > 0


def test_the_training_benchmark_says_that_there_is_no_gpu(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training.main([]) == 2
    assert "There is no GPU here" in capsys.readouterr().err
