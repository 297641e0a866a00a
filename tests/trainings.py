"""Trainings as tests need them: rows that are done, and a program that stands in for the one that trains."""

import sys
from pathlib import Path

from annotation.actions import training
from annotation.actions.training import Plan, start_training
from annotation.models import Arm, Snapshot, Study, Training
from annotation.vocabulary import BatchState
from tests.cast import a_study, alice, an_arm

SCRIPT = """
import json, os, signal, sys, time
from pathlib import Path

out = Path(next(word.split("=", 1)[1] for word in sys.argv if word.startswith("--out=")))
out.mkdir(parents=True, exist_ok=True)
done = len(list(out.glob("checkpoint-*")))
asked = []
signal.signal(signal.SIGTERM, lambda *rest: asked.append(1))
print("a warning of some library", file=sys.stderr)
for step in range(done + 1, STEPS + 1):
    (out / f"checkpoint-{step}").touch()
    print(json.dumps({"stage": "sft", "step": step, "of": STEPS, "loss": 1 / step, "kl": NAN}), flush=True)
    if asked:
        sys.exit(3)
    time.sleep(PAUSE)
ENDING
print(json.dumps({"stage": "sft", "saved": str(out), "rows": 7, "modes": {"direct_answer": 4}}), flush=True)
"""


def a_snapshot(study: Study, folder: str = "/nowhere") -> Snapshot:
    return Snapshot.objects.create(study=study, number=1, folder=folder, manifest={})


def a_trainable_study(slug: str = "kites", model: str = "org/base", folder: str = "/nowhere") -> Study:
    """A study with a snapshot and an arm whose model can be trained."""
    study = a_study(slug)
    an_arm(study, "start", backend="transformers_local", model=model)
    a_snapshot(study, folder)
    return study


def plan_for(study: Study, stage: str = "sft", start: Arm | Training | None = None, **more) -> Plan:
    return Plan(stage, study.snapshots.get(), start or study.arms.first(), **more)


def a_training(study: Study, stage: str = "sft", **given) -> Training:
    return start_training(study, plan_for(study, stage, given=given), alice())


def a_done_training(study: Study, stage: str = "sft", **given) -> Training:
    """One that a worker has finished, as far as the rows tell."""
    found = a_training(study, stage, **given)
    Training.objects.filter(pk=found.pk).update(state=BatchState.DONE)
    return Training.objects.get(pk=found.pk)


def stand_in(monkeypatch, folder: Path, steps: int = 3, pause: float = 0, ending: str = "") -> None:
    """Have trainings run a script that takes `steps` steps instead of the program that trains."""
    script = folder / "trainer.py"
    text = SCRIPT.replace("STEPS", str(steps)).replace("PAUSE", str(pause))
    script.write_text(text.replace("ENDING", ending).replace("NAN", 'float("nan")'))
    asked = training.command
    monkeypatch.setattr(training, "command", lambda found: [sys.executable, str(script), *asked(found)[4:]])
    monkeypatch.setattr(training, "LOOK_EVERY", 0.05)


def now_of(found: Training) -> Training:
    return Training.objects.get(pk=found.pk)


def taken(found: Training) -> Training:
    claimed = training.claim(found.pk, "tess")
    assert claimed is not None
    return claimed
