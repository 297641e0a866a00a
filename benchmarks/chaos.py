"""Web processes and the database killed at random under load: `python benchmarks/chaos.py [KILLS]`.

KILLS is 20 unless given. Raters with real tokens judge over HTTP without a pause. In turn, each at a random
moment, one of three gets SIGKILL: a web process (its parent starts another), the whole web server, or the
database, which then recovers; what was killed whole is started again, and the next kill waits until work goes
on. A rater whose request got no answer, or an error, sends the same answers with the same key again until
they are acknowledged, as the page does.

Afterwards every acknowledged judgment must be there, once, and no pair over its overlap. The database runs
with `fsync` and `synchronous_commit` on here. The last line is JSON; exit status 1 if a promise was broken.
"""

import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from rating_load import BODY
from rating_site import Connection, Site, Web, a_study, a_token, site

KILLS = 20
SEED = 4
RATERS = 8
PAIRS = 5_000
SHORTEST, LONGEST = 0.3, 1.5  # seconds of undisturbed work between two kills
PATIENCE = 60  # seconds after which a rater who gets no answer at all gives up, which is a failure


@dataclass
class Rater:
    """Judges until told to stop; knows (token, key) of all that was acknowledged."""

    port: int
    slug: str
    token: str
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    repeated: int = 0

    def __post_init__(self) -> None:
        self.connection = Connection(self.port, f"Authorization: Token {self.token}\r\n")

    def work(self, stop: threading.Event) -> None:
        held = self._claim()
        while not stop.is_set() and held:
            held = self._judge(held)

    def _claim(self) -> str:
        status, body = self._until_answered(f"/api/v1/studies/{self.slug}/claim", b"", "")
        return json.loads(body)["id"] if status == 200 else ""

    def _judge(self, held: str) -> str:
        key = uuid.uuid4().hex
        address = f"/api/v1/assignments/{held}/judgment"
        status, body = self._until_answered(address, BODY, f"Idempotency-Key: {key}\r\n")
        if status not in (200, 201):
            raise SystemExit(f"A judgment was refused with {status}: {body.decode()[:300]}")
        self.acknowledged.append((held, key))
        following = json.loads(body)["next"]
        return following["id"] if following else ""

    def _until_answered(self, path: str, body: bytes, headers: str) -> tuple[int, bytes]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(OSError):
                status, answer = self.connection.post(path, body, headers)
                if status < 500:
                    return status, answer
            self.connection.close()
            self.repeated += 1
            time.sleep(0.1)
        raise SystemExit(f"No answer from {path} for {PATIENCE} seconds.")


def one_process(where: Site, dice: random.Random) -> None:
    with suppress(ProcessLookupError, IndexError):  # the one before may not have been replaced yet
        os.kill(dice.choice(where.web.workers()), signal.SIGKILL)


def whole_web(where: Site, dice: random.Random) -> None:
    assert where.web.process
    os.killpg(where.web.process.pid, signal.SIGKILL)
    where.web.process.wait()
    time.sleep(dice.uniform(0, 0.5))
    _start_web(where.web)


def _start_web(web: Web) -> None:
    """The killed processes may hold the port for a moment."""
    for _ in range(20):
        try:
            return web.start()
        except SystemExit:
            time.sleep(0.2)
    raise SystemExit("The web server did not come back.")


def database(where: Site, dice: random.Random) -> None:
    where.server.kill()
    time.sleep(dice.uniform(0, 0.5))
    where.server.start_again()


VICTIMS = (one_process, whole_web, database)


def run(where: Site, kills: int, seed: int = SEED) -> dict:
    """Kill so often; what was found afterwards."""
    dice = random.Random(seed)
    study = a_study("chaos", PAIRS)
    raters = [Rater(where.web.port, study.slug, a_token(study, f"rater-{n}")) for n in range(RATERS)]
    stop = threading.Event()
    with ThreadPoolExecutor(len(raters)) as threads:
        working = [threads.submit(rater.work, stop) for rater in raters]
        try:
            # In the main thread: a server started by another would be ended with that thread.
            _kill_all(where, kills, raters, dice)
        finally:
            stop.set()
        for work in working:
            work.result()
    return {"kills": kills, **looked_at(study, raters)}


def _kill_all(where: Site, kills: int, raters: list[Rater], dice: random.Random) -> None:
    for number in range(1, kills + 1):
        before = _done(raters)
        _wait_for_work(raters)
        time.sleep(dice.uniform(SHORTEST, LONGEST))
        victim = VICTIMS[number % len(VICTIMS)]
        victim(where, dice)
        print(f"{number:>3} {victim.__name__:<12} {_done(raters) - before:>6} judgments", flush=True)
    _wait_for_work(raters)


def _done(raters: list[Rater]) -> int:
    return sum(len(rater.acknowledged) for rater in raters)


def _wait_for_work(raters: list[Rater]) -> None:
    """Until judgments are acknowledged again."""
    before, deadline = _done(raters), time.monotonic() + PATIENCE
    while _done(raters) < before + len(raters):
        if time.monotonic() > deadline:
            raise SystemExit(f"The raters could not go on for {PATIENCE} seconds.")
        time.sleep(0.02)


def looked_at(study, raters: list[Rater]) -> dict:
    from django.db import connection
    from django.db.models import Count, F, Q

    from annotation.models import Assignment, Judgment

    connection.close()
    connection.close_pool()  # ours were cut off with the rest
    acknowledged = [pair for rater in raters for pair in rater.acknowledged]
    rows = Judgment.objects.filter(study=study)
    there = [(str(token), key) for token, key in rows.values_list("assignment__token", "idempotency_key")]
    live = Q(assignments__slot__isnull=False)
    over = study.pairs.annotate(raters=Count("assignments", filter=live)).filter(raters__gt=F("overlap"))
    wrong = study.pairs.annotate(raters=Count("assignments", filter=live)).exclude(
        open_slots=F("overlap") - F("raters")
    )
    twice = Assignment.objects.filter(enrolment__study=study).values("pair", "enrolment")
    return {
        "acknowledged": len(acknowledged),
        "sent_again": sum(rater.repeated for rater in raters),
        "lost": len(set(acknowledged) - set(there)),
        "judged_twice": len(there) - len({token for token, _ in there}),
        "pairs_over_overlap": over.count(),
        "pairs_miscounted": wrong.count(),
        "double_assignments": twice.annotate(times=Count("pk")).filter(times__gt=1).count(),
    }


BROKEN = ("lost", "judged_twice", "pairs_over_overlap", "pairs_miscounted", "double_assignments")


def main(kills: int) -> int:
    with site(durable=True) as where:
        where.web.start()
        found = run(where, kills)
    print(json.dumps(found))
    return int(any(found[name] for name in BROKEN) or not found["acknowledged"])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else KILLS))
