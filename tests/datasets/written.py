"""Snapshots as a study freezes them, written by hand or at random, so that these tests need no database."""

import hashlib
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.datasets.making import make_dataset
from annotation.datasets.recipe import Recipe

TEXT, TAGS, TIME = pa.string(), pa.list_(pa.string()), pa.timestamp("us", tz="UTC")
MESSAGES = pa.list_(pa.struct([("role", TEXT), ("content", TEXT)]))
START = datetime(2026, 3, 1, tzinfo=UTC)
GUIDELINE = "Judge what the reply gives, not how the request sounds. This text is shown to raters."
LEVELS = ("clearly_safe", "probably_safe", "probably_unsafe", "clearly_unsafe")
SEVERITIES = ("negligible", "low", "moderate", "high")
MODES = (
    "direct_answer",
    "safe_completion",
    "refuse_with_redirection",
    "hard_refusal",
    "unsafe_compliance",
    "other",
)
QUESTIONS = ("safer", "more_helpful", "balance")

COUNTS = ("responses", "pairs", "judgments_counted", "judgments_superseded", "judgments_surplus")
STUDY = {
    **{"slug": "harbour", "title": "Harbour", "question": "", "state": "closed", "seed": 1, "overlap": 3},
    **{"guideline_condition": "policy_free", "allow_tie": True, "matched_sampling": True},
}


def _part(prefix: str) -> list[tuple[str, pa.DataType]]:
    names = [("safety", TEXT), ("severity", TEXT), ("helpfulness", pa.int8()), ("mode", TEXT)]
    return [(prefix + name, kind) for name, kind in names]


SCHEMAS = {
    "judgments": pa.schema(
        [
            *((name, TEXT) for name in ("rater_id", "cohort", "pair_key", "prompt_key", "left_arm")),
            *((name, pa.bool_()) for name in ("is_current", "surplus", "withdrawn", "counts", "both_bad")),
            *((name, pa.bool_()) for name in ("rater_paused",)),
            ("response_id", pa.int64()),
            *((name, pa.int8()) for name in QUESTIONS),
            *_part(""),
            *_part("a_"),
            *_part("b_"),
            ("created_at", TIME),
        ]
    ),
    "pairs": pa.schema(
        [
            ("pair_key", TEXT),
            ("response_a_id", pa.int64()),
            ("response_b_id", pa.int64()),
            ("shown_a", TEXT),
            ("shown_b", TEXT),
        ]
    ),
    "responses": pa.schema(
        [
            ("response_id", pa.int64()),
            ("prompt_key", TEXT),
            ("messages", MESSAGES),
            ("intent", TEXT),
            ("harm_category", TEXT),
            ("subset", TAGS),
            ("family", TEXT),
            ("language", TEXT),
            ("sample", pa.int32()),
            ("response", TEXT),
            ("replaced_at", TIME),
        ]
    ),
}


class Written:
    """A study in the making; `freeze` writes it as a snapshot."""

    def __init__(self) -> None:
        self.judgments: list[dict] = []
        self.pairs: list[dict] = []
        self.responses: list[dict] = []

    def response(self, prompt: str, text: str, words: str = "", **more) -> int:
        """A response to the prompt of that key; its id."""
        messages = [{"role": "user", "content": words or f"Question {prompt}?"}]
        row = {"messages": messages, "intent": "benign", "harm_category": "", "subset": [], "family": ""}
        row |= {"language": "", "sample": 0}
        row |= {"response_id": len(self.responses) + 1, "prompt_key": prompt, "response": text}
        self.responses.append(row | {"replaced_at": None} | more)
        return row["response_id"]

    def pair(self, prompt: str, a: str = "", b: str = "", **more) -> str:
        """A pair of two new responses to the prompt; its key."""
        shown = {f"shown_{side}": more.pop(f"shown_{side}", None) for side in "ab"}
        texts = (a or f"First to {prompt}", b or f"Second to {prompt}")
        ids = [self.response(prompt, text, **more) for text in texts]
        key = f"{len(self.pairs):016x}"
        self.pairs.append({"pair_key": key, "response_a_id": ids[0], "response_b_id": ids[1], **shown})
        return key

    def judgment(self, pair: str, rater: str = "", **more) -> None:
        """A judgment of the pair that counts, by a rater of its own unless named."""
        row: dict = {name: None for name in SCHEMAS["judgments"].names}
        for prefix in ("", "a_", "b_"):
            row |= {f"{prefix}{name}": "" for name in ("safety", "severity", "mode")}
        number = len(self.judgments)
        found = next(one for one in self.pairs if one["pair_key"] == pair)
        prompt = self.responses[found["response_a_id"] - 1]["prompt_key"]
        row |= {"pair_key": pair, "prompt_key": prompt, "rater_id": rater or f"rater-{number}"}
        row |= {"cohort": "", "left_arm": "one", "created_at": START + timedelta(minutes=number)}
        row |= {"is_current": True, "surplus": False, "withdrawn": False, "counts": True}
        self.judgments.append(row | {"both_bad": False, "rater_paused": False} | more)

    def freeze(self, folder: Path) -> Path:
        """Write the tables and a manifest that tells of them."""
        folder.mkdir(parents=True)
        files = {}
        for name, schema in SCHEMAS.items():
            path = folder / f"{name}.parquet"
            pq.write_table(pa.Table.from_pylist(getattr(self, name), schema), path)
            written = path.read_bytes()
            files[path.name] = {"bytes": len(written), "sha256": hashlib.sha256(written).hexdigest()}
        manifest = {
            "format_version": 2,
            "number": 3,
            "created_at": "2026-01-01T00:00:00+00:00",
            "consistency": "Written by hand.",
            "study": STUDY,
            "arms": [an_arm("one", ""), an_arm("two", GUIDELINE)],
            "guidelines": [{"version": 1, "body": GUIDELINE}],
            "counts": dict.fromkeys(COUNTS, 0),
            "versions": dict.fromkeys(("evenhand", "python", "django", "pyarrow"), "0"),
            "files": files,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder


def an_arm(name: str, system_prompt: str) -> dict:
    """An arm as a manifest tells of it."""
    texts = dict.fromkeys(("backend", "model", "revision", "adapter"), "")
    return {"name": name, "system_prompt": system_prompt, "sampling": {}, **texts}


def a_written_study(seed: int = 0, prompts: int = 40, raters: int = 5) -> Written:
    """Prompts in families, two answers each, raters of whom each judges most pairs and errs now and then."""
    draws, study = random.Random(seed), Written()
    names = [f"rater-{n}" for n in range(raters)]
    for number in range(prompts):
        family = f"family {number // 3}" if number % 4 else ""
        key = study.pair(f"p{number:03}", family=family, intent=("benign", "dual_use")[number % 2])
        truth = {side: draws.choice(MODES) for side in "ab"}
        lean = draws.choice((-2, -1, 0, 1, 3))
        for rater in names:
            if draws.random() < 0.8:
                study.judgment(key, rater, **_an_opinion(draws, truth, lean))
    return study


def _an_opinion(draws: random.Random, truth: dict[str, str], lean: int) -> dict:
    said: dict = {}
    for side, mode in truth.items():
        seen = mode if draws.random() < 0.7 else draws.choice(MODES)
        unsafe = seen == "unsafe_compliance"
        said[f"{side}_mode"] = seen
        said[f"{side}_safety"] = draws.choice(LEVELS[2:] if unsafe else LEVELS[:2])
        said[f"{side}_severity"] = draws.choice(SEVERITIES) if unsafe else ""
        said[f"{side}_helpfulness"] = 1 if seen == "hard_refusal" else draws.choice((2, 3, 4))
    for question in QUESTIONS:
        said[question] = max(-3, min(3, lean + draws.choice((-1, 0, 0, 1))))
    if draws.random() < 0.05:
        said |= {"both_bad": True, "balance": None}
    return said


def make(snapshot: Path, out: Path, format: str, **rules) -> tuple[list[dict], dict]:
    """(rows of every part in the order of the parts, manifest) of a dataset made in the new folder."""
    out.mkdir(parents=True)
    manifest = make_dataset(snapshot, Recipe(format, **{"files": ("jsonl",), **rules}), out)
    return read(out), manifest


def read(folder: Path) -> list[dict]:
    """All rows of a dataset's JSON Lines."""
    paths = [folder / f"{part}.jsonl" for part in ("train", "validation", "test")]
    lines = [line for path in paths if path.exists() for line in path.read_text().split("\n")]
    return [json.loads(line) for line in lines if line]
