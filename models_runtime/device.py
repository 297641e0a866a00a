"""Where a model runs and in which number format, with the reason as a sentence."""

from dataclasses import dataclass

from models_runtime.errors import ModelNotLoadable

DTYPES = ("float32", "bfloat16", "float16")
BALANCED = "balanced"  # accelerate's word: layers spread over all GPUs, as evenly as they go


@dataclass(frozen=True)
class Accelerator:
    """What this machine offers; `name` is empty without a usable GPU."""

    name: str = ""
    has_bfloat16: bool = False
    count: int = 1


@dataclass(frozen=True)
class Placement:
    """A device and a dtype as torch names them, and why these."""

    device: str
    dtype: str
    reason: str


def find_accelerator() -> Accelerator:
    """Ask torch for a CUDA device."""
    import torch

    if not torch.cuda.is_available():
        return Accelerator()
    has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return Accelerator(torch.cuda.get_device_name(), has_bfloat16, torch.cuda.device_count())


def place(device: str, dtype: str, accelerator: Accelerator) -> Placement:
    """Choose by the wishes; raise ModelNotLoadable.

    device: "auto", "cpu", "cuda", "cuda:NUMBER" or BALANCED; dtype: "auto" or one of DTYPES.
    """
    chosen, why_device = _device(device, accelerator)
    number, why_dtype = _dtype(dtype, chosen, accelerator)
    return Placement(chosen, number, f"{why_device} {why_dtype}")


def _device(wish: str, accelerator: Accelerator) -> tuple[str, str]:
    if wish == "auto" and accelerator.name:
        return "cuda", f"A GPU is available ({accelerator.name})."
    if wish == "auto":
        return "cpu", "No usable GPU was found, so the model runs on the CPU."
    if wish == "cpu":
        return "cpu", "The CPU was asked for."
    if wish not in ("cuda", BALANCED) and not (wish.startswith("cuda:") and wish[5:].isdigit()):
        raise ModelNotLoadable(f"Unknown device {wish!r}; use auto, cpu, cuda, cuda:NUMBER or {BALANCED}.")
    if not accelerator.name:
        raise ModelNotLoadable(f"Device {wish} was asked for, but torch finds no GPU here; use cpu or auto.")
    if wish == BALANCED:
        return wish, f"Its layers were to be spread over all {accelerator.count} GPUs ({accelerator.name})."
    return wish, f"{wish} was asked for ({accelerator.name})."


def _dtype(wish: str, device: str, accelerator: Accelerator) -> tuple[str, str]:
    if wish in DTYPES:
        return wish, f"{wish} was asked for."
    if wish != "auto":
        raise ModelNotLoadable(f"Unknown dtype {wish!r}; use auto, {', '.join(DTYPES)}.")
    if device == "cpu":
        return "float32", "On a CPU float32 is the exact and usually the quicker choice."
    if accelerator.has_bfloat16:
        return "bfloat16", "The GPU computes in bfloat16."
    return "float16", "The GPU has no bfloat16, so float16 is used."
