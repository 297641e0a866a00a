"""Who wins, against studies counted by hand and against plain Python."""

from collections import Counter

import pytest

from annotation.actions import judging
from annotation.models import Judgment, Pair, Study
from annotation.reports.winrates import FEW_PROMPTS, HEADLINE, win_rate_report
from tests import cast
from tests.reports.studies import a_varied_study, judge, safe, two_raters

pytestmark = pytest.mark.django_db


def rows_by_question(study):
    return {row.question: row for row in win_rate_report(study).rows}


def test_it_counts_wins_ties_and_both_bad_by_arm_and_not_by_side():
    study = cast.a_rateable_study(pairs=3)
    bob, carol = two_raters(study)
    judge(bob, safe(), safe(), balance=-3, safer=-1)
    judge(bob, safe(), safe(), balance=-1, safer=1)
    judge(bob, safe(), safe(), balance=2, safer=0)
    judge(carol, safe(), safe(), balance=-2)
    judge(carol, safe(), safe(), balance=0)
    judge(carol, safe(), safe(), balance=None, both_bad=True)
    rows = rows_by_question(study)
    balance = rows["balance"]
    assert (balance.wins, balance.ties, balance.both_bad, balance.losses) == (3, 1, 1, 1)
    assert balance.rate.value == pytest.approx((3 + 0.5 * 2) / 6)
    assert balance.decisive.value == pytest.approx(3 / 4)
    assert (balance.judgments, balance.pairs, balance.prompts) == (6, 3, 3)
    assert (rows["safer"].wins, rows["safer"].ties, rows["safer"].losses) == (1, 4, 1)
    assert rows["safer"].both_bad == 0


def test_the_headline_names_the_arm_that_leads():
    study = cast.a_rateable_study(pairs=3)
    bob, carol = two_raters(study)
    for rater in (bob, carol):
        judge(rater, safe(), safe(), balance=3)
        judge(rater, safe(), safe(), balance=1)
        judge(rater, safe(), safe(), balance=-1)
    (line,) = win_rate_report(study).headlines
    assert (line.winner, line.loser) == (cast.ARMS[1], cast.ARMS[0])
    assert line.rate.value == pytest.approx(2 / 3)
    assert line.rate.low <= line.rate.value <= line.rate.high
    assert not line.decided


def test_a_winner_is_named_on_enough_prompts_only():
    """One arm wins every judgment: 29 prompts name no winner, 30 do."""
    study = cast.a_rateable_study(pairs=FEW_PROMPTS, overlap=1)
    bob, _ = two_raters(study)
    for _ in range(FEW_PROMPTS - 1):
        judge(bob, safe(), safe(), balance=-2)
    (line,) = win_rate_report(study).headlines
    assert (line.rate.value, line.prompts, line.decided) == (1, FEW_PROMPTS - 1, False)
    judge(bob, safe(), safe(), balance=-2)
    (line,) = win_rate_report(study).headlines
    assert (line.rate.value, line.prompts, line.decided) == (1, FEW_PROMPTS, True)


def judged_by_both(study, judgments: int) -> None:
    for rater in two_raters(study):
        for _ in range(judgments):
            judge(rater, safe(), safe(), balance=-1)


@pytest.mark.parametrize(
    ("state", "judgments", "decides", "watched"),
    [
        ("open", 4, "sequence", 4),
        ("closed", 4, "interval", 4),
        ("open", 3, "sequence", 3),
        ("closed", 3, "sequence", 3),
    ],
)
def test_only_a_study_closed_with_all_judgments_is_decided_by_the_interval(
    state, judgments, decides, watched
):
    study = cast.a_rateable_study(pairs=4)
    judged_by_both(study, judgments)
    Study.objects.update(state=state)
    study.refresh_from_db()
    (line,) = win_rate_report(study).headlines
    assert (line.decides, line.watched.n) == (decides, watched)


def test_a_prompt_is_watched_once_all_its_judgments_are_in():
    study = cast.a_rateable_study(pairs=3)
    bob, carol = two_raters(study)
    for _ in range(3):
        judge(bob, safe(), safe(), balance=-1)
    assert win_rate_report(study).headlines[0].watched.value is None
    judge(carol, safe(), safe(), balance=1)
    watched = win_rate_report(study).headlines[0].watched
    assert (watched.n, watched.value) == (1, 0.5)


def test_a_dropped_pair_is_not_waited_for():
    study = cast.a_rateable_study(pairs=4)
    judged_by_both(study, 3)
    left = Pair.objects.get(judgments=None)
    Pair.objects.filter(pk=left.pk).update(state="dropped", decision="drop")
    Study.objects.update(state="closed")
    study.refresh_from_db()
    assert win_rate_report(study).headlines[0].decides == "interval"


def test_imported_judgments_were_counted_elsewhere_and_are_decided_by_the_interval():
    study = cast.a_rateable_study(pairs=1)
    Judgment.objects.create(
        study=study,
        pair=Pair.objects.get(),
        enrolment=cast.a_rater(study, cast.bob()),
        idempotency_key="an-import",
        source="imported",
        safer_canonical=-1,
        more_helpful_canonical=0,
        balance_canonical=-1,
    )
    line = win_rate_report(study).headlines[0]
    assert (line.decides, line.watched.n) == ("interval", 0)


def test_the_headlines_need_one_question_only():
    study = a_varied_study(4)
    brief = win_rate_report(study, questions=(HEADLINE,))
    assert [row.question for row in brief.rows] == [HEADLINE]
    assert brief.headlines == win_rate_report(study).headlines


def test_without_judgments_there_is_no_headline():
    report = win_rate_report(cast.a_rateable_study())
    assert report.headlines == ()
    assert [row.rate.value for row in report.rows] == [None, None, None]


def test_a_correction_replaces_what_it_corrects():
    study = cast.a_rateable_study(pairs=1)
    bob, _ = two_raters(study)
    first = judge(bob, safe(), safe(), balance=-3)
    judging.revise_judgment(first.assignment, cast.answers(balance=0), "a correction")
    balance = rows_by_question(study)["balance"]
    assert (balance.wins, balance.ties, balance.judgments) == (0, 1, 1)


def test_surplus_judgments_do_not_count():
    study = cast.a_rateable_study(pairs=1)
    bob, _ = two_raters(study)
    held = cast.claim_next_pair(bob)
    study.state = "closed"
    study.save(update_fields=["state"])
    judging.submit_judgment(held, cast.answers(), "late")
    assert rows_by_question(study)["balance"].judgments == 0


def test_it_agrees_with_plain_python():
    study = a_varied_study(20)
    for question, row in rows_by_question(study).items():
        wins = Counter()
        for judgment in Judgment.objects.filter(study=study):
            shown = getattr(judgment, question)
            if judgment.both_bad and question == "balance":
                wins["both_bad"] += 1
            elif shown == 0:
                wins["tie"] += 1
            else:
                left_won = shown < 0
                wins["a" if left_won == judgment.left_is_a else "b"] += 1
        assert (row.wins, row.losses, row.ties, row.both_bad) == (
            wins["a"],
            wins["b"],
            wins["tie"],
            wins["both_bad"],
        )
        half = wins["tie"] + wins["both_bad"]
        assert row.rate.value == pytest.approx((wins["a"] + half / 2) / 40)
        assert row.decisive.value == pytest.approx(wins["a"] / (wins["a"] + wins["b"]))


def test_every_two_of_three_arms_are_compared():
    study = cast.a_study_of_three_arms()
    rows = win_rate_report(study).rows
    compared = [(row.arm_a, row.arm_b) for row in rows if row.question == "balance"]
    assert compared == [("one", "two"), ("one", "three"), ("two", "three")]


def test_the_number_of_queries_does_not_grow(django_assert_num_queries):
    study = a_varied_study(4)
    with django_assert_num_queries(6):
        win_rate_report(study)
