"""Two sources beside each other, against plain Python, closed forms and the published table of SAS."""

import random
from collections import Counter, defaultdict
from statistics import fmean

import numpy as np
import pytest

from annotation.stats.errors import BadInput
from annotation.stats.two_sources import agreement_of_two, calibration, confusion

pytestmark = pytest.mark.once


def drawn(n=400, labels=4, prompts=60, seed=3):
    draw = random.Random(seed)
    first = [draw.randrange(labels) for _ in range(n)]
    second = [one if draw.random() < 0.6 else draw.randrange(labels) for one in first]
    return first, second, [draw.randrange(prompts) for _ in range(n)]


def test_the_confusion_counts_every_two_labels():
    first, second, _ = drawn()
    counted = Counter(zip(first, second, strict=True))
    table = confusion(first, second, 4)
    assert {(a, b): int(table[a, b]) for a in range(4) for b in range(4) if table[a, b]} == dict(counted)


def kappa_by_hand(first, second, apart):
    observed = fmean(apart(a, b) for a, b in zip(first, second, strict=True))
    return 1 - observed / fmean(apart(a, b) for a in first for b in second)


def test_the_kappas_are_their_definition():
    first, second, prompts = drawn()
    found = agreement_of_two(first, second, prompts, 4, bootstrap=0)
    assert found.kappa.value == pytest.approx(kappa_by_hand(first, second, lambda a, b: a != b))
    assert found.kappa_quadratic.value == pytest.approx(
        kappa_by_hand(first, second, lambda a, b: (a - b) ** 2)
    )
    assert found.accuracy.value == pytest.approx(fmean(a == b for a, b in zip(first, second, strict=True)))
    assert found.kappa.n == 400


def test_ac1_is_its_formula():
    first, second, prompts = drawn(labels=3)
    equal = fmean(a == b for a, b in zip(first, second, strict=True))
    shares = [(first.count(k) + second.count(k)) / 800 for k in range(3)]
    chance = sum(p * (1 - p) for p in shares) / 2
    found = agreement_of_two(first, second, prompts, 3, bootstrap=0)
    assert found.ac1.value == pytest.approx((equal - chance) / (1 - chance))


def test_on_a_skewed_table_kappa_is_low_and_ac1_high():
    """The well-known example: 94 % agree, 96 % of the labels are the same."""
    first = [0] * 94 + [0] * 3 + [1] * 2 + [1]
    second = [0] * 94 + [1] * 3 + [0] * 2 + [1]
    found = agreement_of_two(first, second, range(100), 2, bootstrap=0)
    assert found.accuracy.value == pytest.approx(0.95)
    assert found.kappa.value < 0.3
    assert found.ac1.value > 0.94


def test_the_published_table_of_sas_has_its_kappa(shared_data):
    reference = shared_data.json("agreement_tables/reference.json")["tables"]["sas_3x3"]
    labels = defaultdict(dict)
    for row in shared_data.rows("agreement_tables/sas_3x3_long.csv"):
        labels[row["item_id"]][row["rater_id"]] = int(row["label"])
    first, second = zip(*[(said["rater1"], said["rater2"]) for said in labels.values()], strict=True)
    found = agreement_of_two(first, second, range(len(first)), 3, bootstrap=0)
    assert found.ac1.value == pytest.approx(reference["irrCAC"]["gwet_ac1"]["coefficient"], abs=6e-6)
    assert found.kappa.value == pytest.approx(reference["irrCAC"]["conger"]["coefficient"], abs=6e-6)


def standard_error(table):
    """J. L. Fleiss, J. Cohen and B. S. Everitt, Psychological Bulletin 72 (1969) 323-327, equation 8."""
    p = table / table.sum()
    row, column = p.sum(axis=1), p.sum(axis=0)
    po, pe = np.trace(p), row @ column
    on = sum(p[i, i] * ((1 - pe) - (row[i] + column[i]) * (1 - po)) ** 2 for i in range(len(p)))
    off = sum(p[i, j] * (column[i] + row[j]) ** 2 for i in range(len(p)) for j in range(len(p)) if i != j)
    last = (po * pe - 2 * pe + po) ** 2
    return ((on + (1 - po) ** 2 * off - last) / (table.sum() * (1 - pe) ** 4)) ** 0.5


def test_the_interval_is_as_wide_as_the_known_standard_error():
    first, second, _ = drawn(n=2000)
    known = standard_error(confusion(first, second, 4))
    found = agreement_of_two(first, second, range(2000), 4, bootstrap=2000)
    assert found.kappa.high - found.kappa.low == pytest.approx(2 * 1.96 * known, rel=0.1)


def test_judgments_of_one_prompt_are_not_independent():
    first, second, _ = drawn(n=300)
    alone = agreement_of_two(first, second, range(300), 4)
    together = agreement_of_two(first * 4, second * 4, [*range(300)] * 4, 4)
    naive = agreement_of_two(first * 4, second * 4, range(1200), 4)
    width = together.kappa.high - together.kappa.low
    assert width == pytest.approx(alone.kappa.high - alone.kappa.low, rel=0.15)
    assert width > 1.5 * (naive.kappa.high - naive.kappa.low)


def test_one_label_alone_has_no_kappa_and_says_why():
    found = agreement_of_two([1, 1, 1], [1, 1, 1], [1, 2, 3], 2)
    assert found.accuracy.value == 1
    for measure in (found.kappa, found.kappa_quadratic, found.ac1):
        assert measure.value is None
        assert "same label" in measure.reason


def test_nothing_in_common_has_no_values_and_says_why():
    found = agreement_of_two([], [], [], 2)
    assert {found.accuracy.value, found.kappa.value, found.ac1.value} == {None}
    assert "Nothing" in found.accuracy.reason
    assert calibration([], [], []).error.value is None


@pytest.mark.parametrize(
    ("first", "second"), [([0, 2], [0, 1]), ([0, -1], [0, 1]), ([0], [0, 1]), ([0.5], [0])]
)
def test_labels_outside_the_scale_are_refused(first, second):
    with pytest.raises(BadInput):
        agreement_of_two(first, second, range(len(first)), 2)


def test_a_bin_holds_its_scores_their_mean_and_the_share_of_yes():
    scores, yes = [0.0, 0.05, 0.1, 0.3, 0.95, 1.0, 1.0], [0, 0, 1, 0, 1, 1, 0]
    bins = calibration(scores, yes, range(7), bins=10, bootstrap=0).bins
    assert [(b.low, b.high, b.share.n) for b in bins] == [
        (0, 0.1, 2),
        (0.1, 0.2, 1),
        (0.3, 0.4, 1),
        (0.9, 1, 3),
    ]
    assert bins[-1].mean_score == pytest.approx(2.95 / 3)
    assert bins[-1].share.value == pytest.approx(2 / 3)


def test_the_calibration_error_is_that_of_plain_python():
    draw = random.Random(4)
    scores = [draw.choice((0, 0.33, 0.67, 1, draw.random())) for _ in range(500)]
    yes = [int(draw.random() < s**2) for s in scores]
    inside = defaultdict(list)
    for s, y in zip(scores, yes, strict=True):
        inside[min(9, int(s * 10))].append((s, y))
    error = sum(
        abs(fmean(s for s, _ in rows) - fmean(y for _, y in rows)) * len(rows) for rows in inside.values()
    )
    found = calibration(scores, yes, [draw.randrange(50) for _ in scores])
    assert found.error.value == pytest.approx(error / 500)
    assert found.error.low < found.error.value < found.error.high
    assert sum(one.share.n for one in found.bins) == 500


def test_a_perfect_score_has_no_calibration_error():
    found = calibration([0, 0, 1, 1], [0, 0, 1, 1], range(4))
    assert found.error.value == 0
    assert found.error.low is None and found.error.reason


@pytest.mark.parametrize(
    ("scores", "yes"), [([1.2], [1]), ([float("nan")], [1]), ([0.5], [2]), ([0.5, 0.2], [1])]
)
def test_scores_that_are_none_are_refused(scores, yes):
    with pytest.raises(BadInput):
        calibration(scores, yes, range(len(scores)))
