"""The rule from judgments to preferences, against cases worked out by hand."""

from collections import Counter

import pytest

from annotation.export.preferences import preference
from annotation.models import Judgment
from tests.cast import a_rateable_study

pytestmark = pytest.mark.django_db

BAD = "both bad"


def votes(*given):
    """Judgments as they come from the table: a number towards the second arm, BAD, or None for no answer."""
    return [Judgment(both_bad=vote == BAD, balance_canonical=None if vote == BAD else vote) for vote in given]


@pytest.mark.parametrize(
    "given, chosen, margin",
    [
        ([3], "q", 3.0),
        ([-1, -2], "p", 1.5),
        ([3, -1, -1], "q", 1 / 3),
        ([2, BAD], "q", 1.0),
        ([-3, BAD, BAD], "p", 1.0),
        ([1, None], "q", 1.0),
    ],
)
def test_the_mean_balance_chooses_and_its_size_is_the_margin(given, chosen, margin):
    pair, counts = a_rateable_study(pairs=1).pairs.get(), Counter()
    row = preference(pair, votes(*given), 1, counts)
    rejected = "q" if chosen == "p" else "p"
    assert row["prompt"] == pair.prompt.messages
    assert row["chosen"] == [{"role": "assistant", "content": f"Answer {chosen} to question 0."}]
    assert row["rejected"] == [{"role": "assistant", "content": f"Answer {rejected} to question 0."}]
    assert row["margin"] == pytest.approx(margin) and counts["preferences"] == 1
    assert row["n_judgments"] == sum(vote is not None for vote in given)
    assert row["n_both_bad"] == counts["both_bad_votes"] == given.count(BAD)


@pytest.mark.parametrize(
    "given, least, reason",
    [
        ([], 1, "no_vote"),
        ([None, None], 1, "no_vote"),
        ([3, 3], 3, "too_few_votes"),
        ([3, None, 3], 3, "too_few_votes"),
        ([BAD, BAD], 1, "all_both_bad"),
        ([0], 1, "tie"),
        ([2, -1, -1], 1, "tie"),
        ([0, BAD], 1, "tie"),
    ],
)
def test_what_prefers_neither_is_left_out_and_counted(given, least, reason):
    pair, counts = a_rateable_study(pairs=1).pairs.get(), Counter()
    assert preference(pair, votes(*given), least, counts) is None
    assert counts[reason] == 1 and not counts["preferences"]
