"""How long the pages of the desk take in a study with a million judgments, 100,000 pairs and 500 raters.

    .venv/bin/python benchmarks/desk.py [--judgments 1000000] [--replies 12] [--results]

prints a JSON object as its last line, from a throwaway PostgreSQL that it starts itself. Every page of the
desk that the project's own list of addresses has is asked for, `--replies` times in turns. `p95_ms` is of all
replies together, `slowest` the page with the highest median, `pages` the median and 95th percentile of each,
`queries` how many queries a page costs, and `errors` how many replies were no page. What a worker
prepares (the study's numbers, its raters' signals; with `--results` the results, whose page else says that
they are being made) is prepared once before; `prepared_seconds` is how long that took.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

RATERS, OVERLAP = 500, 10
PEOPLE = """
INSERT INTO annotation_user (username, password, is_active, is_staff, is_superuser, first_name, last_name,
                             email, date_joined)
SELECT 'rater' || n, '!', TRUE, FALSE, FALSE, '', '', '', now() FROM generate_series(1, %(raters)s) n
"""
PLACES = """
UPDATE annotation_enrolment e SET judged = counted.n, user_id = (
    SELECT id FROM annotation_user WHERE username = 'rater' || ltrim(substr(e.code, 2), '0'))
FROM (SELECT enrolment_id, count(*) AS n FROM annotation_assignment GROUP BY enrolment_id) counted
WHERE counted.enrolment_id = e.id
"""
EVENTS = """
INSERT INTO annotation_event (study_id, verb, detail, created_at)
SELECT study_id, CASE WHEN revision = 1 THEN 'submit_judgment' ELSE 'revise_judgment' END, '{}', created_at
FROM annotation_judgment WHERE study_id = %(study)s
"""
AROUND = {"setup_arm": {"number": 0}, "new_training": {"stage": "sft"}}
"""What addresses take beside the study, where it is no row."""


def prepared(judgments: int):
    """The study and its researcher."""
    import judged_study
    from django.db import connection

    from annotation.models import User

    judged_study.RATERS, judged_study.OVERLAP = RATERS, OVERLAP
    study = judged_study.a_judged_study("large", judgments)
    owner = User.objects.create_user("owner", is_staff=True, is_superuser=True)
    given = {"study": study.pk, "raters": RATERS}
    with connection.cursor() as cursor:
        for statement in (PEOPLE, PLACES, EVENTS):
            cursor.execute(statement, given)
        cursor.execute("VACUUM ANALYZE")
    return study, owner


def prepare_what_workers_do(study, with_results: bool) -> dict[str, float]:
    """Seconds that a worker takes for the study's numbers, its raters' signals and its results."""
    from annotation import tasks
    from annotation.actions import pulse, reporting
    from annotation.reports.filters import Filters

    took = {
        "pulse": timed(lambda: pulse.take_pulse(study)),
        "signals": timed(lambda: pulse.take_signals(study)),
    }
    if with_results:
        asked = reporting.look(study, Filters()).asked
        took["results"] = timed(lambda: reporting.make(reporting.claim(asked.pk, "benchmark")))
        took["figures"] = timed(lambda: tasks.draw_figures(asked.pk))
    return took


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    took = round(time.perf_counter() - start, 1)
    print(f"{took} s", file=sys.stderr)
    return took


def addresses(study) -> dict[str, str]:
    """By name, every address of the desk that is looked at and not written to."""
    from django.urls import get_resolver, reverse

    pair, response = study.pairs.first(), study.responses.first()
    rater = study.enrolments.order_by("code").first()
    rows = {"rater": rater, "reviewed_pair": pair, "setup_prompt": pair.prompt, "prompt_text": pair.prompt}
    around = AROUND | {name: {"pk": row.pk} for name, row in (rows | {"response_text": response}).items()}
    found = {}
    for part in get_resolver().url_patterns:
        for pattern in part.url_patterns if getattr(part, "namespace", "") == "desk" else ():
            takes = set(pattern.pattern.converters) - {"slug"}
            if takes <= set(around.get(pattern.name, {})):
                slug = {"slug": study.slug} if "slug" in pattern.pattern.converters else {}
                found[pattern.name] = reverse(
                    f"desk:{pattern.name}", kwargs=slug | around.get(pattern.name, {})
                )
    return found


def pages_of(client, study) -> dict[str, str]:
    """Those of the addresses that answer a GET with a page, each asked for once to warm up."""
    answers = {name: client.get(address) for name, address in addresses(study).items()}
    return {
        name: answer.wsgi_request.get_full_path()
        for name, answer in answers.items()
        if answer.status_code not in (302, 405)
    }


def measure(judgments: int, replies: int, with_results: bool) -> dict:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    print("Writing the study, then what workers do (numbers, signals) …", file=sys.stderr)
    study, owner = prepared(judgments)
    seconds = prepare_what_workers_do(study, with_results)
    client = Client(raise_request_exception=False)
    client.force_login(owner)
    pages = pages_of(client, study)
    took: dict[str, list[float]] = {name: [] for name in pages}
    errors = 0
    print("Asking for pages …", file=sys.stderr)
    for _ in range(replies):
        for name, address in pages.items():
            start = time.perf_counter()
            answer = client.get(address)
            took[name].append(1000 * (time.perf_counter() - start))
            errors += answer.status_code != 200
    queries = {}
    for name, address in pages.items():
        with CaptureQueriesContext(connection) as captured:
            client.get(address)
        queries[name] = len(captured)
    medians = {name: statistics.median(times) for name, times in took.items()}
    return {
        "judgments": study.judgments.count(),
        "pairs": study.pairs.count(),
        "raters": RATERS,
        "p95_ms": round(p95([one for times in took.values() for one in times]), 1),
        "errors": errors,
        "slowest": max(medians, key=medians.get),
        "prepared_seconds": seconds,
        "queries": queries,
        "pages": {name: [round(medians[name], 1), round(p95(took[name]), 1)] for name in sorted(pages)},
    }


def p95(times: list[float]) -> float:
    return sorted(times)[max(0, -(-95 * len(times) // 100) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judgments", type=int, default=1_000_000)
    parser.add_argument("--replies", type=int, default=12)
    parser.add_argument("--results", action="store_true", help="make the results too, which takes minutes")
    parser.add_argument("--in-throwaway", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.in_throwaway:
        command = [sys.executable, "-m", "tests.postgres", sys.executable, __file__, "--in-throwaway"]
        command += ["--judgments", str(options.judgments), "--replies", str(options.replies)]
        command += ["--results"] if options.results else []
        raise SystemExit(subprocess.run(command, cwd=ROOT).returncode)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EVENHAND_VAR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "annotation.settings"
        os.environ["ALLOWED_HOSTS"] = "testserver"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        print(json.dumps(measure(options.judgments, options.replies, options.results)))


if __name__ == "__main__":
    main()
