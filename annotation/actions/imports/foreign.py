"""What a row of somebody else's preference data says, in our words; no database and no format yet."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from annotation import strict_json
from annotation.actions.imports.cells import BadRow, label, raw_text, whole, word
from annotation.vocabulary import PAIR_QUESTIONS

PROMPT_LABELS = ("prompt_key", "intent", "harm_category", "subset", "family", "language")
ABOUT = ("rater_id", "rationale", "created_at")
DATASET = "dataset"
"""The rater of a preference for which the file names nobody."""

UNNAMED = ("first", "second")
"""Arms of two answers whose models the file does not name. Which is which, the texts decide and not the
preference: so the arm tells nothing of it, and the same pair preferred the other way is a contradiction."""

SMALLEST = 1
"""The step on our scale of a preference whose strength the file does not say: it says a side, and no more."""

STRONGEST = 3
REWARD = "reward"
MARGIN_KINDS = ("strength", REWARD)


@dataclass(frozen=True)
class Answer:
    """One response: `text` exactly as the file has it."""

    arm: str
    text: str


@dataclass(frozen=True)
class Foreign:
    """`prompt` by the fields of responses, each of `judgments` by the fields of judgments, without the
    prompt's key. `sample` is None where the file does not say which of several it is.
    """

    prompt: dict
    answers: Sequence[Answer]
    judgments: Sequence[dict] = ()
    sample: int | None = None
    pair_key: str = ""


@dataclass(frozen=True)
class Format:
    """One way to write preferences down.

    `plain` turns a file's row into columns, `fits` tells from a row of columns whether they are of this
    format, `guess` which columns give which field where names are up to whoever made the file, and `read`
    makes ours of a row by `fields`; the second argument of `read` says from which column each field came.
    """

    name: str
    title: str
    fields: Sequence[str]
    needs: Sequence[str]
    fits: Callable[[dict], bool]
    read: Callable[[dict, Mapping[str, str]], Foreign]
    plain: Callable[[dict], dict] = dict
    guess: Callable[[dict], dict[str, str]] = lambda row: {}


# Turns ---------------------------------------------------------------------------------------------------


def turns(value: object, name: str) -> list[dict] | None:
    """A conversation as a list of {"role", "content"}; None for plain text. In CSV it is JSON text."""
    if isinstance(value, str) and value.startswith("[{"):
        value = _messages_in(value)
    if not isinstance(value, list):
        return None
    return [_turn(message, name) for message in value]


def _messages_in(text: str) -> list | None:
    """The messages that the text is as JSON; None for any other text, also for JSON that a model answered."""
    try:
        value = strict_json.read(text)
    except strict_json.NotJSON:
        return None
    are_messages = isinstance(value, list) and all(
        isinstance(one, dict) and {"role", "content"} <= set(one) for one in value
    )
    return value if are_messages else None


def _turn(message: object, name: str) -> dict:
    if not isinstance(message, dict):
        raise BadRow(f"“{name}” must be text, or a list of messages with role and content.")
    told = {key: value for key, value in message.items() if value is not None}
    if set(told) != {"role", "content"} or not all(isinstance(value, str) for value in told.values()):
        raise BadRow(f"A message of “{name}” has more or less than a role and a content, both text.")
    return told


def last_answer(value: object, name: str) -> tuple[list[dict], str]:
    """A conversation's turns before its last answer, and that answer. Raises BadRow."""
    *before, last = turns(value, name) or [{}]
    if last.get("role") != "assistant":
        raise BadRow(f"“{name}” must end with an answer of the assistant.")
    return before, last["content"]


def prompt_of(messages: object, row: dict) -> dict:
    """The fields of the prompt; its key, where the file has none, is a digest of the words."""
    prompt = {name: row[name] for name in PROMPT_LABELS if row.get(name) is not None}
    prompt["messages"] = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    if not word(row.get("prompt_key"), "prompt_key"):
        prompt["prompt_key"] = key_of(prompt["messages"])
    return prompt


def key_of(messages: Sequence[dict]) -> str:
    """The same for the same words in the same roles, wherever and whenever they are read."""
    digest = sha256()
    for message in messages:
        for part in (message["role"], message["content"]):
            told = part.encode("utf-8", "surrogatepass")
            digest.update(len(told).to_bytes(8, "big") + told)
    return f"prompt-{digest.hexdigest()[:20]}"


# Judgments -----------------------------------------------------------------------------------------------


def about(row: dict) -> dict:
    """Who judged, when and why, as far as the row says."""
    told = {name: row[name] for name in ABOUT if row.get(name) not in (None, "")}
    return {"rater_id": DATASET} | told


def question_of(row: dict, otherwise: str = "balance") -> str:
    """Which of our pair questions the file's preference answers."""
    return label(row.get("question"), "question", PAIR_QUESTIONS) or otherwise


def strength(row: dict) -> int:
    """A margin as a step from 0 to 3. `margin_max` is the file's largest; without it, ours, which is 3.

    Raises BadRow, also for a difference in r, which our own files tell from a strength by `margin_kind`.
    """
    margin = _number(row.get("margin"), "margin")
    most = _number(row.get("margin_max"), "margin_max")
    kind = label(row.get("margin_kind"), "margin_kind", MARGIN_KINDS)
    if margin is None:
        return SMALLEST
    if kind == REWARD and most is None:
        raise BadRow(
            "“margin” is a difference in r, from 0 to 1, and not how strongly somebody prefers. Make the "
            "dataset with the margin “strength” to have judgments come back as they were, or say "
            "margin_max=1 to have the difference rounded to steps from 1 to 3."
        )
    most = float(STRONGEST) if most is None else most
    if not 0 <= margin <= most:
        raise BadRow(
            f"“margin” is {margin:g}; it must be from 0 to {most:g}. Say with margin_max "
            "how large the file’s get."
        )
    step = margin / most * STRONGEST
    return int(step + 0.5) if step >= 1 or not step else 1  # a preference is never rounded to none


def _number(value: object, name: str) -> float | None:
    text = "" if isinstance(value, bool) else raw_text(value, name).strip()
    if not text:
        return None
    try:
        number = float("nan" if "_" in text else text)
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e9:
        raise BadRow(f"“{name}” is {text[:40]}; it must be a number.")
    return number


def sample_of(row: dict) -> int | None:
    """The sample that the row names, if it does."""
    return whole(row.get("sample"), "sample", 0, 32_767)


def pair_key_of(row: dict) -> str:
    """The pair's name in our own files; "" where the row has none. Raises BadRow for what is no such name."""
    key = word(row.get("pair_key"), "pair_key", longest=16)
    if key and not re.fullmatch("[0-3][0-9a-f]{15}", key):
        raise BadRow(f"“pair_key” is {key}; it must be 16 hexadecimal digits, as in our files.")
    return key


def two_answers(texts: Sequence[str], arms: Sequence[str]) -> tuple[Answer, Answer]:
    """Two answers in the order given; unnamed arms are told apart by the texts alone."""
    if texts[0] == texts[1] and not all(arms):
        raise BadRow("The two answers are the same text, so neither can be the better one.")
    if not all(arms):
        is_first = sha256(texts[0].encode()).digest() < sha256(texts[1].encode()).digest()
        arms = UNNAMED if is_first else UNNAMED[::-1]
    return Answer(arms[0], texts[0]), Answer(arms[1], texts[1])
