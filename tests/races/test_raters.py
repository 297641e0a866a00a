"""Many raters at once, in real threads on committed data: no pair over its overlap, nothing lost."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import close_old_connections, connection
from django.db.models import Count, Q

from annotation.actions.claims import claim_next_pair
from annotation.actions.judging import submit_judgment
from annotation.actions.pairing import make_pairs
from annotation.actions.runs import (
    claim_batch,
    fail_batch,
    note_worker,
    record_completions,
    resume_run,
    start_run,
)
from annotation.errors import AlreadySubmitted, NothingFree, NothingLeft, RunRefused
from annotation.models import Batch, Judgment
from tests.cast import a_prompt, a_rateable_study, a_rater, a_response, a_study, an_arm, answers, bob, person

RATERS = 8


def at_once(work, arguments):
    """Run `work` on every argument in threads that start together; their results in order."""
    start = threading.Barrier(len(arguments))

    def one(argument):
        close_old_connections()
        start.wait()
        try:
            return work(argument)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(arguments)) as threads:
        return list(threads.map(one, arguments))


def judge_all(rater, given=None):
    """Judge until nothing is left; how many judgments that took."""
    judged = 0
    while True:
        try:
            held = claim_next_pair(rater)
        except NothingLeft:
            return judged
        except NothingFree:
            continue
        submit_judgment(held, given or answers(), uuid.uuid4().hex)
        judged += 1


@pytest.mark.slow
def test_raters_at_once_fill_every_pair_exactly_to_its_overlap(committed_db):
    study = a_rateable_study(pairs=12, overlap=3)
    raters = [a_rater(study, person(f"rater {number}")) for number in range(RATERS)]
    judged = at_once(judge_all, raters)
    assert sum(judged) == 12 * 3 == Judgment.objects.count()
    counts = study.pairs.annotate(
        judged=Count("judgments"), raters=Count("judgments__enrolment", distinct=True)
    )
    assert set(counts.values_list("judged", "raters", "open_slots")) == {(3, 3, 0)}


def test_one_rater_in_many_windows_holds_one_pair(committed_db):
    rater = a_rater(a_rateable_study(pairs=12), bob())
    held = at_once(lambda rater: claim_next_pair(rater).pk, [rater] * RATERS)
    assert len(set(held)) == 1


def test_one_answer_sent_many_times_at_once_is_one_judgment(committed_db):
    held = claim_next_pair(a_rater(a_rateable_study(pairs=2), bob()))
    made = at_once(lambda held: submit_judgment(held, answers(), "one key").pk, [held] * RATERS)
    assert len(set(made)) == 1
    assert Judgment.objects.count() == 1


def test_different_answers_sent_at_once_leave_one_judgment(committed_db):
    held = claim_next_pair(a_rater(a_rateable_study(pairs=2), bob()))

    def submit(key):
        try:
            return bool(submit_judgment(held, answers(), key))
        except AlreadySubmitted:
            return False

    assert sum(at_once(submit, [f"key {n}" for n in range(RATERS)])) == 1
    held.enrolment.refresh_from_db()
    assert held.enrolment.judged == 1


def test_workers_at_once_never_claim_one_batch_twice(committed_db):
    study = a_study()
    an_arm(study, "one")
    for _ in range(24):
        a_prompt(study)
    run = start_run(study, batch_size=1)

    def claim_all(worker):
        claimed = []
        while batch := claim_batch(run.pk, worker):
            claimed.append(batch.pk)
        return claimed

    claimed = sum(at_once(claim_all, [f"worker {n}" for n in range(4)]), [])
    assert sorted(claimed) == sorted(Batch.objects.values_list("pk", flat=True))


def test_pairing_twice_at_once_makes_every_pair_once(committed_db):
    study = a_study()
    arms = [an_arm(study, "one"), an_arm(study, "two")]
    for _ in range(10):
        prompt = a_prompt(study)
        for arm in arms:
            a_response(prompt, arm)
    assert sum(at_once(make_pairs, [study] * 4)) == 10
    study.refresh_from_db()
    assert study.pair_count == study.pairs.count() == 10


def test_nothing_is_free_for_those_who_come_while_all_is_held(committed_db):
    study = a_rateable_study(pairs=1, overlap=2)
    raters = [a_rater(study, person(f"rater {number}")) for number in range(5)]

    def claim(rater):
        try:
            return bool(claim_next_pair(rater))
        except NothingFree:
            return False

    assert sum(at_once(claim, raters)) == 2
    assert study.pairs.filter(Q(open_slots=0)).count() == 1


@pytest.mark.slow
def test_pairing_goes_on_while_others_write(committed_db):
    study = a_study()
    arms = [an_arm(study, "one"), an_arm(study, "two")]
    for _ in range(20):
        prompt = a_prompt(study)
        for arm in arms:
            a_response(prompt, arm)
    done = threading.Event()

    def pair(_):
        try:
            return make_pairs(study)
        finally:
            done.set()

    def write(_):
        written = 0
        while not done.is_set():
            note_worker("busy", "default")
            written += 1
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("annotation.actions.pairing.CHUNK", 2)
        made, written = at_once(lambda job: job(None), [pair, write])
    assert made == 20
    assert written > 0


def test_failures_and_resumes_at_once_leave_no_run_stuck(committed_db):
    study = a_study()
    an_arm(study, "one")
    for _ in range(6):
        a_prompt(study)
    run = start_run(study, batch_size=1)

    def fail(batch):
        return fail_batch(batch, "no luck")

    def resume(_):
        with suppress(RunRefused):
            resume_run(run)

    batches = [claim_batch(run.pk, "doomed") for _ in range(6)]
    at_once(lambda job: job[0](job[1]), [(fail, b) for b in batches[:5]] + [(resume, None)] * 3)
    run.refresh_from_db()
    failed = run.batches.filter(state="failed").exists()
    assert (run.state == "failed") == failed


def test_recording_and_giving_up_at_once_do_not_wait_for_each_other_forever(committed_db):
    study = a_study()
    an_arm(study, "one")
    a_prompt(study)
    run = start_run(study, batch_size=1)
    batch = claim_batch(run.pk, "slow")
    outcome = at_once(
        lambda job: job(), [lambda: record_completions(batch, [], {}), lambda: fail_batch(batch, "gave up")]
    )
    assert sorted(outcome) == [False, True]
