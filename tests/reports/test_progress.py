"""Progress of runs and raters, and who is alive."""

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.actions import runs
from annotation.actions.generating import generate
from annotation.models import Response, Run
from annotation.reports.progress import (
    failed_items,
    missing_worker,
    origins,
    rating_progress,
    run_progress,
    workers,
)
from models_runtime.types import Completion, FailedRequest
from models_runtime.worker import BackendCache
from tests import cast
from tests.reports.studies import judge, safe, two_raters

pytestmark = pytest.mark.django_db


def a_run(prompts: int = 4, batch_size: int = 2) -> Run:
    study = cast.a_study()
    cast.an_arm(study, "one")
    for _ in range(prompts):
        cast.a_prompt(study)
    return runs.start_run(study, batch_size=batch_size)


def work(run: Run, fail_first: bool = False) -> None:
    batch = runs.claim_batch(run.pk, "worker-1")
    outcomes = [_completion(str(item.pk)) for item in batch.items.all()]
    if fail_first:
        outcomes[0] = FailedRequest(outcomes[0].key, "The prompt is too long.")
    runs.record_completions(batch, outcomes, {})
    run.refresh_from_db()


def _completion(key: str) -> Completion:
    return Completion(
        key=key, text="So.", finish_reason="stop", prompt_tokens=5, output_tokens=30, seconds=1.0, seed=1
    )


def test_it_counts_done_and_failed_requests():
    run = a_run()
    work(run, fail_first=True)
    progress = run_progress(run)
    assert (progress.done, progress.failed, progress.total) == (1, 1, 4)
    assert [item.reason for item in failed_items(run)] == ["The prompt is too long."]


def test_the_rate_tells_the_time_that_is_left():
    run = a_run()
    work(run)
    progress = run_progress(run, at=run.created_at + timedelta(seconds=10))
    assert progress.items_per_second == pytest.approx(0.2)
    assert progress.tokens_per_second == pytest.approx(6)
    assert progress.seconds_left == pytest.approx(10)


def test_before_the_first_batch_no_rate_is_made_up():
    progress = run_progress(a_run())
    assert (progress.items_per_second, progress.tokens_per_second, progress.seconds_left) == (
        None,
        None,
        None,
    )


def test_it_names_who_works_on_what():
    run = a_run()
    runs.claim_batch(run.pk, "gpu@here")
    (working,) = run_progress(run).working
    assert (working.number, working.arm, working.worker, working.attempts) == (0, "one", "gpu@here", 1)


def test_a_failed_run_says_why():
    run = a_run()
    runs.fail_batch(runs.claim_batch(run.pk, "w"), "The model does not load.")
    run.refresh_from_db()
    progress = run_progress(run)
    assert (progress.state, progress.error, progress.seconds_left) == (
        "failed",
        "The model does not load.",
        None,
    )


def test_a_finished_run_has_the_rate_of_the_whole():
    run = a_run()
    work(run)
    work(run)
    runs.finish_run(run)
    run.finished_at = run.created_at + timedelta(seconds=8)
    run.state = "done"
    assert run_progress(run).items_per_second == pytest.approx(0.5)


def test_rating_counts_pairs_that_have_all_their_judgments():
    study = cast.a_rateable_study(pairs=3)  # overlap 2
    bob, carol = two_raters(study)
    for _ in range(3):
        judge(bob, safe(), safe(), balance=0)
    judge(carol, safe(), safe(), balance=0)
    progress = rating_progress(study)
    assert (progress.pairs, progress.full, progress.judgments, progress.needed) == (3, 1, 4, 6)
    counts = {rater.username: rater.judgments for rater in progress.raters}
    assert counts == {"bob": 3, "carol": 1}
    assert all(rater.last_at for rater in progress.raters)


def test_a_rater_who_did_nothing_is_listed():
    study = cast.a_rateable_study()
    cast.a_rater(study, cast.bob())
    (rater,) = rating_progress(study).raters
    assert (rater.judgments, rater.last_at) == (0, None)


def test_the_number_of_queries_does_not_grow(django_assert_num_queries):
    study = cast.a_rateable_study(pairs=2)
    for rater in two_raters(study):
        judge(rater, safe(), safe(), balance=0)
    with django_assert_num_queries(7):
        rating_progress(study)


def test_nobody_alive_is_said():
    assert workers().sentence == "No worker is alive."


def test_a_worker_that_fell_silent_is_not_alive():
    now = timezone.now()
    runs.note_worker("gpu@here", "gpu", at=now - timedelta(seconds=46))
    runs.note_worker("default@here", "default", at=now)
    assert workers(at=now).alive == {"default": ("default@here",)}
    assert workers(at=now).sentence == ""


def test_a_run_that_waits_for_a_silent_queue_is_said():
    a_run()
    runs.note_worker("default@here", "default")
    assert missing_worker(Run.objects.all()) == "No worker takes work from the queue “gpu”."
    runs.note_worker("gpu@here", "gpu")
    assert missing_worker(Run.objects.all()) == ""


def test_where_nothing_waits_no_worker_is_missed():
    run = a_run()
    assert missing_worker(Run.objects.all()) == "No worker is alive."
    runs.fail_batch(runs.claim_batch(run.pk, "w"), "The model does not load.")
    assert missing_worker(Run.objects.all()) == ""


def test_imported_judgments_take_nobodys_place():
    study = cast.a_rateable_study(pairs=1, overlap=1)
    for code in ("one", "two"):
        study.judgments.create(
            enrolment=study.enrolments.create(code=code),
            source="imported",
            pair=study.pairs.get(),
            guideline_condition="policy_free",
            balance_canonical=1,
        )
    progress = rating_progress(study)
    assert (progress.judgments, progress.needed, progress.full, progress.imported) == (0, 1, 0, 2)


def test_a_study_says_how_many_raters_it_still_lacks():
    study = cast.a_rateable_study(pairs=1, overlap=3)
    assert rating_progress(study).raters_missing == 3
    for user in (cast.bob(), cast.carol()):
        cast.a_rater(study, user)
    assert rating_progress(study).raters_missing == 1


def test_it_tells_what_generated_each_arm_and_why_there():
    study = cast.a_study()
    cast.an_arm(study, "one")
    cast.a_prompt(study)
    run = runs.start_run(study)
    assert origins(run) == {}
    generate(runs.claim_batch(run.pk, "test"), BackendCache())
    ((origin, count),) = origins(run).items()
    assert count == 1
    assert (origin.arm, origin.model, origin.device) == ("one", "echo", "cpu")
    assert origin.reason == "A script needs no accelerator."
    told = {"model": "m", "adapter": "org/a", "quantization": "4bit", "chat_template_is_override": True}
    Response.objects.update(provenance=told)
    (origin,) = origins(run)
    assert origin.additions == "adapter org/a, 4bit, own chat template"


def test_an_arm_that_was_not_generated_all_alike_has_several_origins(django_assert_num_queries):
    run = a_run(prompts=6, batch_size=2)
    for _ in range(3):
        work(run)
    batches = list(run.batches.values_list("pk", flat=True))
    told = {"device": "cuda", "weights_sha256": {"one": "a" * 64}}
    Response.objects.filter(batch__in=batches[:2]).update(provenance=told)
    Response.objects.filter(batch=batches[2]).update(provenance=told | {"device": "cpu"})
    with django_assert_num_queries(2):
        found = origins(run)
    assert [(one.arm, one.device, one.additions, count) for one, count in found.items()] == [
        ("one", "cuda", f"weights {'a' * 12}", 4),
        ("one", "cpu", f"weights {'a' * 12}", 2),
    ]


def test_other_weights_in_the_same_folder_are_another_origin():
    run = a_run(prompts=2, batch_size=1)
    for number, batch in enumerate(run.batches.values_list("pk", flat=True)):
        work(run)
        digests = {"part-1": "a" * 64, "part-2": str(number) * 64}
        Response.objects.filter(batch=batch).update(provenance={"model": "m", "weights_sha256": digests})
    assert len(origins(run)) == 2
