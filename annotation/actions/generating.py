"""One batch through a model: outside any transaction, and recorded once."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import TypeVar

from annotation.actions import events, runs
from annotation.models import Arm, Batch, Prompt, Study, User
from annotation.text import storable
from models_runtime.errors import RuntimeFailure
from models_runtime.types import FailedRequest, GenerationRequest, Outcome, Sampling, with_system_prompt
from models_runtime.worker import BackendCache

Brought = TypeVar("Brought")


def generate(batch: Batch, backends: BackendCache) -> bool:
    """Generate a claimed batch and record it; False when it failed or the claim was lost.

    Any failure of the model or its environment stops the run with the reason, and leaves it resumable.
    """
    requests = requests_of(batch)

    def work() -> tuple[list[Outcome], dict]:
        backend = backends.get(batch.arm.spec)
        outcomes = backend.generate(requests, Sampling.from_dict(batch.arm.sampling))
        return outcomes, _provenance(batch, backend.describe(), len(requests))

    brought = through_model(work, backends, give_up=partial(runs.fail_batch, batch))
    # Not the model's fault if this fails (a full disk, a busy database): the lease lapses and another tries.
    return brought is not None and runs.record_completions(batch, *brought)


def through_model(
    work: Callable[[], Brought], backends: BackendCache, give_up: Callable[[str], object]
) -> Brought | None:
    """What `work` brought from a model; None when the model failed, whose reason `give_up` was told.

    Whatever a model's own code raises must reach a page too; it is raised again, for the log's traceback.
    Such a model may be broken for good, so the next batch loads it anew.
    """
    try:
        return work()
    except RuntimeFailure as error:
        give_up(str(error))
        return None
    except Exception as error:
        give_up(f"{type(error).__name__}: {error}")
        with suppress(Exception):
            backends.close()
        raise


def dry_run(study: Study, backends: BackendCache, count: int = 3, actor: User | None = None) -> list[dict]:
    """What each generating arm's model would be given for the study's first prompts; generates nothing.

    Loads every model, so a model that does not load is found out here. Each entry: arm, prompt, text, and
    error where there is no text. Recorded as an event.
    """
    prompts = list(study.prompts.order_by("pk")[:count])
    arms = [arm for arm in study.arms.all() if arm.generates]
    rendered = [entry for arm in arms for entry in _rendered(arm, prompts, backends)]
    events.record(study, "dry_run", actor, rendered=rendered)
    return rendered


def _rendered(arm: Arm, prompts: list[Prompt], backends: BackendCache) -> list[dict]:
    entries = []
    for prompt in prompts:
        request = GenerationRequest("", with_system_prompt(prompt.messages, arm.system_prompt), 0)
        entry = {"arm": arm.name, "prompt": prompt.key, "text": "", "error": ""}
        try:
            entry["text"] = storable(backends.get(arm.spec).render(request))
        except RuntimeFailure as error:
            entry["error"] = storable(str(error))
        entries.append(entry)
    return entries


def ask_trial(arm: Arm, asked: str, actor: User | None = None) -> None:
    """Note that a worker is asked for an answer of the arm, for its page to wait for."""
    events.record(arm.study, "ask_trial", actor, arm=arm.pk, asked=storable(asked))


def try_arm(arm: Arm, asked: str, backends: BackendCache, actor: User | None = None) -> dict:
    """One answer of the arm to `asked`, which counts for nothing, or why there is none; kept as an event."""
    told = {"arm": arm.pk, "name": arm.name, "settings": arm.settings_sha256}
    told |= {"asked": storable(asked), "text": "", "error": ""}
    messages = with_system_prompt([{"role": "user", "content": storable(asked)}], arm.system_prompt)
    request = GenerationRequest("trial", messages, arm.study.seed)
    try:
        (outcome,) = backends.get(arm.spec).generate([request], Sampling.from_dict(arm.sampling))
    except RuntimeFailure as error:
        told["error"] = storable(str(error))
    else:
        told |= _trial(outcome)
    events.record(arm.study, "try_arm", actor, **told)
    return told


def _trial(outcome: Outcome) -> dict:
    if isinstance(outcome, FailedRequest):
        return {"error": storable(outcome.reason)}
    tokens = {"prompt_tokens": outcome.prompt_tokens, "output_tokens": outcome.output_tokens}
    return {"text": storable(outcome.text), "seconds": outcome.seconds, **tokens}


def requests_of(batch: Batch) -> list[GenerationRequest]:
    """The batch's items, keyed by their primary key."""
    return [
        GenerationRequest(
            key=str(item.pk),
            messages=with_system_prompt(item.prompt.messages, batch.arm.system_prompt),
            seed=runs.request_seed(batch, item),
        )
        for item in batch.items.select_related("prompt")
    ]


def _provenance(batch: Batch, description: dict, rows: int) -> dict:
    return {
        **description,
        "sampling": Sampling.from_dict(batch.arm.sampling).to_dict(),
        "system_prompt_sha256": sha256(batch.arm.system_prompt.encode()).hexdigest(),
        "worker": batch.worker,
        "attempt": batch.attempts,
        "batch_rows": rows,
    }
