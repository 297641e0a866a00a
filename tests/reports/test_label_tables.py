"""Labels from several raters, in tables: votes against plain Python, and the tables against each other."""

import math
from collections import Counter, defaultdict
from functools import cache
from statistics import fmean

import pytest

from annotation.reports.labels import METHODS, label_tables
from annotation.reports.rows import UNANSWERED
from annotation.vocabulary import ResponseMode, SafetyLevel
from tests.reports.invented import answers, drawn

pytestmark = pytest.mark.once

QUESTIONS = ["safety", "severity", "mode", "safer", "more_helpful", "balance"]


@cache
def tables(told):
    return {table.name: table for table in label_tables(told)}


def rows_of(told, table, **where):
    return [row for row in tables(told)[table].dicts() if where.items() <= row.items()]


@pytest.fixture(scope="module")
def told():
    return drawn(judgments=300, raters=5, seed=3)


def votes(told, question):
    """Item to the words its raters gave, each rater's first."""
    found = defaultdict(dict)
    if question in ("safety", "mode"):
        words = {"safety": SafetyLevel, "mode": ResponseMode}[question].values
        for row in told.of_responses:
            found[int(row["response"])].setdefault(int(row["rater"]), words[row[question]])
    else:
        for row in told.of_pairs:
            lean = int(row["balance"])
            word = (
                "both bad"
                if lean == UNANSWERED
                else ("arm a", "about equal", "arm b")[(lean > 0) - (lean < 0) + 1]
            )
            found[int(row["pair"])][int(row["rater"])] = word
    return {item: list(said.values()) for item, said in found.items()}


@pytest.mark.parametrize("question", ["safety", "mode", "balance"])
def test_the_majority_is_what_most_raters_gave(told, question):
    cast = votes(told, question)
    overall = Counter(word for given in cast.values() for word in given)
    for row in rows_of(told, "label_posteriors", question=question):
        given = Counter(cast[row["item"]])
        most = max(given.values())
        leading = [word for word, n in given.items() if n == most]
        assert row["majority"] in leading
        assert overall[row["majority"]] == max(overall[word] for word in leading)
        assert row["majority_posterior"] == pytest.approx(most / sum(given.values()))
        assert row["judgments"] == sum(given.values())
    ties = sum(
        list(Counter(given).values()).count(max(Counter(given).values())) > 1 for given in cast.values()
    )
    (row,) = rows_of(told, "label_methods", question=question, method="majority")
    assert row["undecided"] == ties
    assert row["items"] == len(cast)


def test_the_weighed_vote_is_its_formula():
    """Three raters on four responses: the weights from how often the others agree, by hand."""
    said = {0: (0, 0, 3), 1: (3, 3, 0), 2: (0, 0, 0), 3: (3, 3, 0)}
    told = answers(
        [
            {"rater": r, "response": i, "prompt": i, "safety": s}
            for i, row in said.items()
            for r, s in enumerate(row)
        ]
    )
    weights = []
    for rater in range(3):
        agreed = (
            sum(row[rater] == row[other] for row in said.values() for other in range(3) if other != rater) / 2
        )
        accuracy = (agreed + 1) / (len(said) + 2)
        weights.append(max(0, math.log(accuracy / (1 - accuracy))))
    for row in rows_of(told, "label_posteriors", question="safety"):
        score = {
            word: sum(w for w, s in zip(weights, said[row["item"]], strict=True) if s == word)
            for word in (0, 3)
        }
        total = sum(math.exp(value) for value in score.values())
        best = max(score, key=score.get)
        assert row["weighted"] == SafetyLevel.values[best]
        assert row["weighted_posterior"] == pytest.approx(math.exp(score[best]) / total)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("method", METHODS)
def test_the_tables_tell_the_same_of_the_items(told, question, method):
    items = rows_of(told, "label_posteriors", question=question)
    labels = rows_of(told, "labels", question=question, method=method)
    assert {row["label"]: row["chosen"] for row in labels if row["chosen"]} == Counter(
        row[method] for row in items
    )
    assert sum(row["share"] for row in labels) == pytest.approx(1)
    assert sum(row["expected_share"] for row in labels) == pytest.approx(1)
    for row in labels:
        chosen = [one[f"{method}_posterior"] for one in items if one[method] == row["label"]]
        assert row["mean_posterior"] == (pytest.approx(fmean(chosen)) if chosen else None)
    (whole,) = rows_of(told, "label_methods", question=question, method=method)
    assert whole["mean_posterior"] == pytest.approx(fmean(row[f"{method}_posterior"] for row in items))
    for other in METHODS:
        assert whole[f"as_{other}"] == pytest.approx(fmean(row[method] == row[other] for row in items))


def test_a_careless_rater_is_outvoted_by_the_models_where_the_majority_ties():
    """Two raters are right everywhere and two by chance; on the last response one of each differ."""
    truth = [i % 2 * 3 for i in range(60)]
    given = [{"rater": r, "response": i, "prompt": i, "safety": truth[i]} for i in range(60) for r in (0, 1)]
    given += [
        {"rater": r, "response": i, "prompt": i, "safety": (i // 2 + r) % 2 * 3}
        for i in range(60)
        for r in (2, 3)
    ]
    given += [
        {"rater": 0, "response": 60, "prompt": 60, "safety": 3},
        {"rater": 2, "response": 60, "prompt": 60, "safety": 0},
    ]
    (row,) = [
        r for r in rows_of(answers(given, raters=4), "label_posteriors", question="safety") if r["item"] == 60
    ]
    assert row["majority_posterior"] == 0.5
    for method, sure in (("weighted", 0.6), ("dawid_skene", 0.9), ("mace", 0.9)):
        assert row[method] == "clearly_unsafe"
        assert row[f"{method}_posterior"] > sure


def test_items_are_named_by_prompt_and_arms(told):
    for row in rows_of(told, "label_posteriors", question="balance"):
        assert (row["arm"], row["arm_b"]) == ("amber", "blue")
    of_responses = rows_of(told, "label_posteriors", question="safety")
    places = {(f"p{r['prompt']:05}", told.arms[r["arm"]], int(r["response"])) for r in told.of_responses}
    assert {(row["prompt"], row["arm"], row["item"]) for row in of_responses} == places


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "no judgments"),
        ([(0, 0, 0), (0, 1, 3)], "only one rater"),
        ([(0, 0, 1), (1, 0, 1)], "Every rating is the same"),
        ([(0, 0, 0), (1, 1, 3)], "No item has labels of two raters"),
    ],
)
def test_a_model_that_does_not_exist_says_why(given, reason):
    told = answers([{"rater": r, "response": i, "prompt": i, "safety": s} for r, i, s in given])
    for method in ("weighted", "dawid_skene", "mace"):
        (row,) = rows_of(told, "label_methods", question="safety", method=method)
        assert row["mean_posterior"] is None
        assert reason in row["reason"]
    assert {row["dawid_skene"] for row in rows_of(told, "label_posteriors")} <= {None}
    assert len(rows_of(told, "label_posteriors")) == len({i for _, i, _ in given})


def test_a_fit_that_did_not_settle_says_so():
    found = [row for row in tables(drawn(judgments=3000, raters=40, seed=5))["label_methods"].dicts()]
    for row in found:
        settled = row["iterations"] < (50 if row["method"] == "mace" else 1000)
        assert ("not settled" in row["reason"]) == (not settled)
    assert any("not settled" in row["reason"] for row in found)
