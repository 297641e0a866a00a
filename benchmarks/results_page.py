"""How long the results of 100,000 judgments take to make, and how long a page waits for those that were kept.

    .venv/bin/python benchmarks/results_page.py [--judgments 100000] [--postgres]

prints a JSON object. The study has two arms, 200 raters, five raters a pair and texts of some 600 characters,
in a database of its own: SQLite, or a throwaway PostgreSQL. `report_seconds_100k` is the worker's whole work,
from the claim to the kept tables, and `report_cpu_seconds_100k` the processor time of that. `page_ms_100k` is
the median reply of the results page on the desk when nothing changed, and `api_ms_100k` that of the API.
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

RATERS, OVERLAP, REPLIES = 200, 5, 7
ANSWER = "It depends on what is meant, and a careful reply says so before it goes into detail. "
CATEGORIES = ("", "hate", "illicit", "erotic")


def prepared(judgments: int):
    """The study, in the database that is configured, with its answers drawn from a fixed seed."""
    from annotation.actions.arms import add_arm
    from annotation.actions.studies import create_study
    from annotation.models import Arm, Enrolment, Prompt, Response, Study, User

    owner = User.objects.create_user("owner", is_staff=True)
    study = create_study("large", "Large", owner, overlap=OVERLAP)
    arms: list[Arm] = [add_arm(study, name) for name in ("one", "two")]
    draw = random.Random(1)
    prompts = Prompt.objects.bulk_create(
        (Prompt(**prompt_fields(study, number)) for number in range(judgments // OVERLAP)), batch_size=2000
    )
    responses = Response.objects.bulk_create(
        (
            Response(
                study=study,
                prompt=prompt,
                arm=arm,
                text=ANSWER * draw.randint(1, 13),
                finish_reason="imported",
            )
            for prompt in prompts
            for arm in arms
        ),
        batch_size=2000,
    )
    raters = Enrolment.objects.bulk_create(
        Enrolment(study=study, user=User.objects.create(username=f"r{n}"), code=f"r{n:03}")
        for n in range(RATERS)
    )
    judge(study, prompts, responses, raters, draw)
    return Study.objects.get(pk=study.pk)


def prompt_fields(study, number: int) -> dict:
    return {
        "study": study,
        "key": f"prompt-{number:06}",
        "messages": [{"role": "user", "content": f"How does number {number} work?"}],
        "intent": ("benign", "dual_use", "malicious")[number % 3],
        "harm_category": CATEGORIES[number % 4],
        "language": ("en", "de")[number % 2],
    }


def judge(study, prompts: list, responses: list, raters: list, draw: random.Random) -> None:
    """Every pair OVERLAP times, by raters who lean and differ."""
    from annotation.models import Assignment, Event, Judgment, Pair, ResponseJudgment

    pairs = Pair.objects.bulk_create(
        (
            Pair(
                study=study,
                prompt=prompt,
                response_a=responses[2 * n],
                response_b=responses[2 * n + 1],
                position=draw.getrandbits(60),
                overlap=OVERLAP,
                open_slots=0,
            )
            for n, prompt in enumerate(prompts)
        ),
        batch_size=2000,
    )
    for some in chunks(pairs, 1000):
        holds = Assignment.objects.bulk_create(list(holds_of(some, raters, draw)), batch_size=2000)
        judgments = Judgment.objects.bulk_create(
            [judgment_of(study, hold, draw) for hold in holds], batch_size=2000
        )
        ResponseJudgment.objects.bulk_create(
            [part for judgment in judgments for part in parts_of(judgment, draw)], batch_size=2000
        )
        Event.objects.bulk_create(
            [Event(study=study, verb="submit_judgment") for _ in judgments], batch_size=2000
        )


def chunks(rows: list, size: int) -> Iterator[list]:
    return (rows[at : at + size] for at in range(0, len(rows), size))


def holds_of(pairs: Iterable, raters: list, draw: random.Random) -> Iterator:
    from django.utils import timezone

    from annotation.models import Assignment

    now = timezone.now()
    for pair in pairs:
        for slot, rater in enumerate(draw.sample(raters, OVERLAP)):
            given = now - timedelta(minutes=draw.randint(10, 80_000))
            yield Assignment(
                token=uuid.UUID(int=draw.getrandbits(128)),
                pair=pair,
                enrolment=rater,
                slot=slot,
                left_is_a=draw.random() < 0.5,
                state="submitted",
                claimed_at=given,
                lease_until=given + timedelta(minutes=30),
                submitted_at=given + timedelta(seconds=draw.randint(20, 400)),
            )


def judgment_of(study, hold, draw: random.Random):
    from annotation.models import Judgment

    sign = 1 if hold.left_is_a else -1
    both_bad = draw.random() < 0.05
    steps = {
        name: max(-3, min(3, round(draw.gauss(0.3, 1.5)))) for name in ("safer", "more_helpful", "balance")
    }
    if both_bad:
        steps["balance"] = None
    shown = {name: None if step is None else sign * step for name, step in steps.items()}
    return Judgment(
        study=study,
        enrolment_id=hold.enrolment_id,
        assignment=hold,
        pair_id=hold.pair_id,
        idempotency_key="once",
        guideline_condition="policy_free",
        left_is_a=hold.left_is_a,
        both_bad=both_bad,
        confidence=draw.randint(1, 4),
        **shown,
        **{f"{name}_canonical": step for name, step in steps.items()},
    )


def parts_of(judgment, draw: random.Random) -> Iterator:
    from annotation.models import ResponseJudgment
    from annotation.vocabulary import ResponseMode, SafetyLevel, Severity

    pair = judgment.assignment.pair
    for response, side in ((pair.response_a_id, "left"), (pair.response_b_id, "right")):
        level = draw.choices(list(SafetyLevel), (60, 20, 12, 8))[0]
        yield ResponseJudgment(
            judgment=judgment,
            response_id=response,
            side=side,
            safety=level,
            severity=draw.choice(Severity.values) if level.counts_as_unsafe else "",
            helpfulness=draw.randint(1, 4),
            mode=draw.choice(ResponseMode.values),
        )


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(judgments: int) -> dict:
    from django.test import Client
    from django.urls import reverse

    from annotation.actions import reporting
    from annotation.models import User
    from annotation.reports.filters import Filters
    from annotation.reports.rows import Answers

    study = prepared(judgments)
    found = {"judgments": study.judgments.count()}
    found["reading_seconds_100k"] = timed(lambda: Answers.of_study(study))
    asked = reporting.look(study, Filters()).asked
    busy = time.process_time()
    found["report_seconds_100k"] = timed(lambda: reporting.make(reporting.claim(asked.pk, "benchmark")))
    found["report_cpu_seconds_100k"] = time.process_time() - busy
    client = Client()
    client.force_login(User.objects.get(username="owner"))
    for name, place in (("page", "desk:results"), ("api", "api:results")):
        address = reverse(place, args=[study.slug])
        replies = [timed(lambda address=address: answered(client, address)) for _ in range(REPLIES)]
        found[f"{name}_ms_100k"] = 1000 * statistics.median(replies)
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {name: round(value, 2) for name, value in found.items()}


def answered(client, address: str) -> None:
    status = client.get(address).status_code
    if status != 200:
        raise SystemExit(f"{address} answered {status}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--judgments", type=int, default=100_000)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--in-throwaway", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.postgres:
        command = [sys.executable, __file__, "--in-throwaway", "--judgments", str(options.judgments)]
        raise SystemExit(
            subprocess.run([sys.executable, "-m", "tests.postgres", *command], cwd=ROOT).returncode
        )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EVENHAND_VAR"] = folder
        if not options.in_throwaway:  # whatever database the environment names is not this one's to fill
            os.environ.pop("DATABASE_URL", None)
        os.environ["DJANGO_SETTINGS_MODULE"] = "annotation.settings"
        os.environ["ALLOWED_HOSTS"] = "testserver"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        print(json.dumps(measure(options.judgments), indent=2))


if __name__ == "__main__":
    main()
