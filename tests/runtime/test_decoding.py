"""Rows that leave the batch, the cache that grows by blocks, stop texts and hidden reasoning."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache

from models_runtime.backends import decoding
from models_runtime.backends.cache import BLOCK, roomy_cache
from models_runtime.backends.transformers_local import TransformersLocalBackend
from models_runtime.base import Backend
from models_runtime.demo import ARMS, MODEL_PATH, conversation, load_corpus
from models_runtime.types import GenerationRequest, Message, ModelSpec, Sampling
from tests.runtime.asking import GREEDY, PROMPTS, answers, ask, texts
from tests.runtime.conftest import DEMO

pytestmark = pytest.mark.once
FULL = Sampling(max_new_tokens=160)
OPENED = "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
OPENED += "{{ '<|assistant|><think>\n' }}"


def known(count: int) -> list[GenerationRequest]:
    """Demo prompts, whose answers have very different lengths."""
    return [GenerationRequest(p.key, conversation(p.prompt, ARMS[0]), 0) for p in load_corpus()[:count]]


def test_the_cache_holds_what_the_librarys_holds() -> None:
    model: Any = AutoModelForCausalLM.from_pretrained(MODEL_PATH, dtype=torch.float32)
    ours, theirs = roomy_cache(model), DynamicCache(config=model.config)
    torch.manual_seed(0)
    for length in (BLOCK - 1, 1, 1, BLOCK, 3):
        states = torch.randn(2, 5, 2, length, 64).unbind(0)
        got = ours.update(states[0], states[1], 0)
        wanted = theirs.update(states[0], states[1], 0)
        assert all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True))
    for cache in (ours, theirs):
        cache.batch_select_indices(torch.tensor([4, 1]))
    assert torch.equal(ours.layers[0].keys, theirs.layers[0].keys)
    assert ours.get_seq_length() == theirs.get_seq_length() == 2 * BLOCK + 4


@pytest.mark.slow
def test_rows_that_have_ended_leave_and_change_no_text(
    monkeypatch: pytest.MonkeyPatch, demo_model: Backend
) -> None:
    requests = known(6)
    sizes: list[int] = []
    keep = decoding._keep

    def watched(kept: list[int], *rest: Any) -> bool:
        sizes.append(len(kept))
        return keep(kept, *rest)

    monkeypatch.setattr(decoding, "_keep", watched)
    leaving = texts(demo_model, requests, FULL)
    assert len(sizes) > 2 and sizes == sorted(sizes, reverse=True)
    monkeypatch.setattr(decoding, "_keep", lambda *arguments: False)
    assert texts(demo_model, requests, FULL) == leaving


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampling", [FULL, Sampling(temperature=1.0, repetition_penalty=1.2, max_new_tokens=60)]
)
def test_decoding_gives_what_the_library_gives_row_by_row(demo_model: Backend, sampling: Sampling) -> None:
    requests = known(6)
    assert texts(demo_model, requests, sampling) == [texts(demo_model, [r], sampling)[0] for r in requests]


@pytest.mark.slow
def test_greedy_decoding_is_the_librarys_own(demo_model: TransformersLocalBackend) -> None:
    tokenizer, model = demo_model._tokenizer, demo_model._model
    for request, completion in zip(known(4), answers(demo_model, known(4), FULL), strict=True):
        ids = tokenizer(demo_model.render(request), add_special_tokens=False, return_tensors="pt")
        output = model.generate(**ids, max_new_tokens=160, do_sample=False, eos_token_id=2, pad_token_id=0)
        new = output[0, ids["input_ids"].shape[1] :]
        assert completion.text == tokenizer.decode(new, skip_special_tokens=True)
        assert completion.output_tokens == len(new)


def test_a_stop_text_cuts_exactly_and_costs_no_more_tokens(demo_model: Backend) -> None:
    request = known(1)
    whole = answers(demo_model, request, FULL)[0]
    stop = whole.text[40:47]
    cut = answers(demo_model, request, Sampling(max_new_tokens=160, stop=("never said", stop)))[0]
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.output_tokens < whole.output_tokens / 2


def test_a_stop_text_ends_its_own_row_only(demo_model: Backend) -> None:
    requests = known(6)
    plain = texts(demo_model, requests, FULL)
    stop = plain[0][20:30]
    stopped = texts(demo_model, requests, Sampling(max_new_tokens=160, stop=(stop,)))
    assert stopped == [text.split(stop)[0] for text in plain]
    assert stopped[0] != plain[0]


def test_a_special_token_can_be_a_stop_text(demo_model: Backend) -> None:
    completion = answers(demo_model, known(1), Sampling(max_new_tokens=160, stop=("<|end|>",)))[0]
    assert completion.finish_reason == "stop"
    assert "<|end|>" not in completion.text


def test_reasoning_that_the_template_opens_never_reaches_the_text() -> None:
    spec = ModelSpec("transformers_local", str(MODEL_PATH), device="cpu", chat_template=OPENED)
    completion = answers(TransformersLocalBackend.load(spec), [ask(PROMPTS[0])], GREEDY)[0]
    assert completion.text == ""
    assert completion.reasoning


def test_reasoning_tags_that_are_special_tokens_still_split(
    demo_model: TransformersLocalBackend, tmp_path: Path
) -> None:
    demo_model._tokenizer.save_pretrained(tmp_path)
    backend = TransformersLocalBackend.load(DEMO)
    backend._tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    ids = backend._tokenizer("<think>Hm.</think>Yes.<|pad|>", add_special_tokens=False)["input_ids"]
    assert backend._decoded(ids) == "<think>Hm.</think>Yes."


def test_a_conversation_of_several_turns_is_rendered_whole(demo_model: Backend) -> None:
    turns = (
        Message(role="user", content="First?"),
        Message(role="assistant", content="One."),
        Message(role="user", content="Second?"),
    )
    text = demo_model.render(GenerationRequest("turns", turns, 0))
    assert [text.index(turn["content"]) for turn in turns] == sorted(text.index(t["content"]) for t in turns)
    assert text.endswith("<|assistant|>")


def test_the_same_batch_gives_the_same_texts_after_loading_again(demo_model: Backend) -> None:
    requests = [ask(prompt, seed) for seed, prompt in enumerate(PROMPTS * 3)]
    warm = Sampling(temperature=1.0, top_p=0.9, max_new_tokens=40)
    assert texts(TransformersLocalBackend.load(DEMO), requests, warm) == texts(demo_model, requests, warm)
