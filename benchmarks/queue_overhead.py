"""What database and queue add to generating, and what a second worker brings.

`python benchmarks/queue_overhead.py`: whole runs (200 prompts, two arms, from starting one until its pairs
are made) through real Celery workers as `make run` starts them, with the model loaded. Medians of three.

- `overhead`: a run's time beyond the model's own, over the model's own. The model's own is what the responses
  of that very run record: seconds inside the model, without making and reading its tokens.
- `two_worker_ratio`: time of two workers over time of one, one thread each, the demo model.
- `two_worker_limit`: the least that ratio can be on this machine at this moment: two plain processes with
  half of a computation each over one with all of it, without any queue.
- `two_worker_ratio_waiting`: the ratio with a model that only waits, as for a server elsewhere; no core
  limits it.

`--overhead-only` measures the first of them and no other.
"""

import argparse
import json
import os
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, cycle, islice

from computing import limit_of_cores
from workers import beat, wait_for, worker  # makes the installation that all below belongs to

from annotation import tasks
from annotation.actions import runs
from annotation.actions.arms import add_arm
from annotation.actions.prompts import add_prompt
from annotation.actions.studies import create_study
from annotation.models import Response, Run, Study, User
from models_runtime.demo import ARMS, MODEL_PATH, load_corpus

PROMPTS = 200
REPEATS = 3
DEMO = {"backend": "transformers_local", "model": str(MODEL_PATH), "device": "cpu"}
WAITING = {"backend": "scripted", "model": "slow:0.05"}
ONE_THREAD = {"OMP_NUM_THREADS": "1"}

researcher = User.objects.create_user("benchmark")
numbers = count(1)


@dataclass(frozen=True)
class Measured:
    """One run: seconds on the wall, and inside the model (all workers together)."""

    wall: float
    model: float

    @property
    def overhead(self) -> float:
        return self.wall / self.model - 1


def main() -> None:
    parser = argparse.ArgumentParser(description="What database and queue add to generating.")
    parser.add_argument("--overhead-only", action="store_true")
    overhead_only = parser.parse_args().overhead_only
    print(f"{os.cpu_count()} cores; {2 * PROMPTS} responses a run, medians of {REPEATS}")
    print(f"{'':<34} {'wall s':>7} {'model s':>8} {'overhead':>9}")
    usual = measured("demo model, one worker", 1, DEMO)
    result = {"overhead": usual.overhead, **({} if overhead_only else two_workers())}
    print(json.dumps({name: round(value, 3) for name, value in result.items()}))


def two_workers() -> dict[str, float]:
    """What a second worker brings, to the demo model and to a model that waits."""
    one = measured("demo model, one worker, 1 thread", 1, DEMO, **ONE_THREAD)
    two = measured("demo model, two workers, 1 thread", 2, DEMO, **ONE_THREAD)
    limit = limit_of_cores()
    one_waits = measured("waiting model, one worker", 1, WAITING)
    two_wait = measured("waiting model, two workers", 2, WAITING)
    return {
        "two_worker_ratio": two.wall / one.wall,
        "two_worker_limit": limit,
        "two_worker_ratio_waiting": two_wait.wall / one_waits.wall,
    }


def measured(what: str, workers: int, model: dict, **environment: str) -> Measured:
    """The median run of REPEATS with so many workers on the queue `gpu`, printed."""
    with ExitStack() as running:
        running.enter_context(beat())
        running.enter_context(worker("default", "default"))
        for number in range(workers):
            running.enter_context(worker(f"gpu{number}", **environment))
        while len(who_worked(one_run(a_study(workers * 8, model), batch_size=1))) < workers:
            pass  # until every worker has loaded the model
        repeats = [whole_run(a_study(PROMPTS, model), workers) for _ in range(REPEATS)]
    middle = statistics.median_low(repeat.wall for repeat in repeats)
    chosen = next(repeat for repeat in repeats if repeat.wall == middle)
    print(f"{what:<34} {chosen.wall:>7.2f} {chosen.model:>8.2f} {chosen.overhead:>9.1%}", flush=True)
    return chosen


def a_study(prompts: int, model: dict) -> Study:
    """A study of demo prompts, repeated under other keys until there are so many."""
    study = create_study(f"study-{next(numbers)}", "Benchmark", researcher)
    for arm in ARMS:
        add_arm(study, arm["title"], system_prompt=arm["system_prompt"], sampling=arm["sampling"], **model)
    for number, prompt in enumerate(islice(cycle(load_corpus()), prompts)):
        add_prompt(study, f"prompt-{number}", prompt.prompt, prompt.intent)
    return study


def whole_run(study: Study, workers: int) -> Measured:
    started = time.perf_counter()
    run = one_run(study)
    wall = time.perf_counter() - started
    if len(who_worked(run)) != workers:
        raise SystemExit(f"{who_worked(run)} shared the run; it should have been {workers} workers.")
    return Measured(wall, sum(Response.objects.filter(study=study).values_list("seconds", flat=True)))


def one_run(study: Study, **options: int) -> Run:
    """Start a run as the desk does, and return when its pairs are made."""
    run = runs.start_run(study, **options)
    tasks.hint(run)
    wait_for(run)
    return run


def who_worked(run: Run) -> set[str]:
    return set(run.batches.values_list("worker", flat=True))


if __name__ == "__main__":
    main()
