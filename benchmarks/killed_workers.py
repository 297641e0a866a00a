"""Workers killed at random moments: `python benchmarks/killed_workers.py [RUNS]`, 20 runs by default.

Two real Celery workers share every run; at a random moment of it one of them gets SIGKILL and another takes
its place. Afterwards every response must be there, once. `caught` counts the runs whose worker died with a
batch in its hands. A run takes some seconds more than its work: a dead worker's batch is free again when its
lease has lapsed (4 seconds here) and the beat comes round (every 10).
"""

import json
import random
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

from workers import beat, kill, wait_for, worker  # makes the installation that all below belongs to

from annotation import tasks
from annotation.actions import runs
from annotation.actions.arms import add_arm
from annotation.actions.prompts import add_prompt
from annotation.actions.studies import create_study
from annotation.models import Response, Run, Study, User
from annotation.vocabulary import Intent

RUNS = 20
SEED = 20
PROMPTS = 40
MODEL = {"backend": "scripted", "model": "slow:0.05"}
WORK = 2 * PROMPTS * 0.05 / 2  # seconds that two workers need

researcher = User.objects.create_user("benchmark")
moments = random.Random(SEED)
numbers = count(1)


@dataclass(frozen=True)
class Survived:
    """One run: when a worker was killed, whether it held a batch, responses too many and too few, seconds."""

    killed_after: float
    caught: bool
    doubled: int
    lost: int
    seconds: float


def main(how_many: int) -> None:
    print(f"{'run':>4} {'killed after s':>15} {'held a batch':>13} {'doubled':>8} {'lost':>5} {'seconds':>8}")
    with ExitStack() as running:
        running.enter_context(beat())
        running.enter_context(worker("default", "default"))
        pool = [running.enter_context(worker(f"gpu{next(numbers)}")) for _ in range(2)]
        survived = [one_run(number, pool, running) for number in range(1, how_many + 1)]
    print(
        json.dumps(
            {
                "runs": how_many,
                "killed": len(survived),
                "caught": sum(run.caught for run in survived),
                "doubled": sum(run.doubled for run in survived),
                "lost": sum(run.lost for run in survived),
            }
        )
    )


def one_run(number: int, pool: list, running: ExitStack) -> Survived:
    """Start a run, kill the older worker at a random moment of it and start another; print how it ended."""
    run = runs.start_run(a_study(number), batch_size=4)
    started = time.monotonic()
    tasks.hint(run)
    moment = moments.uniform(0, WORK)
    time.sleep(moment)
    kill(pool.pop(0))
    run.refresh_from_db()
    if run.finished_at:
        raise SystemExit("The run was over before its worker was killed.")
    pool.append(running.enter_context(worker(f"gpu{next(numbers)}")))
    wait_for(run)
    survived = looked_at(run, moment, time.monotonic() - started)
    print(
        f"{number:>4} {survived.killed_after:>15.2f} {'yes' if survived.caught else 'no':>13} "
        f"{survived.doubled:>8} {survived.lost:>5} {survived.seconds:>8.1f}",
        flush=True,
    )
    return survived


def a_study(number: int) -> Study:
    study = create_study(f"study-{number}", "Benchmark", researcher)
    for name in ("one", "two"):
        add_arm(study, name, **MODEL)
    for prompt in range(PROMPTS):
        add_prompt(study, f"prompt-{prompt}", f"What is {prompt} plus {prompt}?", Intent.BENIGN)
    return study


def looked_at(run: Run, moment: float, seconds: float) -> Survived:
    responses = Response.objects.filter(study=run.study_id)
    different = responses.values("prompt", "arm", "sample").distinct().count()
    return Survived(
        killed_after=moment,
        caught=run.batches.filter(attempts__gt=1).exists(),
        doubled=responses.count() - different,
        lost=2 * PROMPTS - different,
        seconds=seconds,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
