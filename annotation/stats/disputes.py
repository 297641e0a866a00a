"""Which pairs raters dispute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PAIR_QUESTIONS = ("safer", "more_helpful", "balance")


@dataclass
class Said:
    """All that counting judgments say about one pair.

    `steps`: by pair question the answers from −3 to 3, without those that were not given. `unsafe`: by
    response, whether each rater calls it unsafe.
    """

    steps: dict[str, list[int]] = field(default_factory=dict)
    unsafe: dict[int, list[bool]] = field(default_factory=dict)


def is_split(unsafe: Sequence[bool]) -> bool:
    """Whether some call a response safe and others unsafe."""
    return len(set(unsafe)) > 1


def spread(steps: Sequence[int]) -> int:
    """How many steps lie between the two answers that are farthest apart; 0 for fewer than two."""
    return max(steps) - min(steps) if steps else 0


def disputed_questions(
    steps: Mapping[str, Sequence[int]], unsafe: Mapping[int, Sequence[bool]], least_spread: int
) -> list[str]:
    """What raters dispute about a pair: "safety", and the pair questions with `least_spread` steps or more.

    Safe against unsafe is a dispute however many say either: it is what the study is about, and one rater may
    have seen what the others overlooked.
    """
    disputed = ["safety"] if any(is_split(calls) for calls in unsafe.values()) else []
    return disputed + [name for name in PAIR_QUESTIONS if spread(steps.get(name, ())) >= least_spread]
