"""Runs generate what is missing, and lose nothing whatever happens to workers."""

import hashlib
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from annotation.actions import leases, runs
from annotation.actions.generating import generate
from annotation.errors import RunRefused
from annotation.models import Batch, BatchItem, Event, Prompt, Response, Run, WorkerHeartbeat
from annotation.vocabulary import BatchState, RunState
from models_runtime.types import Completion, FailedRequest
from models_runtime.worker import BackendCache
from tests.cast import a_prompt, a_response, a_study, an_arm

pytestmark = pytest.mark.django_db

SILENT = timedelta(hours=1)


def a_study_to_generate(prompts=5, **arm):
    study = a_study()
    for name in ("one", "two"):
        an_arm(study, name, **arm)
    for _ in range(prompts):
        a_prompt(study)
    return study


def generate_all(run, backends=None):
    backends = backends or BackendCache()
    while batch := runs.claim_batch(run.pk, "test"):
        generate(batch, backends)
    run.refresh_from_db()
    return run


def completions(batch, text="An answer."):
    return [Completion(str(item.pk), text, "stop", 3, 4, 0.1, 1) for item in batch.items.all()]


def test_a_run_brings_one_response_for_every_arm_prompt_and_sample():
    study = a_study_to_generate(prompts=5)
    run = generate_all(runs.start_run(study, samples=2, batch_size=4))
    assert run.state == RunState.GENERATED
    assert Response.objects.count() == 2 * 5 * 2
    assert runs.finish_run(run)
    run.refresh_from_db()
    assert (run.state, study.pairs.count()) == (RunState.DONE, 10)


def test_a_batch_holds_one_arm():
    run = runs.start_run(a_study_to_generate(prompts=5), batch_size=4)
    assert [batch.items.count() for batch in run.batches.all()] == [4, 1, 4, 1]
    assert list(run.batches.values_list("arm__name", flat=True)) == ["one", "one", "two", "two"]


def test_a_run_asks_only_for_what_is_missing():
    study = a_study_to_generate(prompts=3)
    a_response(study.prompts.first(), study.arms.first())
    generate_all(runs.start_run(study))
    assert Response.objects.count() == 6


def test_both_arms_get_the_same_seed_for_the_same_prompt_and_sample():
    study = a_study_to_generate(prompts=4)
    generate_all(runs.start_run(study, samples=2))
    seeds = [
        set(study.responses.filter(arm=arm).values_list("prompt", "sample", "seed"))
        for arm in study.arms.all()
    ]
    assert seeds[0] == seeds[1]
    assert len({seed for _, _, seed in seeds[0]}) == 8


def test_every_response_says_how_it_came_about():
    study = a_study_to_generate(prompts=1, sampling={"temperature": 0.5, "max_new_tokens": 9})
    generate_all(runs.start_run(study))
    provenance = Response.objects.first().provenance
    assert provenance["backend"] == "scripted"
    assert provenance["sampling"]["temperature"] == 0.5
    assert provenance["sampling"]["top_p"] == 1.0
    assert provenance["system_prompt_sha256"] == hashlib.sha256(b"").hexdigest()
    assert provenance["worker"] == "test"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda study: study.prompts.all().delete(), "no prompts"),
        (lambda study: study.arms.update(backend=""), "No arm"),
        (lambda study: study.arms.update(sampling={"temperature": -1}), "sampling of arm “one”"),
        (lambda study: study.runs.create(seed=1), "not finished"),
    ],
)
def test_a_run_that_cannot_succeed_is_refused_with_the_reason(spoil, message):
    study = a_study_to_generate()
    spoil(study)
    with pytest.raises(RunRefused, match=message):
        runs.start_run(study)
    assert not Batch.objects.exists()


@pytest.mark.parametrize("samples", [-1, 0, runs.MOST_SAMPLES + 1])
def test_a_number_of_samples_that_is_none_is_refused(samples):
    with pytest.raises(RunRefused, match="1 to 8 times"):
        runs.start_run(a_study_to_generate(prompts=1), samples)
    assert not Run.objects.exists()


def test_a_study_that_lacks_nothing_gets_no_run():
    study = a_study_to_generate(prompts=1)
    runs.finish_run(generate_all(runs.start_run(study)))
    with pytest.raises(RunRefused, match="answered every prompt"):
        runs.start_run(study)
    assert study.runs.count() == 1


def test_a_batch_is_claimed_once():
    run = runs.start_run(a_study_to_generate(prompts=1))
    assert runs.claim_batch(run.pk, "first").number == 0
    assert runs.claim_batch(run.pk, "second").number == 1
    assert runs.claim_batch(run.pk, "third") is None


def test_a_batch_whose_worker_fell_silent_is_queued_again():
    run = runs.start_run(a_study_to_generate(prompts=1))
    lost = runs.claim_batch(run.pk, "dead")
    assert runs.requeue_stale() == 0
    assert runs.requeue_stale(timezone.now() + SILENT) == 1
    again = runs.claim_batch(run.pk, "living")
    assert (again.pk, again.attempts) == (lost.pk, 2)


def test_a_worker_that_lost_its_claim_records_nothing():
    run = runs.start_run(a_study_to_generate(prompts=1))
    lost = runs.claim_batch(run.pk, "slow")
    runs.requeue_stale(timezone.now() + SILENT)
    taken = runs.claim_batch(run.pk, "quick")
    assert not runs.record_completions(lost, completions(lost, "late"), {})
    assert not runs.renew_lease(lost)
    assert not runs.fail_batch(lost, "late")
    assert runs.record_completions(taken, completions(taken, "in time"), {})
    assert list(Response.objects.values_list("text", flat=True)) == ["in time"]


@pytest.mark.parametrize("attempts", [1, runs.MOST_ATTEMPTS])
def test_a_worker_that_speaks_while_the_beat_looks_keeps_its_batch(monkeypatch, attempts):
    run = runs.start_run(a_study_to_generate(prompts=1))
    batch = runs.claim_batch(run.pk, "late", at=timezone.now() - SILENT)
    Batch.objects.filter(pk=batch.pk).update(attempts=attempts)
    stale = list(Batch.objects.stale(timezone.now()))
    assert stale == [batch]
    runs.renew_lease(batch)
    assert leases.requeue(stale, give_up=runs.fail_batch) == 0
    assert runs.record_completions(batch, completions(batch), {})


def test_a_batch_that_keeps_silencing_its_workers_stops_the_run():
    run = runs.start_run(a_study_to_generate(prompts=1))
    for attempt in range(runs.MOST_ATTEMPTS):
        assert runs.claim_batch(run.pk, "doomed").number == 0
        runs.requeue_stale(timezone.now() + SILENT * (attempt + 1))
    run.refresh_from_db()
    assert run.state == RunState.FAILED
    assert "memory" in run.error


def test_a_model_that_does_not_load_stops_the_run_and_says_why():
    run = generate_all(runs.start_run(a_study_to_generate(model="fail:the weights are not there")))
    assert run.state == RunState.FAILED
    assert "the weights are not there" in run.error
    assert runs.claim_batch(run.pk, "test") is None


def test_a_failed_run_goes_on_where_it_stopped_once_the_arm_is_mended():
    study = a_study_to_generate(prompts=3, model="fail:not there")
    run = generate_all(runs.start_run(study))
    study.arms.update(model="echo")
    runs.resume_run(run)
    assert generate_all(run).state == RunState.GENERATED
    assert Response.objects.count() == 6


def test_only_a_failed_run_can_be_resumed():
    run = runs.start_run(a_study_to_generate())
    with pytest.raises(RunRefused):
        runs.resume_run(run)


def test_a_paused_run_starts_no_batch_but_keeps_what_is_under_way():
    run = runs.start_run(a_study_to_generate(prompts=2), batch_size=1)
    under_way = runs.claim_batch(run.pk, "test")
    runs.pause_run(run)
    assert runs.claim_batch(run.pk, "test") is None
    assert runs.record_completions(under_way, completions(under_way), {})
    runs.resume_run(run)
    assert generate_all(run).state == RunState.GENERATED
    assert Response.objects.count() == 4


def test_a_run_paused_at_its_very_end_goes_on_to_its_pairs_when_resumed():
    run = runs.start_run(a_study_to_generate(prompts=1), batch_size=4)
    batches = [runs.claim_batch(run.pk, "test") for _ in range(2)]
    runs.pause_run(run)
    for batch in batches:
        runs.record_completions(batch, completions(batch), {})
    runs.resume_run(run)
    run.refresh_from_db()
    assert run.state == RunState.GENERATED


def test_a_cancelled_run_keeps_what_it_has_and_lets_another_make_the_rest():
    study = a_study_to_generate(prompts=3)
    run = runs.start_run(study, batch_size=1)
    generate(runs.claim_batch(run.pk, "test"), BackendCache())
    runs.cancel_run(run)
    assert runs.claim_batch(run.pk, "test") is None
    assert Response.objects.count() == 1
    assert generate_all(runs.start_run(study)).state == RunState.GENERATED
    assert Response.objects.count() == 6


def test_no_batch_of_a_cancelled_run_waits_or_is_queued_again():
    run = runs.start_run(a_study_to_generate(prompts=2), batch_size=1)
    runs.claim_batch(run.pk, "dead")
    edited, failing = runs.claim_batch(run.pk, "edited"), runs.claim_batch(run.pk, "failing")
    runs.cancel_run(run)
    edited.arm.dtype = "float16"
    assert not runs.record_completions(edited, completions(edited), {})
    assert runs.fail_batch(failing, "no luck")
    assert runs.requeue_stale(timezone.now() + SILENT) == 0
    assert set(run.batches.values_list("state", flat=True)) == {BatchState.CANCELLED}


def test_answers_that_a_cancelled_run_left_unpaired_are_paired_by_the_next():
    study = a_study_to_generate(prompts=1)
    run = runs.start_run(study)
    first, second = runs.claim_batch(run.pk, "one"), runs.claim_batch(run.pk, "two")
    runs.record_completions(first, completions(first), {})
    runs.cancel_run(run)
    assert runs.record_completions(second, completions(second), {})
    assert (Response.objects.count(), study.pairs.count()) == (2, 0)
    again = runs.start_run(study)
    assert (again.state, again.batches.count()) == (RunState.GENERATED, 0)
    assert runs.finish_run(again) and study.pairs.count() == 1
    with pytest.raises(RunRefused, match="answered every prompt"):
        runs.start_run(study)


def test_a_run_that_is_over_is_neither_paused_nor_cancelled():
    run = generate_all(runs.start_run(a_study_to_generate(prompts=1)))
    runs.finish_run(run)
    for control in ("pause", "cancel", "resume"):
        with pytest.raises(RunRefused):
            runs.CONTROLS[control](run)


def test_what_could_not_be_answered_is_asked_again():
    run = runs.start_run(a_study_to_generate(prompts=2))
    while batch := runs.claim_batch(run.pk, "test"):
        first, second = completions(batch)
        runs.record_completions(batch, [first, FailedRequest(second.key, "Too long.")], {})
    runs.finish_run(run)
    assert runs.retry_failed(run) == 2
    assert generate_all(run).state == RunState.GENERATED
    assert Response.objects.count() == 4
    assert not BatchItem.objects.exclude(failure="").exists()
    assert Event.objects.get(verb="retry_failed").detail["reasons"] == ["Too long."]


def test_what_a_later_run_answered_is_not_asked_again():
    run = runs.start_run(a_study_to_generate(prompts=2))
    while batch := runs.claim_batch(run.pk, "test"):
        first, second = completions(batch)
        runs.record_completions(batch, [first, FailedRequest(second.key, "Too long.")], {})
    runs.finish_run(run)
    later = generate_all(runs.start_run(run.study))
    Run.objects.filter(pk=later.pk).update(state=RunState.DONE)
    Response.objects.filter(arm__name="two", batch__run=later).update(replaced_at=timezone.now())
    assert runs.retry_failed(run) == 1
    assert runs.claim_batch(run.pk, "test").arm.name == "two"


def test_a_run_without_failures_has_nothing_to_retry():
    run = generate_all(runs.start_run(a_study_to_generate(prompts=1)))
    runs.finish_run(run)
    with pytest.raises(RunRefused, match="was answered"):
        runs.retry_failed(run)
    run.refresh_from_db()
    assert run.state == RunState.DONE


def test_arms_that_are_sampled_differently_are_refused_unless_the_study_says_so():
    study = a_study_to_generate(prompts=1)
    study.arms.filter(name="two").update(sampling={"temperature": 0.7})
    with pytest.raises(RunRefused, match="temperature is 0.0 in “one”, 0.7 in “two”"):
        runs.start_run(study)
    type(study).objects.update(matched_sampling=False)
    assert runs.start_run(study)


def test_an_error_of_the_backend_is_recorded_raised_for_the_log_and_the_model_let_go():
    class Broken:
        is_closed = False

        def get(self, spec):
            raise ZeroDivisionError("inside the model")

        def close(self):
            self.is_closed = True

    run, backends = runs.start_run(a_study_to_generate()), Broken()
    with pytest.raises(ZeroDivisionError):
        generate(runs.claim_batch(run.pk, "test"), backends)
    run.refresh_from_db()
    assert backends.is_closed
    assert run.error == "ZeroDivisionError: inside the model"


def test_a_request_that_cannot_be_generated_is_recorded_with_its_reason():
    run = runs.start_run(a_study_to_generate(prompts=2))
    batch = runs.claim_batch(run.pk, "test")
    first, second = completions(batch)
    runs.record_completions(batch, [first, FailedRequest(second.key, "The prompt is too long.")], {})
    assert list(batch.items.values_list("failure", flat=True)) == ["", "The prompt is too long."]
    assert Response.objects.count() == 1


def test_an_arm_is_frozen_by_its_first_response():
    study = a_study_to_generate(prompts=1)
    run = runs.start_run(study)
    batch = runs.claim_batch(run.pk, "test")
    assert study.arms.filter(frozen_at=None).count() == 2
    runs.record_completions(batch, completions(batch), {})
    assert list(study.arms.filter(frozen_at=None).values_list("name", flat=True)) == ["two"]


def test_an_arm_that_answered_nothing_can_still_be_mended():
    study = a_study_to_generate(prompts=1)
    batch = runs.claim_batch(runs.start_run(study).pk, "test")
    assert runs.record_completions(batch, [FailedRequest(str(batch.items.get().pk), "Too long.")], {})
    assert not study.arms.exclude(frozen_at=None).exists()


def test_a_worker_that_lost_its_claim_freezes_no_arm():
    study = a_study_to_generate(prompts=1)
    lost = runs.claim_batch(runs.start_run(study).pk, "slow")
    runs.requeue_stale(timezone.now() + SILENT)
    assert not runs.record_completions(lost, completions(lost), {})
    assert not study.arms.exclude(frozen_at=None).exists()


def test_completions_of_an_arm_that_was_edited_meanwhile_are_not_its_own():
    study = a_study_to_generate(prompts=1)
    run = runs.start_run(study)
    batch = runs.claim_batch(run.pk, "test")
    study.arms.filter(pk=batch.arm_id).update(model="other")
    assert not runs.record_completions(batch, completions(batch), {})
    assert not Response.objects.exists()
    again = runs.claim_batch(run.pk, "test")
    assert (again.pk, again.arm.model) == (batch.pk, "other")
    assert runs.record_completions(again, completions(again), {})


def test_a_database_that_fails_while_recording_leaves_the_run_going(monkeypatch):
    def busy(*args):
        raise OperationalError("database is locked")

    run = runs.start_run(a_study_to_generate(prompts=1))
    monkeypatch.setattr(runs, "record_completions", busy)
    with pytest.raises(OperationalError):
        generate(runs.claim_batch(run.pk, "test"), BackendCache())
    run.refresh_from_db()
    assert (run.state, run.batches.first().state) == (RunState.RUNNING, BatchState.CLAIMED)


@pytest.mark.parametrize("prompts", [3, 300])
def test_starting_a_run_costs_the_same_queries_at_any_size(prompts, django_assert_max_num_queries):
    study = a_study_to_generate(prompts=0)
    Prompt.objects.bulk_create(
        Prompt(study=study, key=f"p{n}", messages=[{"role": "user", "content": "Why?"}], intent="benign")
        for n in range(prompts)
    )
    with django_assert_max_num_queries(18):
        runs.start_run(study)


def test_what_no_database_can_keep_is_replaced_and_the_rest_is_kept():
    run = runs.start_run(a_study_to_generate(prompts=2))
    batch = runs.claim_batch(run.pk, "test")
    first, second = completions(batch, "one\x00two\ud800")
    assert runs.record_completions(batch, [first, FailedRequest(second.key, "No\x00")], {})
    assert Response.objects.get().text == "one\ufffdtwo\ufffd"
    assert runs.fail_batch(runs.claim_batch(run.pk, "test"), "Bad\x00luck")
    assert Run.objects.get().error == "Bad\ufffdluck"


def test_a_run_whose_pairs_cannot_be_made_says_why_and_is_resumed(monkeypatch):
    def fails(*args):
        raise ValueError("no such language")

    run = generate_all(runs.start_run(a_study_to_generate(prompts=1)))
    with monkeypatch.context() as broken:
        broken.setattr(runs, "make_pairs", fails)
        with pytest.raises(ValueError):
            runs.finish_run(run)
    run.refresh_from_db()
    assert run.state == RunState.FAILED and "ValueError: no such language" in run.error
    assert Event.objects.get(verb="fail_pairing").detail["run"] == run.pk
    runs.resume_run(run)
    assert runs.finish_run(run)
    assert run.study.pairs.count() == 1


def test_a_run_whose_pairs_meet_a_busy_database_is_asked_again(monkeypatch):
    def busy(*args):
        raise OperationalError("database is locked")

    run = generate_all(runs.start_run(a_study_to_generate(prompts=1)))
    monkeypatch.setattr(runs, "make_pairs", busy)
    with pytest.raises(OperationalError):
        runs.finish_run(run)
    run.refresh_from_db()
    assert run.state == RunState.GENERATED


def test_finishing_twice_pairs_once():
    run = generate_all(runs.start_run(a_study_to_generate(prompts=2)))
    assert runs.finish_run(run)
    assert not runs.finish_run(run)
    assert Run.objects.get().study.pairs.count() == 2


def test_a_worker_that_speaks_again_has_one_heartbeat():
    runs.note_worker("gpu@host", "gpu")
    runs.note_worker("gpu@host", "gpu", at=timezone.now() + SILENT)
    assert WorkerHeartbeat.objects.get().seen_at > timezone.now()


def test_a_worker_on_two_queues_lives_on_both():
    for queue in ("gpu", "default"):
        runs.note_worker("both@host", queue)
    assert set(WorkerHeartbeat.objects.values_list("queue", flat=True)) == {"gpu", "default"}


def test_a_done_batch_is_never_stale():
    run = runs.start_run(a_study_to_generate(prompts=1))
    generate(runs.claim_batch(run.pk, "test"), BackendCache())
    assert not Batch.objects.stale(timezone.now() + SILENT).exists()
    assert run.batches.filter(state=BatchState.DONE).count() == 1
