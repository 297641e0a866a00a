"""How good reward models are on held-out families, and how models that answer fare by them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_runtime.errors import TrainingRefused
from models_runtime.registry import load_backend
from models_runtime.training.checkpoints import (
    PROVENANCE,
    read_provenance,
    require_answering,
    source_of,
    write_json,
)
from models_runtime.training.measures import as_dict, calibration_report, mean, rate
from models_runtime.training.rl import SPLIT
from models_runtime.training.rows import (
    QUESTION_OF,
    Answer,
    Judged,
    Pair,
    Shares,
    Target,
    conversation,
    judged,
    score_of,
)
from models_runtime.training.scoring import RewardModel
from models_runtime.training.snapshots import read_snapshot
from models_runtime.training.trainers import say
from models_runtime.types import (
    Completion,
    GenerationRequest,
    Message,
    ModelSpec,
    Sampling,
    with_system_prompt,
)

TARGETS: tuple[Target, ...] = ("helpfulness", "safety")


@dataclass(frozen=True)
class Request:
    """What to evaluate. `models` answer the held-out prompts, greedily; there may be none."""

    data: Path
    out: Path
    helpfulness: str
    safety: str
    models: Sequence[str] = ()
    system_prompt: str | None = None
    new_tokens: int = 256
    device: str = "auto"


@dataclass(frozen=True)
class Scored:
    """One answer to a held-out prompt, with what the reward models give it."""

    prompt_key: str
    family: str
    intent: str
    text: str
    h: float
    s: float

    @property
    def r(self) -> float:
        return self.h * self.s


def run(request: Request) -> dict[str, Any]:
    """Evaluate, write the report to `request.out` and print a line per finding; raise TrainingRefused."""
    snapshot = read_snapshot(request.data)
    shares = shares_of([request.helpfulness, request.safety])
    held = judged(snapshot).part("test", shares)
    scorers = {
        target: RewardModel.load(Path(getattr(request, target)), target, request.device) for target in TARGETS
    }
    report = {
        "snapshot": snapshot.facts,
        "split": {"seed": shares.seed, "part": "test", "families": len({a.family for a in held.answers})},
        **reward_report(held, scorers),
        "models": [model_report(name, held, scorers, request) for name in request.models],
    }
    request.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(request.out, report)
    _tell(report)
    return report


def shares_of(rewards: Iterable[str]) -> Shares:
    """The split that the reward models were trained with; raise TrainingRefused where it is not one."""
    facts = [read_provenance(Path(folder)) for folder in rewards]
    splits = {tuple(one["arguments"][name] for name in SPLIT) for one in facts}
    if len(splits) > 1:
        raise TrainingRefused("The two reward models were trained on different splits. Train them on one.")
    seed, test, calibration = splits.pop()
    return Shares(seed, test, calibration)


# Reward models -----------------------------------------------------------------------------------------


def reward_report(held: Judged, scorers: dict[Target, RewardModel]) -> dict[str, Any]:
    """Pairwise accuracy and calibration of h, of s and of r, and means by mode and intent."""
    conversations = [conversation(answer) for answer in held.answers]
    given = {
        target: dict(zip(map(id, held.answers), scorers[target](conversations), strict=True))
        for target in TARGETS
    }
    product = {key: given["helpfulness"][key] * given["safety"][key] for key in given["safety"]}
    report: dict[str, Any] = {}
    for target in TARGETS:
        human = {id(answer): score_of(answer, target) for answer in held.answers}
        report[target] = _agreement(held, given[target], human, QUESTION_OF[target])
    human = {id(answer): answer.reward for answer in held.answers}
    report["reward"] = _agreement(held, product, human, "balance")
    report["reward_by_mode"] = _means(held.answers, product, lambda answer: answer.mode or "not asked")
    report["reward_by_intent"] = _means(held.answers, product, lambda answer: answer.intent)
    return report


def _agreement(
    held: Judged, given: dict[int, float], human: dict[int, float | None], question: str
) -> dict[str, Any]:
    pairs = [pair for pair in held.pairs if pair.leanings[question]]
    right = [_is_right(pair, given, question) for pair in pairs]
    known = [answer for answer in held.answers if human[id(answer)] is not None]
    return {
        "question": question,
        "pairwise_accuracy": as_dict(rate(right, [pair.a.family for pair in pairs])),
        "ties_left_out": sum(pair.leanings[question] == 0 for pair in held.pairs),
        "not_asked": sum(pair.leanings[question] is None for pair in held.pairs),
        "calibration": as_dict(
            calibration_report(
                [given[id(answer)] for answer in known], [human[id(answer)] or 0.0 for answer in known]
            )
        ),
    }


def _is_right(pair: Pair, given: dict[int, float], question: str) -> float:
    """1 where the scores differ as raters do, ½ where they do not differ, else 0."""
    difference = given[id(pair.b)] - given[id(pair.a)]
    return 0.5 if difference == 0 else float((difference > 0) == ((pair.leanings[question] or 0) > 0))


def _means(
    answers: Sequence[Answer], given: dict[int, float], group: Callable[[Answer], str]
) -> dict[str, Any]:
    """The mean reward of each group, beside the human mean of those that have one."""
    found = {}
    for name in sorted({group(answer) for answer in answers}):
        inside = [answer for answer in answers if group(answer) == name]
        human = [answer for answer in inside if answer.reward is not None]
        found[name] = {
            "model": as_dict(mean([given[id(a)] for a in inside], [a.family for a in inside])),
            "human": as_dict(mean([a.reward or 0.0 for a in human], [a.family for a in human])),
        }
    return found


# Models that answer ------------------------------------------------------------------------------------


def model_report(
    model: str, held: Judged, scorers: dict[Target, RewardModel], request: Request
) -> dict[str, Any]:
    """The means of h, s and r over a model's answers to the held-out prompts, in all and by intent."""
    scored = answer_and_score(model, held, scorers, request)
    intents = sorted({one.intent for one in scored})
    return {
        "model": model,
        "system_prompt": system_prompt_of(model, request.system_prompt),
        **summary(scored),
        "by_intent": {name: summary([one for one in scored if one.intent == name]) for name in intents},
    }


def summary(scored: Sequence[Scored]) -> dict[str, Any]:
    families = [one.family for one in scored]
    return {name: as_dict(mean([getattr(one, name) for one in scored], families)) for name in ("h", "s", "r")}


def answer_and_score(
    model: str, held: Judged, scorers: dict[Target, RewardModel], request: Request
) -> list[Scored]:
    """The model's greedy answers to the held-out prompts, scored. Raises ModelNotLoadable."""
    prompts = list({answer.prompt_key: answer for answer in held.answers}.values())
    asked = with_prompt(prompts, system_prompt_of(model, request.system_prompt))
    return score_texts(prompts, _answers(model, asked, request), scorers)


def score_texts(
    prompts: Sequence[Answer], texts: Sequence[str], scorers: Mapping[Target, RewardModel]
) -> list[Scored]:
    """What the reward models give each text as the answer to the prompt beside it."""
    conversations = [
        [*prompt.messages, Message(role="assistant", content=text)]
        for prompt, text in zip(prompts, texts, strict=True)
    ]
    given = zip(scorers["helpfulness"](conversations), scorers["safety"](conversations), strict=True)
    return [
        Scored(prompt.prompt_key, prompt.family, prompt.intent, text, h, s)
        for prompt, text, (h, s) in zip(prompts, texts, given, strict=True)
    ]


def with_prompt(prompts: Sequence[Answer], system_prompt: str) -> list[GenerationRequest]:
    """The prompts as the model will be asked them."""
    return [
        GenerationRequest(one.prompt_key, with_system_prompt(one.messages, system_prompt), seed=0)
        for one in prompts
    ]


def system_prompt_of(model: str, wish: str | None) -> str:
    """What the model runs under: the wish, or what a checkpoint of ours was trained with."""
    if wish is not None:
        return wish
    if not (Path(model) / PROVENANCE).exists():
        return ""
    return str(read_provenance(Path(model))["arguments"]["system_prompt"])


def _answers(model: str, asked: Sequence[GenerationRequest], request: Request) -> list[str]:
    require_answering(model)
    source = source_of(model)
    spec = ModelSpec(
        "transformers_local",
        source.base,
        revision=source.revision,
        adapter=source.adapter,
        device=request.device,
    )
    backend = load_backend(spec)
    outcomes = backend.generate(asked, Sampling(max_new_tokens=request.new_tokens))
    backend.close()
    failed = [outcome for outcome in outcomes if not isinstance(outcome, Completion)]
    if failed:
        raise TrainingRefused(f"“{model}” could not answer “{failed[0].key}”: {failed[0].reason}")
    return [outcome.text for outcome in outcomes if isinstance(outcome, Completion)]


def _tell(report: dict[str, Any]) -> None:
    for name in (*TARGETS, "reward"):
        say({"evaluated": name, **report[name]})
    say({"reward_by_mode": report["reward_by_mode"]})
    say({"reward_by_intent": report["reward_by_intent"]})
    for model in report["models"]:
        say(model)
