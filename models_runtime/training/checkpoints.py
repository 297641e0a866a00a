"""Folders of trainings: what they were made from, which checkpoints are whole, where to go on."""

import fcntl
import hashlib
import json
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models_runtime.backends.loading import cached_folder, require_folder_or_hub_name, weights_sha256
from models_runtime.errors import TrainingRefused
from models_runtime.training.options import Options, decisive

FORMAT = "evenhand-checkpoint"
FORMAT_VERSION = 1
PROVENANCE = "provenance.json"
BEGUN = "begun.json"
LOCK = "in-use.lock"
ADAPTER = "adapter_config.json"
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
ANSWERS = ("sft", "rl")
"""Stages whose model answers prompts."""


@dataclass(frozen=True)
class Source:
    """A model to start from: `base` is a folder or hub name; `adapter` the folder of ours on it, or empty."""

    base: str
    revision: str = ""
    adapter: str = ""


def source_of(model: str, revision: str = "") -> Source:
    """What `model` stands for: a checkpoint of ours that is an adapter names its base itself.

    Raises TrainingRefused for such a folder without provenance, ModelNotLoadable for one that is not there.
    """
    require_folder_or_hub_name(model)
    folder = Path(model)
    if not (folder / ADAPTER).exists():
        return Source(str(folder.resolve()) if folder.is_dir() else model, revision)
    base = read_provenance(folder)["base"]
    return Source(base["model"], base["revision"], str(folder.resolve()))


def provenance(options: Options, snapshot: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint of this training says about itself."""
    require_packages()
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "stage": options.stage,
        "snapshot": snapshot,
        "arguments": options.arguments,
        "seed": options.seed,
        "base": _base(source_of(options.model, options.revision)),
        "rewards": {
            name: digests(Path(folder))
            for name, folder in (("helpfulness", options.helpfulness), ("safety", options.safety))
            if folder
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def require_packages() -> None:
    """Raise TrainingRefused where this installation only generates."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise TrainingRefused(
            f"Training needs {', '.join(missing)}, which is not installed here: "
            "pip install -r requirements-train.txt"
        )


def _base(source: Source) -> dict[str, Any]:
    folder = cached_folder(source.base, "config.json")
    is_fetched = folder is not None and str(folder) != source.base
    return {
        "model": source.base,
        "revision": source.revision,
        "commit": folder.name if folder is not None and is_fetched else "",
        "weights_sha256": weights_sha256(Path(source.base)),
        "adapter": source.adapter,
        "adapter_weights_sha256": weights_sha256(Path(source.adapter)) if source.adapter else {},
    }


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of all that decides what the checkpoint says: weights, settings, tokenizer, calibration."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in DECIDES)
    return {path.name: _sha256(path) for path in files if path.name not in OURS}


def _sha256(path: Path) -> str:
    """Read block by block: weights may be larger than the memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


DECIDES = {".safetensors", ".bin", ".json", ".jinja", ".model"}
OURS = {PROVENANCE, BEGUN}


def begin(out: Path, facts: dict[str, Any]) -> Path | None:
    """Make the folder ready; return the checkpoint to go on from, None for a fresh start.

    Raises TrainingRefused where the folder holds something else, a training that is over, or one with other
    settings. With several processes only the first writes.
    """
    if (out / PROVENANCE).exists():
        raise TrainingRefused(f"The training in “{out}” is over. Name another folder with --out.")
    if not is_first_process():
        return newest(out)
    if (out / BEGUN).exists():
        _require_same(out, json.loads((out / BEGUN).read_text(encoding="utf-8")), facts)
        _hold(out)
    elif out.exists() and (not out.is_dir() or any(path.name != LOCK for path in out.iterdir())):
        raise TrainingRefused(f"“{out}” is in use by something else. Name a new or empty folder with --out.")
    else:
        out.mkdir(parents=True, exist_ok=True)
        _hold(out)
        write_json(out / BEGUN, facts)
    return newest(out)


_held: dict[Path, Any] = {}  # folder → the file whose lock ends with this process


def _hold(out: Path) -> None:
    """Keep other processes from training in this folder until this one ends; raise TrainingRefused."""
    if out.resolve() in _held:
        return
    file = (out / LOCK).open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise TrainingRefused(
            f"Another process trains in “{out}” now. Wait until it ends, or name another folder with --out."
        ) from error
    _held[out.resolve()] = file


def is_first_process() -> bool:
    """Whether this process is the only one, or the first of several that accelerate started."""
    return int(os.environ.get("RANK") or 0) == 0


def _require_same(out: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise TrainingRefused unless going on would end where an uninterrupted training ends."""
    old, new = (decisive(facts["arguments"]) for facts in (before, now))
    changed = [name for name in new if old.get(name) != new[name]]
    changed += [name for name in ("snapshot", "base", "rewards") if before[name] != now[name]]
    if changed:
        raise TrainingRefused(
            f"“{out}” holds an interrupted training with another {', '.join(changed)}. Give the same "
            "settings to go on with it, or name another folder with --out."
        )


def newest(out: Path) -> Path | None:
    """The last checkpoint that was written whole: its provenance is written after all else."""
    found = [path.parent for path in out.glob(f"checkpoint-*/{PROVENANCE}")]
    return max(found, key=lambda folder: int(folder.name.split("-")[1]), default=None)


def write_json(path: Path, value: Any) -> None:
    """Write the file whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(draft, path)


FACTS = (
    *("format", "format_version", "stage", "snapshot", "arguments", "seed", "base", "rewards", "versions"),
    *("step", "files_sha256"),
)
"""What every provenance has; the rest is what the stage told at its end."""


def finish(out: Path, facts: dict[str, Any], **told: Any) -> None:
    """Say that the training is over, and which files it ended with."""
    write_json(out / PROVENANCE, {**facts, **told, "files_sha256": digests(out)})


def read_provenance(folder: Path) -> dict[str, Any]:
    """What a checkpoint says about itself; raise TrainingRefused for a folder that is none of ours."""
    try:
        facts = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        hint = " Its training is not over." if (folder / BEGUN).exists() else ""
        raise TrainingRefused(
            f"“{folder}” is no checkpoint of a training of ours: it has no {PROVENANCE}.{hint}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise TrainingRefused(f"“{folder / PROVENANCE}” is not valid JSON: {error}") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise TrainingRefused(
            f"“{folder}” is no checkpoint of a training of ours: its {PROVENANCE} is another's."
        )
    if not _is_whole(facts):
        raise TrainingRefused(
            f"“{folder / PROVENANCE}” is not as a training writes it: something is missing or is no text. "
            "Copy the folder anew, or train again."
        )
    return facts


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number that JSON knows.")


def _is_whole(facts: dict[str, Any]) -> bool:
    """Whether all that is read of a provenance is there, and is what it should be."""
    base, arguments, kept = facts.get("base"), facts.get("arguments"), facts.get("files_sha256", {})
    if not (isinstance(base, dict) and isinstance(arguments, dict) and isinstance(kept, dict)):
        return False
    texts = [facts.get("stage"), base.get("model"), base.get("revision"), *kept.values()]
    return all(isinstance(text, str) for text in [*texts, arguments.get("system_prompt", "")])


def require_answering(model: str) -> None:
    """Raise TrainingRefused for a checkpoint of ours that answers no prompt."""
    if (Path(model) / PROVENANCE).exists() and (
        stage := read_provenance(Path(model))["stage"]
    ) not in ANSWERS:
        raise TrainingRefused(f"“{model}” is a {stage} model: it scores answers and gives none.")


def require_unchanged(folder: Path, facts: dict[str, Any]) -> None:
    """Raise TrainingRefused unless the folder holds the files that its training ended with."""
    kept = facts.get("files_sha256")
    if not kept:
        raise TrainingRefused(
            f"“{folder}” is a checkpoint in the middle of a training. Use the folder that was named with "
            "--out after the training is over."
        )
    changed = sorted(set(kept.items()) ^ set(digests(folder).items()))
    if changed:
        names = ", ".join(sorted({name for name, _ in changed}))
        raise TrainingRefused(
            f"“{folder}” is not as its training left it: {names} changed since. Train again, or copy it anew."
        )
