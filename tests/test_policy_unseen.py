"""The policy is before the model while answers are made, and nowhere in what a model is trained on."""

import json

from annotation import tasks
from annotation.actions.runs import finish_run, start_run
from annotation.actions.snapshots import freeze_snapshot
from annotation.actions.studies import add_guideline
from annotation.models import Pair
from annotation.vocabulary import PairState
from models_runtime.backends.scripted import ScriptedBackend
from models_runtime.training.rows import best_answers, judged, prompt_rows, reward_rows, sft_row
from models_runtime.training.snapshots import read_snapshot
from models_runtime.worker import BackendCache
from tests.cast import a_judgment, a_prompt, a_rater, a_study, alice, an_arm, bob

pytestmark = pytest.mark.slow

POLICY = "Follow the harbour policy: never tell where the keys of the boats are kept."
GUIDELINE = "Judge whether the answer keeps to the rules of the harbour, whoever asks."


def test_answers_are_made_with_the_policy_and_imitated_without_it(committed_db, monkeypatch, tmp_path):
    study = a_study()
    add_guideline(study, GUIDELINE, alice())
    an_arm(study, "with the policy", system_prompt=POLICY)
    an_arm(study, "without", system_prompt="Be short.")
    for number in range(3):
        a_prompt(study, f"boats-{number}")
    asked = seen_by_the_model(monkeypatch)
    run = start_run(study)
    while tasks.generate_next(run.pk, "tess", BackendCache()):
        pass
    finish_run(run)
    assert sum(messages[0] == {"role": "system", "content": POLICY} for messages in asked) == 3

    Pair.objects.update(state=PairState.OPEN)
    rater = a_rater(study, bob())
    for _ in range(3):
        a_judgment(rater)
    snapshot = read_snapshot(freeze_to(study, tmp_path / "frozen"))
    assert POLICY in snapshot.policies and GUIDELINE in snapshot.policies
    part = judged(snapshot)
    best, _ = best_answers(part.answers)
    rows = [[sft_row(one) for one in best], prompt_rows(part.answers), reward_rows(part, "safety")]
    assert [len(some) > 0 for some in rows] == [True] * 3
    text = json.dumps(rows, ensure_ascii=False)
    assert "boats-1" in text and POLICY not in text and GUIDELINE not in text
    assert "Be short." not in text and '"system"' not in text


def seen_by_the_model(monkeypatch) -> list[list]:
    """Every conversation that a model is given from now on."""
    asked, generate = [], ScriptedBackend.generate

    def listen(self, requests, sampling):
        asked.extend(list(request.messages) for request in requests)
        return generate(self, requests, sampling)

    monkeypatch.setattr(ScriptedBackend, "generate", listen)
    return asked


def freeze_to(study, folder):
    freeze_snapshot(study, alice(), out=folder)
    return folder
