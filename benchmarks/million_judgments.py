"""Agreement and aggregation of a million judgments, beside the libraries people would use instead.

    .venv/bin/python benchmarks/statistics.py [--judgments 1000000] [--others PYTHON | --alone]

prints a JSON object. The others (krippendorff, crowd-kit) are measured in the same run, turn by turn, in an
environment of the benchmark's own under var/, which the first run makes; `--others` names the Python of one
that exists. Times are the best of three, from long columns of codes to the number; alpha's are those of its
slowest level. `alpha_speedup_vs_krippendorff` leaves out the time that library's dense matrix takes to make.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import argparse  # noqa: E402, I001
import json  # noqa: E402
import resource  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import venv  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import partial  # noqa: E402
from multiprocessing import get_context  # noqa: E402

import numpy as np  # noqa: E402

from annotation.stats.agreement import krippendorff_alpha  # noqa: E402
from annotation.stats.aggregation import dawid_skene, mace  # noqa: E402
from annotation.stats.bootstrap import Resampling  # noqa: E402
from annotation.stats.rater_pairs import cohen_kappas  # noqa: E402
from annotation.stats.ratings import Ratings  # noqa: E402

LEVELS = ("nominal", "ordinal", "interval")
OTHERS = ["crowd-kit==1.4.2", "krippendorff==0.9.0"]
RATERS, LABELS, PER_ITEM, ITERATIONS, REPLICATES = 200, 4, 5, 20, 1000
ROUNDS = 3

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def judgments(n: int, seed: int = 0) -> Columns:
    """Items, raters and labels of n judgments in no order: five raters an item, 70 % know the label."""
    rng = np.random.default_rng(seed)
    items = n // PER_ITEM
    raters = rng.integers(RATERS, size=(items, PER_ITEM))
    while len(again := np.flatnonzero((np.diff(np.sort(raters), axis=1) == 0).any(axis=1))):
        raters[again] = rng.integers(RATERS, size=(len(again), PER_ITEM))
    truth = rng.integers(LABELS, size=(items, 1))
    knows = rng.random((items, PER_ITEM)) < 0.7
    labels = np.where(knows, truth, rng.integers(LABELS, size=(items, PER_ITEM)))
    order = rng.permutation(items * PER_ITEM)
    return np.repeat(np.arange(items), PER_ITEM)[order], raters.ravel()[order], labels.ravel()[order]


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Seconds, and what came of them."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def alpha(columns: Columns, level: str, bootstrap: int):
    return krippendorff_alpha(Ratings.from_rows(*columns), level, bootstrap=bootstrap)


def measure(n: int) -> dict[str, float]:
    """One round of ours on n judgments: seconds, and alpha's values under `value_…`."""
    columns, found = judgments(n), {}
    for level in LEVELS:
        found[f"alpha_{level}"], point = timed(lambda level=level: alpha(columns, level, 0))
        found[f"alpha_boot_{level}"], _ = timed(lambda level=level: alpha(columns, level, REPLICATES))
        found[f"value_{level}"] = point.value
    fit = partial(dawid_skene, iterations=ITERATIONS, tolerance=-np.inf)
    found["dawid_skene"], _ = timed(lambda: fit(Ratings.from_rows(*columns)))
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def measure_slower(n: int) -> dict[str, float]:
    """What is measured once: MACE from one start, and Cohen's kappa of all 19,900 pairs with intervals."""
    ratings = Ratings.from_rows(*judgments(n))
    cohen = timed(lambda: cohen_kappas(ratings, ("none",), "nominal", Resampling(REPLICATES)))
    return {"mace": timed(lambda: mace(ratings, restarts=0))[0], "cohen": cohen[0]}


def apart(work: Callable[[int], dict[str, float]], n: int) -> dict[str, float]:
    """In a process of its own, so that its peak memory is this work's alone."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, (n,))


def quickest(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The least of each figure over the rounds."""
    return {key: min(found[key] for found in rounds) for key in rounds[0]}


def other_python(given: str | None) -> str | None:
    """The Python that has the other libraries, made if need be; None, with a sentence, if there is none."""
    if given:
        return given
    folder = ROOT / "var" / "statistics-benchmark"
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"Making an environment for {' and '.join(OTHERS)} at {folder} …", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *OTHERS], check=False)
    asked = subprocess.run([python, "-c", "import crowdkit, krippendorff"], capture_output=True)
    if asked.returncode:
        print("The other libraries could not be installed; only our own times follow.", file=sys.stderr)
        return None
    return str(python)


def measure_others(python: str, columns: Columns) -> dict:
    """The same data through the other libraries."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "judgments.npz"
        np.savez(path, items=columns[0], raters=columns[1], labels=columns[2])
        script = Path(__file__).with_name("statistics_others.py")
        command = [python, script, path, str(ITERATIONS)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compared(ours: dict[str, float], others: dict[str, float] | None) -> dict:
    """The keys that need the other libraries, null without them."""
    if others is None:
        return {"alpha_speedup_vs_krippendorff": None, "dawid_skene_ratio_to_crowdkit": None}
    speedups = {level: others[f"alpha_{level}"] / ours[f"alpha_{level}"] for level in LEVELS}
    apart = [abs(others[f"value_{level}"] - ours[f"value_{level}"]) for level in LEVELS]
    return {
        "alpha_speedup_vs_krippendorff": round(min(speedups.values()), 2),
        "alpha_speedups_by_level": {level: round(value, 2) for level, value in speedups.items()},
        "alpha_largest_difference": max(apart),
        "krippendorff_dense_matrix_seconds": round(others["dense_matrix"], 3),
        "dawid_skene_ratio_to_crowdkit": round(others["dawid_skene"] / ours["dawid_skene"], 2),
        "crowdkit_dawid_skene_seconds": round(others["dawid_skene"], 2),
    }


def slowest_level(found: dict[str, float], kind: str) -> float:
    return max(found[f"{kind}_{level}"] for level in LEVELS)


def growth(by_size: dict[int, dict[str, float]]) -> dict:
    """Microseconds a judgment; linear growth keeps them from rising."""
    kinds = {"alpha": "alpha", "alpha_with_intervals": "alpha_boot"}
    return {
        str(size): {
            **{name: round(1e6 * slowest_level(found, kind) / size, 3) for name, kind in kinds.items()},
            "dawid_skene": round(1e6 * found["dawid_skene"] / size, 3),
        }
        for size, found in by_size.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judgments", type=int, default=1_000_000)
    parser.add_argument("--others", help="the Python of an environment that has crowd-kit and krippendorff")
    parser.add_argument("--alone", action="store_true", help="leave the other libraries out")
    options = parser.parse_args()
    n = options.judgments
    python = None if options.alone else other_python(options.others)
    ours, others = [], []
    for _ in range(ROUNDS):  # turn by turn, so that a busy machine is busy for both
        ours.append(apart(measure, n))
        if python:
            others.append(measure_others(python, judgments(n)))
    best, slower = quickest(ours), apart(measure_slower, n)
    smaller = {size: quickest([apart(measure, size) for _ in range(ROUNDS)]) for size in (n // 100, n // 10)}
    answer = {
        "judgments": n,
        "alpha_1m_seconds": round(slowest_level(best, "alpha_boot"), 3),
        "alpha_point_1m_seconds": round(slowest_level(best, "alpha"), 3),
        "dawid_skene_1m_seconds": round(best["dawid_skene"], 3),
        **compared(best, quickest(others) if others else None),
        "peak_memory_mb": round(max(found["peak_mb"] for found in ours)),
        "mace_1m_seconds": round(slower["mace"], 2),
        "cohen_with_intervals_1m_seconds": round(slower["cohen"], 2),
        "microseconds_a_judgment": growth({**smaller, n: best}),
    }
    print(json.dumps(answer, indent=1))
