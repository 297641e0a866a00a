"""What was reviewed is told by a snapshot: marks, decisions, what was shown, what left the study."""

import pytest
from django.core.management import call_command

from annotation.actions.enrolment import enrol
from annotation.actions.reviewing import decide
from annotation.actions.snapshots import freeze_snapshot
from annotation.models import Response, Study
from tests import cast
from tests.actions.test_reviewing import OWN_NAME, PLAIN, a_generated_study, a_marked_study, keys, work
from tests.export.studies import judge, read

pytestmark = pytest.mark.django_db


def by_decision(rows):
    return {row["review_decision"]: row for row in rows}


def test_pairs_tell_their_marks_their_decision_and_what_was_shown(tmp_path):
    study = a_marked_study(OWN_NAME, " ", pairs=4)
    shown, masked, dropped, _ = keys(study)
    for pair, decision in ((shown, "show"), (masked, "mask"), (dropped, "drop")):
        decide(study, [pair], decision)
    rater = enrol(study, cast.bob())
    judge(rater, 2)
    judge(rater, -1)
    manifest = freeze_snapshot(study, out=tmp_path / "out").manifest
    pairs = by_decision(read(tmp_path / "out", "pairs"))
    assert {row["state"] for row in pairs.values()} == {"open", "dropped", "held"}
    assert {(*row["marks_a"], *row["marks_b"], *row["marks"]) for row in pairs.values()} == {
        ("identity", "empty")
    }
    assert pairs["mask"]["shown_a"].startswith("I am **▇▇▇**") and pairs["mask"]["shown_b"] is None
    assert pairs["show"]["shown_a"] is None
    judged = by_decision(read(tmp_path / "out", "judgments"))
    assert judged["mask"]["shown_a"] == pairs["mask"]["shown_a"] and set(judged) == {"mask", "show"}
    preferred = {row["pair_key"]: row for row in read(tmp_path / "out", "preferences")}
    assert set(preferred) == {pairs["mask"]["pair_key"], pairs["show"]["pair_key"]}
    of_masked = preferred[pairs["mask"]["pair_key"]]
    assert (of_masked["masked"], preferred[pairs["show"]["pair_key"]]["masked"]) == (True, False)
    assert OWN_NAME in (of_masked["chosen"][0]["content"], of_masked["rejected"][0]["content"])
    left_out = manifest["counts"]["pairs_left_out"]
    assert (left_out["dropped"], left_out["replaced"], left_out["waiting"]) == (1, 0, 1)


def test_a_replaced_answer_is_kept_and_named_by_the_pair_that_had_it(tmp_path):
    study = a_generated_study()
    old = study.pairs.get()
    work(study, decide(study, [old.pk], "regenerate").run)
    decide(study, keys(study), "show")
    judge(enrol(study, cast.bob()), 2)
    manifest = freeze_snapshot(study, out=tmp_path / "out").manifest
    responses = {row["response_id"]: row for row in read(tmp_path / "out", "responses")}
    assert [bool(row["replaced_at"]) for row in responses.values()] == [True, True, False, False]
    pairs = {row["state"]: row for row in read(tmp_path / "out", "pairs")}
    assert responses[pairs["replaced"]["response_a_id"]]["replaced_at"]
    assert not responses[pairs["open"]["response_a_id"]]["replaced_at"]
    (preference,) = read(tmp_path / "out", "preferences")
    assert preference["pair_key"] == pairs["open"]["pair_key"] != pairs["replaced"]["pair_key"]
    assert manifest["counts"]["pairs_left_out"]["replaced"] == 1


def test_a_snapshot_with_history_is_imported_without_it(tmp_path):
    study = a_generated_study()
    work(study, decide(study, keys(study), "regenerate").run)
    decide(study, keys(study), "show")
    judge(enrol(study, cast.bob()), 2)
    freeze_snapshot(study, out=tmp_path / "out")
    call_command("import_responses", "copy", tmp_path / "out" / "responses.jsonl", create="Copy")
    copied = Study.objects.get(slug="copy").responses.values_list("text", flat=True)
    assert sorted(copied) == sorted(
        Response.objects.current().filter(study=study).values_list("text", flat=True)
    )


def test_a_waiting_pair_that_was_judged_elsewhere_is_not_left_out(tmp_path):
    study = a_marked_study(" ", PLAIN)
    line = (
        f'{{"prompt_key": "{study.prompts.get().key}", "arm_a": "arm 0", "arm_b": "arm 1", '
        '"rater_id": "r1", "balance": 2}'
    )
    (tmp_path / "judged.jsonl").write_text(line)
    call_command("import_judgments", "kites", tmp_path / "judged.jsonl")
    manifest = freeze_snapshot(study, out=tmp_path / "out").manifest
    assert manifest["counts"]["preferences"] == 1
    assert manifest["counts"]["pairs_left_out"]["waiting"] == 0
