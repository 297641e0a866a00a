"""How many judgments a second raters can give: `python benchmarks/rating_load.py [--seconds 12] [--sizes …]`.

It starts its own PostgreSQL and the product's web server (two processes), and raters with real tokens over
HTTP do the whole loop: answer a pair, get the next. Beside it, in the same run and turn by turn, so that a
busy machine slows all alike:

- a bare Django view (`bare_view.py`) doing the same two statements, "next pair" and "submit", for as many
  raters: `ratio_to_bare_view_8`, `ratio_to_bare_view_32`. It has the server and the connection pool of ours
  and the middleware of a new Django project; BARE_MIDDLEWARE=none takes that away too;
- a bare psycopg loop of the same two statements in two processes: `bare_sql_per_s_8`.

`web_ms_per_judgment` and `database_ms_per_judgment` are the processor time that one judgment with eight
raters takes in the web processes and in PostgreSQL, and `bare_web_ms_per_judgment` and
`bare_database_ms_per_judgment` the bare view's: other work on the machine changes these less than the rates.

`next_p95_ms_8` is the time from sending the answers until the next pair is there. `growth_1k_to_1m` is its
p95 with the largest study over that with the smallest (`--sizes`), for a rater who is new and for one who has
judged half of the pairs; the larger of the two counts. Every answer that was acknowledged is looked for
afterwards: `double_assignments` and `errors` count what must be none. The last line is JSON.
"""

import argparse
import json
import multiprocessing
import statistics
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import bare_view
import psycopg
from rating_site import (
    ANSWER,
    Connection,
    Site,
    Web,
    a_study,
    a_token,
    children,
    processor_seconds,
    seconds_between,
    site,
)

SECONDS = 12.0
SIZES = (1_000, 50_000, 1_000_000)
ROUNDS = 3
LOAD_PAIRS = 20_000
BARE_PAIRS = 200_000
PROBES = 300
SAFE = {"safety": "clearly_safe", "helpfulness": 3, "mode": "direct_answer", "categories": []}
UNSAFE = {
    "safety": "probably_unsafe",
    "severity": "low",
    "helpfulness": 2,
    "mode": "unsafe_compliance",
    "categories": ["illicit"],
    "facilitation": False,
}
JUDGMENT = {
    "left": SAFE,
    "right": UNSAFE,
    "pair": {"safer": -2, "more_helpful": 1, "balance": -1, "both_bad": False},
    "confidence": 3,
    "rationale": "The first is careful.",
    "claim_next": True,
}
BODY = json.dumps(JUDGMENT).encode()


@dataclass
class Tally:
    """What one client saw: acknowledged judgments, seconds of each, answers that are no success."""

    acknowledged: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: int = 0

    def add(self, other: "Tally") -> "Tally":
        self.acknowledged += other.acknowledged
        self.seconds += other.seconds
        self.errors += other.errors
        return self


class Rater:
    """Ours: answers what it holds and gets the next in the same reply."""

    def __init__(self, port: int, slug: str, token: str):
        self.connection = Connection(port, f"Authorization: Token {token}\r\n")
        self.slug, self.held = slug, ""
        self.tally = Tally()

    def claim(self) -> None:
        self.connection.open()
        status, body = self.connection.post(f"/api/v1/studies/{self.slug}/claim")
        self.held = json.loads(body)["id"] if status == 200 else ""

    def step(self) -> None:
        key = f"Idempotency-Key: {uuid.uuid4().hex}\r\n"
        started = time.perf_counter()
        status, body = self.connection.post(f"/api/v1/assignments/{self.held}/judgment", BODY, key)
        self.tally.seconds.append(time.perf_counter() - started)
        if status != 201:
            self.tally.errors += 1
            return self.claim()
        self.tally.acknowledged.append(self.held)
        self.held = json.loads(body)["next"]["id"]


class BareRater:
    """The bare view: two requests a judgment."""

    def __init__(self, port: int, number: int):
        self.connection, self.number = Connection(port), number
        self.tally = Tally()

    def claim(self) -> None:
        self.connection.open()

    def step(self) -> None:
        started = time.perf_counter()
        _, body = self.connection.post(f"/next?rater={self.number}")
        self.tally.seconds.append(time.perf_counter() - started)
        pair = json.loads(body)["id"]
        status, _ = self.connection.post(f"/submit?rater={self.number}&pair={pair}", BODY)
        if status == 201:
            self.tally.acknowledged.append(str(pair))
        else:
            self.tally.errors += 1


def rate_of(raters: list, seconds: float) -> float:
    """Judgments a second of all raters at once, each in a thread."""
    for rater in raters:
        rater.claim()
    before, ends = _done(raters), time.monotonic() + seconds
    at_once([lambda rater=rater: _until(ends, rater.step) for rater in raters])
    return (_done(raters) - before) / seconds


def rate_and_cost(where: Site, web: Web, raters: list, seconds: float) -> tuple[float, float, float]:
    """`rate_of`, and the processor milliseconds of each judgment in the web processes and in PostgreSQL."""
    before, done = _spent(where, web), _done(raters)
    rate = rate_of(raters, seconds)
    judgments = _done(raters) - done
    in_web, in_database = (
        1000 * seconds_between(then, now) / judgments
        for then, now in zip(before, _spent(where, web), strict=True)
    )
    return rate, in_web, in_database


def _spent(where: Site, web: Web) -> tuple[dict[int, float], dict[int, float]]:
    assert where.server.process
    return processor_seconds(web.workers()), processor_seconds(children(where.server.process.pid))


def at_once(jobs: list[Callable[[], object]]) -> None:
    """Run all in threads; the first failure of any is raised when all have ended."""
    with ThreadPoolExecutor(len(jobs)) as threads:
        for done in [threads.submit(job) for job in jobs]:
            done.result()


def _until(ends: float, step: Callable[[], None]) -> None:
    while time.monotonic() < ends:
        step()


def _done(raters: list) -> int:
    return sum(len(rater.tally.acknowledged) for rater in raters)


# Bare SQL --------------------------------------------------------------------------------------------


def bare_sql_rate(url: str, seconds: float, raters: int = 8) -> float:
    """Judgments a second of the two statements alone, from two processes."""
    numbers = [range(first, raters, 2) for first in (0, 1)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        done = pool.starmap(_sql_process, [(url, seconds, list(mine)) for mine in numbers])
    return sum(done) / seconds


def _sql_process(url: str, seconds: float, raters: list[int]) -> int:
    done: list[int] = []

    def loop(rater: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while time.monotonic() < ends:
                pair, _ = connection.execute(bare_view.NEXT, [10_000 + rater]).fetchone()
                connection.execute(bare_view.SUBMIT, [pair, 10_000 + rater, json.dumps(JUDGMENT)]).fetchone()
                done.append(pair)

    ends = time.monotonic() + seconds
    at_once([lambda rater=rater: loop(rater) for rater in raters])
    return len(done)


def make_bare_tables(url: str, pairs: int) -> None:
    texts = json.dumps({"prompt": ANSWER[:300], "left": ANSWER, "right": ANSWER})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(bare_view.TABLES)
        connection.execute(
            "INSERT INTO bare_pair (place, open_slots, texts) SELECT n, 3, %s FROM generate_series(1, %s) n",
            [texts, pairs],
        )
        connection.execute("ANALYZE")


# Load ------------------------------------------------------------------------------------------------


def load(where: Site, seconds: float) -> dict:
    """Ours beside the bare ones, in turns."""
    study = a_study("load", LOAD_PAIRS)
    make_bare_tables(where.server.url, BARE_PAIRS)
    bare = Web("bare_view:application", {"BARE_DATABASE_URL": where.server.url}, where.folder / "bare.log")
    bare.start()
    try:
        raters = [Rater(where.web.port, study.slug, a_token(study, f"rater-{n}")) for n in range(32)]
        others = [BareRater(bare.port, number) for number in range(32)]
        rates = _in_turns(where, bare, raters, others, seconds)
    finally:
        bare.stop()
    all_of_ours = Tally()
    for rater in raters:
        all_of_ours.add(rater.tally)
    return rates | _looked_at(study, all_of_ours) | {"errors": all_of_ours.errors}


def _in_turns(where: Site, bare: Web, raters: list[Rater], others: list[BareRater], seconds: float) -> dict:
    share = seconds / ROUNDS
    costs = [f"{whose}{part}_ms_per_judgment" for whose in ("", "bare_") for part in ("web", "database")]
    names = ["ours_8", "bare_8", "ours_32", "bare_32", "sql", *costs]
    found: dict[str, list[float]] = {name: [] for name in names}
    _warm(where, raters + others)
    for number in range(ROUNDS):
        ours, *our_cost = rate_and_cost(where, where.web, raters[:8], share)
        theirs, *their_cost = rate_and_cost(where, bare, others[:8], share)
        many = (rate_of(raters, share), rate_of(others, share))
        sql = bare_sql_rate(where.server.url, share)
        for name, value in zip(names, (ours, theirs, *many, sql, *our_cost, *their_cost), strict=True):
            found[name].append(value)
        print(number + 1, {name: round(values[-1], 2) for name, values in found.items()}, flush=True)
    middle = {name: statistics.median(values) for name, values in found.items()}
    alone = [second for rater in raters[:8] for second in rater.tally.seconds]
    return {
        "judgments_per_s_8": round(middle["ours_8"], 1),
        "judgments_per_s_32": round(middle["ours_32"], 1),
        "bare_view_per_s_8": round(middle["bare_8"], 1),
        "bare_view_per_s_32": round(middle["bare_32"], 1),
        "ratio_to_bare_view_8": _ratio(found["ours_8"], found["bare_8"]),
        "ratio_to_bare_view_32": _ratio(found["ours_32"], found["bare_32"]),
        "bare_sql_per_s_8": round(middle["sql"], 1),
        "next_p95_ms_8": round(1000 * percentile(alone, 95), 1),
        **{name: round(middle[name], 2) for name in costs},
    }


def _warm(where: Site, raters: list) -> None:
    """Until every connection of both servers is open and the tables know their size.

    ANALYZE is what autovacuum does within the first minute; plans made while a table was empty end with it.
    """
    for rater in raters:
        rater.claim()
    for _ in range(10):
        at_once([rater.step for rater in raters])
    with psycopg.connect(where.server.url, autocommit=True) as connection:
        connection.execute("ANALYZE")


def _ratio(ours: list[float], bare: list[float]) -> float:
    """The median of the rounds' own ratios: what slows a whole round cancels out."""
    return round(statistics.median(mine / theirs for mine, theirs in zip(ours, bare, strict=True)), 2)


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _looked_at(study, seen: Tally) -> dict:
    """What the database has of what was acknowledged, and whether anything was given twice."""
    from django.db.models import Count, F, Q

    from annotation.models import Assignment, Judgment

    live = Q(assignments__slot__isnull=False)
    over = study.pairs.annotate(raters=Count("assignments", filter=live)).filter(raters__gt=F("overlap"))
    kept = set(
        Judgment.objects.filter(study=study)
        .exclude(assignment__state="surplus")
        .values_list("assignment__token", flat=True)
    )
    twice = Assignment.objects.filter(enrolment__study=study).values("pair", "enrolment")
    twice = twice.annotate(times=Count("pk")).filter(times__gt=1).count()
    told_twice = len(seen.acknowledged) - len(set(seen.acknowledged))
    lost = len({uuid.UUID(token) for token in seen.acknowledged} - kept)
    return {"double_assignments": over.count() + twice + told_twice, "lost": lost}


# Growth ----------------------------------------------------------------------------------------------

HALF = """
INSERT INTO annotation_assignment (token, pair_id, enrolment_id, kind, attempt, slot, left_is_a,
                                   guideline_condition, state, claimed_at, lease_until, submitted_at,
                                   reason, note)
SELECT gen_random_uuid(), id, %(rater)s, 'rated', 1, 0, true, 'policy_free', 'submitted', now(), now(), now(),
    '', ''
FROM annotation_pair WHERE study_id = %(study)s ORDER BY place LIMIT %(half)s
"""
TAKEN = """
UPDATE annotation_pair SET open_slots = open_slots - 1
WHERE id IN (SELECT pair_id FROM annotation_assignment WHERE enrolment_id = %(rater)s)
"""
CURSOR = """
UPDATE annotation_enrolment SET judged = %(half)s, arrivals_seen = 1, cursor = (
    SELECT max(place) FROM annotation_pair
    WHERE id IN (SELECT pair_id FROM annotation_assignment WHERE enrolment_id = %(rater)s)
) WHERE id = %(rater)s
"""


def growth(where: Site, sizes: list[int]) -> dict:
    """p50 and p95 of the next pair in studies of these sizes, each with all smaller ones beside it."""
    rows = []
    print(
        f"{'pairs':>9} {'new p50 ms':>11} {'p95':>7} {'half done p50':>14} {'p95':>7} {'from the start':>15}"
    )
    for size in sorted(sizes):
        rows.append(_one_size(where, size))
        print("{:>9} {:>11.2f} {:>7.2f} {:>14.2f} {:>7.2f} {:>15.1f}".format(*rows[-1]), flush=True)
    ratios = [rows[-1][column] / rows[0][column] for column in (2, 4)]
    ratios_50 = [rows[-1][column] / rows[0][column] for column in (1, 3)]
    return {
        "sizes": sorted(sizes),
        "growth_1k_to_1m": round(max(ratios), 2),
        "growth_p50_1k_to_1m": round(max(ratios_50), 2),
        "first_claim_after_new_pairs_ms": round(rows[-1][5], 1),
    }


def _one_size(where: Site, size: int) -> tuple[float, ...]:
    from annotation.models import Enrolment, Study

    study = a_study(f"size-{size}", size)
    new = Rater(where.web.port, study.slug, a_token(study, f"new-{size}"))
    half = Rater(where.web.port, study.slug, a_token(study, f"half-{size}"))
    _judge_half(Enrolment.objects.get(study=study, user__username=f"half-{size}"), size // 2)
    in_turns(new, half, min(PROBES, size // 4))
    Study.objects.filter(pk=study.pk).update(arrivals=2)  # new pairs: everybody looks from the start, once
    started = time.perf_counter()
    half.step()
    again = time.perf_counter() - started
    figures = [percentile(rater.tally.seconds[20:], p) for rater in (new, half) for p in (50, 95)]
    return (size, *(1000 * figure for figure in figures), 1000 * again)


def in_turns(new: Rater, half: Rater, times: int) -> None:
    for rater in (new, half):
        rater.claim()
    for _ in range(times):
        new.step()
        half.step()


def _judge_half(rater, half: int) -> None:
    from django.db import connection

    given = {"rater": rater.pk, "study": rater.study_id, "half": half}
    with connection.cursor() as cursor:
        for statement in (HALF, TAKEN, CURSOR):
            cursor.execute(statement, given)
        cursor.execute("VACUUM ANALYZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each of the five measured")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES), help="pairs, multiples of 100")
    asked = parser.parse_args()
    with site() as where:
        where.web.start()
        found = load(where, asked.seconds) if asked.seconds else {}
        found |= growth(where, asked.sizes) if asked.sizes else {}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
