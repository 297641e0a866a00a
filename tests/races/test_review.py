"""Researchers decide and the scanner looks again while raters claim: what was given stays, once each."""

import pytest

from annotation.actions.claims import claim_next_pair
from annotation.actions.reviewing import decide, rescan, take_back
from annotation.errors import NothingFree, NothingLeft, ReviewRefused
from annotation.models import Assignment, Mark, Pair
from annotation.vocabulary import PairState
from tests.actions.test_reviewing import a_generated_study, a_marked_study, forget_the_scanner, keys
from tests.cast import a_rater, person
from tests.races.test_raters import at_once


def raters_of(study, number=4):
    return [a_rater(study, person(f"rater {number}")) for number in range(number)]


def claim(rater):
    """Whether the rater got a pair."""
    try:
        return bool(claim_next_pair(rater))
    except (NothingFree, NothingLeft):
        return False


def given() -> set[int]:
    return set(Assignment.objects.values_list("pair_id", flat=True))


def run_all(jobs):
    return at_once(lambda job: job(), jobs)


@pytest.mark.parametrize("attempt", range(3))
def test_what_is_taken_back_was_given_to_nobody(committed_db, attempt):
    study = a_marked_study(pairs=6)
    wanted = keys(study)
    decide(study, wanted, "mask")
    raters = raters_of(study)
    jobs = [lambda rater=rater: claim(rater) for rater in raters]
    taken, *_ = run_all([lambda: take_back(study, wanted), *jobs])
    held = set(keys(study))
    assert held == set(taken.pairs) and not held & given()
    assert taken.done + sum(taken.refused.values()) == 6
    assert not Pair.objects.held().exclude(shown_a=None).exists()


@pytest.mark.parametrize("attempt", range(3))
def test_two_researchers_decide_each_pair_once(committed_db, attempt):
    study = a_marked_study(pairs=8)
    wanted = keys(study)
    decided = at_once(lambda decision: decide(study, wanted, decision), ["show", "drop", "mask", "drop"])
    assert sum(one.done for one in decided) == 8
    assert sum(sum(one.refused.values()) for one in decided) == 3 * 8
    study.refresh_from_db()
    assert study.pair_count == study.pairs.of_study().count()
    assert study.pairs.decided().count() == 8


@pytest.mark.parametrize("attempt", range(3))
def test_two_researchers_start_one_run(committed_db, attempt):
    study = a_generated_study()
    wanted = keys(study)

    def regenerate(_):
        try:
            return decide(study, wanted, "regenerate").done
        except ReviewRefused:
            return 0

    assert sorted(at_once(regenerate, [1, 2])) == [0, 1]
    assert study.runs.count() == 2 and study.responses.filter(replaced_at__isnull=False).count() == 2


@pytest.mark.parametrize("attempt", range(3))
def test_a_pair_that_a_rater_got_is_not_withdrawn_with_its_neighbour(committed_db, attempt):
    study = a_generated_study(arms=("one", "two", "three"))
    Mark.objects.exclude(response__arm__name="one").delete()
    first, second = study.pairs.filter(response_a__arm__name="one")
    decide(study, [first.pk], "show")
    rater = raters_of(study, 1)[0]
    decided, _ = run_all([lambda: decide(study, [second.pk], "regenerate"), lambda: claim(rater)])
    replaced = set(Pair.objects.filter(state=PairState.REPLACED).values_list("pk", flat=True))
    assert not replaced & given()
    assert bool(decided.done) == bool(replaced)


@pytest.mark.parametrize("attempt", range(3))
def test_looking_again_holds_no_pair_that_a_rater_got(committed_db, attempt):
    study = a_marked_study(pairs=6)
    forget_the_scanner(study)
    raters = raters_of(study)
    jobs = [lambda rater=rater: claim(rater) for rater in raters]
    found, other, *_ = run_all([lambda: rescan(study), lambda: rescan(study), *jobs])
    held = set(keys(study))
    assert not held & given() and held | given() == set(study.pairs.values_list("pk", flat=True))
    assert found.held + other.held == len(held)
    # A pair that was given before anybody looked has no mark; no mark is made twice.
    assert Mark.objects.filter(response__pairs_as_a__in=held).count() == len(held)
