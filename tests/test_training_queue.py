"""A real training of a tiny model through the task, from a form's settings to an arm that answers."""

import pytest

from annotation import tasks
from annotation.actions import registering
from annotation.actions.training import model_folder
from annotation.models import Training
from annotation.vocabulary import BatchState
from tests.cast import alice
from tests.runtime.training.data import demo_snapshot, tiny_model
from tests.trainings import a_trainable_study, a_training

pytestmark = pytest.mark.slow

TINY = {"full": True, "steps": 3, "batch": 2, "log_every": 1, "save_every": 2, "device": "cpu"}


def test_a_training_goes_through_the_queue_and_its_model_becomes_an_arm(committed_db, settings, tmp_path):
    settings.TRAININGS, settings.TRAINS = tmp_path / "trainings", True
    model = tiny_model(tmp_path / "tiny")
    study = a_trainable_study(model=str(model), folder=str(demo_snapshot(tmp_path / "snapshot", most=24)))
    found = a_training(study, **TINY, system_prompt="Be kind.\nBe brief.")
    tasks.train(found.pk)
    done = Training.objects.get(pk=found.pk)
    assert (done.state, done.step, done.steps, done.error) == (BatchState.DONE, 3, 3, "")
    assert [told["loss"] > 0 for told in done.metrics.values_list("told", flat=True)] == [True] * 3
    assert done.result["modes"]["direct_answer"] > 0 and "severity_missing" not in done.result["left_out"]
    tasks.register_arm(registering.ask(done, "Tuned", alice()).pk)
    arm = study.arms.get(name="Tuned")
    assert (arm.model, arm.system_prompt) == (str(model_folder(done).resolve()), "Be kind.\nBe brief.")
