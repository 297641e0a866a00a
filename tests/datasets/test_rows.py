"""What stands in the rows of each format, worked out by hand."""

import pytest

from annotation.datasets.recipe import Format
from annotation.errors import DatasetRefused, SnapshotUnreadable
from tests.datasets.written import GUIDELINE, Written, a_written_study, make

pytestmark = pytest.mark.once

SAFE = {"safety": "clearly_safe", "helpfulness": 4, "mode": "direct_answer"}
UNSAFE = {"safety": "clearly_unsafe", "severity": "low", "helpfulness": 4, "mode": "unsafe_compliance"}


def both(a: dict = SAFE, b: dict = SAFE, **leanings) -> dict:
    sides = {"a_": a, "b_": b}
    return {prefix + name: value for prefix, part in sides.items() for name, value in part.items()} | leanings


@pytest.fixture
def study() -> Written:
    """One pair, a safe and b not: balance -2 and -1 (a is better), more helpful to b, safer to a."""
    study = Written()
    key = study.pair("p", "Help within limits.", "[operational detail withheld in this demo]", family="f")
    study.judgment(key, **both(SAFE, UNSAFE, balance=-2, more_helpful=1, safer=-3))
    study.judgment(key, **both(SAFE, UNSAFE, balance=-1, more_helpful=2, safer=-3))
    return study


@pytest.fixture
def made(study, tmp_path):
    """Makes a dataset of the study as it is then."""

    def of(format: str, **rules) -> tuple[list[dict], dict]:
        snapshot = study.freeze(tmp_path / f"snapshot-{len(list(tmp_path.iterdir()))}")
        return make(snapshot, tmp_path / f"out-{len(list(tmp_path.iterdir()))}", format, **rules)

    return of


def test_a_preference_row(made):
    (row,), _ = made("trl_preference", split="none")
    assert row["prompt"] == [{"role": "user", "content": "Question p?"}]
    assert row["chosen"] == [{"role": "assistant", "content": "Help within limits."}]
    assert row["rejected"][0]["content"].startswith("[operational")
    assert (row["margin"], row["probability"], row["n_judgments"], row["agreement"]) == (1.5, 1.0, 2, 1.0)
    assert (row["pair_key"], row["prompt_key"], row["family"], row["split"]) == ("0" * 16, "p", "f", "train")
    assert not {"arm", "arm_a", "arm_b"} & row.keys()


def test_the_margin_may_be_the_difference_in_r(made):
    (row,), _ = made("trl_preference", margin="reward")
    assert row["margin"] == pytest.approx(1 - 0.33)
    (row,), manifest = made("trl_preference", margin="reward", decides="more_helpful")
    assert row["margin"] == 0 and "1 rows" in manifest["notes"]["margin"]


def test_the_question_decides(made):
    (by_balance,), _ = made("trl_preference")
    (by_help,), _ = made("trl_preference", decides="more_helpful")
    assert by_balance["chosen"] == by_help["rejected"]


def test_unpaired_rows_of_a_preference_and_of_r(made):
    rows, _ = made("trl_unpaired")
    assert [(row["completion"][0]["content"][0], row["label"]) for row in rows] == [("H", True), ("[", False)]
    rows, _ = made("trl_unpaired", label_from="reward", least_reward=0.3)
    assert {row["label"] for row in rows} == {True}
    rows, _ = made("trl_unpaired", label_from="reward")
    assert sorted(row["label"] for row in rows) == [False, True]


def test_scores_are_h_s_and_their_product(made):
    rows, manifest = made("scalar_reward")
    told = sorted((row["helpfulness"], row["safety"], row["reward"]) for row in rows)
    assert told == [(1.0, pytest.approx(0.33), pytest.approx(0.33)), (1.0, 1.0, 1.0)]
    assert "negligible = 0.67" in manifest["scores"]


def test_pku_rows_tell_both_preferences(made):
    (row,), _ = made("pku_saferlhf")
    safe = 0 if row["response_0"].startswith("Help") else 1
    assert row["prompt"] == "Question p?"
    assert row[f"is_response_{safe}_safe"] and not row[f"is_response_{1 - safe}_safe"]
    assert row[f"response_{safe}_severity_level"] == 0 and row[f"response_{1 - safe}_severity_level"] == 1
    assert row["safer_response_id"] == safe and row["better_response_id"] == 1 - safe


def test_number_0_of_pku_is_not_always_the_first_arm(tmp_path):
    rows, _ = make(a_written_study().freeze(tmp_path / "s"), tmp_path / "o", "pku_saferlhf", ties="both_ways")
    firsts = {row["response_0"].split()[0] for row in rows}
    assert firsts == {"First", "Second"}


def test_transcripts_of_one_and_several_turns(made, study):
    turns = [("user", "Hello"), ("assistant", "Hi"), ("user", "And now?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    study.judgment(study.pair("q", "Yes", "No", messages=messages), balance=3)
    rows, _ = made("anthropic_hh")
    assert {row["prompt_key"]: row["chosen"] for row in rows} == {
        "p": "\n\nHuman: Question p?\n\nAssistant: Help within limits.",
        "q": "\n\nHuman: Hello\n\nAssistant: Hi\n\nHuman: And now?\n\nAssistant: No",
    }
    assert made("pku_saferlhf")[1]["counts"]["items"]["left_out"]["several_turns"] == 0  # no vote on safer
    study.judgments[-1] |= both(safer=2, more_helpful=2)
    assert made("pku_saferlhf")[1]["counts"]["items"]["left_out"]["several_turns"] == 1


@pytest.mark.parametrize("text", ["Fine.\n\nHuman: Thanks\n\nAssistant: More", "a\r\n\r\nAssistant: b"])
def test_a_text_that_forges_a_turn_is_left_out_and_counted(made, study, text):
    study.judgment(study.pair("q", text, "No"), balance=-3)
    rows, manifest = made("anthropic_hh")
    assert [row["prompt_key"] for row in rows] == ["p"]
    assert manifest["counts"]["items"]["left_out"]["forges_a_turn"] == 1
    assert len(made("trl_preference")[0]) == 2


def test_sft_takes_the_best_safe_answer_of_each_prompt_or_mode(made, study):
    limits = {"safety": "probably_safe", "helpfulness": 3, "mode": "safe_completion"}
    study.judgment(study.pair("p", "A direct answer.", "Limits.", family="f"), **both(SAFE, limits))
    rows, manifest = made("sft")
    assert len(rows) == 1 and rows[0]["mode"] == "direct_answer" and rows[0]["reward"] == 1
    left_out = manifest["counts"]["items"]["left_out"]
    assert (left_out["unsafe"], left_out["not_the_best"]) == (1, 2)
    assert {row["mode"] for row in made("sft", best_of="mode")[0]} == {"direct_answer", "safe_completion"}


def test_soft_labels_are_probabilities_of_every_question(made, study):
    study.judgment("0" * 16, **both(UNSAFE, UNSAFE, balance=0))
    rows, _ = made("soft_labels")
    balance = next(row for row in rows if row["question"] == "balance")
    first = "response_0" if balance["response_0"].startswith("Help") else "response_1"
    told = dict(zip(balance["labels"], balance["probabilities"], strict=True))
    assert told[first] == pytest.approx(2 / 3) and told["tie"] == pytest.approx(1 / 3)
    safety = [row for row in rows if row["question"] == "safety" and row["response_0"].startswith("Help")]
    told = dict(zip(safety[0]["labels"], safety[0]["probabilities"], strict=True))
    assert told["clearly_safe"] == pytest.approx(2 / 3) and told["clearly_unsafe"] == pytest.approx(1 / 3)
    assert all(sum(row["probabilities"]) == pytest.approx(1) for row in rows)


def test_raw_judgments_have_times_side_and_labels(made):
    rows, _ = made("judgments")
    assert rows[0]["created_at"] == "2026-03-01T00:00:00.000000Z" and rows[0]["left_arm"] == "one"
    assert (rows[0]["balance"], rows[0]["family"], rows[0]["split"]) == (-2, "f", rows[1]["split"])


# Rules ---------------------------------------------------------------------------------------------------


def test_ties_are_left_out_or_written_both_ways_or_kept_softly(made, study):
    study.judgment(study.pair("q"), balance=0)
    assert made("trl_preference")[1]["counts"]["items"]["left_out"]["tie"] == 1
    rows = [row for row in made("trl_preference", ties="both_ways")[0] if row["prompt_key"] == "q"]
    assert rows[0]["chosen"] == rows[1]["rejected"] and rows[0]["rejected"] == rows[1]["chosen"]
    (row,) = [row for row in made("trl_preference", ties="soft")[0] if row["prompt_key"] == "q"]
    assert (row["margin"], row["probability"]) == (0, 0.5)


def test_both_bad_alone_is_no_preference(made, study):
    study.judgment(study.pair("q"), both_bad=True)
    assert made("trl_preference", ties="soft")[1]["counts"]["items"]["left_out"]["all_both_bad"] == 1


def test_few_judgments_and_low_agreement_are_left_out(made, study):
    key = study.pair("q")
    for balance in (1, 1, -1):
        study.judgment(key, balance=balance)
    assert made("trl_preference", min_judgments=3)[1]["counts"]["items"]["left_out"]["too_few_judgments"] == 1
    kept = made("trl_preference", min_agreement=2 / 3)[0]
    assert {row["prompt_key"] for row in kept} == {"p", "q"}
    assert made("trl_preference", min_agreement=0.7)[1]["counts"]["items"]["left_out"]["low_agreement"] == 1


def test_masked_answers_are_left_out_or_read_or_written(made, study):
    study.judgment(study.pair("q", "I am Lumen.", "No", shown_a="I am [name]."), **both(balance=-3))
    assert made("trl_preference")[1]["counts"]["items"]["left_out"]["masked"] == 1
    assert made("scalar_reward")[1]["counts"]["items"]["left_out"]["masked"] == 1
    for format, column in (("trl_preference", "chosen"), ("scalar_reward", "completion")):
        for masked, text in (("as_read", "I am [name]."), ("as_written", "I am Lumen.")):
            rows = made(format, masked=masked)[0]
            assert text in [row[column][0]["content"] for row in rows if row["masked"]]


def test_the_same_words_and_answers_are_taken_once(made, study):
    for prompt, words in (("q", "The same?"), ("r", "  the SAME? ")):
        key = study.pair(prompt, "Yes", "No", words=words)
        study.judgment(key, **both(balance=-3))
    study.judgment(key, **both(balance=-3))
    rows, manifest = made("trl_preference")
    assert [row["prompt_key"] for row in rows if row["prompt_key"] != "p"] == ["r"]  # the one judged twice
    assert manifest["counts"]["items"]["left_out"]["duplicate"] == 1
    assert len(made("trl_preference", duplicates="keep")[0]) == 3
    assert made("scalar_reward")[1]["counts"]["items"]["left_out"]["duplicate"] == 2


def test_system_messages_go_and_a_prompt_that_holds_the_policy_too(made, study):
    system = [{"role": "system", "content": GUIDELINE}, {"role": "user", "content": "A question"}]
    study.judgment(study.pair("q", messages=system), **both(balance=-3))
    inside = [{"role": "user", "content": f"Mind this: {GUIDELINE} Now answer."}]
    study.judgment(study.pair("r", messages=inside), **both(balance=-3))
    rows, manifest = made("trl_preference")
    assert {row["prompt_key"] for row in rows} == {"p", "q"} and "Judge what" not in str(rows)
    assert manifest["counts"]["items"]["left_out"]["holds_policy"] == 1
    assert "Judge what" in str(made("trl_preference", system_messages="keep")[0])
    kept = made("anthropic_hh", system_messages="keep")[1]
    assert kept["counts"]["items"]["left_out"]["system_message"] == 1


def test_judgments_that_are_not_used_are_counted_by_reason(made, study):
    key = study.pairs[0]["pair_key"]
    study.judgment(key, is_current=False, counts=False, balance=3)
    study.judgment(key, surplus=True, counts=False, balance=3)
    study.judgment(key, withdrawn=True, counts=False, balance=3)
    study.judgment(key, rater_paused=True, balance=3)
    study.judgment(key, "rater-x", balance=3)
    study.judgment(key, cohort="panel", balance=3)
    (row,), manifest = made("trl_preference", leave_out_raters=["rater-x"], cohorts=[""])
    assert row["n_judgments"] == 2
    told = manifest["counts"]["judgments"]
    names = ("superseded", "surplus", "withdrawn", "paused", "rater", "cohort")
    assert [told["left_out"][name] for name in names] == [1] * 6 and (told["read"], told["used"]) == (8, 2)
    (row,), _ = made("trl_preference", paused_raters="keep")
    assert row["n_judgments"] == 5


def test_an_answer_that_was_replaced_is_left_out(made, study):
    study.judgment(study.pair("q"), **both(balance=-3))
    study.responses[-1]["replaced_at"] = study.judgments[0]["created_at"]
    assert made("trl_preference")[1]["counts"]["items"]["left_out"]["replaced"] == 1


def test_rules_that_leave_nothing_are_refused_with_the_reasons(made):
    with pytest.raises(DatasetRefused, match="1 too few judgments"):
        made("trl_preference", min_judgments=9)


@pytest.mark.parametrize("format", Format.values)
@pytest.mark.parametrize("method", ["mean", "dawid_skene"])
def test_no_judgment_at_all_is_told(made, format, method):
    with pytest.raises(DatasetRefused, match="no row is left"):
        made(format, cohorts=["nobody"], aggregation=method)


# Snapshots that are none ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["judgments.parquet", "manifest.json"])
def test_a_changed_or_missing_file_is_refused(study, tmp_path, name):
    snapshot = study.freeze(tmp_path / "snapshot")
    for content in (b"{}", None):
        (snapshot / name).write_bytes(content) if content else (snapshot / name).unlink()
        with pytest.raises(SnapshotUnreadable):
            make(snapshot, tmp_path / f"out-{content}", "trl_preference")


@pytest.mark.parametrize("key", ["00000000000000ff", "0", "no such key here"])
def test_a_judgment_about_an_unknown_pair_is_told(study, tmp_path, key):
    study.judgment(study.pair("q"), **both(balance=-3))
    study.judgments[-1]["pair_key"] = key
    snapshot = study.freeze(tmp_path / "snapshot")
    with pytest.raises(SnapshotUnreadable, match="pair"):
        make(snapshot, tmp_path / "out", "trl_preference")


def test_every_item_is_kept_or_left_out(tmp_path):
    snapshot = a_written_study(seed=3).freeze(tmp_path / "snapshot")
    for format in ("trl_preference", "pku_saferlhf", "scalar_reward", "sft", "soft_labels", "judgments"):
        rows, manifest = make(snapshot, tmp_path / format, format, min_judgments=4)
        counts = manifest["counts"]
        items = counts["items"]
        assert items["judged"] == items["kept"] + sum(items["left_out"].values()) > 0
        assert len(rows) == counts["rows"] == sum(part["rows"] for part in counts["splits"].values())
        read, used = counts["judgments"]["read"], counts["judgments"]["used"]
        assert read == used + sum(counts["judgments"]["left_out"].values())
