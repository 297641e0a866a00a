"""The client: a study from its first prompt to the files of its snapshot."""

import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from hashlib import file_digest
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import httpx2 as httpx

from evenhand_client.errors import EvenhandError, NotFinished, UnsafeName
from evenhand_client.shapes import Arm, BlindPair, Import, Judgment, Prompt, Run, Snapshot, Study

AGAIN = (429, 502, 503, 504)
LONGEST_WAIT = 60.0
AT_ONCE = 1_000
"""Prompts that are sent together."""

DEVICES = r"(?i:con|prn|aux|nul|com\d|lpt\d)"
PLAIN_NAME = re.compile(rf"(?!{DEVICES}(?:\.|$))[A-Za-z0-9_](?:[A-Za-z0-9._-]{{0,198}}[A-Za-z0-9_-])?")
"""Of a file: nothing in it leads to another folder, to a drive or to a device, on whatever system."""

Judge = Callable[[BlindPair], Judgment]


class Evenhand:
    """One server, for the person whose token it is. Use it as a context manager, or `close` it.

    Whatever the server refuses is an EvenhandError. Requests that fail on the way are sent up to `attempts`
    times; those that create carry a key, so that they are done once. Links and webhooks take none: what they
    are answered is told once.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 60.0, attempts: int = 4) -> None:
        self._attempts = attempts
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=timeout,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    # Studies -------------------------------------------------------------------------------------------

    def studies(self) -> Iterator[Study]:
        """Yours, the newest first."""
        return cast(Iterator[Study], self.pages("studies/"))

    def study(self, slug: str) -> Study:
        return cast(Study, self.get(f"studies/{slug}/"))

    def make_study(self, slug: str, title: str, **rules: Any) -> Study:
        """A draft. `rules` are fields of a study, such as `question` and `overlap`."""
        return cast(Study, self.post("studies/", {"slug": slug, "title": title, **rules}))

    def open_study(self, slug: str) -> Study:
        """Let raters in."""
        return cast(Study, self.post(f"studies/{slug}/state/", {"state": "open"}))

    def close_study(self, slug: str) -> Study:
        """Let raters rate no more."""
        return cast(Study, self.post(f"studies/{slug}/state/", {"state": "closed"}))

    def add_prompts(self, slug: str, prompts: Iterable[Prompt]) -> int:
        """All of them, a thousand at a time; says how many."""
        given, added = list(prompts), 0
        for start in range(0, len(given), AT_ONCE):
            part = {"prompts": given[start : start + AT_ONCE]}
            added += self.post(f"studies/{slug}/prompts/many/", part)["added"]
        return added

    def add_arm(self, slug: str, name: str, **settings: Any) -> Arm:
        """What is compared: `backend`, `model`, `revision`, `system_prompt`, `sampling` …"""
        return cast(Arm, self.post(f"studies/{slug}/arms/", {"name": name, **settings}))

    def upload(self, slug: str, file: Path | str, *, wait: float = 600.0) -> Import:
        """Bring in a file of responses, judgments or preferences, and wait until it is in.

        Raises NotFinished where it stops, or takes longer than `wait` seconds; 0 does not wait.
        """
        path = Path(file)
        address, asked = f"studies/{slug}/imports/", {"name": path.name, "start": "true"}
        kind = {"Content-Type": "application/octet-stream"}
        with path.open("rb") as body:  # sent once: a file that came twice would be read twice
            answer = self._http.post(address, params=asked, content=body, headers=kind)
        job = cast(Import, self._read(answer))
        if not wait:
            return job
        return cast(Import, self._until(f"{address}{job['id']}/", ("done",), ("failed", "cancelled"), wait))

    # Runs ----------------------------------------------------------------------------------------------

    def start_run(self, slug: str, samples: int = 1) -> Run:
        """Have every arm answer every prompt that it has not answered."""
        return cast(Run, self.post(f"studies/{slug}/runs/", {"samples": samples}))

    def wait_for_run(self, slug: str, run: int, *, wait: float = 3600.0) -> Run:
        """The run when it is done. Raises NotFinished where it stops, or takes longer."""
        stops = ("failed", "cancelled", "paused")
        return cast(Run, self._until(f"studies/{slug}/runs/{run}/", ("done",), stops, wait))

    def _until(self, address: str, good: tuple[str, ...], bad: tuple[str, ...], wait: float) -> Any:
        ends = time.monotonic() + wait
        pause = 0.2
        while True:
            found = self.get(address)
            if found["state"] in good:
                return found
            if found["state"] in bad:
                raise NotFinished(f"It is {found['state']}. {found['error']}".strip())
            if time.monotonic() > ends:
                raise NotFinished(f"It is still {found['state']} after {wait:g} seconds.")
            time.sleep(pause)
            pause = min(pause * 1.5, 5.0)

    # Raters --------------------------------------------------------------------------------------------

    def enrol(self, slug: str, username: str) -> dict[str, Any]:
        """Give somebody who has an account a place in the study."""
        return cast(dict[str, Any], self.post(f"studies/{slug}/raters/", {"username": username}))

    def rate(self, slug: str, judge: Judge, most: int | None = None) -> int:
        """Judge pairs by a function until none is left, or `most` were; says how many.

        The token is the rater's, with the scope “rate”.
        """
        pair, judged = self._claim(slug), 0
        while pair is not None and (most is None or judged < most):
            answers = {**judge(pair), "claim_next": most is None or judged + 1 < most}
            kept = self.post(f"assignments/{pair['id']}/judgment", answers)
            judged, pair = judged + 1, cast(BlindPair | None, kept.get("next"))
        return judged

    def _claim(self, slug: str) -> BlindPair | None:
        return cast(BlindPair | None, self.post(f"studies/{slug}/claim", None))

    # Results -------------------------------------------------------------------------------------------

    def win_rates(self, slug: str) -> dict[str, Any]:
        """How often each arm wins against each other, with intervals."""
        return cast(dict[str, Any], self.get(f"studies/{slug}/win-rates/"))

    def judgments(self, slug: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """What raters judged, such as with `counting="true"`. The token needs the scope “export”."""
        return self.pages(f"studies/{slug}/judgments/", {"page_size": 200, **filters})

    def results(self, slug: str, *, wait: float = 600.0) -> dict[str, Any]:
        """All tables of the results; a worker makes them where they are not there."""
        ends = time.monotonic() + wait
        while True:
            answer = self._send("GET", f"studies/{slug}/results/")
            if answer.status_code != 202:
                return cast(dict[str, Any], self._read(answer))
            if time.monotonic() > ends:
                raise NotFinished(f"The results were not made within {wait:g} seconds.")
            time.sleep(min(_seconds(answer), 5.0))

    # Snapshots -----------------------------------------------------------------------------------------

    def freeze(self, slug: str, *, wait: float = 3600.0) -> Snapshot:
        """Freeze the study as it is, and wait for the snapshot of a large one."""
        before = self._newest(slug)
        made = self.post(f"studies/{slug}/snapshots/", None)
        if "number" in made:
            return cast(Snapshot, made)
        ends = time.monotonic() + wait
        while time.monotonic() < ends:
            newest = self._newest(slug)
            if newest is not None and (before is None or newest["number"] > before["number"]):
                return newest
            time.sleep(2.0)
        raise NotFinished(f"The snapshot was not frozen within {wait:g} seconds.")

    def _newest(self, slug: str) -> Snapshot | None:
        return cast(Snapshot | None, next(self.pages(f"studies/{slug}/snapshots/", {"page_size": 1}), None))

    def download(self, slug: str, number: int, folder: Path | str) -> list[Path]:
        """The snapshot's files. What a broken download left in the folder is gone on with, and every file is
        compared with its digest. Raises NotFinished where one is not whole; and UnsafeName, before anything
        is written, where the server names a file that might lead out of the folder."""
        home = Path(folder)
        snapshot = cast(Snapshot, self.get(f"studies/{slug}/snapshots/{number}/"))
        files: dict[str, dict[str, Any]] = snapshot["manifest"]["files"]
        for name in files:
            _refuse_unsafe(name)
        home.mkdir(parents=True, exist_ok=True)
        address = f"studies/{slug}/snapshots/{number}/files/"
        paths = [self._fetched(f"{address}{name}", home / name, told) for name, told in files.items()]
        return [*paths, self._fetched(f"{address}manifest.json", home / "manifest.json", None)]

    def _fetched(self, address: str, path: Path, told: dict[str, Any] | None) -> Path:
        if path.exists() and told is not None and _digest(path) == told["sha256"]:
            return path
        part = path.with_name(f"{path.name}.part")
        if told is None:
            part.unlink(missing_ok=True)
        self._fetch(address, part)
        if told is not None and _digest(part) != told["sha256"]:
            part.unlink()
            raise NotFinished(f"{path.name} did not come whole. Start the download again.")
        part.replace(path)
        return path

    def _fetch(self, address: str, part: Path) -> None:
        """Add what the part lacks, again after a break."""
        for attempt in range(self._attempts):
            have = part.stat().st_size if part.exists() else 0
            headers = {"Range": f"bytes={have}-", "Accept": "*/*"} if have else {"Accept": "*/*"}
            try:
                with self._http.stream("GET", address, headers=headers) as answer:
                    if answer.status_code == 416:  # all of it is there
                        return
                    if answer.is_error:
                        answer.read()
                        self._read(answer)
                    with part.open("ab" if answer.status_code == 206 else "wb") as file:
                        for block in answer.iter_bytes():
                            file.write(block)
                return
            except httpx.TransportError:
                if attempt + 1 == self._attempts:
                    raise
                time.sleep(2.0**attempt / 4)

    # Requests ------------------------------------------------------------------------------------------

    def get(self, address: str, **query: Any) -> Any:
        """The JSON at an address below /api/v1/."""
        return self._read(self._send("GET", address, params=query or None))

    def post(self, address: str, body: Any) -> Any:
        """What a write is answered; None where there is nothing."""
        return self._read(
            self._send("POST", address, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
        )

    def pages(self, address: str, query: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a list, page by page as they are asked for."""
        following: str | None = address
        while following:
            page = self._read(self._send("GET", following, params=query))
            yield from page["results"]
            following, query = page["next"], None

    def _send(self, method: str, address: str, **given: Any) -> httpx.Response:
        for attempt in range(1, self._attempts + 1):
            try:
                answer = self._http.request(method, address, **given)
            except httpx.TransportError:
                if attempt == self._attempts:
                    raise
                time.sleep(2.0**attempt / 4)
                continue
            passes = answer.status_code in AGAIN or (attempt > 1 and _is_under_way(answer))
            if not passes or attempt == self._attempts:
                return answer
            time.sleep(min(max(_seconds(answer), 2.0**attempt / 4), LONGEST_WAIT))
        raise AssertionError("unreachable")

    def _read(self, answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.json() if answer.content else None
        try:
            told = answer.json()
        except ValueError:
            told = {}
        detail = told.get("detail") or answer.reason_phrase
        raise EvenhandError(answer.status_code, detail, told.get("code", ""), told.get("errors"))


def _is_under_way(answer: httpx.Response) -> bool:
    """Whether the server is still at what was sent before under the same key."""
    return answer.status_code == 409 and b'"key-in-use"' in answer.content


def _seconds(answer: httpx.Response) -> float:
    """What the answer says of when to come back; a date says nothing here."""
    told = answer.headers.get("Retry-After", "")
    return float(told) if told.isdigit() else 1.0


def _refuse_unsafe(name: str) -> None:
    if not PLAIN_NAME.fullmatch(name):
        raise UnsafeName(f"The server names a file {name!r}, which may lead elsewhere. Nothing was written.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
