"""The benchmark scripts run and print what they promise; their figures are for a quiet machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.once, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


def printed(script, *arguments):
    command = [sys.executable, ROOT / "benchmarks" / script, *map(str, arguments)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_the_speed_of_statistics_is_measured_without_other_libraries():
    found = printed("statistics.py", "--judgments", 20_000, "--alone")
    assert found["alpha_1m_seconds"] > 0 and found["dawid_skene_1m_seconds"] > 0
    assert found["alpha_speedup_vs_krippendorff"] is found["dawid_skene_ratio_to_crowdkit"] is None
    assert list(found["microseconds_a_judgment"]) == ["200", "2000", "20000"]


def test_intervals_hold_the_truth_in_simulated_studies():
    """Sixty studies tell 95 % from 80 %, no more; the script's own thousand tell the rest."""
    found = printed("coverage.py", "--studies", 60, "--seed", 1)
    assert min(found["bootstrap_coverage"].values()) >= 0.85
    assert found["sequence_coverage"] >= 0.9
    assert max(found["sequence_type_one_error"].values()) <= 0.12
    assert found["watched_studies_type_one_error"]["sequence_at_any_look"] <= 0.12
    assert found["fixed_interval_type_one_error_when_watched"] > 0.2
