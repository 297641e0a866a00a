"""How long the pages of the desk take in a study with a million judgments, 100,000 pairs and 500 raters.

    .venv/bin/python benchmarks/desk.py [--judgments 1000000] [--replies 12] [--results] [--pages-open 300]
                                        [--keep FOLDER]

prints a JSON object as its last line, from a throwaway PostgreSQL that it starts itself. Every page of the
desk that the project's own list of addresses has is asked for, `--replies` times in turns. `p95_ms` is of all
replies together, `slowest` are the five pages with the highest 95th percentile, `pages` the median and 95th
percentile of each in milliseconds, `processor_ms` the processor time of a reply in Python and in its session
of PostgreSQL, which other work on the machine changes less, `queries` how many queries a page costs, and
`errors` how many replies were no page. What a worker prepares (the study's numbers, its raters' signals; with
`--results` a snapshot and the results, whose page else says that they are being made) is prepared once
before; `prepared_seconds` is how long that took. The study is under way: see `study_under_way.py`.

With `--pages-open SECONDS` all 500 raters then have a page of the web server open for so long: `open_pages`
tells their replies by status, and the web processes' memory (`open_pages.py`).

With `--keep FOLDER` the database stays there, and is used again: making it takes minutes.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from open_pages import with_open_pages
from rating_site import Site, processor_seconds, site
from study_under_way import get_under_way

RATERS, OVERLAP = 500, 10
BETWEEN_PAIRS = timedelta(seconds=1.2)
"""500 raters with a pair a minute each."""

SLUG, SLOWEST = "large", 5
THINK = 60.0
"""Seconds that a rater takes for a pair, on average."""

AROUND = {"setup_arm": {"number": 0}, "new_training": {"stage": "sft"}}
"""What addresses take beside the study, where it is no row."""


def prepared(judgments: int):
    """The study and its researcher; those that a kept database has."""
    import judged_study

    from annotation.models import Study, User

    if kept := Study.objects.filter(slug=SLUG).first():
        return kept, User.objects.get(username="owner")
    judged_study.RATERS, judged_study.OVERLAP = RATERS, OVERLAP
    judged_study.EVERY = f"{BETWEEN_PAIRS.total_seconds()} seconds"
    judged_study.FIRST = (datetime.now(UTC) - judgments / OVERLAP * BETWEEN_PAIRS).isoformat()
    study = judged_study.a_judged_study(SLUG, judgments)
    get_under_way(study, RATERS, OVERLAP)
    owner = User.objects.create_user("owner", is_staff=True, is_superuser=True)
    return Study.objects.get(pk=study.pk), owner


def prepare_what_workers_do(study, with_results: bool) -> dict[str, float]:
    """Seconds that a worker takes for the numbers, the raters' signals, the results and a snapshot."""
    from annotation import tasks
    from annotation.actions import pulse, reporting
    from annotation.actions.snapshots import freeze_snapshot
    from annotation.reports.filters import Filters

    took = {
        "pulse": timed(lambda: pulse.take_pulse(study)),
        "signals": timed(lambda: pulse.take_signals(study)),
    }
    if with_results:
        looked = reporting.look(study, Filters())
        if asked := looked.asked or looked.kept.unfinished:
            took["results"] = timed(lambda: reporting.make(reporting.claim(asked.pk, "benchmark")))
            took["figures"] = timed(lambda: tasks.draw_figures(asked.pk))
        if not study.snapshots.exists():
            took["snapshot"] = timed(lambda: freeze_snapshot(study))
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

    pair, response = study.pairs.held().first() or study.pairs.first(), study.responses.first()
    rater = study.enrolments.order_by("code").first()
    rows = {"make_gold": pair, "rater": rater, "reviewed_pair": pair}
    rows |= {"setup_prompt": pair.prompt, "prompt_text": pair.prompt}
    around = AROUND | {name: {"pk": row.pk} for name, row in (rows | {"response_text": response}).items()}
    if study.snapshots.exists():
        around["datasets"] = {"number": 1}
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
    spent: dict[str, float] = {}
    errors = 0
    print("Asking for pages …", file=sys.stderr)
    for _ in range(replies):
        for name, address in pages.items():
            start, spent_before = time.perf_counter(), processor_ms()
            answer = client.get(address)
            took[name].append(1000 * (time.perf_counter() - start))
            spent[name] = spent.get(name, 0) + (processor_ms() - spent_before) / replies
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
        "slowest": sorted(pages, key=lambda name: -p95(took[name]))[:SLOWEST],
        "processor_ms_mean": round(sum(spent.values()) / len(spent), 1),
        "prepared_seconds": seconds,
        "queries": queries,
        "pages": {name: [round(medians[name], 1), round(p95(took[name]), 1)] for name in sorted(pages)},
        "processor_ms": {name: round(spent[name]) for name in sorted(pages)},
    }


def processor_ms() -> float:
    """The processor time of this process, and of its session in PostgreSQL, so far."""
    from django.db import connection

    with connection.cursor():
        backend = connection.connection.info.backend_pid
    return 1000 * (time.process_time() + sum(processor_seconds([backend]).values()))


def p95(times: list[float]) -> float:
    return sorted(times)[max(0, -(-95 * len(times) // 100) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judgments", type=int, default=1_000_000)
    parser.add_argument("--replies", type=int, default=12, help="0 asks for no page of the desk")
    parser.add_argument("--results", action="store_true", help="make the results too, which takes minutes")
    parser.add_argument("--pages-open", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    os.environ["ALLOWED_HOSTS"] = "testserver,localhost"
    with site(keep=options.keep and options.keep.resolve()) as where:
        found = measure(options.judgments, options.replies, options.results) if options.replies else {}
        if options.pages_open:
            found["open_pages"] = open_pages(where, options.judgments, options.pages_open)
    print(json.dumps(found))


def open_pages(where: Site, judgments: int, seconds: float) -> dict:
    study, _ = prepared(judgments)
    print(f"{RATERS} raters have pages open …", file=sys.stderr)
    where.web.start()
    return with_open_pages(where, study, seconds, THINK)


if __name__ == "__main__":
    main()
