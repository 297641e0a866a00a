"""Train the demo model from nothing: `python -m models_runtime.demo.train [--out DIR]`.

A Llama-shaped model of about 3 million parameters learns the corpus by heart, the arm given by its system
prompt. Takes a few minutes on two cores. The same seed, versions and thread count give the same weights.
"""

import argparse
import json
import math
import random
import time
from pathlib import Path
from typing import Any

from models_runtime.demo import ARMS, MODEL_PATH, conversation, load_corpus
from models_runtime.registry import load_backend
from models_runtime.types import Completion, GenerationRequest, Message, ModelSpec, Sampling

VOCABULARY = 2048
CONTEXT = 512
BATCH_ROWS = 8
LEARNING_RATE = 3e-3
BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{{ '<|begin|>' }}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
IGNORED = -100

Example = tuple[list[int], int]


def main() -> None:
    options = _options()
    import torch

    random.seed(options.seed)
    torch.manual_seed(options.seed)
    tokenizer = build_tokenizer()
    examples = encode_corpus(tokenizer)
    model = build_model(tokenizer)
    print(f"{len(examples)} answers, {model.num_parameters():,} parameters", flush=True)
    learn(model, examples, tokenizer.pad_token_id, options.epochs)
    save(model, tokenizer, options.out)
    right, total = count_exact(options.out)
    print(f"{right} of {total} answers come back exactly under greedy decoding; saved in {options.out}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the demo model from nothing.")
    parser.add_argument(
        "--out", type=Path, default=MODEL_PATH, help="folder for the model (default: the shipped one)"
    )
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def build_tokenizer() -> Any:
    """Return a byte-level BPE tokenizer made from the corpus and the system prompts."""
    import tokenizers
    import transformers

    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, BEGIN, END, *ROLES],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def _texts() -> list[str]:
    corpus = load_corpus()
    answers = [answer for prompt in corpus for answer in prompt.answers.values()]
    return [prompt.prompt for prompt in corpus] + answers + [arm["system_prompt"] for arm in ARMS]


def encode_corpus(tokenizer: Any) -> list[Example]:
    """Return (token ids, position of the first answer token) of every answer of every arm."""
    return [
        encode(tokenizer, conversation(prompt.prompt, arm), prompt.answers[arm["name"]])
        for prompt in load_corpus()
        for arm in ARMS
    ]


def encode(tokenizer: Any, messages: tuple[Message, ...], answer: str) -> Example:
    """Return the token ids of the conversation and the position of the first answer token."""
    opening = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
    opening_ids = tokenizer(opening, add_special_tokens=False)["input_ids"]
    answer_ids = tokenizer(answer + END, add_special_tokens=False)["input_ids"]
    return opening_ids + answer_ids, len(opening_ids)


def build_model(tokenizer: Any) -> Any:
    """Return an untrained Llama-shaped model: 4 layers, hidden size 256, tied embeddings."""
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=640,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.LlamaForCausalLM(config)


def learn(model: Any, examples: list[Example], pad_id: int, epochs: int, rate: float = LEARNING_RATE) -> None:
    """Fit the answers (loss on answer tokens only) with AdamW and a cosine schedule; prints every epoch."""
    import torch

    steps = epochs * math.ceil(len(examples) / BATCH_ROWS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    started = time.perf_counter()
    model.train()
    for epoch in range(1, epochs + 1):
        losses = [_step(model, batch, pad_id, optimizer, schedule) for batch in _shuffled_batches(examples)]
        mean = sum(losses) / len(losses)
        print(f"epoch {epoch:2d}  loss {mean:.4f}  {time.perf_counter() - started:.0f} s", flush=True)


def _rate(step: int, steps: int, warm_up: int = 20) -> float:
    """Return the share of the full learning rate: linear warm-up, then a cosine down to 2 %."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.02 + 0.49 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def _shuffled_batches(examples: list[Example]) -> list[list[Example]]:
    order = random.sample(examples, len(examples))
    return [order[start : start + BATCH_ROWS] for start in range(0, len(order), BATCH_ROWS)]


def _step(model: Any, batch: list[Example], pad_id: int, optimizer: Any, schedule: Any) -> float:
    """Take one step; return its loss."""
    import torch

    width = max(len(ids) for ids, _ in batch)
    inputs = torch.tensor([ids + [pad_id] * (width - len(ids)) for ids, _ in batch])
    labels = torch.tensor(
        [[IGNORED] * start + ids[start:] + [IGNORED] * (width - len(ids)) for ids, start in batch]
    )
    # Padding stands on the right and attention looks left only, so no mask is needed.
    loss = model(input_ids=inputs, labels=labels).loss
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    return loss.item()


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write weights (bfloat16 safetensors), configuration and tokenizer into folder."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder, save_jinja_files=False)


def count_exact(folder: Path) -> tuple[int, int]:
    """Return (answers that come back exactly under greedy decoding, all answers); print the others."""
    backend = load_backend(ModelSpec("transformers_local", str(folder), device="cpu"))
    wanted = {
        f"{prompt.key}/{arm['name']}": (conversation(prompt.prompt, arm), prompt.answers[arm["name"]])
        for prompt in load_corpus()
        for arm in ARMS
    }
    requests = [GenerationRequest(key, messages, seed=0) for key, (messages, _) in wanted.items()]
    outcomes = backend.generate(requests, Sampling.from_dict(ARMS[0]["sampling"]))
    backend.close()
    wrong = [o for o in outcomes if not isinstance(o, Completion) or o.text != wanted[o.key][1]]
    for outcome in wrong:
        print(f"differs: {outcome.key}: {json.dumps(getattr(outcome, 'text', ''), ensure_ascii=False)[:110]}")
    return len(wanted) - len(wrong), len(wanted)


if __name__ == "__main__":
    main()
