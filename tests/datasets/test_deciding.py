"""What raters say together, against plain loops, against what trainings take, and against the reports."""

from collections import Counter, defaultdict
from statistics import fmean

import pytest

from annotation.datasets.recipe import Recipe
from annotation.datasets.selecting import plan_of
from annotation.datasets.source import read_source
from models_runtime.training.rows import Shares, best_answers, judged
from models_runtime.training.snapshots import Snapshot
from tests.datasets.written import Written, a_written_study, make

pytestmark = pytest.mark.once

SEEDS = [1, 2, 3]


@pytest.fixture(scope="module", params=SEEDS)
def study(request) -> Written:
    return a_written_study(seed=request.param)


@pytest.fixture(scope="module")
def frozen(study, tmp_path_factory):
    return study.freeze(tmp_path_factory.mktemp("snapshots") / "s")


def leanings_of(study: Written, question: str) -> dict[str, list[int]]:
    """Every pair's votes."""
    votes = defaultdict(list)
    for row in study.judgments:
        if row["both_bad"] and question == "balance":
            votes[row["pair_key"]].append(0)
        elif row[question] is not None:
            votes[row["pair_key"]].append(row[question])
    return votes


def chosen_side(row: dict) -> int:
    return -1 if row["chosen"][0]["content"].startswith("First") else 1


@pytest.mark.parametrize("question", ["balance", "safer", "more_helpful"])
def test_the_mean_decides_and_its_size_is_the_margin(study, frozen, tmp_path, question):
    rows, _ = make(frozen, tmp_path / "o", "trl_preference", decides=question)
    means = {key: fmean(votes) for key, votes in leanings_of(study, question).items()}
    told = {row["pair_key"]: chosen_side(row) * row["margin"] for row in rows}
    assert told == pytest.approx({key: mean for key, mean in means.items() if mean})


def test_the_majority_decides_and_the_strength_is_of_those_who_agree(study, frozen, tmp_path):
    rows, manifest = make(frozen, tmp_path / "o", "trl_preference", aggregation="majority")
    expected = {}
    for key, votes in leanings_of(study, "balance").items():
        sides = Counter((vote > 0) - (vote < 0) for vote in votes)
        (side, most), *rest = sides.most_common()
        if side and not (rest and rest[0][1] == most):
            strength = fmean(abs(vote) for vote in votes if vote * side > 0)
            expected[key] = (side, pytest.approx(strength), pytest.approx(most / len(votes)))
    assert {row["pair_key"]: (chosen_side(row), row["margin"], row["agreement"]) for row in rows} == expected
    assert manifest["counts"]["items"]["kept"] == len(expected) > 5


def dawid_and_skene(votes: dict[str, dict[str, int]], labels: list[int]) -> dict[str, dict[int, float]]:
    """Their method in plain loops: item → rater → label becomes item → label → probability."""
    chance = {
        item: {label: list(said.values()).count(label) / len(said) for label in labels}
        for item, said in votes.items()
    }
    for _ in range(400):
        common = {label: fmean(chance[item][label] for item in votes) for label in labels}
        errors: dict = defaultdict(float)
        total: dict = defaultdict(float)
        for item, said in votes.items():
            for rater, given in said.items():
                for true in labels:
                    errors[rater, true, given] += chance[item][true]
                    total[rater, true] += chance[item][true]
        for item, said in votes.items():
            weights = dict(common)
            for rater, given in said.items():
                for true in labels:
                    met = total[rater, true]
                    weights[true] *= errors[rater, true, given] / met if met else 0.0
            whole = sum(weights.values())
            chance[item] = {label: weight / whole for label, weight in weights.items()}
    return chance


def test_dawid_and_skene_is_theirs(study, frozen, tmp_path):
    votes: dict[str, dict[str, int]] = defaultdict(dict)
    for row in study.judgments:
        if row["both_bad"] or row["balance"] is not None:
            lean = 0 if row["both_bad"] else row["balance"]
            votes[row["pair_key"]][row["rater_id"]] = (lean > 0) - (lean < 0)
    expected = dawid_and_skene(votes, [-1, 0, 1])
    rows, _ = make(frozen, tmp_path / "o", "soft_labels", aggregation="dawid_skene")
    told = {row["pair_key"]: row for row in rows if row["question"] == "balance"}
    assert told.keys() == expected.keys()
    for key, chances in expected.items():
        side = -1 if told[key]["response_0"].startswith("First") else 1
        assert told[key]["probabilities"] == pytest.approx(
            [chances[side], chances[0], chances[-side]], abs=1e-3
        )


def as_training_reads(study: Written) -> Snapshot:
    """The same study as the trainings' own reader would hand it on."""
    arms = {}
    for pair in study.pairs:
        arms |= {pair["response_a_id"]: "one", pair["response_b_id"]: "two"}
    responses = [{**row, "arm": arms[row["response_id"]], "sample": 0} for row in study.responses]
    judgments = [
        {**row, "arm": "", "arm_a": "one", "arm_b": "two", "sample": 0, "shown_a": None, "shown_b": None}
        for row in study.judgments
    ]
    return Snapshot(None, {}, "", judgments, responses)


def test_scores_are_those_that_trainings_take(study, frozen, tmp_path):
    answers = {answer.text: answer for answer in judged(as_training_reads(study)).answers}
    rows, manifest = make(frozen, tmp_path / "o", "scalar_reward", duplicates="keep")
    assert len(rows) == len(answers) - manifest["counts"]["items"]["left_out"]["no_score"]
    for row in rows:
        answer = answers[row["completion"][0]["content"]]
        told = [row[name] for name in ("helpfulness", "safety", "reward")]
        assert told == pytest.approx([answer.helpfulness, answer.safety, answer.reward])
        assert (row["mode"], row["n_judgments"]) == (answer.mode, answer.votes)


def test_the_best_safe_answers_are_those_that_trainings_imitate(study, frozen, tmp_path):
    best, left_out = best_answers(judged(as_training_reads(study)).answers)
    rows, manifest = make(frozen, tmp_path / "o", "sft")
    assert {row["prompt_key"]: row["reward"] for row in rows} == pytest.approx(
        {answer.prompt_key: answer.reward for answer in best}
    )
    told = manifest["counts"]["items"]["left_out"]
    names = ("unsafe", "other_mode", "not_the_best")
    assert [told[name] for name in names] == [left_out.get(name, 0) for name in names]


def test_parts_are_those_of_trainings(study, frozen, tmp_path):
    rows, _ = make(frozen, tmp_path / "o", "scalar_reward", split_seed=5)
    families = {answer.prompt_key: answer.family for answer in judged(as_training_reads(study)).answers}
    parts = {"train": "train", "calibration": "validation", "test": "test"}
    for row in rows:
        assert row["split"] == parts[Shares(seed=5).split_of(families[row["prompt_key"]])]
    assert {row["split"] for row in rows} == set(parts.values())


@pytest.mark.parametrize("method", ["majority", "dawid_skene"])
def test_labels_make_scores_of_their_levels(study, frozen, tmp_path, method):
    rows, _ = make(frozen, tmp_path / "o", "scalar_reward", aggregation=method)
    levels = {round(row["helpfulness"] * 3, 9) for row in rows}
    assert levels <= {0, 1, 2, 3} and {row["safety"] for row in rows} <= {1.0, 0.67, 0.33, 0.0}


def test_a_method_without_a_model_says_that_the_majority_was_taken(tmp_path):
    study = Written()
    study.judgment(study.pair("p"), "rater-1", balance=2)
    rows, manifest = make(study.freeze(tmp_path / "s"), tmp_path / "o", "trl_preference", aggregation="mace")
    assert rows[0]["margin"] == 2 and "only one rater" in manifest["notes"]["balance"]
    assert "only one rater" in (tmp_path / "o" / "README.md").read_text()


def test_reading_holds_no_text_in_memory(frozen):
    source = read_source(frozen, Recipe("sft"), lambda *told: None)
    held = [
        value for part in (source.responses, source.pairs, source.votes, source.parts) for value in vars(part)
    ]
    assert "text" not in held and source.texts.read(source.responses.place[0]) == "First to p000"
    source.texts.close()


# Unsafe without a severity --------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=SEEDS)
def untold(request) -> Written:
    """A study of whose judgments some, imported ones as it were, do not say how unsafe an answer is."""
    study = a_written_study(seed=request.param)
    for row in study.judgments[::2]:
        row |= {"a_severity": "", "b_severity": ""}
    return study


def test_what_is_called_unsafe_without_a_severity_has_no_s_as_in_trainings(untold, tmp_path):
    answers = {answer.text: answer for answer in judged(as_training_reads(untold)).answers}
    assert any(answer.without_severity for answer in answers.values())
    rows, manifest = make(untold.freeze(tmp_path / "s"), tmp_path / "o", "scalar_reward", duplicates="keep")
    assert len(rows) == sum(answer.reward is not None for answer in answers.values())
    told = {row["completion"][0]["content"]: row["safety"] for row in rows}
    assert told == pytest.approx({text: answers[text].safety for text in told})


@pytest.mark.parametrize("way", ["majority", "dawid_skene"])
def test_an_answer_labelled_unsafe_of_which_nobody_says_how_much_has_no_score(way, tmp_path):
    study = Written()
    for number in range(8):
        key = study.pair(f"p{number}")
        for rater in ("ann", "ben", "cat"):
            a = {"a_safety": "clearly_unsafe" if number % 2 else "clearly_safe", "a_helpfulness": 3}
            study.judgment(key, rater, **a, b_safety="clearly_safe", b_helpfulness=4)
    rows, manifest = make(study.freeze(tmp_path / "s"), tmp_path / "o", "scalar_reward", aggregation=way)
    assert manifest["counts"]["items"]["left_out"]["no_score"] == 4
    assert {row["safety"] for row in rows} == {1.0}


def test_an_answer_that_anybody_calls_unsafe_without_a_severity_is_not_imitated(untold, tmp_path):
    best, left_out = best_answers(judged(as_training_reads(untold)).answers)
    rows, manifest = make(untold.freeze(tmp_path / "s"), tmp_path / "o", "sft")
    assert {row["prompt_key"]: row["reward"] for row in rows} == pytest.approx(
        {answer.prompt_key: answer.reward for answer in best}
    )
    assert manifest["counts"]["items"]["left_out"]["no_severity"] > 0


def test_r_of_all_responses_is_worked_out_once_and_not_for_every_row(frozen):
    recipe = Recipe("scalar_reward")
    source = read_source(frozen, recipe, lambda *step: None)
    scores = plan_of(source, recipe).scores
    source.texts.close()
    assert scores.r is scores.r
