"""What is particular to models of the transformers library, asked of the demo model on the CPU."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from models_runtime.backends.transformers_local import TransformersLocalBackend
from models_runtime.base import Backend
from models_runtime.demo import ARMS, MODEL_PATH, conversation, load_corpus
from models_runtime.errors import ModelNotLoadable, RuntimeFailure
from models_runtime.registry import load_backend
from models_runtime.types import Completion, FailedRequest, GenerationRequest, Message, ModelSpec, Sampling
from tests.runtime.asking import GREEDY, HOT, PROMPTS, answers, ask, texts
from tests.runtime.conftest import DEMO

pytestmark = pytest.mark.once
LONG = "word " * 2_000


@pytest.fixture
def copied_model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL_PATH, tmp_path / "model"))


def load(folder: Path, device: str = "cpu", dtype: str = "auto") -> Backend:
    return load_backend(ModelSpec("transformers_local", str(folder), device=device, dtype=dtype))


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampling",
    [GREEDY, HOT, Sampling(temperature=0.8, top_k=20, top_p=0.9, repetition_penalty=1.2, max_new_tokens=24)],
    ids=["greedy", "hot", "filtered"],
)
def test_text_does_not_depend_on_the_rest_of_the_batch(demo_model: Backend, sampling: Sampling) -> None:
    requests = [ask(prompt, seed=position) for position, prompt in enumerate(PROMPTS)]
    together = texts(demo_model, requests, sampling)
    assert together == [texts(demo_model, [request], sampling)[0] for request in requests]
    assert together == texts(demo_model, requests[::-1], sampling)[::-1]


def test_the_tokenizers_end_token_ends_an_answer_too(copied_model: Path, demo_model: Backend) -> None:
    settings = copied_model / "generation_config.json"
    named = json.loads(settings.read_text())
    settings.write_text(json.dumps(named | {"eos_token_id": 5}))  # as of a base model that was tuned further
    request = GenerationRequest("known", conversation(load_corpus()[0].prompt, ARMS[0]), 0)
    ends, found = (
        answers(m, [request], Sampling(max_new_tokens=160))[0] for m in (demo_model, load(copied_model))
    )
    assert ends.finish_reason == "stop"
    assert (found.text, found.finish_reason) == (ends.text, "stop")


def test_batches_of_different_sizes_give_the_same_texts(demo_model: Backend) -> None:
    requests = [ask(prompt, seed=3) for prompt in PROMPTS]
    small = TransformersLocalBackend.load(DEMO, max_rows=3)
    assert texts(small, requests, GREEDY) == texts(demo_model, requests, GREEDY)


def test_token_counts_are_the_tokenizers_without_padding(demo_model: Backend) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(MODEL_PATH)
    known = [(conversation(p.prompt, ARMS[0]), p.answers[ARMS[0]["name"]]) for p in load_corpus()]
    requests = [GenerationRequest(answer, messages, 0) for messages, answer in known if len(answer) < 60]
    completions = answers(demo_model, requests, GREEDY)
    for request, completion in zip(requests, completions, strict=True):
        prompt = tokenizer.apply_chat_template(
            list(request.messages), add_generation_prompt=True, return_dict=True
        )
        assert completion.prompt_tokens == len(prompt["input_ids"])
        ids = tokenizer(completion.text, add_special_tokens=False)["input_ids"]
        assert completion.output_tokens == len(ids) + (completion.finish_reason == "stop")  # the end token
    assert "stop" in {completion.finish_reason for completion in completions}


def test_text_holds_no_special_token(demo_model: Backend) -> None:
    assert not any("<|" in text for text in texts(demo_model, [ask(p) for p in PROMPTS], HOT))


def test_a_prompt_longer_than_the_context_fails_alone(demo_model: Backend) -> None:
    long, short = demo_model.generate([ask(LONG, key="long"), ask(PROMPTS[0])], GREEDY)
    assert isinstance(long, FailedRequest)
    assert long.key == "long"
    assert "context 512" in long.reason
    assert isinstance(short, Completion)


def test_an_answer_ends_where_the_context_does(demo_model: Backend) -> None:
    one, eleven = (
        answers(demo_model, [ask("word " * n)], Sampling(max_new_tokens=1))[0].prompt_tokens for n in (1, 11)
    )
    nearly_full = ask("word " * (1 + (495 - one) * 10 // (eleven - one)))
    completion = answers(demo_model, [nearly_full], Sampling(temperature=10.0, max_new_tokens=600))[0]
    assert completion.finish_reason == "length"
    assert completion.prompt_tokens + completion.output_tokens == 512


@pytest.mark.parametrize(("rows_that_fit", "failures"), [(1, 0), (0, len(PROMPTS))])
def test_a_batch_too_large_for_the_memory_is_halved(
    monkeypatch: pytest.MonkeyPatch, rows_that_fit: int, failures: int
) -> None:
    backend = TransformersLocalBackend.load(DEMO)
    generate = backend._model.generate

    def short_of_memory(**arguments: Any) -> torch.Tensor:
        if len(arguments["input_ids"]) > rows_that_fit:
            raise torch.OutOfMemoryError
        return generate(**arguments)

    monkeypatch.setattr(backend._model, "generate", short_of_memory)
    outcomes = backend.generate([ask(prompt) for prompt in PROMPTS], GREEDY)
    assert [outcome.key for outcome in outcomes] == list(PROMPTS)
    assert sum(isinstance(outcome, FailedRequest) for outcome in outcomes) == failures


def test_a_template_that_refuses_a_conversation_fails_that_request(copied_model: Path) -> None:
    refuses_system = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{{ messages[0]['content'] }}"
    )
    set_tokenizer(copied_model, chat_template=refuses_system)
    system = Message(role="system", content="Be kind.")
    requests = [GenerationRequest("system", (system, *ask("Why?").messages), 0), ask("Why?")]
    refused, answered = load(copied_model).generate(requests, GREEDY)
    assert isinstance(refused, FailedRequest) and "no system role" in refused.reason
    assert isinstance(answered, Completion)


def test_sampling_defaults_shipped_with_a_model_do_not_count(copied_model: Path, demo_model: Backend) -> None:
    path = copied_model / "generation_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "repetition_penalty": 5.0, "do_sample": True, "top_k": 3}))
    requests = [ask(PROMPTS[0])]
    assert texts(load(copied_model), requests, GREEDY) == texts(demo_model, requests, GREEDY)


def test_it_describes_weights_versions_and_the_reason_for_the_device(demo_model: Backend) -> None:
    description = demo_model.describe()
    weights = (MODEL_PATH / "model.safetensors").read_bytes()
    assert description["weights_sha256"] == {"model.safetensors": hashlib.sha256(weights).hexdigest()}
    assert description["dtype"] == "float32"
    assert "asked for" in description["device_reason"]
    assert set(description["versions"]) == {"python", "torch", "transformers", "tokenizers", "accelerate"}


def test_it_honours_an_explicit_dtype() -> None:
    assert load(MODEL_PATH, dtype="bfloat16").describe()["dtype"] == "bfloat16"


def set_tokenizer(folder: Path, **changes: str | None) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(ModelNotLoadable, match="no folder '/no/such/model'"):
        load(Path("/no/such/model"))


def test_a_model_without_chat_template_is_refused(copied_model: Path) -> None:
    set_tokenizer(copied_model, chat_template=None)
    with pytest.raises(ModelNotLoadable, match="no chat template"):
        load(copied_model)


def test_broken_weights_are_refused(copied_model: Path) -> None:
    weights = copied_model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelNotLoadable, match="could not be loaded"):
        load(copied_model)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotLoadable, match=r"config\.json"):
        load(tmp_path)


def test_a_hub_name_that_cannot_be_reached_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotLoadable, match="could not be fetched from the model hub"):
        load_backend(ModelSpec("transformers_local", "nobody-here/no-such-model"))


def test_cuda_without_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelNotLoadable, match="finds no GPU"):
        load(MODEL_PATH, device="cuda")


def test_it_renders_the_very_text_that_it_encodes(demo_model: Backend) -> None:
    request = GenerationRequest("key", conversation(PROMPTS[0], ARMS[0]), 0)
    text = demo_model.render(request)
    assert ARMS[0]["system_prompt"] in text and PROMPTS[0] in text
    ids = AutoTokenizer.from_pretrained(MODEL_PATH)(text, add_special_tokens=False)["input_ids"]
    assert answers(demo_model, [request], GREEDY)[0].prompt_tokens == len(ids)


def test_a_conversation_that_the_template_refuses_is_said(copied_model: Path) -> None:
    settings = copied_model / "tokenizer_config.json"
    config = json.loads(settings.read_text())
    config["chat_template"] = "{{ raise_exception('no system turn here') }}"
    settings.write_text(json.dumps(config))
    with pytest.raises(RuntimeFailure, match="no system turn here"):
        load(copied_model).render(ask(PROMPTS[0]))
