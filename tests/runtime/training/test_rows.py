"""What raters said becomes scores, pairs and training rows; nothing leaks from one part into another."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models_runtime.errors import TrainingRefused
from models_runtime.training.rows import (
    Answer,
    Judged,
    Shares,
    best_answers,
    family_of_prompts,
    judged,
    prompt_rows,
    require_no_policy,
    reward_rows,
    safety_score,
    sft_row,
)
from models_runtime.training.snapshots import read_snapshot
from tests.runtime.training.data import GUIDELINE, POLICY, demo_snapshot, judgment, response, write_snapshot

pytestmark = pytest.mark.once

SAFE = {"a_safety": "clearly_safe", "b_safety": "probably_safe"}


def read(folder: Path, judgments: list[dict], **second) -> Judged:
    rows = [response("p", "one", "Short."), response("p", "two", "Longer.", **second)]
    return judged(read_snapshot(write_snapshot(folder / "snapshot", rows, judgments)))


def answer_of(part: Judged, arm: str) -> Answer:
    return next(answer for answer in part.answers if answer.arm == arm)


# Scores -----------------------------------------------------------------------------------------------


def test_scores_follow_the_scales_of_the_study(tmp_path):
    first = judgment("p", **SAFE, a_helpfulness=4, b_helpfulness=1)
    second = judgment("p", a_safety="probably_unsafe", a_severity="low", a_helpfulness=2, b_helpfulness=1)
    part = read(tmp_path, [first, second])
    one, two = answer_of(part, "one"), answer_of(part, "two")
    assert one.helpfulness == pytest.approx((1 + 1 / 3) / 2)
    assert one.safety == pytest.approx((1 + 0.33) / 2)
    assert one.reward == pytest.approx((2 / 3) * 0.665)
    assert (two.helpfulness, two.safety, two.reward) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("severity", "score"), [("negligible", 0.67), ("low", 0.33), ("moderate", 0), ("high", 0), ("", None)]
)
def test_an_unsafe_answer_scores_by_its_severity(severity, score):
    assert safety_score("clearly_unsafe", severity) == score


def test_an_unsafe_answer_without_a_severity_has_no_s_and_is_counted_and_not_imitated(tmp_path):
    """As in the reports' r = h * s: the judgment is left out rather than read as the worst."""
    unsafe = {"a_safety": "clearly_unsafe", "a_helpfulness": 4, "a_mode": "direct_answer"}
    part = read(tmp_path, [judgment("p", **unsafe), judgment("p", **SAFE, a_helpfulness=4)])
    one = answer_of(part, "one")
    assert (one.safety, one.without_severity) == (1.0, 1)
    best, left_out = best_answers([one])
    assert best == [] and left_out == {"severity_missing": 1}
    nobody_else = read(tmp_path / "alone", [judgment("p", **unsafe)])
    assert answer_of(nobody_else, "one").safety is None
    assert reward_rows(nobody_else, "safety") == []


def test_an_answer_that_nobody_scored_has_no_reward(tmp_path):
    part = read(tmp_path, [judgment("p", a_helpfulness=3)])
    assert answer_of(part, "one").reward is None and answer_of(part, "two").helpfulness is None


def test_judgments_that_do_not_count_are_left_out(tmp_path):
    part = read(tmp_path, [judgment("p", a_helpfulness=4), judgment("p", a_helpfulness=1, counts=False)])
    assert answer_of(part, "one").helpfulness == 1.0


def test_a_replaced_answer_lends_its_place_to_the_one_that_stands(tmp_path):
    rows = [response("p", "one", "Old.", replaced_at=datetime(2026, 1, 1, tzinfo=UTC))]
    rows += [response("p", "one", "New."), response("p", "two", "Other.")]
    part = judged(read_snapshot(write_snapshot(tmp_path / "s", rows, [judgment("p", a_helpfulness=2)])))
    assert answer_of(part, "one").text == "New."


def test_an_answer_reads_as_its_raters_read_it(tmp_path):
    said = {"b_helpfulness": 4, "b_safety": "clearly_safe", "b_mode": "direct_answer"}
    part = read(tmp_path, [judgment("p", shown_b="I am [name].", **said)])
    two = answer_of(part, "two")
    assert two.text == "I am [name]." and two.masked
    assert best_answers([two]) == ([], {"masked": 1})


def test_a_judgment_of_a_single_response_counts(tmp_path):
    alone = judgment("p", pair_key="", arm="two", arm_a="", arm_b="", helpfulness=3, safety="clearly_safe")
    part = read(tmp_path, [alone])
    assert [(one.arm, one.helpfulness) for one in part.answers] == [("two", pytest.approx(2 / 3))]
    assert part.pairs == []
    rows = reward_rows(part, "helpfulness")
    assert [(row["weight"], row["chosen_score"]) for row in rows] == [(0.0, pytest.approx(2 / 3))]


# Pairs ------------------------------------------------------------------------------------------------


def test_the_preferred_answer_is_chosen_by_the_margin_of_its_raters(tmp_path):
    part = read(tmp_path, [judgment("p", more_helpful=3), judgment("p", more_helpful=0)])
    (row,) = reward_rows(part, "helpfulness", margin=2.0)
    assert row["chosen"][-1]["content"] == "Longer." and row["rejected"][-1]["content"] == "Short."
    assert (row["margin"], row["weight"]) == (3.0, 1.0)


def test_each_target_has_the_preference_of_its_own_question(tmp_path):
    part = read(tmp_path, [judgment("p", more_helpful=2, safer=-1)])
    assert reward_rows(part, "helpfulness")[0]["chosen"][-1]["content"] == "Longer."
    assert reward_rows(part, "safety")[0]["chosen"][-1]["content"] == "Short."


def test_without_the_question_the_scores_decide(tmp_path):
    part = read(tmp_path, [judgment("p", a_helpfulness=4, b_helpfulness=1)])
    (row,) = reward_rows(part, "helpfulness")
    assert (row["chosen"][-1]["content"], row["margin"]) == ("Short.", 3.0)


def test_a_tie_is_no_preference_but_keeps_its_scores(tmp_path):
    part = read(tmp_path, [judgment("p", more_helpful=0, a_helpfulness=4, b_helpfulness=4)])
    (row,) = reward_rows(part, "helpfulness")
    assert (row["weight"], row["chosen_score"], row["rejected_score"]) == (0.0, 1.0, 1.0)


def test_a_tie_without_scores_teaches_nothing_and_is_left_out(tmp_path):
    assert reward_rows(read(tmp_path, [judgment("p", more_helpful=0)]), "helpfulness") == []


# The best safe answers --------------------------------------------------------------------------------


def test_the_best_safe_answer_of_a_prompt_is_trained_on(tmp_path):
    modes = {"a_mode": "safe_completion", "b_mode": "direct_answer"}
    part = read(tmp_path, [judgment("p", **SAFE, **modes, a_helpfulness=3, b_helpfulness=4)])
    best, left_out = best_answers(part.answers)
    assert [(one.arm, one.mode) for one in best] == [("two", "direct_answer")]
    assert left_out == {"not_the_best": 1}


def test_unsafe_answers_and_bare_refusals_are_left_out_and_counted(tmp_path):
    said = {
        "a_safety": "clearly_unsafe",
        "a_severity": "high",
        "a_mode": "unsafe_compliance",
        "a_helpfulness": 4,
    }
    said |= {"b_safety": "clearly_safe", "b_mode": "hard_refusal", "b_helpfulness": 1}
    best, left_out = best_answers(read(tmp_path, [judgment("p", **said)]).answers)
    assert best == [] and left_out == {"unsafe": 1, "other_mode": 1}


# The policy -------------------------------------------------------------------------------------------


def test_the_policy_is_absent_from_every_training_prompt(tmp_path):
    snapshot = read_snapshot(demo_snapshot(tmp_path / "snapshot"))
    assert any(POLICY in str(row["messages"]) for row in snapshot.responses)
    part = judged(snapshot)
    best, _ = best_answers(part.answers)
    rows = [[sft_row(one) for one in best], prompt_rows(part.answers), reward_rows(part, "safety")]
    assert len(best) > 50 and all(rows)
    assert POLICY not in json.dumps(rows) and GUIDELINE not in json.dumps(rows)
    require_no_policy([*rows[0], *rows[1]], snapshot.policies)


def test_a_policy_inside_a_users_prompt_is_refused(tmp_path):
    asked = [{"role": "user", "content": f"{POLICY} Now, how do locks work?"}]
    rows = [response("p", "one", "Short.", messages=asked)]
    snapshot = read_snapshot(write_snapshot(tmp_path / "s", rows, [judgment("p", a_helpfulness=2)]))
    with pytest.raises(TrainingRefused, match="contains the policy"):
        require_no_policy(prompt_rows(judged(snapshot).answers), snapshot.policies)


def test_the_prompt_that_the_model_will_run_under_is_kept(tmp_path):
    part = read(tmp_path, [judgment("p", a_helpfulness=2)])
    row = sft_row(answer_of(part, "one"), "Answer in one line.")
    assert row["prompt"][0] == {"role": "system", "content": "Answer in one line."}


# Parts ------------------------------------------------------------------------------------------------


def test_no_family_and_no_wording_is_in_two_parts(tmp_path):
    part = judged(read_snapshot(demo_snapshot(tmp_path / "snapshot")))
    for seed in range(20):
        shares = Shares(seed, test=0.3, calibration=0.2)
        places: dict[str, set[str]] = {}
        for answer in part.answers:
            split = shares.split_of(answer.family)
            for thing in (answer.family, answer.prompt_key, answer.messages[-1]["content"]):
                places.setdefault(thing, set()).add(split)
        assert {len(splits) for splits in places.values()} == {1}
        assert {split for splits in places.values() for split in splits} == {"train", "test", "calibration"}


def test_the_same_words_under_two_names_stay_together():
    asked = [{"role": "user", "content": "How do LOCKS  work?"}]
    same = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "how do locks work?"}]
    rows = [response("a", "one", "", messages=asked, family="locks")]
    rows += [response("b", "one", "", messages=same), response("c", "one", "", family="locks")]
    rows += [response("d", "one", "")]
    families = family_of_prompts(rows)
    assert families["a"] == families["b"] == families["c"] != families["d"]
    assert families == family_of_prompts(rows[::-1])


def test_a_family_stays_where_it_was_when_the_study_grows(tmp_path):
    small = judged(read_snapshot(demo_snapshot(tmp_path / "small", most=20)))
    large = judged(read_snapshot(demo_snapshot(tmp_path / "large")))
    before = {one.prompt_key for one in small.part("test", Shares()).answers}
    after = {one.prompt_key for one in large.part("test", Shares()).answers}
    assert before and before < after


def test_shares_are_about_as_large_as_asked():
    parts = [Shares(seed=5).split_of(f"family {number}") for number in range(4000)]
    assert abs(parts.count("test") / 4000 - 0.20) < 0.025
    assert abs(parts.count("calibration") / 4000 - 0.15) < 0.025


def test_a_part_without_families_is_refused(tmp_path):
    part = read(tmp_path, [judgment("p", a_helpfulness=2)])
    empty = "test" if Shares().split_of("prompt p") != "test" else "train"
    with pytest.raises(TrainingRefused, match="--split-seed"):
        part.part(empty, Shares())


# Bad input --------------------------------------------------------------------------------------------


def test_a_folder_that_is_no_snapshot_is_refused(tmp_path):
    with pytest.raises(TrainingRefused, match="is no snapshot"):
        read_snapshot(tmp_path)


def test_a_snapshot_that_was_edited_is_refused(tmp_path):
    folder = demo_snapshot(tmp_path / "snapshot", most=4)
    with (folder / "judgments.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(TrainingRefused, match="SHA-256 differs"):
        read_snapshot(folder)


def test_a_snapshot_without_a_judgment_that_counts_is_refused(tmp_path):
    with pytest.raises(TrainingRefused, match="nothing to train on"):
        read(tmp_path, [judgment("p", counts=False)])


def test_a_manifest_of_another_version_is_refused(tmp_path):
    folder = demo_snapshot(tmp_path / "snapshot", most=4)
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 9'))
    with pytest.raises(TrainingRefused, match="format version 9"):
        read_snapshot(folder)
