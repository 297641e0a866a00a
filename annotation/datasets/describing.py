"""What a dataset says of itself: its manifest, and a card that `datasets` takes its configuration from."""

import json
import platform
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import duckdb
import numpy
import pyarrow as pa
import scipy

from annotation.datasets.recipe import FORMAT_VERSION, PARTS, FileKind, Format, Recipe
from annotation.datasets.selecting import Plan
from annotation.datasets.source import Source
from annotation.version import evenhand_version
from annotation.vocabulary import SCORES

PREFERRED = (FileKind.PARQUET, FileKind.JSONL, FileKind.JSONL_GZ, FileKind.CSV)
ABOUT = {
    Format.TRL_PREFERENCE: "One row a pair. `prompt`, `chosen` and `rejected` are lists of messages; "
    "`margin` is what TRL's `RewardTrainer` subtracts, from 0 to 3 where `margin_kind` is strength, from 0 "
    "to 1 where it is reward (the difference in r); `probability` says how probably the chosen answer is "
    "better.",
    Format.TRL_UNPAIRED: "One row an answer: `prompt`, `completion` (lists of messages) and `label`, as "
    "TRL's `KTOTrainer` reads them.",
    Format.SCALAR_REWARD: "One row a response: `helpfulness` h, `safety` s and `reward` r = h · s.",
    Format.PKU_SAFERLHF: "One row a pair in the columns of PKU-SafeRLHF. Severity: 0 safe, 1 negligible or "
    "low, 2 moderate, 3 high. Which answer is number 0 follows from the answers' words, not from who wrote "
    "them.",
    Format.ANTHROPIC_HH: "One row a pair; `chosen` and `rejected` are whole transcripts.",
    Format.SFT: "One row an answer to imitate: `prompt`, `completion`, and the mode that raters saw in it.",
    Format.SOFT_LABELS: "One row a question about a pair or a response: `labels` and their `probabilities`. "
    "Of a pair, which answer is number 0 follows from the answers' words, not from who wrote them.",
    Format.JUDGMENTS: "One row a judgment that is used, with its times and the side as shown; columns as in "
    "the snapshot, with the prompt's labels.",
}


@dataclass
class Tally:
    """Rows, prompts and families by part, counted while rows are written."""

    rows: Counter = field(default_factory=Counter)
    prompts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, row: dict) -> None:
        self.rows[row["split"]] += 1
        self.prompts[row["split"]].add(row["prompt_key"])

    def add_table(self, part: str, rows: pa.Table) -> None:
        self.rows[part] += len(rows)
        self.prompts[part].update(rows["prompt_key"].unique().to_pylist())

    def as_dict(self, source: Source) -> dict:
        family = dict(zip(source.prompts.keys, source.prompts.families, strict=True))
        return {
            part: {
                "rows": self.rows[part],
                "prompts": len(self.prompts[part]),
                "families": len({family[key] for key in self.prompts[part]}),
            }
            for part in PARTS
        }


def counts_of(source: Source, plan: Plan | None, tally: Tally) -> dict:
    """What was read, kept and left out. `judgments` and `items` each add up; an item may give many rows."""
    return {
        "judgments": source.judgments,
        "items": items_of(source, plan),
        "rows": sum(tally.rows.values()),
        "splits": tally.as_dict(source),
    }


def items_of(source: Source, plan: Plan | None) -> dict:
    """What could have become rows, what did, and why the rest did not."""
    if plan is None:
        used = source.judgments["used"]
        return {"unit": "judgment", "judged": used, "kept": used, "left_out": {}}
    return {"unit": plan.unit, "judged": plan.judged, "kept": plan.kept, "left_out": plan.left_out}


def units_of(items: dict) -> str:
    """What an item is, in the plural: “judged pairs”."""
    return "judgments" if items["unit"] == "judgment" else f"judged {items['unit']}s"


def manifest_of(source: Source, recipe: Recipe, plan: Plan | None, counts: dict, files: dict) -> dict:
    """All of it as JSON values. Nothing in it changes when the same dataset is made again."""
    study = source.manifest["study"]
    return {
        "kind": "dataset",
        "format_version": FORMAT_VERSION,
        "format": recipe.format,
        "recipe": recipe.as_dict(),
        "recipe_sha256": recipe.digest,
        "rules": recipe.words(),
        "notes": dict(plan.notes) if plan else {},
        "scores": str(SCORES),
        "snapshot": {
            "study": study.get("slug", ""),
            "title": study.get("title", ""),
            "number": source.manifest.get("number"),
            "format_version": source.manifest["format_version"],
            "manifest_sha256": source.digest,
        },
        "counts": counts,
        "versions": {
            "evenhand": evenhand_version(),
            "python": platform.python_version(),
            "pyarrow": pa.__version__,
            "duckdb": duckdb.__version__,
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
        },
        "files": files,
    }


def card_of(source: Source, recipe: Recipe, plan: Plan | None, counts: dict, rows: dict[str, int]) -> str:
    """Markdown with a YAML head that names the files of each part."""
    study = source.manifest["study"]
    title = f"{study.get('title') or study.get('slug', '')}: {recipe.format}"
    snapshot = f"snapshot {source.manifest.get('number')} of the study “{study.get('slug', '')}”"
    return f"""---
pretty_name: {json.dumps(title, ensure_ascii=False)}
{_configs(recipe, rows)}---

# {_one_line(title)}

{ABOUT[Format(recipe.format)]}

Made by Evenhand from {snapshot}, whose manifest has the SHA-256 `{source.digest}`. `manifest.json` holds the
recipe, the counts, versions and the SHA-256 of every file.

```python
from datasets import load_dataset

data = load_dataset("THIS_FOLDER")
```

## Rules

{_bullets(recipe.words())}
{_notes(plan)}
## Counts

| part | rows | prompts | families |
|---|---|---|---|
{_parts(counts)}

{_left_out(counts)}

## Intended use

Training and evaluating reward models and policies for research on safety. Labels are the judgments of this
study's raters under its guideline and its question; they are no general truth about what is safe. Texts may
be offensive or wrong: they are what models wrote, not advice. Use the test part for measuring only.
{_csv_note(recipe)}"""


def _configs(recipe: Recipe, rows: dict[str, int]) -> str:
    kind = next(kind for kind in PREFERRED if kind in recipe.files)
    lines = [f"configs:\n- config_name: {recipe.format}\n  default: true\n  data_files:\n"]
    for part in PARTS:
        if rows.get(f"{part}.{kind}"):
            lines.append(f"  - split: {part}\n    path: {part}.{kind}\n")
    return "".join(lines) if len(lines) > 1 else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {_one_line(line)}" for line in lines)


def _notes(plan: Plan | None) -> str:
    if not plan or not plan.notes:
        return ""
    return "\n" + _bullets([f"Note on {name}: {note}." for name, note in plan.notes.items()]) + "\n"


def _parts(counts: dict) -> str:
    return "\n".join(
        f"| {part} | {told['rows']:,} | {told['prompts']:,} | {told['families']:,} |"
        for part, told in counts["splits"].items()
    )


def _left_out(counts: dict) -> str:
    judgments, items = counts["judgments"], counts["items"]
    return (
        f"Of {judgments['read']:,} judgments {judgments['used']:,} are used ({_reasons(judgments)}). "
        f"Of {items['judged']:,} {units_of(items)}, {items['kept']:,} became rows "
        f"({_reasons(items)})."
    )


def _reasons(told: dict) -> str:
    found = [f"{n:,} {reason.replace('_', ' ')}" for reason, n in told["left_out"].items() if n]
    return f"left out: {', '.join(found)}" if found else "none left out"


def _csv_note(recipe: Recipe) -> str:
    if FileKind.CSV not in recipe.files:
        return ""
    return (
        "\nIn CSV, lists are JSON, and a text that a spreadsheet would take for a formula (it begins with "
        "= + - @, a tab or a carriage return) has an apostrophe before it: take JSON Lines or Parquet for "
        "training.\n"
    )
