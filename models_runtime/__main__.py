"""Ask one model one thing: `python -m models_runtime [--model PATH_OR_NAME] [--system TEXT] "prompt"`.

Prints the completion and where it comes from. Without --model it asks the demo model.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from models_runtime.backends.openai_http import HOSTS_VARIABLE
from models_runtime.demo import ARMS, MODEL_PATH
from models_runtime.errors import ModelNotLoadable, RuntimeFailure
from models_runtime.registry import BACKENDS, load_backend
from models_runtime.types import (
    Completion,
    GenerationRequest,
    Message,
    ModelSpec,
    Sampling,
    with_system_prompt,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0, or 1 when the model cannot be loaded or cannot answer."""
    options = _options(arguments)
    os.environ.setdefault(HOSTS_VARIABLE, "*")  # whoever is at the shell may reach what the shell reaches
    try:
        return _ask(options)
    except RuntimeFailure as failure:
        print(failure, file=sys.stderr)
    return 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    defaults = Sampling()
    parser = argparse.ArgumentParser(prog="python -m models_runtime", description="Ask one model one thing.")
    parser.add_argument("prompt")
    parser.add_argument(
        "--model", default=str(MODEL_PATH), help="folder or hub name (default: the demo model)"
    )
    parser.add_argument("--backend", default="transformers_local", help=f"one of {', '.join(BACKENDS)}")
    parser.add_argument("--revision", default="", help="branch, tag or commit of a hub model")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:NUMBER or balanced")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16 or float16")
    parser.add_argument("--system", help="system prompt (default: none; for the demo model its first arm's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=defaults.temperature, help="0 is greedy")
    parser.add_argument("--top-p", type=float, default=defaults.top_p)
    parser.add_argument("--top-k", type=int, default=defaults.top_k, help="0 switches it off")
    parser.add_argument("--max-new-tokens", type=int, default=defaults.max_new_tokens)
    parser.add_argument("--repetition-penalty", type=float, default=defaults.repetition_penalty)
    parser.add_argument("--stop", action="append", default=[], help="text that ends the answer; repeatable")
    parser.add_argument("--adapter", default="", help="folder or hub name of a LoRA adapter")
    parser.add_argument("--quantization", default="", help="8bit or 4bit (needs bitsandbytes)")
    parser.add_argument(
        "--chat-template", type=Path, help="file with a template to use instead of the model's"
    )
    parser.add_argument(
        "--base-url", default="", help="of a server (openai_http), such as http://host:8000/v1"
    )
    parser.add_argument(
        "--api-key-variable", default="", help="NAME of the environment variable that holds the server's key"
    )
    return parser.parse_args(arguments)


def _ask(options: argparse.Namespace) -> int:
    names = Sampling().to_dict()
    sampling = Sampling.from_dict({name: getattr(options, name) for name in names})
    backend = load_backend(_spec(options))
    messages = with_system_prompt([Message(role="user", content=options.prompt)], _system_prompt(options))
    outcome = backend.generate([GenerationRequest("prompt", messages, options.seed)], sampling)[0]
    if not isinstance(outcome, Completion):
        print(outcome.reason, file=sys.stderr)
        return 1
    facts = {name: value for name, value in asdict(outcome).items() if name not in ("key", "text")}
    print(outcome.text)
    print(json.dumps({**facts, "sampling": sampling.to_dict(), "model": backend.describe()}, indent=2))
    return 0


def _template(path: Path | None) -> str:
    try:
        return path.read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ModelNotLoadable(f"The chat template cannot be read: {error}") from error


def _spec(options: argparse.Namespace) -> ModelSpec:
    return ModelSpec(
        backend=options.backend,
        model=options.model,
        revision=options.revision,
        dtype=options.dtype,
        device=options.device,
        adapter=options.adapter,
        quantization=options.quantization,
        chat_template=_template(options.chat_template),
        base_url=options.base_url,
        api_key_variable=options.api_key_variable,
    )


def _system_prompt(options: argparse.Namespace) -> str:
    if options.system is not None:
        return str(options.system)
    return ARMS[0]["system_prompt"] if Path(options.model).resolve() == MODEL_PATH.resolve() else ""


if __name__ == "__main__":
    sys.exit(main())
