"""What raters said becomes rows: pure functions from a snapshot to answers, pairs and training rows.

Scores follow the study's scales: h = (H - 1) / 3 for H in 1..4; s = 1 for an answer that counts as safe,
else by severity: negligible 0.67, low 0.33, moderate and high 0. A judgment that calls an answer unsafe and
gives no severity has no s, as in reports. r = h * s.
"""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Any, Literal

from models_runtime.errors import TrainingRefused
from models_runtime.training.snapshots import Snapshot
from models_runtime.types import Message, with_system_prompt

SAFE_LEVELS = ("clearly_safe", "probably_safe")
SEVERITY_SCORE = {"negligible": 0.67, "low": 0.33, "moderate": 0.0, "high": 0.0}
MODES = ("direct_answer", "safe_completion", "refuse_with_redirection")
"""The three modes of safe completions, from full help to none."""
MOST_MARGIN = 3.0  # of the scale -3..3
LEAST_POLICY = 20  # characters: shorter texts stand in ordinary prompts by chance

SPOKEN = ("L", "N", "M", "Sm", "Sc")
"""Unicode's letters, digits, the marks that are vowels in many scripts, and the signs of “C++” and “$5”."""
JOINERS = re.compile("[\u034f\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Marks that change nothing that anybody sees."""

Target = Literal["helpfulness", "safety"]
QUESTION_OF: dict[Target, str] = {"helpfulness": "more_helpful", "safety": "safer"}
Split = Literal["train", "calibration", "test"]


@dataclass(frozen=True)
class Answer:
    """One response as raters judged it. Means over judgments, None where nobody answered.

    `messages` is the prompt without any system message. `family` links what may not be split. `mode` is the
    most frequent answer (the first in MODES among equals). `without_severity`: how many of the judgments
    call it unsafe and do not say how much.
    """

    prompt_key: str
    family: str
    intent: str
    arm: str
    sample: int
    messages: tuple[Message, ...]
    text: str
    masked: bool
    helpfulness: float | None
    safety: float | None
    mode: str
    votes: int
    without_severity: int = 0

    @property
    def reward(self) -> float | None:
        """r = h * s."""
        return None if self.helpfulness is None or self.safety is None else self.helpfulness * self.safety


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt; the mean of each pair question, from -3 (a by far) to +3 (b by far)."""

    a: Answer
    b: Answer
    leanings: Mapping[str, float | None]


@dataclass(frozen=True)
class Shares:
    """How families are shared out. A family's place depends on its name and the seed alone."""

    seed: int = 0
    test: float = 0.2
    calibration: float = 0.15

    def __post_init__(self) -> None:
        if not (0 < self.test < 1 and 0 < self.calibration < 1 and self.test + self.calibration < 1):
            raise TrainingRefused(
                "The shares for test and calibration must be above 0 and together below 1, not "
                f"{self.test} and {self.calibration}."
            )

    def split_of(self, family: str) -> Split:
        """Where the family belongs, however large the study becomes."""
        digest = hashlib.sha256(f"{self.seed} {family}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64
        if place < self.test:
            return "test"
        return "calibration" if place < self.test + self.calibration else "train"


# Scores --------------------------------------------------------------------------------------------------


def helpfulness_score(level: int | None) -> float | None:
    """h in [0, 1] of one judgment."""
    return None if level is None else (level - 1) / 3


def safety_score(level: str, severity: str) -> float | None:
    """s in [0, 1] of one judgment; None where it is not said, or unsafe without a severity."""
    if not level:
        return None
    return 1.0 if level in SAFE_LEVELS else SEVERITY_SCORE.get(severity)


def lacks_severity(level: str, severity: str) -> bool:
    """Whether a judgment calls an answer unsafe and does not say how much."""
    return bool(level) and level not in SAFE_LEVELS and severity not in SEVERITY_SCORE


# From the snapshot ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """All of a snapshot that can be trained on."""

    answers: list[Answer]
    pairs: list[Pair]

    def part(self, split: Split, shares: Shares) -> "Judged":
        """The answers and pairs whose families are in this split; raise TrainingRefused if there is none."""
        answers = [answer for answer in self.answers if shares.split_of(answer.family) == split]
        pairs = [pair for pair in self.pairs if shares.split_of(pair.a.family) == split]
        if not answers:
            raise TrainingRefused(
                f"No family of prompts fell into the {split} part with --split-seed {shares.seed}. "
                "Choose another seed or larger shares; a study with few families cannot be split."
            )
        return Judged(answers, pairs)


def judged(snapshot: Snapshot) -> Judged:
    """The snapshot's judged answers and pairs; raise TrainingRefused without any."""
    families = family_of_prompts(snapshot.responses)
    texts = {_key(row, row["arm"]): row for row in snapshot.responses}
    said: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
    shown: dict[tuple, str] = {}
    pairs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in snapshot.judgments:
        for prefix, arm in _parts(row):
            key = _key(row, arm)
            said[key].append(
                {name: row[prefix + name] for name in ("safety", "severity", "helpfulness", "mode")}
            )
            if prefix and row[f"shown_{prefix[0]}"] is not None:
                shown[key] = row[f"shown_{prefix[0]}"]
        if row["pair_key"]:
            pairs[row["pair_key"]].append(row)
    known = {
        key: _answer(texts[key], votes, families[key[0]], shown.get(key))
        for key, votes in said.items()
        if key in texts
    }
    if not known:
        raise TrainingRefused(
            f"No judgment that counts in “{snapshot.folder}” is about a response in it, so there is "
            "nothing to train on."
        )
    return Judged(list(known.values()), list(_pairs(pairs, known)))


def _parts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(column prefix, arm) of every response that the judgment is about."""
    return [("a_", row["arm_a"]), ("b_", row["arm_b"])] if row["pair_key"] else [("", row["arm"])]


def _key(row: Mapping[str, Any], arm: str) -> tuple[str, str, int]:
    return row["prompt_key"], arm, row["sample"]


def _answer(
    response: Mapping[str, Any], votes: Sequence[Mapping[str, Any]], family: str, shown: str | None
) -> Answer:
    modes = Counter(vote["mode"] for vote in votes if vote["mode"])
    ranked = sorted(modes, key=lambda mode: (-modes[mode], _rank(mode), mode))
    return Answer(
        prompt_key=response["prompt_key"],
        family=family,
        intent=response["intent"],
        arm=response["arm"],
        sample=response["sample"],
        messages=without_system(response["messages"]),
        text=response["response"] if shown is None else shown,
        masked=shown is not None,
        helpfulness=_mean(helpfulness_score(vote["helpfulness"]) for vote in votes),
        safety=_mean(safety_score(vote["safety"], vote["severity"]) for vote in votes),
        mode=ranked[0] if ranked else "",
        votes=len(votes),
        without_severity=sum(lacks_severity(vote["safety"], vote["severity"]) for vote in votes),
    )


def _rank(mode: str) -> int:
    return MODES.index(mode) if mode in MODES else len(MODES)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _pairs(by_pair: Mapping[str, list[dict[str, Any]]], known: Mapping[tuple, Answer]) -> Iterable[Pair]:
    for rows in by_pair.values():
        a, b = (known.get(_key(rows[0], rows[0][f"arm_{side}"])) for side in "ab")
        if a is not None and b is not None:
            leanings = {name: _mean(row[name] for row in rows) for name in QUESTION_OF.values()}
            balance = _mean(0 if row["both_bad"] else row["balance"] for row in rows)
            yield Pair(a, b, {**leanings, "balance": balance})


# Families ------------------------------------------------------------------------------------------------


def family_of_prompts(responses: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Prompt key → the name of what it may not be parted from.

    Prompts of one family belong together, and so do prompts of the same words under different names; a
    prompt without family stands alone. Names of families and words are the same whatever their case, spacing
    and punctuation. The name is the least of the linked ones, so it does not depend on the order of rows.
    """
    links = _Links()
    keys = {}
    for row in responses:
        own = f"family {row['family']}" if row["family"] else f"prompt {row['prompt_key']}"
        keys[row["prompt_key"]] = own
        # These sort behind the names above, so that none of them ever names a family.
        links.join(own, f"words {spoken_digest(row['messages']).hex()}")
        if row["family"]:
            links.join(own, f"same family {_spoken(row['family'])}")
    return {key: links.least(own) for key, own in keys.items()}


def spoken_digest(messages: Iterable[Message]) -> bytes:
    """SHA-256 of the prompt's letters, digits and signs that are read, without what a system message says."""
    said = " ".join(message["content"] for message in without_system(messages))
    return hashlib.sha256(_spoken(said).encode("utf-8", "surrogatepass")).digest()


def _spoken(text: str) -> str:
    """What is read of a text, without case: spacing, punctuation and hidden signs are left out. Where nothing
    would be left, the text."""
    plain = JOINERS.sub("", unicodedata.normalize("NFKC", text).casefold())
    return "".join(filter(_is_spoken, plain)) or " ".join(text.split())


@cache
def _is_spoken(character: str) -> bool:
    return unicodedata.category(character).startswith(SPOKEN)


def words_digest(messages: Iterable[Message]) -> bytes:
    """SHA-256 of the prompt's words, whatever their case and spacing, without what a system message says."""
    said = " ".join(message["content"] for message in without_system(messages))
    words = " ".join(said.casefold().split())
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()


class _Links:
    """Sets that grow together (union-find); the least name stands for each."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def least(self, name: str) -> str:
        self._parent.setdefault(name, name)
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self.least(one), self.least(other)))
        self._parent[second] = first


# Training rows -------------------------------------------------------------------------------------------


def without_system(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The conversation without system messages: the policy stands there, and no training prompt shows it."""
    return tuple(
        Message(role=message["role"], content=message["content"])
        for message in messages
        if message["role"] != "system"
    )


def as_run(answer: Answer, system_prompt: str) -> list[Message]:
    """The prompt as the tuned model will be asked it: with the system prompt that it runs under, if any."""
    return list(with_system_prompt(answer.messages, system_prompt))


def best_answers(
    answers: Iterable[Answer], least_safety: float = 0.67
) -> tuple[list[Answer], dict[str, int]]:
    """The answer with the highest r of every prompt, and how many were left out by reason.

    Taken are answers with both scores, s of at least `least_safety`, one of the three MODES, and words that
    raters read unmasked, which nobody called unsafe without a severity. Among equals the first by arm and
    sample.
    """
    best: dict[str, Answer] = {}
    left_out: Counter[str] = Counter()
    for answer in sorted(answers, key=lambda one: (one.prompt_key, one.arm, one.sample)):
        if reason := _unfit(answer, least_safety):
            left_out[reason] += 1
            continue
        rival = best.get(answer.prompt_key)
        left_out["not_the_best"] += rival is not None
        if rival is None or _reward(answer) > _reward(rival):
            best[answer.prompt_key] = answer
    return list(best.values()), dict(left_out)


def _unfit(answer: Answer, least_safety: float) -> str:
    if answer.without_severity:
        return "severity_missing"
    if answer.helpfulness is None or answer.safety is None:
        return "no_score"
    if answer.safety < least_safety:
        return "unsafe"
    if answer.mode not in MODES:
        return "other_mode"
    return "masked" if answer.masked else ""


def _reward(answer: Answer) -> float:
    return -1.0 if answer.reward is None else answer.reward


def sft_row(answer: Answer, system_prompt: str = "") -> dict[str, Any]:
    """A row of TRL's conversational prompt-completion form."""
    return {
        "prompt": as_run(answer, system_prompt),
        "completion": [Message(role="assistant", content=answer.text)],
    }


def prompt_rows(answers: Iterable[Answer], system_prompt: str = "") -> list[dict[str, Any]]:
    """One row per prompt to answer; `bare` is the prompt as the reward models see it."""
    by_prompt = {answer.prompt_key: answer for answer in answers}
    return [
        {
            "prompt": as_run(answer, system_prompt),
            "bare": list(answer.messages),
            "prompt_key": key,
            "intent": answer.intent,
        }
        for key, answer in sorted(by_prompt.items())
    ]


def conversation(answer: Answer) -> list[Message]:
    """Prompt and final answer: all that a reward model is shown."""
    return [*answer.messages, Message(role="assistant", content=answer.text)]


def score_of(answer: Answer, target: Target) -> float | None:
    """The human score that a reward model of this target learns."""
    return answer.helpfulness if target == "helpfulness" else answer.safety


def leaning(pair: Pair, target: Target) -> float | None:
    """How far raters lean to b, -3..3: as they said, or else as their scores of the two answers differ."""
    said = pair.leanings[QUESTION_OF[target]]
    if said is not None:
        return said
    a, b = score_of(pair.a, target), score_of(pair.b, target)
    return None if a is None or b is None else MOST_MARGIN * (b - a)


def reward_rows(part: Judged, target: Target, margin: float = 1.0) -> list[dict[str, Any]]:
    """Rows of TRL's preference form with what our loss takes beside it.

    `chosen` and `rejected` are whole conversations. `margin` times the raters' leaning is what the chosen
    score must exceed the other by; `weight` is 0 where there is no preference (a tie, or two answers that
    were judged one by one and share a row). The scores are human, -1 where there is none.
    """
    rows = [_pair_row(pair, target, margin) for pair in part.pairs]
    paired = {id(answer) for pair in part.pairs for answer in (pair.a, pair.b)}
    alone = [answer for answer in part.answers if id(answer) not in paired]
    for first, second in zip(alone[::2], [*alone[1::2], *alone[-1:]], strict=False):
        rows.append(_row(first, second, 0.0, target, margin))
    return [row for row in rows if row["weight"] or row["chosen_score"] >= 0 or row["rejected_score"] >= 0]


def _pair_row(pair: Pair, target: Target, margin: float) -> dict[str, Any]:
    lean = leaning(pair, target) or 0.0
    return (
        _row(pair.b, pair.a, lean, target, margin) if lean > 0 else _row(pair.a, pair.b, lean, target, margin)
    )


def _row(chosen: Answer, rejected: Answer, lean: float, target: Target, margin: float) -> dict[str, Any]:
    scores = [score_of(answer, target) for answer in (chosen, rejected)]
    known = [-1.0 if score is None else float(score) for score in scores]
    return {
        "chosen": conversation(chosen),
        "rejected": conversation(rejected),
        "margin": abs(lean) * margin,
        "weight": 1.0 if lean else 0.0,
        "chosen_score": known[0],
        "rejected_score": known[1],
    }


def require_no_policy(rows: Iterable[Mapping[str, Any]], policies: Iterable[str], allowed: str = "") -> None:
    """Raise TrainingRefused where a prompt holds a policy's text.

    `allowed` is the system prompt that the model will run under; it is no policy, because it is there
    whenever the model answers.
    """
    forbidden = [text for text in policies if text != allowed.strip()]
    for row in rows:
        if found := policy_in(row["prompt"], forbidden):
            raise TrainingRefused(
                f"A training prompt contains the policy “{found[:60]}…”, which the model must learn to "
                "follow without being shown it. Keep policies in arms' system prompts and guidelines."
            )


def policy_in(prompt: Iterable[Message], policies: Iterable[str]) -> str:
    """The first of the policies whose text stands in the prompt, or ""."""
    words = "\n".join(message["content"] for message in prompt)
    return next((text for text in policies if len(text) >= LEAST_POLICY and text in words), "")
