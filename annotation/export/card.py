"""The folder's README: a data card that people read and `datasets` takes its configurations from."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from annotation.export.formats import SCHEMAS
from annotation.export.preferences import RULE_IN_WORDS
from annotation.models import Study
from annotation.stats.estimate import Estimate

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGEST = "1M<n<10M"
TOO_MANY = (
    "Not computed while a study of this size is frozen. The report has them: "
    "`python manage.py report {slug} --snapshot NUMBER --out FILE.html`."
)

FROZEN = """\
Frozen by Evenhand. `manifest.json` holds the study's rules, its arms, counts, versions and the SHA-256 of
every file."""

TABLES = {
    "preferences": "`prompt`, `chosen`, `rejected` as messages, and a `margin`",
    "judgments": "every judgment and every revision, by pseudonymous raters",
    "pairs": "every pair, what was marked about it, and what a researcher decided",
    "responses": "every prompt and response, with how it came about",
    "grades": "what automatic graders said: no judgment is among them",
}

IN_PYTHON = """\
Each is there as JSON Lines and as Parquet with the same rows. In Python:

```python
from datasets import load_dataset

preferences = load_dataset("THIS_FOLDER", "preferences", split="train")
```"""

HOW_TO_READ = """\
## How judgments are read

- Pair answers (`safer`, `more_helpful`, `balance`) run from -3, towards `arm_a`, to +3, towards `arm_b`;
  the columns ending in `_shown` hold them as the rater saw them, -3 left to +3 right, where that is known.
- Reports use the rows where `counts` is true: the newest revision, without surplus (judgments that came when
  the pair had enough) and without what a researcher withdrew.
- `pair_key` joins preferences, judgments and pairs; the `response_a_id` and `response_b_id` of a pair join
  responses.
- `shown_a` and `shown_b` are what raters read where a name was masked; where they are null, raters read the
  response.
- Responses with a `replaced_at` gave up their place to a later one; no rater was given them."""

WHAT_FOR = """\
## What it is for, and what not

Made to compare the named arms and to train or test reward models for help within safe limits. It is no test
of people: raters are pseudonyms, by which nobody is to be sought out, and who holds two snapshots of a study
must not join them to follow a rater. Raters judge what they read by the study's guideline; other people,
other prompts and other languages may judge otherwise. Win rates are of these prompts alone. Agreement is no
proof of being right.

Rationales are raters' own words: read them before you pass the folder on. The texts may be offensive or
wrong: they are what models wrote, not advice."""

Figures = Iterable[Mapping[str, object]]


@dataclass(frozen=True)
class Found:
    """What the files themselves say. `agreement` has a question with Estimates `raw`, `alpha` and `ac1` in
    each row, `win_rates` two arms on one question with `rate` and `decisive`."""

    agreement: Figures
    win_rates: Figures
    tie_rule: str
    languages: tuple[str, ...]


def data_card(study: Study, counts: dict, found: Found | None) -> str:
    """Markdown with a YAML head. Depends on the data alone, so equal data give an equal file.

    `found` is None where there are too many judgments to compute it.
    """
    sections = (
        f"# {study.title}",
        study.question or "A human comparison of language-model responses.",
        FROZEN,
        _tables(counts),
        IN_PYTHON,
        f"## How preferences are made\n\n{RULE_IN_WORDS}",
        _left_out(counts),
        f"## How far raters agree\n\n{_agreement(study, found)}",
        f"## Which arm is better\n\n{_win_rates(study, found)}",
        HOW_TO_READ,
        WHAT_FOR,
    )
    return f"{_head(study, counts, found)}\n" + "\n\n".join(sections) + "\n"


def _head(study: Study, counts: dict, found: Found | None) -> str:
    return f"""---
pretty_name: {json.dumps(study.title, ensure_ascii=False)}
{_languages(found)}size_categories:
- {_size(counts["preferences"])}
tags:
- human-feedback
- preference
- safety
configs:
{_configs()}---
"""


def _tables(counts: dict) -> str:
    lines = (f"| `{name}` | {counts[name]:,} | {what} |" for name, what in TABLES.items())
    return "\n".join(("| table | rows | what |", "|---|---|---|", *lines))


def _configs() -> str:
    return "".join(
        f"- config_name: {name}\n{'  default: true' + chr(10) if name == 'preferences' else ''}"
        f"  data_files:\n  - split: train\n    path: {name}.parquet\n"
        for name in SCHEMAS
    )


def _languages(found: Found | None) -> str:
    if found is None or not found.languages:
        return ""
    return "language:\n" + "".join(f"- {json.dumps(language)}\n" for language in found.languages)


def _size(rows: int) -> str:
    return next((name for most, name in SIZES if rows < most), LARGEST)


def _left_out(counts: dict) -> str:
    told = ", ".join(f"`{reason}` {pairs:,}" for reason, pairs in counts["pairs_left_out"].items())
    return f"Pairs without a preference, by reason: {told}."


def _agreement(study: Study, found: Found | None) -> str:
    if found is None:
        return TOO_MANY.format(slug=study.slug)
    rows = [
        (row["question"], row["scale"], *(_estimate(row[name]) for name in ("raw", "alpha", "ac1")))
        for row in found.agreement
    ]
    head = ("question", "scale", "raw agreement", "Krippendorff's alpha", "Gwet's AC1")
    return _table(head, rows) + (
        "\n\nWith 95 % intervals from resampling items, over what two raters or more answered. On a set "
        "where one answer is rare, alpha may be low while nearly all answers agree: read the three together."
    )


def _win_rates(study: Study, found: Found | None) -> str:
    if found is None:
        return TOO_MANY.format(slug=study.slug)
    rows = [
        (
            f"{row['arm_a']} against {row['arm_b']}",
            row["question"],
            _estimate(row["rate"]),
            _estimate(row["decisive"]),
            f"{row['rate'].n:,}",
        )
        for row in found.win_rates
    ]
    if not rows:
        return "No two arms were compared."
    return (
        _table(("arms", "question", "win rate", "decisive only", "judgments"), rows) + f"\n\n{found.tie_rule}"
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in cells)


def _cell(text: str) -> str:
    """A name may hold anything that is on one line."""
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _estimate(estimate: Estimate) -> str:
    if estimate.value is None:
        return f"– ({estimate.reason.rstrip('.')})"
    interval = "" if estimate.low is None else f" ({estimate.low:.3f} to {estimate.high:.3f})"
    return f"{estimate.value:.3f}{interval}"
