"""Preference data into PostgreSQL: pairs a second, processor time, memory, and how near to a bare COPY.

    DATABASE_URL=postgres://… .venv/bin/python benchmarks/import_pairs.py [--pairs 100000]

prints a JSON object. It migrates the database that DATABASE_URL names, imports a file of made pairs into a
study of its own, and in the same run copies the same number of rows with the same texts into bare tables,
which is the floor.

- `import_pairs_per_s`: rows of the *file* a second, each a pair that somebody preferred one answer of.
- `import_rows_per_s`: rows of *tables* a second. A pair becomes five: prompt, two responses, pair, judgment.
  This is the figure that the promise of 10,000 rows/s is about, as a COPY or any other loader counts.
`python -m tests.postgres …` before it starts a throwaway server.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation.settings")

import argparse  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402
import resource  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402

import django  # noqa: E402

WORDS = [
    "the",
    "kite",
    "flies",
    "high",
    "above",
    "a",
    "quiet",
    "meadow",
    "while",
    "children",
    "watch",
    "and",
    "wonder",
    "how",
    "wind",
    "keeps",
    "paper",
    "up",
    "in",
    "clear",
    "air",
    "because",
    "its",
    "shape",
    "turns",
    "some",
    "of",
    "that",
    "moving",
    "air",
    "downward",
    "so",
    "it",
    "is",
    "pushed",
    "upward",
    "against",
    "gravity",
    "with",
    "string",
    "tension",
    "from",
    "hand",
    "below",
    "holding",
    "angle",
    "steady",
    "until",
    "gusts",
    "fade",
    "near",
    "evening",
    "light",
    "over",
    "hills",
]


def write_pairs(path: Path, pairs: int) -> None:
    """Made preferences: prompts of about 80 signs, answers of about 300, each in a few sentences."""
    draw = random.Random(20250809)
    with path.open("w", encoding="utf-8") as file:
        for number in range(pairs):
            row = {
                "prompt": f"Question {number}: {_sentence(draw, 12)}?",
                "chosen": " ".join(f"{_sentence(draw, 14)}." for _ in range(4)),
                "rejected": " ".join(f"{_sentence(draw, 14)}." for _ in range(4)),
                "margin": 1 + number % 3,
                "intent": ("benign", "dual_use", "malicious")[number % 3],
            }
            file.write(json.dumps(row) + "\n")


def _sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words)).capitalize()


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bare_copy(path: Path) -> float:
    """Seconds to COPY the same rows into tables without keys, constraints and checks."""
    from django.db import connection

    tables = ("floor_prompt", "floor_response", "floor_pair", "floor_judgment")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"CREATE TABLE {table} (number bigint, text text)")
        started = time.perf_counter()
        for table in tables:
            with cursor.copy(f"COPY {table} FROM STDIN") as copy, path.open(encoding="utf-8") as file:
                for number, line in enumerate(file):
                    row = json.loads(line)
                    texts = {
                        "floor_prompt": [row["prompt"]],
                        "floor_response": [row["chosen"], row["rejected"]],
                    }
                    for text in texts.get(table, [""]):
                        copy.write_row((number, text))
        seconds = time.perf_counter() - started
        for table in tables:
            cursor.execute(f"DROP TABLE {table}")
    return seconds


def import_pairs(pairs: int) -> dict[str, float]:
    """One import of so many pairs into a study of its own, in a database that is up to date."""
    from annotation.actions.imports import import_preferences
    from annotation.actions.studies import create_study

    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "pairs.jsonl", Path(folder) / "small.jsonl"
        write_pairs(path, pairs)
        write_pairs(small, 2_000)
        name = f"import-{time.time_ns()}"
        import_preferences(create_study(f"{name}-small", "Import"), small)  # models and plans are loaded now
        before, processor, started = peak_mb(), time.process_time(), time.perf_counter()
        result = import_preferences(create_study(name, "Import"), path)
        seconds, processor = time.perf_counter() - started, time.process_time() - processor
        if result.new_pairs != pairs or result.new_judgments != pairs:
            raise RuntimeError(f"{result.new_pairs} pairs and {result.new_judgments} judgments came in.")
        return {
            "import_pairs_per_s": round(pairs / seconds),
            "import_rows_per_s": round(5 * pairs / seconds),
            "import_processor_s": round(processor, 1),
            "import_added_rss_mb": round(peak_mb() - before, 1),
            "import_times_bare_copy": round(seconds / bare_copy(path), 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=100_000)
    options = parser.parse_args()
    django.setup()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    print(json.dumps(import_pairs(options.pairs), indent=1))


if __name__ == "__main__":
    main()
