"""Load a model of the `transformers` library: tokenizer, weights, adapter, quantisation."""

import hashlib
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models_runtime.device import BALANCED, Placement
from models_runtime.errors import ModelNotLoadable
from models_runtime.types import ModelSpec

QUANTIZATIONS = ("8bit", "4bit")
WEIGHTS = ("*.safetensors", "*.bin")
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def load_model(spec: ModelSpec, placement: Placement) -> tuple[Any, Any]:
    """Return (tokenizer, model in evaluation mode on its device or devices); raise ModelNotLoadable."""
    require_folder_or_hub_name(spec.model)
    _require_packages(spec)
    try:
        tokenizer, model = _cached_first(spec.model, lambda local: _load_files(spec, placement, local))
    except Exception as error:  # the libraries raise a dozen kinds, and each means the same to the caller
        raise ModelNotLoadable(_why_not_loaded(spec, error)) from error
    if spec.chat_template:
        tokenizer.chat_template = spec.chat_template
    if not tokenizer.chat_template:
        raise ModelNotLoadable(
            f"The tokenizer of {spec.model} has no chat template, so prompts cannot be put into its format. "
            "Use a chat (instruct) model, add chat_template.jinja to its folder or give a template."
        )
    if spec.adapter:
        model = _with_adapter(model, spec)
    return tokenizer, model.eval()


def weights_sha256(folder: Path | None) -> dict[str, str]:
    """Return file name → SHA-256 of the weights in a folder; empty without a folder."""
    if folder is None or not folder.is_dir():
        return {}
    return {path.name: _sha256(path) for path in _weights(folder)}


def weights_stamps(*names: str) -> dict[str, tuple[int, int, int]]:
    """Return path → (inode, bytes, time of change) of the weights in those of the names that are folders.

    Cheap, where digests of large weights take minutes: stamps that are the same mean the same files.
    """
    folders = [Path(name) for name in names if name and Path(name).is_dir()]
    stats = {str(path): path.stat() for folder in folders for path in _weights(folder)}
    return {path: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


def _weights(folder: Path) -> list[Path]:
    return sorted(path for pattern in WEIGHTS for path in folder.glob(pattern))


def cached_folder(name: str, file: str) -> Path | None:
    """Return the folder that holds `file` of a local or already fetched hub model; None if there is none.

    A fetched model's folder is named after its commit.
    """
    from huggingface_hub import try_to_load_from_cache

    if Path(name).is_dir():
        return Path(name)
    found = try_to_load_from_cache(name, file)
    return Path(found).parent if isinstance(found, str) else None


def require_folder_or_hub_name(model: str) -> None:
    """Refuse early what looks like a path and is none, before the hub is asked for it."""
    looks_like_path = model.startswith(("/", "./", "../", "~")) or model.count("/") > 1
    if not model or (looks_like_path and not Path(model).is_dir()):
        raise ModelNotLoadable(
            f"There is no folder {model!r}. Give the folder of a saved model or a hub name such as org/name."
        )


def _require_packages(spec: ModelSpec) -> None:
    if spec.quantization and find_spec("bitsandbytes") is None:
        raise ModelNotLoadable(
            f"{spec.quantization} needs the package bitsandbytes, which is not installed here. "
            "Install it where the worker runs (pip install bitsandbytes) or leave quantization empty."
        )
    if spec.adapter and find_spec("peft") is None:
        raise ModelNotLoadable(
            "An adapter needs the package peft, which is not installed here (pip install peft)."
        )


def _cached_first(name: str, load: Any) -> Any:
    """Return load(True), which asks no hub, or else load(False).

    The cache comes first because, without a network, every file asked of the hub costs many seconds of
    retries. A cached branch is therefore used as it is; the provenance names its commit.
    """
    try:
        return load(True)
    except (OSError, ValueError):
        if Path(name).is_dir():
            raise
    return load(False)


def _load_files(spec: ModelSpec, placement: Placement, local_files_only: bool) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    where: dict[str, Any] = {"revision": spec.revision or "main", "local_files_only": local_files_only}
    tokenizer = AutoTokenizer.from_pretrained(spec.model, **where)
    is_spread = placement.device == BALANCED
    model: Any = AutoModelForCausalLM.from_pretrained(
        spec.model,
        dtype=getattr(torch, placement.dtype),
        device_map=BALANCED if is_spread else {"": placement.device},
        quantization_config=_quantization(spec, placement),
        use_safetensors=True,  # other weights are pickles, which run what they hold
        **where,
    )
    # A model may ship sampling defaults (a penalty, a top-k); only what the arm says may count.
    model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)
    return tokenizer, model


def _quantization(spec: ModelSpec, placement: Placement) -> Any | None:
    """Return bitsandbytes' settings; None leaves the model as it was saved, quantised or not."""
    import torch
    from transformers import BitsAndBytesConfig

    if not spec.quantization:
        return None
    if spec.quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=getattr(torch, placement.dtype),
    )


def _with_adapter(model: Any, spec: ModelSpec) -> Any:
    """Return the model with the adapter's weights in it: added to its own, or beside quantised ones."""
    try:
        adapted = _cached_first(spec.adapter, lambda local: _adapted(model, spec.adapter, local))
        return adapted.get_base_model() if spec.quantization else adapted.merge_and_unload()
    except Exception as error:  # as above
        raise ModelNotLoadable(
            f"The adapter {spec.adapter} could not be put on {spec.model} ({_cause(error)}). It needs "
            "adapter_config.json and adapter_model.safetensors, made for this very model."
        ) from error


def _adapted(model: Any, adapter: str, local_files_only: bool) -> Any:
    from peft import PeftModel

    with warnings.catch_warnings():
        # Otherwise an adapter for other layers leaves the model as it was, and only a warning says so.
        warnings.filterwarnings("error", message=".*missing adapter keys.*")
        folder = adapter_folder(adapter, local_files_only)
        return PeftModel.from_pretrained(model, str(folder), local_files_only=True)


def adapter_folder(adapter: str, local_files_only: bool = True) -> Path:
    """The folder with the adapter's files, fetched unless it is one; raise FileNotFoundError.

    Named file by file, because `peft` would take a pickle where the safetensors file is missing.
    """
    from huggingface_hub import hf_hub_download

    folder = Path(adapter)
    if not folder.is_dir():
        fetched = [
            hf_hub_download(adapter, name, local_files_only=local_files_only) for name in ADAPTER_FILES
        ]
        return Path(fetched[0]).parent
    missing = [name for name in ADAPTER_FILES if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} has no {' and no '.join(missing)}")
    return folder


def _why_not_loaded(spec: ModelSpec, error: Exception) -> str:
    revision = f" at revision {spec.revision}" if spec.revision else ""
    if Path(spec.model).is_dir():
        return (
            f"The folder {spec.model} could not be loaded as a model ({_cause(error)}). It needs "
            "config.json, the tokenizer's files and complete weights (*.safetensors)."
        )
    return (
        f"{spec.model}{revision} is no folder here and could not be fetched from the model hub "
        f"({_cause(error)}). "
        "Check the name and the network, log in for a gated model, or download it and give the folder."
    )


def _cause(error: Exception) -> str:
    first_line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
