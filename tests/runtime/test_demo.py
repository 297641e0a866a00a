"""The shipped demo model and its corpus."""

import re
from collections import Counter

import pytest

from models_runtime.base import Backend
from models_runtime.demo import ARMS, MODEL_PATH, DemoPrompt, conversation, load_corpus
from models_runtime.types import GenerationRequest, Sampling
from tests.runtime.asking import texts

pytestmark = pytest.mark.once
CORPUS = load_corpus()


def generate(backend: Backend, prompts: list[DemoPrompt], arm: int) -> list[str]:
    requests = [GenerationRequest(p.key, conversation(p.prompt, ARMS[arm]), seed=0) for p in prompts]
    return texts(backend, requests, Sampling.from_dict(ARMS[arm]["sampling"]))


@pytest.mark.slow
def test_the_model_knows_its_answers_by_heart(demo_model: Backend) -> None:
    sample = CORPUS[::6][:10]
    pairs = [
        (text, prompt.answers[arm["name"]])
        for number, arm in enumerate(ARMS)
        for prompt, text in zip(sample, generate(demo_model, sample, number), strict=True)
    ]
    assert len(pairs) == 20
    assert sum(text == answer for text, answer in pairs) >= 18


def test_the_arms_answer_a_dual_use_prompt_differently(demo_model: Backend) -> None:
    prompt = next(p for p in CORPUS if p.intent == "dual_use")
    assert generate(demo_model, [prompt], 0) != generate(demo_model, [prompt], 1)


def test_the_corpus_covers_intents_categories_and_families() -> None:
    intents = Counter(p.intent for p in CORPUS)
    assert set(intents) == {"dual_use", "benign", "malicious"}
    assert min(intents.values()) >= 16
    assert {p.harm_category for p in CORPUS} == {"illicit", "erotic", "hate", "sensitive_information", ""}
    assert all((p.harm_category == "") == (p.intent == "benign") for p in CORPUS)
    assert all(count > 1 for family, count in Counter(p.family for p in CORPUS).items() if family)


def test_keys_and_prompts_are_unique() -> None:
    assert len({p.key for p in CORPUS}) == len({p.prompt for p in CORPUS}) == len(CORPUS) >= 60


def test_no_answer_names_its_arm() -> None:
    for prompt in CORPUS:
        assert set(prompt.answers) == {arm["name"] for arm in ARMS}
        assert not any(re.search(r"safe.completion|refusal", text, re.I) for text in prompt.answers.values())


def test_the_shipped_files_are_small() -> None:
    assert sum(path.stat().st_size for path in MODEL_PATH.iterdir()) < 12_000_000
