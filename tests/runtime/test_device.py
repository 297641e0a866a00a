"""The choice of device and dtype."""

import pytest

from models_runtime.device import Accelerator, place
from models_runtime.errors import ModelNotLoadable

pytestmark = pytest.mark.once
NONE = Accelerator()
MODERN = Accelerator("Example GPU", has_bfloat16=True)
SEVERAL = Accelerator("Example GPU", has_bfloat16=True, count=4)
OLD = Accelerator("Old GPU")


@pytest.mark.parametrize(
    ("wish", "accelerator", "device", "dtype"),
    [
        (("auto", "auto"), NONE, "cpu", "float32"),
        (("auto", "auto"), MODERN, "cuda", "bfloat16"),
        (("auto", "auto"), OLD, "cuda", "float16"),
        (("cpu", "auto"), MODERN, "cpu", "float32"),
        (("cpu", "bfloat16"), NONE, "cpu", "bfloat16"),
        (("cuda:1", "float32"), MODERN, "cuda:1", "float32"),
        (("balanced", "auto"), SEVERAL, "balanced", "bfloat16"),
    ],
)
def test_it_honours_wishes_and_else_chooses(
    wish: tuple[str, str], accelerator: Accelerator, device: str, dtype: str
) -> None:
    placement = place(*wish, accelerator)
    assert (placement.device, placement.dtype) == (device, dtype)


def test_it_gives_the_reason() -> None:
    assert "No usable GPU" in place("auto", "auto", NONE).reason
    assert "Example GPU" in place("auto", "auto", MODERN).reason
    assert "asked for" in place("cpu", "auto", MODERN).reason
    assert "all 4 GPUs" in place("balanced", "auto", SEVERAL).reason


@pytest.mark.parametrize(
    "wish", [("cuda", "auto"), ("balanced", "auto"), ("tpu", "auto"), ("cuda:", "auto"), ("cpu", "int3")]
)
def test_it_refuses_what_cannot_be(wish: tuple[str, str]) -> None:
    with pytest.raises(ModelNotLoadable):
        place(*wish, NONE)
