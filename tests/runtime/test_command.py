"""`python -m models_runtime`."""

import json

import pytest

from models_runtime.__main__ import main
from models_runtime.demo import ARMS, MODEL_PATH, load_corpus

pytestmark = pytest.mark.once


def test_it_asks_the_demo_model_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--device", "cpu", "--max-new-tokens", "160", load_corpus()[0].prompt]) == 0
    text, _, facts = capsys.readouterr().out.rpartition("\n{\n")
    assert text.strip()
    provenance = json.loads("{" + facts)
    assert provenance["model"]["backend"] == "transformers_local"
    assert provenance["finish_reason"] == "stop"


def test_it_says_in_one_sentence_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "/no/such/model", "Why?"]) == 1
    assert "There is no folder" in capsys.readouterr().err
    assert main(["--temperature", "-1", "Why?"]) == 1
    assert "temperature must be" in capsys.readouterr().err
    assert main(["--chat-template", "no-such.jinja", "Why?"]) == 1
    assert "The chat template cannot be read" in capsys.readouterr().err


def test_the_demo_model_is_known_by_its_folder_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(MODEL_PATH.parent)
    entry = load_corpus()[0]
    assert main(["--model", MODEL_PATH.name, "--device", "cpu", entry.prompt]) == 0
    assert capsys.readouterr().out.startswith(entry.answers[ARMS[0]["name"]])


def test_it_reports_a_prompt_that_cannot_be_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--device", "cpu", "word " * 2_000]) == 1
    assert "Shorten the prompt" in capsys.readouterr().err
