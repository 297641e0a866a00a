"""A tuned model becomes an arm; a folder that is no checkpoint of ours does not."""

import hashlib
import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Arm
from tests.cast import a_study, an_arm

pytestmark = pytest.mark.django_db


def checkpoint(folder: Path, stage: str = "rl", adapter: bool = False, **more) -> Path:
    """A folder as a training leaves it, with a few bytes for weights."""
    folder.mkdir()
    names = (
        ["adapter_model.safetensors", "adapter_config.json"]
        if adapter
        else ["model.safetensors", "config.json"]
    )
    for name in names:
        (folder / name).write_bytes(name.encode())
    facts = {
        "format": "evenhand-checkpoint",
        "stage": stage,
        "arguments": {"system_prompt": "Be kind."},
        "snapshot": {"study": "kites", "number": 2, "manifest_sha256": "ab" * 32},
        "base": {"model": "org/base", "revision": "c0ffee"},
        "files_sha256": {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(names)
        },
    }
    (folder / "provenance.json").write_text(json.dumps(facts | more))
    return folder


def register(folder: Path, *more: str) -> str:
    said = StringIO()
    call_command("register_arm", "--study", "kites", "--checkpoint", str(folder), *more, stdout=said)
    return said.getvalue()


def test_a_tuned_model_becomes_the_next_arm_and_the_event_tells_where_it_comes_from(tmp_path):
    study = a_study()
    an_arm(study, "old", sampling={"temperature": 0.0, "max_new_tokens": 77})
    folder = checkpoint(tmp_path / "tuned")
    assert "runs kites start" in register(folder, "--name", "tuned")
    arm = study.arms.get(name="tuned")
    assert (arm.position, arm.model, arm.adapter, arm.backend) == (1, str(folder), "", "transformers_local")
    assert arm.system_prompt == "Be kind." and arm.sampling["max_new_tokens"] == 77
    event = study.events.get(verb="register_arm")
    assert event.detail["arm"] == "tuned"
    assert event.detail["provenance"]["snapshot"]["manifest_sha256"] == "ab" * 32


def test_an_adapter_becomes_an_arm_of_its_base(tmp_path):
    a_study()
    register(folder := checkpoint(tmp_path / "lora", stage="sft", adapter=True))
    arm = Arm.objects.get()
    assert (arm.name, arm.model, arm.revision, arm.adapter) == ("sft lora", "org/base", "c0ffee", str(folder))


def refused(folder: Path, sentence: str, *more: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        register(folder, *more)
    assert not Arm.objects.filter(name__in=["tuned", "rl tuned"]).exists()


def test_a_folder_that_is_no_checkpoint_of_ours_is_refused(tmp_path):
    a_study()
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "model.safetensors").write_bytes(b"weights")
    refused(tmp_path / "tuned", "is no checkpoint of a training of ours")
    (tmp_path / "tuned" / "provenance.json").write_text('{"format": "another"}')
    refused(tmp_path / "tuned", "is another's")


def test_a_reward_model_is_no_arm(tmp_path):
    a_study()
    refused(checkpoint(tmp_path / "tuned", stage="reward"), "scores answers and gives none")


def test_weights_that_changed_since_are_refused(tmp_path):
    a_study()
    folder = checkpoint(tmp_path / "tuned")
    (folder / "model.safetensors").write_bytes(b"others")
    refused(folder, "model.safetensors changed since")


def test_a_checkpoint_in_the_middle_of_a_training_is_refused(tmp_path):
    a_study()
    refused(checkpoint(tmp_path / "tuned", files_sha256={}), "in the middle of a training")


def test_a_name_that_is_taken_is_refused(tmp_path):
    an_arm(a_study(), "old")
    refused(checkpoint(tmp_path / "tuned"), "has an arm “old” already", "--name", "old")


def test_a_blank_or_endless_name_is_refused(tmp_path):
    study = a_study()
    folder = checkpoint(tmp_path / "tuned")
    refused(folder, "name is blank", "--name", "  ")
    refused(folder, "has 101 characters; it may have 100", "--name", "n" * 101)
    assert not study.arms.exists()
    register(folder, "--name", f"  {'n' * 100} ")
    assert study.arms.get().name == "n" * 100


def test_a_folder_with_an_endless_name_gives_the_arm_the_start_of_it(tmp_path):
    a_study()
    register(checkpoint(tmp_path / ("t" * 200)))
    assert Arm.objects.get().name == f"rl {'t' * 97}"


@pytest.mark.parametrize(
    "odd",
    [
        {"stage": None},
        {"stage": ["rl"]},
        {"base": None},
        {"base": {"model": 5, "revision": ""}},
        {"arguments": None},
        {"arguments": {"system_prompt": 5}},
        {"files_sha256": ["model.safetensors"]},
        {"files_sha256": {"model.safetensors": [1]}},
        {"loss": float("nan")},
    ],
    ids=str,
)
def test_a_provenance_that_no_training_writes_is_refused_in_a_sentence(tmp_path, odd):
    study = a_study()
    folder = checkpoint(tmp_path / "tuned", **odd)
    with pytest.raises(CommandError, match="not as a training writes it|not valid JSON"):
        register(folder)
    assert not study.arms.exists()


def test_a_provenance_that_is_too_deep_is_refused_in_a_sentence(tmp_path):
    a_study()
    folder = checkpoint(tmp_path / "tuned")
    (folder / "provenance.json").write_text("[" * 100_000)
    with pytest.raises(CommandError, match="not valid JSON"):
        register(folder)
