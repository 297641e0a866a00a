"""Raters with open pages: each looks at a pair, keeps drafts while thinking, says that somebody is there, and
sends the answers for the next pair, as the page's script does."""

import json
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode

from rating_site import Site

BEAT = 60  # seconds between two beats, as in static/js/rate-keeping.js
DRAFTS = 4
"""A page sends one after each pause in answering; so many for a pair."""
LOOK_EVERY = 30  # seconds between two looks at the web processes' memory
SECRET = "a" * 32
SIDE = {"safety": "clearly_safe", "severity": "", "helpfulness": "3", "mode": "direct_answer"}
ANSWERS = {f"{side}-{name}": value for side in ("left", "right") for name, value in SIDE.items()}
ANSWERS |= {"safer": "1", "more_helpful": "-1", "balance": "2", "confidence": "3", "rationale": "Careful."}


@dataclass
class Seen:
    """What the raters' pages got: replies by status, and their seconds."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    statuses: Counter = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    judgments: int = 0

    def add(self, status: int, seconds: float) -> None:
        with self.lock:
            self.statuses[status] += 1
            self.seconds.append(seconds)


class OpenPage(threading.Thread):
    """One rater with one page."""

    def __init__(self, port: int, slug: str, session: str, seen: Seen, think: float, number: int):
        super().__init__(daemon=True)
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self.slug, self.seen, self.think = slug, seen, think
        self.headers = {
            "Host": "localhost",
            "Cookie": f"sessionid={session}; csrftoken={SECRET}",
            "X-CSRFToken": SECRET,
            "HX-Request": "true",
        }
        self.dice = random.Random(number)
        self.ends = 0.0
        self.version = 0

    def run(self) -> None:
        time.sleep(self.dice.uniform(0, self.think))  # people do not come all at once
        while time.monotonic() < self.ends:
            page = self.ask("GET", f"/rate/{self.slug}/")
            while time.monotonic() < self.ends and (held := re.search(r"/rate/pair/([0-9a-f-]{36})/", page)):
                page = self.judge(held.group(1), page)
            self.wait(10)

    def judge(self, token: str, page: str) -> str:
        """Think, keep drafts and beat meanwhile, then send; the reply is the next page."""
        takes, last_beat = self.dice.uniform(0.5, 1.5) * self.think, time.monotonic()
        key = re.search(r'name="idempotency_key" value="([0-9a-f]{32})"', page)
        for version in range(DRAFTS):
            self.wait(takes / (DRAFTS + 1))
            told = {"answers": {"safer": "1"}, "seen": ["left", "right"], "version": version}
            self.ask("PUT", f"/rate/pair/{token}/draft/", json.dumps(told), "application/json")
            if time.monotonic() - last_beat > BEAT:
                last_beat = time.monotonic()
                self.ask("POST", f"/rate/pair/{token}/beat/")
        self.wait(takes / (DRAFTS + 1))
        if key is None or time.monotonic() > self.ends:
            return ""
        answers = urlencode(ANSWERS | {"idempotency_key": key.group(1)})
        reply = self.ask("POST", f"/rate/pair/{token}/", answers, "application/x-www-form-urlencoded")
        self.seen.judgments += 1
        return reply

    def wait(self, seconds: float) -> None:
        time.sleep(max(0.0, min(seconds, self.ends - time.monotonic())))

    def ask(self, method: str, path: str, body: str = "", kind: str = "") -> str:
        headers = self.headers | ({"Content-Type": kind} if kind else {})
        began = time.perf_counter()
        try:
            self.connection.request(method, path, body.encode(), headers)
            reply = self.connection.getresponse()
            status, text = reply.status, reply.read().decode()
        except (OSError, HTTPException):
            self.connection.close()
            status, text = 0, ""
        self.seen.add(status, time.perf_counter() - began)
        return text if status == 200 else ""


def sessions_of(study) -> list[str]:
    """A session of each rater, as logging in makes it."""
    from django.test import Client

    from annotation.models import User

    found = []
    for user in User.objects.filter(enrolments__study=study, is_active=True).order_by("pk"):
        client = Client()
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        found.append(client.cookies["sessionid"].value)
    return found


def with_open_pages(where: Site, study, seconds: float, think: float) -> dict:
    """All raters of the study at once for so long. `memory_mb` is of the web processes together, as it was
    once all pages were open, and at the end; `no_reply` counts connections that brought none."""
    seen = Seen()
    pages = [
        OpenPage(where.web.port, study.slug, session, seen, think, number)
        for number, session in enumerate(sessions_of(study))
    ]
    ends = time.monotonic() + think + seconds
    for page in pages:
        page.ends = ends
        page.start()
    time.sleep(think)
    seen.statuses.clear()
    seen.seconds.clear()
    seen.judgments, memory = 0, [memory_mb(where.web.workers())]
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(LOOK_EVERY, left))
        memory.append(memory_mb(where.web.workers()))
    for page in pages:
        page.join(90)
    times = sorted(seen.seconds)
    return {
        "raters": len(pages),
        "seconds": seconds,
        "requests": len(times),
        "judgments": seen.judgments,
        "server_errors": sum(n for status, n in seen.statuses.items() if status >= 500),
        "no_reply": seen.statuses[0],
        "replies": dict(sorted(seen.statuses.items())),
        "p50_ms": round(1000 * times[len(times) // 2], 1),
        "p95_ms": round(1000 * times[len(times) * 95 // 100], 1),
        "memory_mb": [memory[0], memory[-1]],
        "memory_mb_each_half_minute": memory,
    }


def memory_mb(pids: list[int]) -> int:
    """What these processes hold in memory."""
    lines = "".join(Path(f"/proc/{pid}/status").read_text() for pid in pids)
    return sum(map(int, re.findall(r"VmRSS:\s+(\d+) kB", lines))) // 1024
