"""Agreement in tables, against definitions in plain Python and values of other libraries."""

from collections import Counter, defaultdict
from functools import cache
from itertools import combinations, permutations
from statistics import fmean

import pytest

from annotation.reports.coefficients import agreement_tables, by_two_raters
from annotation.reports.questions import asked
from annotation.reports.rows import UNANSWERED
from tests.reports.invented import answers, drawn

pytestmark = pytest.mark.once

LOOKUP = {
    "safety": ("of_responses", "response", lambda row: int(row["safety"]) if row["safety"] < 4 else None),
    "unsafe": (
        "of_responses",
        "response",
        lambda row: bool(row["safety"] >= 2) if row["safety"] < 4 else None,
    ),
    "mode": ("of_responses", "response", lambda row: int(row["mode"]) if row["mode"] < 6 else None),
    "helpfulness": ("of_responses", "response", lambda row: int(row["helpfulness"])),
    "facilitation": ("of_responses", "response", lambda row: int(row["facilitation"])),
    "severity": (
        "of_responses",
        "response",
        lambda row: int(row["severity"]) if row["severity"] < 4 else None,
    ),
    "category hate": (
        "of_responses",
        "response",
        lambda row: row["categories"] % 2 if row["safety"] >= 2 else None,
    ),
    "category violence": (
        "of_responses",
        "response",
        lambda row: row["categories"] // 2 if row["safety"] >= 2 else None,
    ),
    "safer": ("of_pairs", "pair", lambda row: int(row["safer"])),
    "more_helpful": ("of_pairs", "pair", lambda row: int(row["more_helpful"])),
    "balance": (
        "of_pairs",
        "pair",
        lambda row: int(row["balance"]) if row["balance"] != UNANSWERED else None,
    ),
    "both_bad": ("of_pairs", "pair", lambda row: bool(row["both_bad"])),
}


@cache
def tables(told):
    return {table.name: table for table in agreement_tables(told)}


def by_question(told, table="agreement"):
    return {row["question"]: row for row in tables(told)[table].dicts()}


def said_of(told, question):
    """Item to rater to answer, the first of each."""
    table, unit, value = LOOKUP[question]
    found = defaultdict(dict)
    for row in getattr(told, table):
        if value(row) is not None:
            found[int(row[unit])].setdefault(int(row["rater"]), value(row))
    return found


def raw_by_hand(said):
    shares = []
    for values in (list(item.values()) for item in said.values() if len(item) > 1):
        pairs = list(combinations(values, 2))
        shares.append(sum(a == b for a, b in pairs) / len(pairs))
    return fmean(shares), len(shares)


def alpha_by_hand(said, ordered):
    """Krippendorff's coincidences, with his ordinal metric summed over the categories in between."""
    coincidences = Counter()
    for values in (list(item.values()) for item in said.values() if len(item) > 1):
        for a, b in permutations(values, 2):
            coincidences[a, b] += 1 / (len(values) - 1)
    margin = Counter()
    for (a, _), weight in coincidences.items():
        margin[a] += weight
    n = sum(margin.values())

    def apart(a, b):
        if not ordered:
            return float(a != b)
        between = [margin[k] for k in sorted(margin) if min(a, b) <= k <= max(a, b)]
        return (sum(between) - (margin[a] + margin[b]) / 2) ** 2 if a != b else 0.0

    observed = sum(weight * apart(a, b) for (a, b), weight in coincidences.items())
    expected = sum(margin[a] * margin[b] * apart(a, b) for a in margin for b in margin) / (n - 1)
    return 1 - observed / expected


def gwet_form_by_hand(said, chance):
    labels = {value for item in said.values() for value in item.values()}
    share = {k: fmean(list(item.values()).count(k) / len(item) for item in said.values()) for k in labels}
    by_chance = chance(list(share.values()))
    return (raw_by_hand(said)[0] - by_chance) / (1 - by_chance)


def kappa_by_hand(said, one, other, apart):
    both = [(item[one], item[other]) for item in said.values() if one in item and other in item]
    expected = fmean(apart(a, b) for a, _ in both for _, b in both)
    return (1 - fmean(apart(a, b) for a, b in both) / expected) if expected else None, len(both)


def cohen_by_hand(said, apart):
    raters = sorted({rater for item in said.values() for rater in item})
    kappas = [kappa_by_hand(said, a, b, apart)[0] for a, b in combinations(raters, 2)]
    return fmean(kappa for kappa in kappas if kappa is not None)


@pytest.fixture(scope="module")
def told():
    return drawn(judgments=150, raters=4, seed=2)


@pytest.fixture(scope="module")
def rows(told):
    return by_question(told)


@pytest.mark.parametrize("question", LOOKUP)
def test_every_measure_is_its_definition(told, rows, question):
    said, row = said_of(told, question), rows[question]
    raw, items = raw_by_hand(said)
    assert row["raw"] == pytest.approx(raw)
    assert row["items"] == items
    assert row["judgments"] == sum(map(len, said.values()))
    assert row["raters"] == 4
    assert row["alpha"] == pytest.approx(alpha_by_hand(said, row["level"] == "ordinal"))
    assert row["fleiss"] == pytest.approx(gwet_form_by_hand(said, lambda p: sum(x * x for x in p)))
    chance = lambda p: sum(x * (1 - x) for x in p) / (len(p) - 1)  # noqa: E731
    assert row["ac1"] == pytest.approx(gwet_form_by_hand(said, chance))
    assert row["cohen"] == pytest.approx(cohen_by_hand(said, lambda a, b: float(a != b)))


@pytest.mark.parametrize("question", ["safety", "helpfulness", "severity", "safer"])
def test_weighted_kappas_run_over_the_ranks_of_the_answers_in_use(told, rows, question):
    said = said_of(told, question)
    rank = {
        value: place
        for place, value in enumerate(sorted({v for item in said.values() for v in item.values()}))
    }
    linear = cohen_by_hand(said, lambda a, b: abs(rank[a] - rank[b]))
    squared = cohen_by_hand(said, lambda a, b: (rank[a] - rank[b]) ** 2)
    assert rows[question]["cohen_linear"] == pytest.approx(linear)
    assert rows[question]["cohen_quadratic"] == pytest.approx(squared)


def test_labels_without_order_have_no_weights_and_say_why(rows):
    for question in ("mode", "unsafe", "facilitation", "both_bad"):
        assert rows[question]["level"] == "nominal"
        assert rows[question]["ac2"] is None
        assert "order" in rows[question]["ac2_reason"]
        assert rows[question]["cohen_linear"] is None
        assert rows[question]["cohen_linear_reason"]


def test_intervals_lie_around_the_values(rows):
    for name in ("raw", "alpha", "cohen", "fleiss", "ac1", "ac2"):
        row = rows["safety"]
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]


def test_two_raters_have_the_kappa_of_their_common_items(told):
    for row in tables(told)["rater_pairs"].dicts():
        if row["question"] in ("safety", "mode"):
            said = said_of(told, row["question"])
            kappa, n = kappa_by_hand(
                said, int(row["rater_a"][1:]), int(row["rater_b"][1:]), lambda a, b: float(a != b)
            )
            assert row["items"] == n
            assert row["cohen"] == pytest.approx(kappa)
            assert row["cohen_low"] <= row["cohen"] <= row["cohen_high"]


def test_two_raters_weights_run_over_the_answers_of_all(told):
    said = said_of(told, "safer")
    ranks = sorted({v for item in said.values() for v in item.values()})
    assert ranks == list(range(-3, 4))
    for row in tables(told)["rater_pairs"].dicts():
        if row["question"] == "safer":
            a, b = int(row["rater_a"][1:]), int(row["rater_b"][1:])
            kappa, _ = kappa_by_hand(said, a, b, lambda x, y: (x - y) ** 2)
            assert row["cohen_quadratic"] == pytest.approx(kappa)


def test_of_a_large_panel_the_pairs_with_most_in_common_are_shown():
    told = drawn(judgments=600, raters=20)
    balance = [one for one in asked(told) if one[0].name == "balance"]
    rows = list(by_two_raters(told, balance).dicts())
    assert len(rows) == 50
    counts = [row["items"] for row in rows]
    assert counts == sorted(counts, reverse=True)
    common = Counter()
    for item in said_of(told, "balance").values():
        common.update(combinations(sorted(item), 2))
    assert counts == sorted(common.values(), reverse=True)[:50]


@pytest.mark.parametrize(
    ("by", "inside"),
    [
        ("intent", lambda told, row: told.prompts[row["prompt"]].intent),
        ("category", lambda told, row: told.prompts[row["prompt"]].harm_category or "none"),
        ("language", lambda told, row: "en"),
        ("arm", lambda told, row: told.arms[row["arm"]]),
        ("cohort", lambda told, row: told.raters[row["rater"]].cohort or "none"),
        ("guideline", lambda told, row: str(row["guideline"])),
    ],
)
def test_a_slice_holds_the_agreement_of_its_own_answers(told, by, inside):
    found = {
        row["slice"]: row
        for row in tables(told)["agreement_by_slice"].dicts()
        if row["by"] == by and row["question"] == "safety"
    }
    said = defaultdict(lambda: defaultdict(dict))
    for row in told.of_responses:
        said[inside(told, row)][int(row["response"])].setdefault(int(row["rater"]), int(row["safety"]))
    assert set(found) == set(said)
    for label, items in said.items():
        raw, n = raw_by_hand(items)
        assert (found[label]["raw"], found[label]["items"]) == (pytest.approx(raw), n)
        assert found[label]["alpha"] == pytest.approx(alpha_by_hand(items, ordered=True))


def test_every_dimension_has_its_slices(told):
    slices = {row["by"] for row in tables(told)["agreement_by_slice"].dicts()}
    assert slices == {"intent", "category", "subset", "language", "arm", "cohort", "guideline", "week"}


def test_other_libraries_find_the_same_in_pairwise_labels(shared_data):
    reference = shared_data.json("pandalm/reference.json")["agreement"]
    values, raters = {"1": -1, "2": 1, "tie": 0}, ["annotator1", "annotator2", "annotator3"]
    given = [
        {
            "rater": raters.index(row["rater_id"]),
            "pair": int(row["item_id"]),
            "prompt": 0,
            "arm_b": 1,
            "safer": values[row["label"]],
        }
        for row in shared_data.rows("pandalm/judgments_long.csv")
    ]
    found = tables(answers(pairs=given))
    row = next(row for row in found["agreement"].dicts() if row["question"] == "safer")
    assert row["raw"] == pytest.approx(reference["observed_pairwise_agreement_mean_over_items"])
    assert row["cohen"] == pytest.approx(reference["mean_pairwise_cohen_kappa"])
    assert row["ac1"] == pytest.approx(reference["irrCAC"]["gwet_ac1"]["coefficient"], abs=6e-6)
    assert row["fleiss"] == pytest.approx(reference["fleiss_kappa_statsmodels"])
    pairs = {
        (r["rater_a"], r["rater_b"]): r for r in found["rater_pairs"].dicts() if r["question"] == "safer"
    }
    for one in reference["pairwise_cohen"]:
        mine = pairs[f"r{raters.index(one['a']):03}", f"r{raters.index(one['b']):03}"]
        assert mine["cohen"] == pytest.approx(one["cohen_kappa"])
        assert (mine["raw"], mine["items"]) == (pytest.approx(one["percent_agreement"]), one["n"])


# What does not exist ------------------------------------------------------------------------------------


def safety(*told):
    """Rows of (rater, response, level), each response of its own prompt."""
    return answers([{"rater": r, "response": i, "prompt": i, "safety": s} for r, i, s in told])


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (safety(), "no judgments"),
        (safety((0, 0, 1), (0, 1, 2)), "only one rater"),
        (safety((0, 0, 1), (1, 1, 2)), "No item has two ratings"),
        (safety((0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1)), "Every rating is the same"),
    ],
)
def test_what_does_not_exist_says_why(told, reason):
    row = by_question(told)["safety"]
    for name in ("alpha", "fleiss", "ac1", "ac2"):
        assert row[name] is None
        assert reason in row[f"{name}_reason"]
    assert row["cohen"] is None and row["cohen_reason"]


def test_a_rater_who_met_a_response_twice_counts_once_with_the_first_answer():
    row = by_question(safety((0, 0, 1), (0, 0, 3), (1, 0, 1), (0, 1, 0), (1, 1, 0)))["safety"]
    assert (row["raw"], row["judgments"], row["items"]) == (1, 4, 2)


# Why they differ ----------------------------------------------------------------------------------------


def notes_of(told, question="safety"):
    rows = [row for row in tables(told)["agreement_notes"].dicts() if row["question"] == question]
    return {row["about"]: row for row in rows}


def test_a_common_answer_is_named_with_its_share():
    told = [(r, i, 0) for i in range(94) for r in (0, 1)]
    told += [(r, i, 3 * (r == i % 2)) for i in range(94, 98) for r in (0, 1)] + [(r, 99, 3) for r in (0, 1)]
    note = notes_of(safety(*told))["skew"]
    assert note["top_label"] == "clearly safe"
    assert note["top_share"] == pytest.approx(192 / 198)
    assert note["note"].startswith("97% of the answers are “clearly safe”")


def test_few_items_are_counted():
    note = notes_of(safety((0, 0, 0), (1, 0, 1), (0, 1, 2), (1, 1, 2)))["few items"]
    assert note["note"].startswith("Only 2 items have")


def test_neighbouring_answers_are_counted():
    told = [(r, i, min(3, i % 4 + r)) for i in range(40) for r in (0, 1)]
    note = notes_of(safety(*told))["order"]
    assert note["note"].startswith("100% of the differing answers are one step apart")


def test_raters_with_unlike_habits_are_told():
    told = [(0, i, 3 if i % 4 == 0 else 0) for i in range(80)]
    told += [(1, i, 3 if i % 4 == 0 or i % 2 else 0) for i in range(80)]
    note = notes_of(safety(*told), "unsafe")["raters"]
    assert "“no” is 25% to 75% of a rater’s answers" in note["note"]


def test_measures_that_are_close_are_said_to_be():
    told = safety(*[(r, i, i % 2 * 3) for i in range(40) for r in (0, 1)])
    assert list(notes_of(told)) == ["close"]


def test_an_answer_that_never_varies_is_named():
    note = notes_of(safety((0, 0, 1), (1, 0, 1)))["undefined"]
    assert note["note"].startswith("Every answer is “probably safe”")


def test_questions_without_judgments_have_no_note():
    assert tables(safety())["agreement_notes"].rows == ()
