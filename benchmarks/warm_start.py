"""How long a second ``make run`` takes until its first page answers: ``python benchmarks/warm_start.py``."""

import json
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STARTS = 4  # the first one is cold and is left out of the result
LIMIT = 120  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as page:
            return page.status == 200
    except (urllib.error.URLError, OSError):
        return False


def seconds_to_first_page(environment: dict[str, str]) -> float:
    """Start, wait for the log-in page, stop with Ctrl-C's signal."""
    port = free_port()
    begun = time.monotonic()
    process = subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env=environment | {"PORT": str(port)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not answers(f"http://127.0.0.1:{port}/accounts/login/"):
            if process.poll() is not None or time.monotonic() - begun > LIMIT:
                raise SystemExit(f"`make run` gave no page (exit status {process.poll()}).")
            time.sleep(0.02)
        return time.monotonic() - begun
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="evenhand-warm-start-") as folder:
        environment = os.environ | {"EVENHAND_VAR": folder}
        cold, *warm = (seconds_to_first_page(environment) for _ in range(STARTS))
    print("start      seconds to first page")
    print(f"cold       {cold:8.2f}   (new database, demo study and static files)")
    for seconds in warm:
        print(f"warm       {seconds:8.2f}")
    print(json.dumps({"warm_start_seconds": round(statistics.median(warm), 2), "cold": round(cold, 2)}))


if __name__ == "__main__":
    main()
