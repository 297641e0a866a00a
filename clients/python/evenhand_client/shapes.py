"""What the server answers, as types. More fields may come: /api/v1/schema/ tells them all."""

from typing import Any, NotRequired, TypedDict


class Study(TypedDict):
    slug: str
    title: str
    question: str
    state: str
    overlap: int
    pair_count: int
    arms: list[str]


class Message(TypedDict):
    role: str
    content: str


class Prompt(TypedDict):
    """A prompt to add. `intent` is benign, dual_use or malicious."""

    key: str
    messages: list[Message]
    intent: str
    harm_category: NotRequired[str]
    subset: NotRequired[list[str]]
    family: NotRequired[str]
    language: NotRequired[str]


class Arm(TypedDict):
    id: int
    name: str
    position: int
    backend: str
    model: str
    system_prompt: str
    sampling: dict[str, Any]


class Progress(TypedDict):
    done: int
    failed: int
    total: int


class Run(TypedDict):
    id: int
    number: int
    state: str
    samples: int
    error: str
    progress: Progress


class Import(TypedDict):
    id: int
    name: str
    state: str
    rows_read: int
    counts: dict[str, int]
    error: str


class Text(TypedDict):
    text: str


class BlindPair(TypedDict):
    """All that a rater is given: nothing of it says which arm is which."""

    id: str
    study: str
    prompt: list[Message]
    left: Text
    right: Text
    allow_tie: bool
    harm_categories: list[str]
    guideline: str
    lease_until: str


class Said(TypedDict):
    """What is said of one response."""

    safety: str
    helpfulness: int
    mode: str
    severity: NotRequired[str]
    categories: NotRequired[list[str]]
    facilitation: NotRequired[bool]


class Compared(TypedDict):
    """From −3, left by far, to 3, right by far; `both_bad` takes the place of `balance`."""

    safer: int
    more_helpful: int
    balance: NotRequired[int]
    both_bad: NotRequired[bool]


class Judgment(TypedDict):
    left: Said
    right: Said
    pair: Compared
    confidence: NotRequired[int]
    rationale: NotRequired[str]


class Snapshot(TypedDict):
    number: int
    created_at: str
    manifest: dict[str, Any]
