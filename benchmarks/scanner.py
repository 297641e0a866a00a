"""How often the scanner is right: precision and recall of each kind on texts that were labelled by hand.

    .venv/bin/python benchmarks/scanner.py

prints a JSON object with a key for each kind, and for each of its errors a line on standard error. The texts,
of which half are innocent, stand in `scanner_texts.jsonl`; they were written for this purpose.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from annotation import scan  # noqa: E402
from annotation.vocabulary import MarkKind  # noqa: E402

TEXTS = Path(__file__).with_name("scanner_texts.jsonl")


def labelled() -> list[dict]:
    """One for each text: "text", "prompt", "finish_reason", perhaps "other" (of a pair), and its "kinds"."""
    return [json.loads(line) for line in TEXTS.read_text().splitlines()]


def said_of(row: dict) -> set[str]:
    """The kinds that the scanner finds."""
    if "other" in row:
        found = scan.scan_pair(row["text"], row["other"])
    else:
        found = scan.scan_response(row["text"], row["prompt"], row["finish_reason"])
    return {finding.kind.value for finding in found}


def measure(rows: list[dict]) -> dict[str, dict]:
    """Of each kind: texts that have it, those found, precision and recall."""
    said = [(set(row["kinds"]), said_of(row)) for row in rows]
    return {kind: _of_kind(kind, said) for kind in MarkKind.values}


def _of_kind(kind: str, said: list[tuple[set[str], set[str]]]) -> dict:
    right = sum(kind in true and kind in found for true, found in said)
    have = sum(kind in true for true, _ in said)
    found = sum(kind in found for _, found in said)
    return {
        "texts": have,
        "found": found,
        "precision": round(right / found, 3) if found else None,
        "recall": round(right / have, 3) if have else None,
    }


def main() -> None:
    rows = labelled()
    for row in rows:
        if set(row["kinds"]) != said_of(row):
            print(f"{row['kinds']} but found {sorted(said_of(row))}: {row['text']!r}", file=sys.stderr)
    innocent = sum(not row["kinds"] for row in rows)
    print(
        json.dumps(
            {"texts": len(rows), "innocent": innocent, "scanner": scan.VERSION, **measure(rows)}, indent=1
        )
    )


if __name__ == "__main__":
    main()
