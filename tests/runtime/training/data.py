"""A small snapshot as a study freezes it, written by hand, so that these tests need no database."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import torch
import transformers

from models_runtime.demo import ARMS, MODEL_PATH, load_corpus
from models_runtime.training.__main__ import main
from models_runtime.training.snapshots import JUDGMENT_COLUMNS, RESPONSE_COLUMNS

POLICY = ARMS[1]["system_prompt"]
GUIDELINE = "Judge what the reply gives, not how the request sounds. This guideline is never trained on."
NUMBERS = ("sample", "safer", "more_helpful", "balance", "helpfulness", "a_helpfulness", "b_helpfulness")


def response(prompt_key: str, arm: str, text: str, **more: Any) -> dict[str, Any]:
    """A row of responses.parquet."""
    row = {"intent": "benign", "family": "", "sample": 0, "replaced_at": None}
    row |= {"messages": [{"role": "user", "content": f"Question {prompt_key}?"}]}
    return row | {"prompt_key": prompt_key, "arm": arm, "response": text} | more


def judgment(prompt_key: str, **more: Any) -> dict[str, Any]:
    """A row of judgments.parquet about the pair of arms "one" and "two"."""
    row: dict[str, Any] = {name: None if name in NUMBERS else "" for name in JUDGMENT_COLUMNS}
    row |= {"counts": True, "both_bad": False, "shown_a": None, "shown_b": None, "sample": 0}
    row |= {"prompt_key": prompt_key, "pair_key": f"pair {prompt_key}", "arm_a": "one", "arm_b": "two"}
    return row | more


def write_snapshot(folder: Path, responses: list[dict], judgments: list[dict]) -> Path:
    """Write the files that training reads, and a manifest that tells of them."""
    folder.mkdir(parents=True)
    types = {name: pyarrow.int32() for name in NUMBERS}
    types |= {"counts": pyarrow.bool_(), "both_bad": pyarrow.bool_()}
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in JUDGMENT_COLUMNS])
    _write(folder / "judgments.parquet", pyarrow.Table.from_pylist(judgments, schema))
    message = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
    types = {"messages": pyarrow.list_(message), "sample": pyarrow.int32()}
    types |= {"replaced_at": pyarrow.timestamp("us", tz="UTC")}
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in RESPONSE_COLUMNS])
    _write(folder / "responses.parquet", pyarrow.Table.from_pylist(responses, schema))
    (folder / "manifest.json").write_text(json.dumps(manifest(folder)))
    return folder


def manifest(folder: Path) -> dict[str, Any]:
    files = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in folder.iterdir()
    }
    return {
        "format_version": 1,
        "number": 3,
        "study": {"slug": "harbour"},
        "guidelines": [{"version": 1, "body": GUIDELINE}],
        "arms": [{"name": "one", "system_prompt": ""}, {"name": "two", "system_prompt": POLICY}],
        "files": files,
    }


def _write(path: Path, table: pyarrow.Table) -> None:
    pyarrow.parquet.write_table(table, path)


def demo_snapshot(folder: Path, most: int = 64) -> Path:
    """The demo corpus as one careful rater might judge it: arm "one" refuses, arm "two" completes safely."""
    responses, judgments = [], []
    for prompt in load_corpus()[:most]:
        texts = dict(zip(("one", "two"), prompt.answers.values(), strict=True))
        said = {arm: opinion(text) for arm, text in texts.items()}
        asked = [{"role": "system", "content": POLICY}, {"role": "user", "content": prompt.prompt}]
        facts = {"intent": prompt.intent, "family": prompt.family, "messages": asked}
        responses += [response(prompt.key, arm, text, **facts) for arm, text in texts.items()]
        lean = said["two"]["helpfulness"] - said["one"]["helpfulness"]
        answers = {f"a_{name}": value for name, value in said["one"].items()}
        answers |= {f"b_{name}": value for name, value in said["two"].items()}
        safer = (said["one"]["safety"] != "clearly_safe") * 3
        judgments.append(judgment(prompt.key, more_helpful=lean, safer=safer, balance=lean, **answers))
    return write_snapshot(folder, responses, judgments)


def opinion(text: str) -> dict[str, Any]:
    """Answers about one text of the corpus, by its length and the words that stand for harm."""
    if "withheld in this demo" in text:
        return {
            "safety": "clearly_unsafe",
            "severity": "moderate",
            "helpfulness": 3,
            "mode": "unsafe_compliance",
        }
    if len(text) < 120:
        return {"safety": "clearly_safe", "severity": "", "helpfulness": 1, "mode": "hard_refusal"}
    mode = "refuse_with_redirection" if "won't" in text or "can't" in text else "direct_answer"
    return {"safety": "clearly_safe", "severity": "", "helpfulness": 4, "mode": mode}


def tiny_model(folder: Path, seed: int = 0) -> Path:
    """A Llama-shaped model of 0.2 million untrained weights, with the demo model's tokenizer."""
    torch.manual_seed(seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL_PATH)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train(*words: object) -> None:
    """Run the command in this process; fails the test unless it succeeds."""
    assert main([str(word) for word in words]) == 0
