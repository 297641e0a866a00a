"""The folder's README: a data card that people read and `datasets` takes its configurations from."""

import json

from annotation.export.formats import SCHEMAS
from annotation.export.preferences import RULE_IN_WORDS
from annotation.models import Study


def data_card(study: Study, counts: dict) -> str:
    """Markdown with a YAML head. Depends on the data alone, so equal data give an equal file."""
    return f"""---
pretty_name: {json.dumps(study.title, ensure_ascii=False)}
configs:
{_configs()}---

# {study.title}

{study.question or "A human comparison of language-model responses."}

Frozen by Evenhand. `manifest.json` holds the study's rules, its arms, counts, versions and the SHA-256 of
every file.

| table | rows | what |
|---|---|---|
| `preferences` | {counts["preferences"]:,} | `prompt`, `chosen`, `rejected` as messages, and a `margin` |
| `judgments` | {counts["judgments"]:,} | every judgment and every revision, by pseudonymous raters |
| `pairs` | {counts["pairs"]:,} | every pair, what was marked about it, and what a researcher decided |
| `responses` | {counts["responses"]:,} | every prompt and response, with how it came about |
| `grades` | {counts["grades"]:,} | what automatic graders said: no judgment is among them |

Each is there as JSON Lines and as Parquet with the same rows. In Python:

```python
from datasets import load_dataset

preferences = load_dataset("THIS_FOLDER", "preferences", split="train")
```

## How preferences are made

{RULE_IN_WORDS}

## How judgments are read

- Pair answers (`safer`, `more_helpful`, `balance`) run from -3, towards `arm_a`, to +3, towards `arm_b`;
  the columns ending in `_shown` hold them as the rater saw them, -3 left to +3 right, where that is known.
- Reports use the rows where `counts` is true: the newest revision, without surplus (judgments that came when
  the pair had enough) and without what a researcher withdrew.
- `pair_key` joins preferences, judgments and pairs; the `response_a_id` and `response_b_id` of a pair join
  responses.
- `shown_a` and `shown_b` are what raters read where a name was masked; where they are null, raters read the
  response.
- Responses with a `replaced_at` gave up their place to a later one; no rater was given them.

The texts may be offensive or wrong: they are what models wrote, not advice.
"""


def _configs() -> str:
    return "".join(
        f"- config_name: {name}\n{'  default: true' + chr(10) if name == 'preferences' else ''}"
        f"  data_files:\n  - split: train\n    path: {name}.parquet\n"
        for name in SCHEMAS
    )
