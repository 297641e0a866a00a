"""The benchmarks of rating run, find nothing lost or given twice, and say what they promise to say."""

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.once]
ROOT = Path(__file__).resolve().parent.parent


def last_line(name: str, *arguments: object) -> dict:
    """What the benchmark prints as JSON in the end."""
    command = [sys.executable, f"benchmarks/{name}.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_rating_under_load_loses_nothing_and_gives_nothing_twice():
    found = last_line("rating_load", "--seconds", 1.5, "--sizes", 1000, 2000)
    assert (found["double_assignments"], found["errors"], found["lost"]) == (0, 0, 0)
    names = ("judgments_per_s", "ratio_to_bare_view")
    measured = [found[f"{name}_{raters}"] for name in names for raters in (8, 32)]
    measured += [found[name] for name in ("bare_sql_per_s_8", "next_p95_ms_8", "growth_1k_to_1m")]
    assert min(measured) > 0


def test_no_acknowledged_judgment_is_lost_when_web_and_database_are_killed():
    found = last_line("chaos", 3)
    assert found["kills"] == 3 and found["acknowledged"] > 0
    broken = ("lost", "judged_twice", "pairs_over_overlap", "pairs_miscounted", "double_assignments")
    assert {found[name] for name in broken} == {0}


def test_adaptive_overlap_is_replayed_on_any_long_file(tmp_path):
    """Made-up panels of five, of whom each errs once in ten times: fewer judgments, hardly an error more."""
    dice, path = random.Random(1), tmp_path / "panel.csv"
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "rater_id", "label"])
        for item in range(400):
            truth = dice.choice(["yes", "no"])
            for rater in range(5):
                wrong = dice.random() < 0.1
                rows.writerow([item, rater, "maybe" if wrong else truth])
    (found,) = last_line("adaptive_overlap", path, "--repeats", 3).values()
    assert found["judgments_ratio"] < 0.6
    assert found["accuracy"] > 0.98
    assert found["accuracy"] >= found["accuracy_fixed_same_cost"]
