"""A tuned model becomes an arm; a folder that is no checkpoint of ours does not."""

import hashlib
import json
import tracemalloc
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from annotation import tasks
from annotation.actions import leases, registering
from annotation.actions.training import model_folder
from annotation.errors import ArmRefused, BadTraining
from annotation.models import Arm, Registration, Training
from annotation.vocabulary import BatchState
from models_runtime.training.checkpoints import digests
from tests.cast import a_study, alice, an_arm
from tests.trainings import a_done_training, a_trainable_study, a_training

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


# From a training, by a worker ------------------------------------------------------------------------------


@pytest.fixture
def done(settings, tmp_path) -> Training:
    """A training that is done, with the files that it left."""
    settings.TRAININGS, settings.TRAINS = tmp_path / "trainings", True
    found = a_done_training(a_trainable_study())
    model_folder(found).parent.mkdir(parents=True)
    checkpoint(model_folder(found), "sft")
    return found


def taken(asked: Registration) -> Registration:
    claimed = registering.claim(asked.pk, "wanda")
    assert claimed is not None
    return claimed


def test_a_worker_makes_a_training_an_arm(done):
    asked = registering.ask(done, " Tuned ", alice())
    assert not done.study.arms.filter(name="Tuned").exists()
    tasks.register_arm(asked.pk)
    asked.refresh_from_db()
    assert (asked.state, asked.arm) == (BatchState.DONE, done.study.arms.get(name="Tuned"))
    assert registering.claim(asked.pk, "wanda") is None


def test_only_a_finished_model_that_answers_becomes_an_arm(done):
    study = done.study
    for found in (a_training(study), a_done_training(study, "reward")):
        with pytest.raises(BadTraining, match="finished fine-tuning"):
            registering.ask(found)
    with pytest.raises(ArmRefused, match="already"):
        registering.ask(done, study.arms.first().name)
    assert not Registration.objects.exists()


def test_a_training_is_made_an_arm_once_at_a_time(done):
    registering.ask(done, "Tuned")
    with pytest.raises(BadTraining, match="made an arm already"):
        registering.ask(done, "Tuned otherwise")


def test_weights_that_changed_are_told_in_the_row(done):
    (model_folder(done) / "model.safetensors").write_bytes(b"others")
    asked = registering.ask(done, "Tuned")
    assert not registering.run(taken(asked))
    asked.refresh_from_db()
    assert asked.state == BatchState.FAILED and "changed since" in asked.error
    assert registering.ask(done, "Tuned").number == 2


def test_a_dead_workers_registration_goes_to_another_and_makes_one_arm(done):
    dead = taken(registering.ask(done, "Tuned"))
    leases.renew(dead, timezone.now() - timedelta(hours=1))
    assert registering.requeue_stale() == 1
    assert registering.run(taken(dead))
    assert not registering.run(dead)  # it lived on, and finds a name that is taken
    assert done.study.arms.filter(name="Tuned").count() == 1
    assert done.registrations.get().state == BatchState.DONE


def test_large_weights_are_read_block_by_block(tmp_path):
    folder = checkpoint(tmp_path / "tuned")
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(300 * 2**20)
    tracemalloc.start()
    digests(folder)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 5 * 2**20
