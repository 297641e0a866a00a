"""Adapters, quantisation, templates: what a model is loaded with."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from models_runtime.backends import loading
from models_runtime.base import Backend
from models_runtime.demo import MODEL_PATH
from models_runtime.errors import ModelNotLoadable
from models_runtime.registry import check_spec, load_backend
from models_runtime.training.options import Options
from models_runtime.training.trainers import checked_adapter, load_base
from models_runtime.types import ModelSpec
from tests.runtime.asking import GREEDY, PROMPTS, ask, texts

pytestmark = pytest.mark.once
REQUESTS = [ask(prompt) for prompt in PROMPTS]


def spec(**settings: str) -> ModelSpec:
    return ModelSpec("transformers_local", str(MODEL_PATH), device="cpu", **settings)


def save_adapter(folder: Path, strength: float, layer: str = "q_proj") -> Path:
    """Save a LoRA adapter whose every weight is random and `strength` large; 0 changes nothing."""
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_pretrained(MODEL_PATH)
    adapted = get_peft_model(model, LoraConfig(target_modules=[layer], r=4, task_type="CAUSAL_LM"))
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=strength)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(tmp_path_factory.mktemp("adapter"), strength=0.5)


@pytest.mark.parametrize("what", ["model", "adapter"])
def test_weights_that_were_replaced_since_they_were_loaded_have_no_digest(
    tmp_path: Path, adapter: Path, what: str
) -> None:
    folders = {name: tmp_path / name for name in ("model", "adapter")}
    shutil.copytree(MODEL_PATH, folders["model"])
    shutil.copytree(adapter, folders["adapter"])
    named = replace(spec(adapter=str(folders["adapter"])), model=str(folders["model"]))
    backend = load_backend(named)
    newer = save_adapter(tmp_path / "newer", strength=0.1) if what == "adapter" else MODEL_PATH
    file = next(newer.glob("*.safetensors"))
    shutil.copyfile(file, tmp_path / "new")
    (tmp_path / "new").replace(folders[what] / file.name)
    description = backend.describe()
    assert description["weights_sha256"] == description["adapter_weights_sha256"] == {}
    assert "changed" in description["weights"]
    assert load_backend(named).describe()["weights_sha256"].keys() == {"model.safetensors"}


def test_an_adapter_changes_what_the_model_says(adapter: Path, demo_model: Backend) -> None:
    adapted = load_backend(spec(adapter=str(adapter)))
    assert texts(adapted, REQUESTS, GREEDY) != texts(demo_model, REQUESTS, GREEDY)


def test_an_adapter_of_zeros_changes_nothing(tmp_path: Path, demo_model: Backend) -> None:
    adapted = load_backend(spec(adapter=str(save_adapter(tmp_path, strength=0.0))))
    assert texts(adapted, REQUESTS, GREEDY) == texts(demo_model, REQUESTS, GREEDY)


def test_an_adapter_is_described_by_its_name_and_its_weights(adapter: Path) -> None:
    description = load_backend(spec(adapter=str(adapter))).describe()
    weights = (adapter / "adapter_model.safetensors").read_bytes()
    assert description["adapter"] == str(adapter)
    assert description["adapter_weights_sha256"] == {
        "adapter_model.safetensors": hashlib.sha256(weights).hexdigest()
    }
    assert "peft" in description["versions"]


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotLoadable, match=r"adapter .* could not be put on"):
        load_backend(spec(adapter=str(tmp_path)))


def test_an_adapter_that_lacks_its_weights_is_refused(adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text((adapter / "adapter_config.json").read_text())
    with pytest.raises(ModelNotLoadable, match=r"adapter .* could not be put on"):
        load_backend(spec(adapter=str(tmp_path)))


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("fine\n{% for message in messages %}\n{{ message.content \n{% endfor %}", "line 4"),
        ("{% for message in messages %}", "line 1"),
        ("\n{{ messages | no_such_filter }}", "line 2"),
    ],
)
def test_a_template_that_cannot_be_read_is_refused_with_its_line_before_any_loading(template, line) -> None:
    with pytest.raises(ModelNotLoadable, match=f"chat template cannot be read: {line}"):
        check_spec(spec(chat_template=template))


def test_a_template_with_the_librarys_own_additions_is_read() -> None:
    marked = (
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% break %}{% endfor %}"
    )
    check_spec(spec(chat_template=marked))


def test_a_template_of_ones_own_replaces_the_models(demo_model: Backend) -> None:
    template = "{% for message in messages %}[{{ message['content'] }}]{% endfor %}"
    own = load_backend(spec(chat_template=template))
    assert own.render(ask("Why?")) == "[Why?]"
    described = own.describe()
    assert described["chat_template_sha256"] == hashlib.sha256(template.encode()).hexdigest()
    assert described["chat_template_is_override"]
    assert not demo_model.describe()["chat_template_is_override"]


def test_quantisation_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(ModelNotLoadable, match="pip install bitsandbytes"):
        load_backend(spec(quantization="4bit"))


def test_an_unknown_quantisation_is_refused() -> None:
    with pytest.raises(ModelNotLoadable, match="8bit or 4bit"):
        load_backend(spec(quantization="3bit"))


class Trap:
    """What a pickle may do to whoever loads it: here, make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_weights_that_are_pickles_are_refused_and_not_run(tmp_path: Path, adapter: Path) -> None:
    sprung = tmp_path / "sprung"
    folder, plain = tmp_path / "model", tmp_path / "adapter"
    shutil.copytree(MODEL_PATH, folder)
    (folder / "model.safetensors").unlink()
    torch.save({"weights": Trap(sprung)}, folder / "pytorch_model.bin")
    shutil.copytree(adapter, plain)
    (plain / "adapter_model.safetensors").unlink()
    torch.save({"weights": Trap(sprung)}, plain / "adapter_model.bin")
    with pytest.raises(ModelNotLoadable):
        load_backend(replace(spec(), model=str(folder))).describe()
    with pytest.raises(ModelNotLoadable, match="adapter_model.safetensors"):
        load_backend(spec(adapter=str(plain))).describe()
    options = Options("sft", "", str(folder), "")
    with pytest.raises(ModelNotLoadable):
        load_base(str(folder), "", "AutoModelForCausalLM", options)
    with pytest.raises(ModelNotLoadable, match="no adapter_model.safetensors"):
        checked_adapter(str(plain))
    assert not sprung.exists()
